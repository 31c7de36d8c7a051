package twilio

import (
	"compress/gzip"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

func TestTwiliosCodeDecidesBeforeTheStatus(t *testing.T) {
	for _, tc := range []struct {
		status, code int
		kind         verify.Kind
		hint         string
	}{
		{401, 20003, verify.KindAuth, "from the keychain"},
		{403, 20003, verify.KindAuth, ""},
		{403, 20005, verify.KindAuth, "not active"},
		{403, 20006, verify.KindAuth, "not allowed"},
		{403, 20403, verify.KindAuth, ""},
		{403, 20008, verify.KindAuth, "test credentials"},
		{404, 20404, verify.KindNotFound, ""},
		{404, 60390, verify.KindNotFound, ""},
		{404, 60391, verify.KindNotFound, ""},
		{404, 60392, verify.KindNotFound, ""},
		{400, 60392, verify.KindNotFound, ""},
		{404, 0, verify.KindNotFound, ""},
		{403, 60311, verify.KindFailed, ""},
		{403, 60318, verify.KindFailed, ""},
		{403, 60322, verify.KindFailed, ""},
		{403, 60323, verify.KindExpired, ""},
		{403, 60324, verify.KindFailed, ""},
		{403, 575001, verify.KindFailed, ""},
		{400, 60307, verify.KindFailed, ""},
		{400, 60315, verify.KindFailed, ""},
		{409, 20409, verify.KindFailed, ""},
		{405, 20004, verify.KindFailed, ""},
		{429, 20429, verify.KindLimit, "logins"},
		{429, 0, verify.KindLimit, ""},
		{429, 60308, verify.KindLimit, ""},
		{429, 60309, verify.KindLimit, "3 notifications"},
		{429, 60310, verify.KindLimit, ""},
		{429, 60312, verify.KindLimit, ""},
		{429, 60326, verify.KindLimit, ""},
		{400, 60309, verify.KindLimit, ""},
		{500, 20500, verify.KindUnreachable, "status.twilio.com"},
		{503, 20503, verify.KindUnreachable, ""},
	} {
		t.Run(fmt.Sprint(tc.status, tc.code), func(t *testing.T) {
			w := newWorld(t, failed(tc.status, tc.code), func(o *Options) { o.KeySource = "the keychain" })
			_, err := w.Challenge(t.Context(), service, user, challenge)
			e := wantError(t, err, tc.kind)
			if e.TwilioCode != tc.code || e.HTTPStatus != tc.status || e.RequestID == "" {
				t.Errorf("code %d, status %d, request %q", e.TwilioCode, e.HTTPStatus, e.RequestID)
			}
			if !strings.Contains(e.Hint, tc.hint) {
				t.Errorf("the hint is %q, want %q in it", e.Hint, tc.hint)
			}
			if !strings.Contains(e.Message, "It was refused") || !strings.Contains(e.Message, string(challenge)) {
				t.Errorf("the message does not say what and why: %q", e.Message)
			}
		})
	}
}

// TestOddErrorBodies: an error body of any shape is an error that says what came.
func TestOddErrorBodies(t *testing.T) {
	for _, tc := range []struct {
		name, kindOf, body string
		status             int
		kind               verify.Kind
		code               int
		want               string
	}{
		{"code as text", "application/json", `{"code":"20404","message":"Not here"}`, 404, verify.KindNotFound, 20404, "Not here"},
		{"details as text", "application/json", `{"code":60306,"message":"Bad","details":"Identity"}`, 400, verify.KindFailed, 60306, "Bad"},
		{"message as object", "application/json", `{"code":60306,"message":{"a":1}}`, 400, verify.KindFailed, 60306, "a"},
		{"code only", "application/json", `{"code":20003}`, 401, verify.KindAuth, 20003, "no reason"},
		{"six digits", "application/json", `{"code":575001,"message":"x"}`, 400, verify.KindFailed, 575001, "x"},
		{"code beyond numbers", "application/json", `{"code":1e99,"message":"x"}`, 400, verify.KindFailed, 0, "x"},
		{"control characters", "application/json", `{"code":1,"message":"a\u001b[31mb\nc\u0000"}`, 400, verify.KindFailed, 1, "a[31mb c"},
		{"a long message", "application/json", `{"message":"` + strings.Repeat("é", 5000) + `"}`, 400, verify.KindFailed, 0, "é…"},
		{"404 in HTML", "text/html", `<html>nginx</html>`, 404, verify.KindUnreachable, 0, "text/html"},
		{"404 and nothing", "", ``, 404, verify.KindUnreachable, 0, "an empty body"},
		{"404 with other JSON", "application/json", `{}`, 404, verify.KindUnreachable, 0, "other JSON"},
		{"401 in HTML", "text/html", `<html>log in</html>`, 401, verify.KindAuth, 0, "text/html"},
		{"407", "text/html", `<html>proxy</html>`, 407, verify.KindAuth, 0, "407"},
		{"null", "application/json", `null`, 400, verify.KindFailed, 0, "400 Bad Request"},
		{"a list", "application/json", `[]`, 400, verify.KindFailed, 0, "400 Bad Request"},
		{"binary", "x/y", "\x00\x01\xff", 418, verify.KindFailed, 0, "418"},
		{"cut off", "application/json", `{"code":20404,"mess`, 404, verify.KindUnreachable, 0, "404"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
				w.Header().Set("Content-Type", tc.kindOf)
				send(w, tc.status, tc.body)
			})
			_, err := w.Factor(t.Context(), service, user, factor)
			e := wantError(t, err, tc.kind)
			if e.TwilioCode != tc.code || !strings.Contains(e.Message, tc.want) {
				t.Errorf("code %d, %q, want %d and %q", e.TwilioCode, e.Message, tc.code, tc.want)
			}
			if len(e.Message) > 1500 {
				t.Errorf("the message has %d bytes", len(e.Message))
			}
		})
	}
}

