package cli

import (
	"os"
	"path/filepath"
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
		want bool
	}{
		{verify.Environment{Name: "staging", AccountSID: live, Kind: verify.Staging}, true},
		{verify.Environment{Name: "live", AccountSID: live}, true},
		{verify.Environment{Name: "dev", AccountSID: other, Kind: verify.Development}, false},
		{verify.Environment{Name: "demo", AccountSID: live, Demo: true}, false},
	} {
		if got := s.sharesProduction(tc.env); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.env.Name, got, tc.want)
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
