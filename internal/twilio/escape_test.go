package twilio

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// TestOperationMeantIsOperationSent is promise 1, for identities that came from a reply and were never parsed.
func TestOperationMeantIsOperationSent(t *testing.T) {
	for _, tc := range []struct {
		identity verify.Identity
		segment  string // "" when it is refused
	}{
		{"user-1001", "user-1001"},
		{"DD6840AEC40AD01EBC2001C0330000AA33", "DD6840AEC40AD01EBC2001C0330000AA33"},
		{verify.Identity(strings.Repeat("a", 64)), strings.Repeat("a", 64)},
		{"abc?x=", "abc%3Fx="},
		{"abc#", "abc%23"},
		{"{Sid}", "%7BSid%7D"},
		{"{ServiceSid}", "%7BServiceSid%7D"},
		{"a%2Fb", "a%252Fb"},
		{"jane@bank.example", "jane@bank.example"},
		{"jane doe", "jane%20doe"},
		{"jane+doe", "jane+doe"},
		{"jäne", "j%C3%A4ne"},
		{"...", "..."},
		{"..;", "..%3B"},
		{"", ""},
		{".", ""},
		{"..", ""},
		{"a/b", ""},
		{"id/Factors/YF9", ""},
		{`a\b`, ""},
		{"a\nb", ""},
		{"a\x00b", ""},
		{"a\x7fb", ""},
		{"a\u0085b", ""},
		{"a\xffb", ""},
	} {
		w := newWorld(t, says(204, ""))
		err := w.DeleteFactor(t.Context(), service, tc.identity, factor)
		if tc.segment == "" {
			e := wantError(t, err, verify.KindRefused)
			if !strings.Contains(e.Message, "nothing was sent") {
				t.Errorf("%q: %v", tc.identity, e)
			}
			w.wantRequests(t, 0)
			continue
		}
		want := "DELETE /v2/Services/" + string(service) + "/Entities/" + tc.segment + "/Factors/" + string(factor)
		if got := w.sightings(); err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%q: sent %v (%v), want %s", tc.identity, got, err, want)
		}
	}
}

func TestEveryPathParameterIsGuarded(t *testing.T) {
	const bad = ".."
	w := newWorld(t, says(200, "{}"))
	ctx := t.Context()
	for name, call := range map[string]func() error{
		"Service":              func() error { _, err := w.Service(ctx, bad); return err },
		"SetServiceCredential": func() error { _, err := w.SetServiceCredential(ctx, bad, verify.PlatformAPN, cred); return err },
		"Entities":             func() error { _, err := collect(w.Entities(ctx, bad)); return err },
		"EntityPage":           func() error { _, _, err := w.EntityPage(ctx, bad, "", 50); return err },
		"Entity":               func() error { _, err := w.Entity(ctx, service, bad); return err },
		"Entity of":            func() error { _, err := w.Entity(ctx, bad, user); return err },
		"DeleteEntity":         func() error { return w.DeleteEntity(ctx, service, bad) },
		"DeleteEntity of":      func() error { return w.DeleteEntity(ctx, bad, user) },
		"Factors":              func() error { _, err := collect(w.Factors(ctx, service, bad)); return err },
		"Factor":               func() error { _, err := w.Factor(ctx, service, user, bad); return err },
		"DeleteFactor":         func() error { return w.DeleteFactor(ctx, service, user, bad) },
		"DeleteFactor of none": func() error { return w.DeleteFactor(ctx, service, user, "") },
		"Challenges": func() error {
			_, err := collect(w.Challenges(ctx, service, bad, verify.ChallengeFilter{}))
			return err
		},
		"Challenge":          func() error { _, err := w.Challenge(ctx, service, user, bad); return err },
		"CreateChallenge":    func() error { _, err := w.CreateChallenge(ctx, service, bad, verify.NewChallenge{}); return err },
		"CreateNotification": func() error { _, err := w.CreateNotification(ctx, service, user, bad, 0); return err },
		"Webhooks":           func() error { _, err := collect(w.Webhooks(ctx, bad)); return err },
		"UpdateWebhook":      func() error { _, err := w.UpdateWebhook(ctx, service, verify.Webhook{SID: bad}); return err },
		"DeleteWebhook":      func() error { return w.DeleteWebhook(ctx, service, bad) },
		"CreateWebhook":      func() error { _, err := w.CreateWebhook(ctx, bad, verify.Webhook{}); return err },
		"UpdateService":      func() error { _, err := w.UpdateService(ctx, bad, nil); return err },
		"UpdateCredential":   func() error { _, err := w.UpdateCredential(ctx, bad, verify.CredentialWrite{}); return err },
		"DeleteCredential":   func() error { return w.DeleteCredential(ctx, verify.Credential{SID: bad}) },
		"Credential":         func() error { _, err := w.Credential(ctx, bad); return err },
		"Alert":              func() error { _, err := w.Alert(ctx, bad); return err },
		"Account":            func() error { _, err := w.Account(ctx, bad); return err },
		"SubscribedEvents":   func() error { _, err := collect(w.SubscribedEvents(ctx, bad)); return err },
	} {
		t.Run(name, func(t *testing.T) {
			wantError(t, call(), verify.KindRefused)
			w.wantRequests(t, 0)
		})
	}
}

// FuzzIdentityKeepsItsOperation: no identity changes the number of path segments, the other segments or the query.
func FuzzIdentityKeepsItsOperation(f *testing.F) {
	for _, s := range []string{"user-1001", "..", "a/b", "abc?x=", "abc#", "{Sid}", "{Identity}", "%2e%2e", "a%2fb", "..;", "\x00", "日本語", "a\u2028b", " ", "a b", "+", ";", "\\"} {
		f.Add(s)
	}
	c, err := New(Options{Username: string(account), Password: password})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, identity string) {
		call := c.begin(t.Context(), "delete")
		call.err = nil
		path := "/v2/Services/" + segment(call, service) + "/Entities/" + segment(call, verify.Identity(identity)) + "/Factors/" + segment(call, factor)
		if call.err != nil {
			if verify.KindOf(call.err) != verify.KindRefused {
				t.Fatal(call.err)
			}
			return
		}
		req, err := c.httpRequest(t.Context(), request{product: productVerify, method: http.MethodDelete, path: path})
		if err != nil {
			t.Fatal(err)
		}
		onWire, err := url.Parse(req.URL.String())
		if err != nil {
			t.Fatal(err)
		}
		segments := strings.Split(onWire.EscapedPath(), "/")
		if len(segments) != 8 || onWire.RawQuery != "" || onWire.Fragment != "" || onWire.Host != "verify.twilio.com" ||
			segments[2] != "Services" || segments[3] != string(service) || segments[4] != "Entities" || segments[6] != "Factors" || segments[7] != string(factor) {
			t.Fatalf("%q turns the request into %s", identity, onWire)
		}
		if back, err := url.PathUnescape(segments[5]); err != nil || back != identity || back == "." || back == ".." {
			t.Fatalf("%q arrives as %q", identity, back)
		}
	})
}
