package cli

import (
	"maps"
	"slices"
	"strings"
)

// keyValues writes a map as "a=1 b=2", sorted by key.
func keyValues(m map[string]string) string {
	pairs := make([]string, 0, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		pairs = append(pairs, key+"="+m[key])
	}
	return strings.Join(pairs, " ")
}
