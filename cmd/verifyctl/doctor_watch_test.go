//go:build unix

package main

import (
	"strings"
	"testing"
)

// TestDoctorWatchOnATerminal: the screen is left by q with doctor's status and stays readable, and by Ctrl-C with 130; a terminal
// that cannot draw over itself gets lines.
func TestDoctorWatchOnATerminal(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("run without -short")
	}
	home := t.TempDir()
	env := []string{"TERM=xterm-256color", "NO_COLOR=1", "LC_ALL=C.UTF-8", "HOME=" + home, "XDG_CONFIG_HOME=" + home, "VERIFYCTL_STATE_DIR=" + home + "/state", coverageDir(home)}
	const clear = "\x1b[?1049l"
	for _, c := range []struct {
		keys   string
		status int
		says   string
	}{{"q", 1, "FAIL    demo PUSH-APN-01 since"}, {"\x03", 130, "verifyctl: error: interrupted"}} {
		term := onTerminal(t, env, "-e", "demo", "--mask", "doctor", "watch", "--only", "SVC-*,PUSH-*,EVT-*")
		term.answer(t, "EVENTS CAPTURED HERE", c.keys)
		status, screen := term.end(t)
		if _, left, ok := strings.Cut(screen, clear); status != c.status || !ok || !strings.Contains(left, c.says) || !strings.Contains(screen, "█") {
			t.Errorf("%q: status %d, screen %q", c.keys, status, screen)
		}
	}
	status, screen := onTerminal(t, append(env, "TERM=dumb"), "-e", "demo", "doctor", "watch", "--looks", "1").end(t)
	if status != 1 || strings.Contains(screen, "\x1b") || !strings.Contains(screen, "Z demo FAIL: ") {
		t.Errorf("status %d, screen %q", status, screen)
	}
	// Of several looks the last counts, and the screen ends by itself.
	status, screen = onTerminal(t, env, "-e", "demo", "doctor", "watch", "--looks", "1").end(t)
	if status != 1 || !strings.Contains(screen, clear) || !strings.Contains(screen, "FAIL    demo PUSH-APN-01") {
		t.Errorf("status %d, screen %q", status, screen)
	}
}