// TestOddSuccesses: what is not a resource is never taken for one, and a write with such an answer may have been done.
func TestOddSuccesses(t *testing.T) {
	other := strings.Replace(factorJSON, string(factor), "YF"+strings.Repeat("f", 32), 1)
	for _, tc := range []struct {
		name   string
		answer answer
		kind   verify.Kind
		want   string
	}{
		{"captive portal", htmlPage(200), verify.KindUnreachable, "text/html"},
		{"null", says(200, `null`), verify.KindFailed, "not a JSON object"},
		{"a list", says(200, `[]`), verify.KindFailed, "not a JSON object"},
		{"an empty object", says(200, `{}`), verify.KindFailed, "no sid"},
		{"nothing", says(200, ``), verify.KindUnreachable, "an empty body"},
		{"another factor", says(200, other), verify.KindFailed, `is about "YFffff`},
		{"a status of its own", says(202, factorJSON), verify.KindUnreachable, "202"},
		{"no content", says(204, ``), verify.KindUnreachable, "204"},
		{"two values", says(200, factorJSON+"{}"), verify.KindUnreachable, "broken JSON, which is not a Twilio reply"},
		{"a date that is none", says(200, strings.ReplaceAll(factorJSON, "2026-01-02T03:04:05Z", "now")), verify.KindFailed, `"now" is no date`},
		{"too large", says(200, `{"x":"`+strings.Repeat("x", 5000)+`"}`), verify.KindFailed, "larger than"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, tc.answer)
			w.maxBody = 4000
			_, err := w.Factor(t.Context(), service, user, factor)
			if e := wantError(t, err, tc.kind); !strings.Contains(e.Message, tc.want) {
				t.Errorf("the message is %q, want %q in it", e.Message, tc.want)
			}
			w.wantRequests(t, 1)
			_, err = w.CreateNotification(t.Context(), service, user, challenge, 0)
			if tc.name == "another factor" {
				return // has a sid, as a notification would
			}
			wantError(t, err, verify.KindPartial)
			w.wantRequests(t, 2)
		})
	}
}

