package cli

import (
	"strings"
	"testing"
)

// TestAnEnvironmentWithoutAServiceSaysSo: a declared Service that was not made yet is an error of every command on it, and
// never a healthy one.
func TestAnEnvironmentWithoutAServiceSaysSo(t *testing.T) {
	c := newClinic(t, "environments:\n  new: {account_sid: $ACCOUNT, base_url: $SERVER, api_key: $MAIN, secret_env: CLINIC_SECRET, kind: staging, service: {friendly_name: New}}\n"+
		"  newer: {account_sid: $ACCOUNT, base_url: $SERVER, api_key: $MAIN, secret_env: CLINIC_SECRET, kind: staging, service: {friendly_name: Newer}}\n"+
		strings.TrimPrefix(names("live , kind: production"), "environments:\n"))
	for args, status := range map[string]int{
		"-e new factors list user-1001-amara": 64, "-e new doctor": 64, "-e new services show": 64, "doctor": 1, "env diff new live": 3,
		"-e new factors delete user-1001-amara --all --yes": 64,
	} {
		got, stdout, stderr := c.run(strings.Fields(args)...)
		if strings.Contains(stdout, "is the Service of new") {
			t.Errorf("%s: two environments without a Service share one\n%s", args, stdout)
		}
		if got != status || !strings.Contains(stdout+stderr, "new has no Service yet") {
			t.Errorf("%s: status %d\n%s%s", args, got, stdout, stderr)
		}
	}
}
