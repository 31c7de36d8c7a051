package twilio

import (
	"net/http"
	"strings"
	"testing"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// apis answers Notify's and Conversations' requests, each in its own way.
func apis(notify, conversations answer) answer {
	return func(w http.ResponseWriter, r *http.Request, n int) {
		if strings.HasPrefix(r.URL.Path, "/conversations/v1/Credentials") {
			conversations(w, r, n)
			return
		}
		notify(w, r, n)
	}
}

func TestCredentialIsReadWhereItIs(t *testing.T) {
	has := says(200, credentialJSON)
	for _, tc := range []struct {
		name                  string
		notify, conversations answer
		from                  string // "" when neither has it
		kind                  verify.Kind
		code                  int
	}{
		{"Notify has it", has, failed(500, 20500), "notify", 0, 0},
		{"Notify has ended with 410", failed(410, 0), has, "conversations", 0, 0},
		{"Notify has ended with HTML", htmlPage(404), has, "conversations", 0, 0},
		{"Notify is down", failed(503, 20503), has, "conversations", 0, 0},
		{"Notify refuses the key", failed(403, 20006), has, "conversations", 0, 0},
		{"only Conversations knows it", failed(404, 20404), has, "conversations", 0, 0},
		{"Notify makes no sense", says(200, "{}"), has, "conversations", 0, 0},
		{"neither knows it", failed(404, 20404), failed(404, 20404), "", verify.KindNotFound, 20404},
		{"Notify does not know it, Conversations is down", failed(404, 20404), failed(500, 20500), "", verify.KindNotFound, 20404},
		{"Notify has ended, Conversations does not know it", failed(410, 0), failed(404, 20404), "", verify.KindFailed, 0},
		{"both refuse the key", failed(401, 20003), failed(401, 20003), "", verify.KindAuth, 20003},
		{"another credential than asked for", failed(404, 20404), says(200, strings.Replace(credentialJSON, string(cred), "CR"+strings.Repeat("f", 32), 1)), "", verify.KindNotFound, 20404},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, apis(tc.notify, tc.conversations))
			c, err := w.Credential(t.Context(), cred)
			if tc.from == "" {
				if e := wantError(t, err, tc.kind); e.TwilioCode != tc.code {
					t.Errorf("code %d, want Notify's %d", e.TwilioCode, tc.code)
				}
				return
			}
			if err != nil || c.ReadFrom != tc.from || c.SID != cred {
				t.Errorf("got %+v, %v; want it from %s", c, err, tc.from)
			}
		})
	}
}

func TestLimitIsNotAskedAroundElsewhere(t *testing.T) {
	w := newWorld(t, failed(429, 20429, "Retry-After", "3600"))
	_, err := w.Credential(t.Context(), cred)
	wantError(t, err, verify.KindLimit)
	w.wantRequests(t, 1)
}

func TestCredentialListComesFromOnePlace(t *testing.T) {
	row := func(c string) string { return strings.Replace(credentialJSON, string(cred), c, 1) }
	one, two := row("CR"+strings.Repeat("1", 32)), row("CR"+strings.Repeat("2", 32))
	next := "/v1/Credentials?Page=1&PageToken=PT1"
	for _, tc := range []struct {
		name                  string
		notify, conversations answer
		rows                  int
		from                  string
		kind                  verify.Kind // of the error that ends it
		ok                    bool
	}{
		{"Notify", says(200, page("credentials", []string{one, two}, "")), failed(500, 1), 2, "notify", 0, true},
		{"Notify, and there are none", says(200, page("credentials", nil, "")), says(200, page("credentials", []string{one}, "")), 0, "", 0, true},
		{"Notify has ended", failed(410, 0), says(200, page("credentials", []string{one, two}, "")), 2, "conversations", 0, true},
		{"Notify is not there", failed(404, 20404), says(200, page("credentials", []string{one}, "")), 1, "conversations", 0, true},
		{"Notify has ended, Conversations has none", failed(410, 0), says(200, page("credentials", nil, "")), 0, "", 0, true},
		{"both fail", failed(403, 20006), failed(500, 20500), 0, "", verify.KindAuth, false},
		{"Notify fails on its second page", inTurn(says(200, page("credentials", []string{one}, next)), failed(403, 20006)), says(200, page("credentials", []string{one, two}, "")), 1, "notify", verify.KindAuth, false},
		{"Conversations fails on its second page", failed(410, 0), inTurn(nil, says(200, page("credentials", []string{one}, next)), failed(403, 20006)), 1, "conversations", verify.KindAuth, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, apis(tc.notify, tc.conversations))
			got, err := collect(w.Credentials(t.Context()))
			if tc.ok && err != nil {
				t.Error(err)
			}
			if !tc.ok {
				wantError(t, err, tc.kind)
			}
			if len(got) != tc.rows {
				t.Errorf("got %d credentials, want %d", len(got), tc.rows)
			}
			for _, c := range got {
				if c.ReadFrom != tc.from {
					t.Errorf("%s is said to be read from %q, want %q", c.SID, c.ReadFrom, tc.from)
				}
			}
		})
	}
	w := newWorld(t, apis(failed(410, 0), says(200, page("credentials", []string{one}, ""))))
	if _, err := collect(w.Credentials(t.Context())); err != nil || !strings.HasSuffix(w.last(t).uri, "?PageSize=100") {
		t.Errorf("%s asks Conversations for more than 100 at once (%v)", w.last(t), err)
	}
}
