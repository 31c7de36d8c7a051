package config

import (
	"os"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// checkAccess accepts any file: on Windows the profile directory's access list guards the files in it, and mode bits
// tell nothing.
func checkAccess(f *os.File) (ownerOnly bool, err error) {
	info, err := f.Stat()
	switch {
	case err != nil:
		return false, verify.Usagef("%s cannot be examined: %w", f.Name(), err)
	case info.IsDir():
		return false, verify.Usagef("%s is a directory, not a file", f.Name())
	}
	return true, nil
}

// checkFolder accepts any folder, for the same reason.
func checkFolder(string) error { return nil }
