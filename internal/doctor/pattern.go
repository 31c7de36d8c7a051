package doctor

import (
	"regexp"
	"sync"
)

// lazily compiles a pattern when it is first used: most runs of the program need none of them.
func lazily(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}
