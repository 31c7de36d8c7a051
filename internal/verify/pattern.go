package verify

import (
	"regexp"
	"sync"
)

// Lazily gives a regular expression that is compiled when it is first used: most runs of the program need none of them.
func Lazily(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}
