package cli

import (
	"strings"
	"testing"
)

func TestValuesOfFlagsAreSaidInWords(t *testing.T) {
	for _, tc := range []struct{ args, want string }{
		{"--timeout abc version", `--timeout "abc" is not a length of time`},
		{"factors list --limit many", `--limit "many" is not a whole number that fits`},
		{"factors list --limit 99999999999999999999", `--limit "99999999999999999999" is not a whole number that fits`},
		{"factors list --all=perhaps", `--all "perhaps" is not true or false`},
	} {
		status, _, stderr := runArgs(t, strings.Fields(tc.args)...)
		if status != 64 || !strings.Contains(stderr, tc.want) || strings.Contains(stderr, "invalid") {
			t.Errorf("%s: status %d, stderr %q; want 64 and %q", tc.args, status, stderr, tc.want)
		}
	}
	if status, _, stderr := runArgs(t, "completion", ""); status != 64 || !strings.Contains(stderr, "completion bash|zsh|fish|powershell") {
		t.Errorf("completion for no shell: status %d, stderr %q", status, stderr)
	}
}

// TestEmptyAndImpossibleValues: a value that a script left empty must not make a command take everybody.
func TestEmptyAndImpossibleValues(t *testing.T) {
	for _, tc := range []struct {
		want string
		args []string
	}{
		{"--identity is empty", []string{"-e", "demo", "state", "purge", "--identity", "", "--yes"}},
		{"--where is empty", []string{"-e", "demo", "factors", "list", "--where="}},
		{"--status is empty", []string{"-e", "demo", "factors", "list", "--status", ""}},
		{"--columns is empty", []string{"-e", "demo", "factors", "list", "--columns", ""}},
		{"--columns is empty", []string{"-e", "demo", "factors", "list", "--columns", "sid,"}},
		{"--jq is empty", []string{"-e", "demo", "factors", "list", "--jq", ""}},
		{"--output is empty", []string{"-o", "", "version"}},
		{"--only is empty", []string{"doctor", "--only", ""}},
		{"--confirm is empty", []string{"-e", "demo", "entities", "delete", "user-1001-amara", "--confirm", ""}},
		{"--limit -1 is negative", []string{"-e", "demo", "factors", "deleted", "--limit", "-1"}},
		{"--timeout 0s is not more than zero", []string{"--timeout", "0", "version"}},
		{`--timeout "-5s" is not a length of time`, []string{"--timeout", "-5s", "version"}},
	} {
		status, stdout, stderr := runArgs(t, tc.args...)
		if status != 64 || stdout != "" || !strings.Contains(stderr, "verifyctl: error: "+tc.want) {
			t.Errorf("%q: status %d, stdout %q, stderr %q; want 64 and %q", tc.args, status, stdout, stderr, tc.want)
		}
	}
	if status, _, stderr := runArgs(t, "-e", "", "version"); status != 0 {
		t.Errorf("no environment: status %d, %q", status, stderr)
	}
}
