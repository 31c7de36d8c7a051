//go:build unix

package main

import (
	"os/exec"
	"strings"
	"testing"
)

// On a terminal what is missing is picked from what this machine has seen.
func TestChallengePicksWhatIsMissing(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("run without -short")
	}
	vars := []string{"TERM=xterm-256color", "NO_COLOR=1", "XDG_CONFIG_HOME=" + t.TempDir(), "VERIFYCTL_KEYCHAIN=off", "VERIFYCTL_STATE_DIR=" + t.TempDir()}
	const enter, down = "\r", "\x1b[B"
	met := exec.Command("verifyctl", "-e", "demo", "challenge", "list", "user-1001-amara")
	met.Env = append(met.Environ(), vars...)
	if out, err := met.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	term := onTerminal(t, vars, "-e", "demo", "challenge", "create", "--message", "Log in?", "--dry-run")
	term.answer(t, "Which identity?", enter)
	term.answer(t, "Which device should be asked?", down)
	term.answer(t, "> iPhone 16", enter)
	if status, screen := term.end(t); status != 0 || !strings.Contains(screen, `dry run: user-1001-amara will be asked "Log in?" on "iPhone 16" (push)`) {
		t.Errorf("status %d, screen %q", status, screen)
	}

	term = onTerminal(t, vars, "-e", "demo", "challenge", "resend", "--dry-run")
	term.answer(t, "Which identity?", enter)
	term.answer(t, "Which challenge?", enter)
	if status, screen := term.end(t); status != 0 || !strings.Contains(screen, `user-1001-amara will again be asked`) {
		t.Errorf("status %d, screen %q", status, screen)
	}

	// An identity that this machine has not seen is typed; Ctrl-C means nothing is sent.
	term = onTerminal(t, vars, "-e", "demo", "challenge", "list")
	term.answer(t, "Which identity?", down)
	term.answer(t, "> another one", enter)
	term.answer(t, "The identity:", "user-1012-lena"+enter)
	if status, screen := term.end(t); status != 0 || !strings.Contains(screen, "approved") {
		t.Errorf("status %d, screen %q", status, screen)
	}
	term = onTerminal(t, vars, "-e", "demo", "challenge", "create", "--message", "Log in?")
	term.answer(t, "Which identity?", "\x03")
	if status, screen := term.end(t); status != 130 {
		t.Errorf("status %d, screen %q", status, screen)
	}
}