func TestRepliesMayBeCompressed(t *testing.T) {
	compressed := func(cut int) answer {
		return func(w http.ResponseWriter, r *http.Request, _ int) {
			if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
				t.Error("the client does not ask for gzip")
			}
			var b strings.Builder
			z := gzip.NewWriter(&b)
			fmt.Fprint(z, factorJSON)
			z.Close()
			w.Header().Set("Content-Encoding", "gzip")
			send(w, 200, b.String()[:b.Len()-cut])
		}
	}
	w := newWorld(t, compressed(0))
	if f, err := w.Factor(t.Context(), service, user, factor); err != nil || f.FriendlyName != "Jane's phone" {
		t.Errorf("got %v, %v", f, err)
	}
	w = newWorld(t, inTurn(compressed(20), compressed(0)))
	if _, err := w.Factor(t.Context(), service, user, factor); err != nil {
		t.Errorf("a reply that broke off was not read again: %v", err)
	}
	w = newWorld(t, func(w http.ResponseWriter, r *http.Request, n int) { // a bomb that never ends
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		fmt.Fprint(z, `{"x":"`)
		for {
			if _, err := z.Write(make([]byte, 1<<10)); err != nil {
				return
			}
		}
	}, func(o *Options) { o.Timeout = 5 * time.Second })
	w.maxBody = 1 << 16
	_, err := w.Factor(t.Context(), service, user, factor)
	wantError(t, err, verify.KindFailed)
}

func TestBrokenBodyIsReadAgainOnlyForReads(t *testing.T) {
	cut := func(w http.ResponseWriter, _ *http.Request, _ int) {
		w.Header().Set("Content-Length", "5000")
		w.WriteHeader(http.StatusOK)
		fmt.Fprint(w, factorJSON)
	}
	w := newWorld(t, inTurn(cut, says(200, factorJSON)))
	if _, err := w.Factor(t.Context(), service, user, factor); err != nil {
		t.Error(err)
	}
	w = newWorld(t, cut)
	_, err := w.CreateChallenge(t.Context(), service, user, verify.NewChallenge{FactorSID: factor})
	wantError(t, err, verify.KindPartial)
	w.wantRequests(t, 1)
}

// TestAccountIsComparedBeforeTheFirstWrite is the rule that keys of another account never write.
func TestAccountIsComparedBeforeTheFirstWrite(t *testing.T) {
	const other = verify.AccountSID("AC" + "ffffffffffffffffffffffffffffffff")
	replies := func(owner verify.AccountSID) answer {
		return func(w http.ResponseWriter, r *http.Request, _ int) {
			swap := func(s string) string { return strings.ReplaceAll(s, string(account), string(owner)) }
			switch {
			case r.Method == http.MethodDelete:
				send(w, 204, "")
			case r.Method == http.MethodPost:
				send(w, 201, swap(notificationJSON))
			case strings.HasSuffix(r.URL.Path, "/Factors"):
				send(w, 200, page("factors", []string{swap(factorJSON)}, ""))
			case strings.Contains(r.URL.Path, "/Credentials"):
				send(w, 200, credentialJSON)
			default:
				send(w, 200, swap(serviceJSON))
			}
		}
	}
	expecting := func(want verify.AccountSID) func(*Options) {
		return func(o *Options) { o.Account, o.KeySource = want, "the keychain" }
	}
	resend := func(w *world) error {
		_, err := w.CreateNotification(context.Background(), service, user, challenge, 0)
		return err
	}

	t.Run("the same account costs one read", func(t *testing.T) {
		w := newWorld(t, replies(account), expecting("AC"+verify.AccountSID(strings.ToUpper(hex32))))
		for range 2 {
			if err := resend(w); err != nil {
				t.Fatal(err)
			}
		}
		w.wantRequests(t, 3)
	})
	t.Run("a reply tells as well", func(t *testing.T) {
		w := newWorld(t, replies(account), expecting(account))
		if _, err := collect(w.Factors(t.Context(), service, user)); err != nil {
			t.Fatal(err)
		}
		if err := resend(w); err != nil {
			t.Fatal(err)
		}
		w.wantRequests(t, 2)
	})
	t.Run("another account", func(t *testing.T) {
		w := newWorld(t, replies(other), expecting(account))
		for _, err := range []error{resend(w), w.DeleteFactor(t.Context(), service, user, factor), w.DeleteEntity(t.Context(), service, user)} {
			e := wantError(t, err, verify.KindRefused)
			if !strings.Contains(e.Message, string(other)) || !strings.Contains(e.Hint, "the keychain") {
				t.Errorf("%v (%s) does not name the account and the keys' source", e, e.Hint)
			}
		}
		w.wantRequests(t, 1)
	})
	t.Run("one reply of another account is enough", func(t *testing.T) {
		owners := []verify.AccountSID{other, account}
		w := newWorld(t, func(w http.ResponseWriter, r *http.Request, n int) { replies(owners[min(n, 2)-1])(w, r, n) }, expecting(account))
		for range 2 {
			if _, err := w.Service(t.Context(), service); err != nil {
				t.Fatal(err)
			}
		}
		wantError(t, resend(w), verify.KindRefused)
	})
	t.Run("a credential's account does not count", func(t *testing.T) {
		w := newWorld(t, replies(other), expecting(account))
		if _, err := w.Credential(t.Context(), cred); err != nil {
			t.Fatal(err)
		}
		wantError(t, resend(w), verify.KindRefused)
	})
	t.Run("no account in the reply", func(t *testing.T) {
		w := newWorld(t, replies(""), expecting(account))
		wantError(t, resend(w), verify.KindRefused)
		w.wantRequests(t, 1)
	})
	t.Run("the read fails", func(t *testing.T) {
		w := newWorld(t, failed(401, 20003), expecting(account))
		wantError(t, resend(w), verify.KindAuth)
		w.wantRequests(t, 1)
	})
	t.Run("nothing to compare with", func(t *testing.T) {
		w := newWorld(t, replies(other))
		if err := resend(w); err != nil {
			t.Fatal(err)
		}
		w.wantRequests(t, 1)
	})
}

