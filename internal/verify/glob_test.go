package verify

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// A pattern is compared with the textbook's definition, which is right but takes exponential time.
func TestGlob(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringOfN(rapid.SampledFrom([]rune("aB*?é")), 0, 6, -1).Draw(t, "pattern")
		s := rapid.StringOfN(rapid.SampledFrom([]rune("abé*")), 0, 8, -1).Draw(t, "s")
		if got, want := Glob(pattern, s), slowGlob([]rune(strings.ToLower(pattern)), []rune(s)); got != want {
			t.Fatalf("Glob(%q, %q) = %v", pattern, s, got)
		}
	})
	if Glob(strings.Repeat("*a", 40)+"b", strings.Repeat("a", 2000)) {
		t.Error("a pattern matched that cannot")
	}
}

func slowGlob(p, s []rune) bool {
	switch {
	case len(p) == 0:
		return len(s) == 0
	case p[0] == '*':
		return slowGlob(p[1:], s) || len(s) > 0 && slowGlob(p, s[1:])
	case len(s) == 0:
		return false
	}
	return (p[0] == '?' || p[0] == s[0]) && slowGlob(p[1:], s[1:])
}
