package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// wordsOf gives values as plain strings.
func wordsOf[T ~string](values []T) []string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = string(v)
	}
	return words
}

func joined[T ~string](values []T, separator string) string {
	return strings.Join(wordsOf(values), separator)
}

func yesOrNothing(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

func numberOrNone(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// keyValues writes a map as "a=1 b=2", sorted by key.
func keyValues(m map[string]string) string {
	pairs := make([]string, 0, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		pairs = append(pairs, key+"="+m[key])
	}
	return strings.Join(pairs, " ")
}
