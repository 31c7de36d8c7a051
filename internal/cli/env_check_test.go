package cli

import (
	"os"
	"path/filepath"
	"testing"
)

// TestEnvCheckTellsAPersonInSentences: on a narrow terminal nothing of a mistake is cut off.
func TestEnvCheckTellsAPersonInSentences(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	file := filepath.Join(t.TempDir(), "verifyctl.yaml")
	text := "environments:\n  staging:\n    account_sid: AC00000000000000000000000000000001\n    service_sid: VA00000000000000000000000000000001\n    ios_build: none\n    platforms: [apn]\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errs := runDemo(t, t.TempDir(), 40, "env", "check", file)
	want := file + ":2: error: staging: ios_build is none, but apn is among the platforms\n  fix: correct the environment file\n"
	if out != want {
		t.Errorf("got\n%s\nwant\n%s\n%s", out, want, errs)
	}
}
