//go:build unix

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestColours: on a terminal what is wrong is red, what needs a look is yellow, what is in order is green and what is over
// is dim; with NO_COLOR nothing is.
func TestColours(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("run without -short")
	}
	plain := newTerminalWorld(t)
	plain.freeze(t)
	coloured := plain
	coloured.env = slices.DeleteFunc(slices.Clone(plain.env), func(kv string) bool { return strings.HasPrefix(kv, "NO_COLOR=") })
	texts := filepath.Join(plain.home, "texts.yaml")
	if err := os.WriteFile(texts, []byte("texts:\n  login:\n    locales:\n      default: {message: \"Log in from {city}?\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const red, green, yellow, dim = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[2m"
	for command, want := range map[string][]string{
		"verifyctl -e demo factors list user-1001-amara":   {green + "verified"},
		"verifyctl -e demo challenge list user-1001-amara": {yellow + "pending", red + "denied", green + "approved", dim + "expired"},
		"verifyctl -e demo debugger alerts":                {red + "environment_mismatch", yellow + "token_dead"},
		"verifyctl -e demo simulator device list":          {yellow + "uninstalled, token dead", green + "in order"},
		"verifyctl challenge templates lint " + texts:      {red + "error"},
		"verifyctl -e demo simulator pushes":               {green + "delivered", red + "refused"},
	} {
		shown := coloured.run(t, command)
		for _, text := range want {
			if !strings.Contains(shown, text) {
				t.Errorf("%s: %q is missing in %q", command, text, shown)
			}
		}
		if bare := plain.run(t, command); strings.Contains(bare, "\x1b") {
			t.Errorf("%s: coloured in spite of NO_COLOR: %q", command, bare)
		}
	}
}
