package doctor

import (
	"slices"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// choose gives the checks that --only and --skip leave. Patterns are check ids or globs such as PUSH-*, in any letter
// case; one that matches no check is a usage error, because a check thought to be made would not be.
func choose(catalogue []Check, only, skip []string) ([]Check, error) {
	for _, patterns := range []struct {
		flag string
		list []string
	}{{"--only", only}, {"--skip", skip}} {
		for _, pattern := range patterns.list {
			if err := matchesSome(catalogue, patterns.flag, pattern); err != nil {
				return nil, err
			}
		}
	}
	var chosen []Check
	for _, c := range catalogue {
		if (len(only) == 0 || matchesAny(c.ID, only)) && !matchesAny(c.ID, skip) {
			chosen = append(chosen, c)
		}
	}
	if len(chosen) == 0 {
		return nil, verify.Usagef("--only and --skip leave no checks to run")
	}
	return chosen, nil
}

func matchesSome(catalogue []Check, flag, pattern string) error {
	ids := make([]string, len(catalogue))
	for i, c := range catalogue {
		if verify.Glob(pattern, c.ID) {
			return nil
		}
		ids[i] = c.ID
	}
	err := verify.Usagef("%s %q matches no check", flag, pattern)
	if near := verify.Nearest(strings.ToUpper(pattern), ids); near != "" {
		return err.WithHint("did you mean %s %s?", flag, near)
	}
	if strings.ContainsAny(pattern, "[]{}") {
		return err.WithHint("in a pattern * stands for any text and ? for one character, and nothing else is special")
	}
	return err.WithHint("see every check: verifyctl doctor checks")
}

func matchesAny(id string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return verify.Glob(pattern, id) })
}
