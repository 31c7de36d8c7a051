package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The commands of the guide to debugger events work as they stand there, but for the listener, which has no end and needs
// an account.
func TestDebuggerGuide(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("run without -short")
	}
	guide, err := os.ReadFile("../../docs/guides/debugger.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	ran := 0
	for line := range strings.Lines(strings.Join(fenced(string(guide))["sh"], "")) {
		if !strings.HasPrefix(line, "verifyctl ") || strings.Contains(line, " listen ") {
			continue
		}
		ran++
		cmd := exec.Command("sh", "-c", line)
		cmd.Dir = dir
		cmd.Stdin = strings.NewReader(uninstalledEvent)
		cmd.Env = append(cmd.Environ(), "XDG_CONFIG_HOME="+dir, "VERIFYCTL_STATE_DIR="+filepath.Join(dir, "state"), "VERIFYCTL_KEYCHAIN=off")
		if out, err := cmd.CombinedOutput(); err != nil || len(out) == 0 {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
	}
	if ran < 6 {
		t.Errorf("the guide shows %d commands", ran)
	}
}
