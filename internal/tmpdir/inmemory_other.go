//go:build !linux

package tmpdir

// InMemory gives "": no folder is known to be in memory.
func InMemory() string { return "" }
