// Package tmpdir keeps the temporary folders of the tests that import it, and of the programs that they start, in memory
// where it can: most of them would wait for a disk most of their time. A TMPDIR that is set stays.
package tmpdir

import "os"

func init() {
	if folder := InMemory(); folder != "" && os.Getenv("TMPDIR") == "" {
		os.Setenv("TMPDIR", folder)
	}
}
