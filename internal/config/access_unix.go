//go:build unix

package config

import (
	"os"
	"path/filepath"
	"syscall"

	"github.com/verifyctl/verifyctl/internal/verify"
)

const (
	writableByOthers = 0o022
	readableByOthers = 0o044
)

// checkAccess refuses a file that somebody else can change, because its content decides where account keys go, and tells
// whether only its owner can read it. What is no regular file, such as a pipe of the shell, has no other writers.
func checkAccess(f *os.File) (ownerOnly bool, err error) {
	info, err := f.Stat()
	switch {
	case err != nil:
		return false, verify.Usagef("%s cannot be examined: %w", f.Name(), err)
	case info.IsDir():
		return false, verify.Usagef("%s is a directory, not a file", f.Name())
	case !info.Mode().IsRegular():
		return true, nil
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && !isTrusted(owner.Uid) {
		return false, verify.Refusedf("%s belongs to another user, who could change where account keys are sent", f.Name()).
			WithHint("make it your own: sudo chown $(id -un) %s", verify.Quote(f.Name()))
	}
	if info.Mode().Perm()&writableByOthers != 0 {
		return false, verify.Refusedf("others can write %s (mode %04o), and so change where account keys are sent", f.Name(), info.Mode().Perm()).
			WithHint("chmod go-w %s", verify.Quote(f.Name()))
	}
	return info.Mode().Perm()&readableByOthers == 0, nil
}

// checkFolder refuses the folder of a file where others can put another file in its place.
func checkFolder(file string) error {
	dir := filepath.Dir(file)
	info, err := os.Stat(dir)
	if err != nil {
		return verify.Usagef("%s cannot be examined: %w", dir, err)
	}
	if info.Mode().Perm()&0o002 != 0 && info.Mode()&os.ModeSticky == 0 {
		return verify.Refusedf("others can write to %s (mode %04o), and so put another file in the place of %s", dir, info.Mode().Perm(), filepath.Base(file)).
			WithHint("chmod o-w %s", verify.Quote(dir))
	}
	return nil
}

// isTrusted tells whether a file's owner is this user or root; root itself reads anybody's.
func isTrusted(owner uint32) bool {
	me := os.Geteuid()
	return me == 0 || owner == 0 || int(owner) == me
}
