package verify

import (
	"cmp"
	"slices"
	"strings"
)

// Version is a version as SDKs and apps number theirs: numbers separated by dots, as many as they like, with or without
// a leading v, a pre-release after a dash and a build after a plus sign. 3.0 and 3.0.0 are the same version, 4.2.10 is
// later than 4.2.9, 3.0.0-beta.2 is earlier than 3.0.0, and the build does not count.
type Version struct {
	numbers    []string // without leading zeros, without trailing zero numbers
	prerelease []string
}

// ParseVersion reads a version; ok is false for text that is none.
func ParseVersion(s string) (v Version, ok bool) {
	s, _, _ = strings.Cut(strings.TrimPrefix(s, "v"), "+")
	core, prerelease, hasPrerelease := strings.Cut(s, "-")
	for _, number := range strings.Split(core, ".") {
		if number == "" || !isDigits(number) {
			return Version{}, false
		}
		v.numbers = append(v.numbers, strings.TrimLeft(number, "0"))
	}
	for len(v.numbers) > 0 && v.numbers[len(v.numbers)-1] == "" {
		v.numbers = v.numbers[:len(v.numbers)-1]
	}
	if hasPrerelease {
		v.prerelease = strings.Split(prerelease, ".")
		if slices.Contains(v.prerelease, "") {
			return Version{}, false
		}
	}
	return v, true
}

// Compare gives a negative number when v is earlier than w, 0 when they are the same, a positive one when it is later.
func (v Version) Compare(w Version) int {
	if c := slices.CompareFunc(v.numbers, w.numbers, compareNumbers); c != 0 {
		return c
	}
	switch {
	case v.prerelease == nil && w.prerelease == nil:
		return 0
	case v.prerelease == nil:
		return 1
	case w.prerelease == nil:
		return -1
	}
	return slices.CompareFunc(v.prerelease, w.prerelease, comparePrerelease)
}

// compareNumbers compares decimal numbers of any length that have no leading zeros.
func compareNumbers(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

// comparePrerelease puts numbers before words, as Semantic Versioning does.
func comparePrerelease(a, b string) int {
	switch aNumber, bNumber := isDigits(a), isDigits(b); {
	case aNumber && bNumber:
		return compareNumbers(strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0"))
	case aNumber:
		return -1
	case bNumber:
		return 1
	}
	return strings.Compare(a, b)
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
