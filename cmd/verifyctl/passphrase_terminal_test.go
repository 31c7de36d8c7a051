//go:build unix

package main

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// TestPassPhraseIsAskedForAtTheTerminal opens the .p12 of the transcript without the variable.
func TestPassPhraseIsAskedForAtTheTerminal(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("run without -short")
	}
	script, err := txtar.ParseFile(filepath.Join("testdata", "script", "doctor", "lint.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "apns.p12")
	for _, f := range script.Files {
		if f.Name == "apns.p12" {
			archive, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(string(f.Data), "\n", ""))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, archive, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	const right = "opens nothing"
	for typed, status := range map[string]int{right: 0, "open-sesame": 1} {
		term := onTerminal(t, []string{"TERM=xterm-256color", "NO_COLOR=1", "HOME=" + t.TempDir()}, "credentials", "lint", file)
		term.answer(t, "Pass phrase of", typed+"\r")
		got, screen := term.end(t)
		if got != status || strings.Contains(screen, typed) || strings.Contains(screen, "does not open it") != (status == 1) ||
			strings.Contains(screen, "private key: it belongs to the certificate") != (status == 0) {
			t.Errorf("%q: status %d, screen %q", typed, got, screen)
		}
	}
}
