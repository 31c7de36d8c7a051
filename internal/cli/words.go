package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// counted gives a number with its noun: "1 factor", "3 factors", "2 entities".
func counted(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "y"):
		return fmt.Sprintf("%d %sies", n, strings.TrimSuffix(noun, "y"))
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// keyValues writes a map as "a=1 b=2", sorted by key.
func keyValues(m map[string]string) string {
	pairs := make([]string, 0, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		pairs = append(pairs, key+"="+m[key])
	}
	return strings.Join(pairs, " ")
}

// oneOf reads a flag whose value is one of a few words; empty is allowed and gives the zero value.
func oneOf[T ~string](flag, value string, words ...T) (T, error) {
	if value == "" || slices.Contains(words, T(value)) {
		return T(value), nil
	}
	names := make([]string, len(words))
	for i, w := range words {
		names[i] = string(w)
	}
	err := verify.Usagef("%s %q is not one of %s", flag, value, strings.Join(names, ", "))
	if near := verify.Nearest(value, names); near != "" {
		return "", err.WithHint("did you mean %s %s?", flag, near)
	}
	return "", err
}

// sameCommand gives the command line of this run for pasting, with its environment named and more words behind it.
func (s *shell) sameCommand(env string, more ...string) string {
	words := append(slices.Clone(s.args), more...)
	if s.globalSet.Changed("env") {
		env = ""
	}
	return verify.Command(env, words...)
}
