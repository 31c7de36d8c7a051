package cli

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/verifyctl/verifyctl/internal/simulator"
)

// Keys that work, but for another account, would be noticed only at the first write; so they are not stored. Keys that may not
// read the Service can be, when somebody says so.
func TestEnvAddRefusesKeysThatDoNotFit(t *testing.T) {
	const otherAccount = "AC00000000000000000000000000000009"
	other := `{"sid":"` + simulator.DemoServiceSID + `","account_sid":"` + otherAccount + `","friendly_name":"Other"}`
	list := `{"services":[` + other + `],"meta":{"key":"services"}}`
	missing := answer(404, `{"code":20404,"message":"not found","status":404}`)
	for name, tc := range map[string]struct {
		service, services func(http.ResponseWriter)
		status            int
		says              []string
	}{
		"another account's Service": {answer(200, other), nil, 6, []string{"belong to " + otherAccount, "--account-sid " + otherAccount}},
		"another account":           {missing, answer(200, list), 6, []string{"belong to " + otherAccount}},
		"an empty account":          {missing, answer(200, `{"services":[],"meta":{"key":"services"}}`), 5, []string{"has no Service VA", "Twilio Console"}},
		"a key that may not read":   {answer(403, `{"code":70051,"message":"Authorization required","status":403}`), nil, 4, []string{"are not allowed", "to store it untested: --no-check"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/Services") {
					tc.services(w)
					return
				}
				tc.service(w)
			}))
			defer server.Close()
			m.reaches(t, server.URL)
			status, _, text := m.run(t.Context(), "env", "add", "live", "--api-key", blindKey, "--secret-env", "CLINIC_SECRET")
			if status != tc.status || !strings.Contains(text, "nothing was stored") {
				t.Errorf("status %d, want %d\n%s", status, tc.status, text)
			}
			for _, want := range tc.says {
				if !strings.Contains(text, want) {
					t.Errorf("%q is not in\n%s", want, text)
				}
			}
			if _, err := os.Stat(filepath.Join(m.dir, "config.local.yaml")); !os.IsNotExist(err) {
				t.Errorf("something was stored: %v", err)
			}
		})
	}
}
