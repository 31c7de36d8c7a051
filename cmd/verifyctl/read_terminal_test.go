//go:build unix

package main

import (
	"strings"
	"testing"
)

// TestCtrlCEndsWhatReadsATerminal: Ctrl-C ends a command that reads a terminal at once, with 130.
func TestCtrlCEndsWhatReadsATerminal(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("run without -short")
	}
	for _, command := range []string{
		"debugger decode", "debugger explain -", "why --payload -", "factors list -", "factors apply -", "factors plan --from - --out plan.ndjson",
		"factors prune --activity - --out plan.ndjson", "credentials lint -", "challenge templates lint -", "audit verify --against -",
		"doctor --baseline -", "simulator serve --seed -",
	} {
		t.Run(command, func(t *testing.T) {
			home := t.TempDir()
			env := []string{"TERM=xterm", "HOME=" + home, "XDG_CONFIG_HOME=" + home, "VERIFYCTL_STATE_DIR=" + home + "/state", coverageDir(home)}
			term := onTerminal(t, env, append([]string{"-e", "demo"}, strings.Fields(command)...)...)
			term.answer(t, "press Ctrl-D", "\x03")
			if status, screen := term.end(t); status != 130 || !strings.Contains(screen, "interrupted") {
				t.Errorf("status %d:\n%s", status, screen)
			}
		})
	}
}
