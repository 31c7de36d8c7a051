package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/verifyctl/verifyctl/internal/twilio"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// TestAnAccountHasOneCarefulLimit: a staging Service in production's account is read as carefully as production.
func TestAnAccountHasOneCarefulLimit(t *testing.T) {
	const (
		live  = verify.AccountSID("AC00000000000000000000000000000001")
		other = verify.AccountSID("AC00000000000000000000000000000002")
	)
	home := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", home)
	if err := os.MkdirAll(filepath.Join(home, "verifyctl"), 0o700); err != nil {
		t.Fatal(err)
	}
	file := `environments:
  staging: {account_sid: AC00000000000000000000000000000001, service_sid: VA00000000000000000000000000000001, auth_token_env: TOKEN, kind: staging}
  live: {account_sid: AC00000000000000000000000000000001, service_sid: VA00000000000000000000000000000002, auth_token_env: TOKEN}
  dev: {account_sid: AC00000000000000000000000000000002, service_sid: VA00000000000000000000000000000003, auth_token_env: TOKEN, kind: development}
`
	if err := os.WriteFile(filepath.Join(home, "verifyctl", "config.yaml"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &shell{}
	for _, tc := range []struct {
		env  verify.Environment
		want string
	}{
		{verify.Environment{Name: "staging", AccountSID: live, Kind: verify.Staging}, "live"},
		{verify.Environment{Name: "live", AccountSID: live}, "live"},
		{verify.Environment{Name: "dev", AccountSID: other, Kind: verify.Development}, ""},
		{verify.Environment{Name: "demo", AccountSID: live, Kind: verify.Staging, Demo: true}, ""},
	} {
		if got, careful := s.production(tc.env); got != tc.want || careful != (tc.want != "") {
			t.Errorf("%s: %q, want %q", tc.env.Name, got, tc.want)
		}
	}
	staging := verify.Environment{Name: "staging", AccountSID: live, Kind: verify.Staging}
	if got, want := s.limiter(staging).Window(), twilio.NewLimiter(twilio.ProductionLimits).Window(); got != want {
		t.Errorf("staging begins with %d requests in flight, production with %d", got, want)
	}
	if s.limiter(staging) != s.limiter(verify.Environment{Name: "live", AccountSID: live}) {
		t.Error("one account has two limiters")
	}
}

// TestSyncSaysWhoseLimitItKeeps: what holds a staging environment back is another one, which is named.
func TestSyncSaysWhoseLimitItKeeps(t *testing.T) {
	const environment = "{account_sid: $ACCOUNT, service_sid: $DEV, api_key: $MAIN, secret_env: CLINIC_SECRET, base_url: $SERVER, kind: "
	c := newClinic(t, `environments:
  staging: `+strings.Replace(environment, "$DEV", "$STAGING", 1)+`staging}
  same: `+environment+`development}
  live: `+environment+`production}
`)
	for args, want := range map[string]string{
		"-e staging fleet sync":          "at most 10 requests a second, because live is production and has the same account; --rps sets another limit",
		"-e staging fleet sync --rps 50": "",
		"-e same fleet sync":             "same is read as production is, because live is production and has the same Service",
		"-e live fleet sync --all":       "",
	} {
		status, _, stderr := c.run(strings.Fields(args)...)
		if status != 0 || !strings.Contains(stderr, want) || strings.Contains(stderr, "because") != (want != "") {
			t.Errorf("%s: status %d, %s", args, status, stderr)
		}
	}
}
