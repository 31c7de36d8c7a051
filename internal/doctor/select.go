package doctor

import (
	"path"
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
		return nil, verify.Usagef("--only and --skip leave no check to make")
	}
	return chosen, nil
}

func matchesSome(catalogue []Check, flag, pattern string) error {
	if _, err := path.Match(pattern, ""); err != nil {
		return verify.Usagef("%s %q is not a check id or a pattern such as PUSH-*", flag, pattern)
	}
	ids := make([]string, len(catalogue))
	for i, c := range catalogue {
		if matches(c.ID, pattern) {
			return nil
		}
		ids[i] = c.ID
	}
	err := verify.Usagef("%s %q matches no check", flag, pattern)
	if near := verify.Nearest(strings.ToUpper(pattern), ids); near != "" {
		return err.WithHint("did you mean %s %s?", flag, near)
	}
	return err.WithHint("see every check: verifyctl doctor checks")
}

func matchesAny(id string, patterns []string) bool {
	for _, pattern := range patterns {
		if matches(id, pattern) {
			return true
		}
	}
	return false
}

func matches(id, pattern string) bool {
	ok, _ := path.Match(strings.ToUpper(pattern), id)
	return ok
}
