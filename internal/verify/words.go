package verify

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Count gives a number with its noun: "1 factor", "3 factors", "2 entities". A plural that is not made by the usual rule is
// given as well.
func Count(n int, one string, many ...string) string {
	switch stem, isY := strings.CutSuffix(one, "y"); {
	case n == 1:
		return "1 " + one
	case len(many) > 0:
		return fmt.Sprintf("%d %s", n, many[0])
	case isY && !strings.HasSuffix(stem, "a") && !strings.HasSuffix(stem, "e") && !strings.HasSuffix(stem, "o"):
		return fmt.Sprintf("%d %sies", n, stem)
	case slices.ContainsFunc([]string{"s", "x", "sh", "ch"}, func(end string) bool { return strings.HasSuffix(one, end) }):
		return fmt.Sprintf("%d %ses", n, one)
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// Stamp gives a time as texts and messages have it: RFC 3339 in UTC, whole seconds.
func Stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// UpperFirst begins a text with a capital letter.
func UpperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