func FuzzErrorBody(f *testing.F) {
	for _, s := range []string{`{"code":20404,"message":"x"}`, `{"code":"20404"}`, `null`, `<html>`, `{"message":"a\u001bb"}`, "", `{"code":1e400}`} {
		f.Add(404, s)
	}
	c, err := New(Options{Username: string(account), Password: password})
	if err != nil {
		f.Fatal(err)
	}
	r := request{what: "read it", product: productVerify, method: http.MethodGet}
	f.Fuzz(func(t *testing.T, status int, body string) {
		said, isTwilio := parseErrorBody([]byte(body))
		e := c.refused(r, &reply{status: status, header: http.Header{}, body: []byte(body)}, said, isTwilio)
		if e.Message == "" || strings.ContainsAny(e.Message, "\x00\x1b\n\r") || len([]rune(e.Message)) > 700 {
			t.Fatalf("%d %q gives the message %q", status, body, e.Message)
		}
		if e.Kind == verify.KindNotFound && !isTwilio {
			t.Fatalf("%d %q passes for Twilio's not found", status, body)
		}
	})
}

// TestRepliesAboutSomebodyElse: what a reply says of another identity is never taken for what was asked for, because the
// next thing sent could delete it.
func TestRepliesAboutSomebodyElse(t *testing.T) {
	other := func(reply string) string { return strings.ReplaceAll(reply, string(user), "somebody-else") }
	for name, tc := range map[string]struct {
		reply string
		call  func(*Client) error
	}{
		"a factor": {factorJSON, func(c *Client) error {
			_, err := c.Factor(t.Context(), service, user, factor)
			return err
		}},
		"a list of factors": {`{"factors":[` + factorJSON + `],"meta":{"next_page_url":null}}`, func(c *Client) error {
			for f, err := range c.Factors(t.Context(), service, user) {
				if err == nil {
					t.Errorf("gave %+v", f)
				}
				return err
			}
			return nil
		}},
		"an entity": {entityRow(1001), func(c *Client) error {
			_, err := c.Entity(t.Context(), service, user)
			return err
		}},
		"a challenge": {challengeJSON, func(c *Client) error {
			_, err := c.Challenge(t.Context(), service, user, challenge)
			return err
		}},
	} {
		w := newWorld(t, says(200, other(tc.reply)))
		err := tc.call(w.Client)
		if verify.KindOf(err) != verify.KindFailed || !strings.Contains(fmt.Sprint(err), "it is about the identity") {
			t.Errorf("%s: %v", name, err)
		}
	}
	sameInCapitals := strings.ReplaceAll(factorJSON, string(user), strings.ToUpper(string(user)))
	if _, err := newWorld(t, says(200, sameInCapitals)).Factor(t.Context(), service, user, factor); err != nil {
		t.Errorf("the identity in capitals: %v", err)
	}
}
