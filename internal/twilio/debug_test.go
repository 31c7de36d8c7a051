package twilio

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// TestDebugHidesSecrets: neither keys nor push tokens nor what users are asked appear in a debug record.
func TestDebugHidesSecrets(t *testing.T) {
	var out bytes.Buffer
	w := newWorld(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		if r.Method == http.MethodPost {
			send(w, 201, strings.Replace(challengeJSON, `"Log in?"`, `"MessageInReply"`, 1))
			return
		}
		send(w, 200, factorJSON)
	}, func(o *Options) { o.Debug = &out })
	if _, err := w.Factor(t.Context(), service, user, factor); err != nil {
		t.Fatal(err)
	}
	_, err := w.CreateChallenge(t.Context(), service, user, verify.NewChallenge{
		FactorSID: factor, Message: "MessageOfChallenge", Fields: []verify.Field{{Label: "LabelOfField", Value: "ValueOfField"}},
		HiddenDetails: map[string]string{"ip": "HiddenValue"}, ExpirationDate: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	})
	if err != nil {
		t.Fatal(err)
	}
	got := out.String()
	for _, secret := range []string{password, "Basic QUM", "tokenOfThePhone", "MessageOfChallenge", "MessageInReply", "LabelOfField", "ValueOfField", "HiddenValue", "192.0.2.1"} {
		if strings.Contains(got, secret) {
			t.Errorf("the debug record shows %q", secret)
		}
	}
	for _, want := range []string{
		"> POST " + w.server.URL + "/v2/Services/" + string(service), "FactorSid=" + string(factor), "Details.Message=[redacted]",
		"ExpirationDate=2026-01-01T00:00:00Z", "< 201 Created, RQ0000", `"status":"pending"`, "(try 1)",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the debug record lacks %q:\n%s", want, got)
		}
	}
}

func TestDebugShowsFailures(t *testing.T) {
	var out bytes.Buffer
	w := newWorld(t, inTurn(hangsUp, htmlPage(502), says(200, factorJSON)), func(o *Options) { o.Debug = &out })
	if _, err := w.Factor(t.Context(), service, user, factor); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"(try 3)", "502 Bad Gateway", `"<html>`, "after"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the debug record lacks %q:\n%s", want, out.String())
		}
	}
}

func FuzzRedactedBody(f *testing.F) {
	for _, s := range []string{`{"notification_token":"%s"}`, `{"a":[{"Secret":{"b":"%s"}}]}`, `secret=%s`, `{"details":"%s"`, `[{"binding":["%s"]}]`,
		"{\"friendly_name\":\"\u009b31m\u202e\U000e0041\"}", "\"\u009b\""} {
		f.Add(s)
	}
	const secret = "kept-quiet"
	f.Fuzz(func(t *testing.T, body string) {
		for _, key := range hiddenKeys {
			whole := `{"` + key + `":"` + secret + `","rest":[` + body + `]}`
			if got := redactBody([]byte(whole)); strings.Contains(got, secret) && !strings.Contains(body, secret) {
				t.Fatalf("%q shows the secret: %s", whole, got)
			}
		}
		if got := redactBody([]byte(body)); strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Fatalf("%q has what a terminal could act on: %q", body, got)
		}
	})
}
