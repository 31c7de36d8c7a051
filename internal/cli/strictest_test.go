package cli

import (
	"strings"
	"testing"
)

// names gives an environment file with names for one Service.
func names(environments ...string) string {
	file := "environments:\n"
	for _, env := range environments {
		name, more, _ := strings.Cut(env, " ")
		file += "  " + name + ": {account_sid: $ACCOUNT, service_sid: $LIVE, base_url: $SERVER, api_key: $MAIN, secret_env: CLINIC_SECRET" + more + "}\n"
	}
	return file
}

// TestTheStricterEnvironmentOfAServiceWins: -e staging must not delete in production's Service unasked.
func TestTheStricterEnvironmentOfAServiceWins(t *testing.T) {
	for _, tc := range []struct {
		file, args, want string
		status           int
	}{
		{names("staging , kind: staging", "live , kind: production"), "-e staging --yes", "is also that of live, which is production (FILE:3)", 6},
		{names("staging , kind: staging", "live , kind: production"), "-e staging --confirm staging", `--confirm "staging" does not match`, 6},
		{names("staging , kind: staging", "live , kind: production"), "-e staging --confirm live", "", 0},
		{names("absent"), "-e absent --yes", "absent is production (FILE:2 declares no kind); confirm with --confirm absent", 6},
		{names("test , kind: staging", "closed , kind: staging, readonly: true"), "-e test --yes", "is also that of closed, which is read-only (FILE:3)", 6},
		{names("test , kind: staging", "closed , kind: staging, readonly: true"), "-e closed --yes", "closed is read-only (FILE:3)", 6},
		{names("test , kind: staging"), "-e test --yes", "", 0},
	} {
		c := newClinic(t, tc.file)
		status, _, stderr := c.run(append([]string{"factors", "delete", "user-1001-amara", "YFdeaf3bf5746a672e2eeb5e50f10afabc"}, strings.Fields(tc.args)...)...)
		if status != tc.status || !strings.Contains(stderr, strings.ReplaceAll(tc.want, "FILE", c.config)) {
			t.Errorf("%s: status %d, want %d and %q:\n%s", tc.args, status, tc.status, tc.want, stderr)
		}
	}
}

// TestARefusalNamesTheVariable: what a variable refuses is not said to stand in the file.
func TestARefusalNamesTheVariable(t *testing.T) {
	c := newClinic(t, names("staging , kind: staging"))
	t.Setenv("VERIFYCTL_READONLY", "true")
	status, _, stderr := c.run("-e", "staging", "entities", "delete", "user-1001-amara", "--yes")
	if status != 6 || !strings.Contains(stderr, "is read-only (VERIFYCTL_READONLY)") {
		t.Errorf("status %d:\n%s", status, stderr)
	}
}
