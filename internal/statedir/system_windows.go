package statedir

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// noFollow does nothing: that the file is no link is looked at before it is opened.
const noFollow = 0

// Windows keeps a user's files from others by the access list of the profile, which new files inherit; mode bits say
// nothing there.
func othersCanWrite(fs.FileInfo) bool  { return false }
func othersCanAccess(fs.FileInfo) bool { return false }

func foreignOwner(fs.FileInfo) (uint32, bool) { return 0, false }

// TryLock takes an exclusive lock on an open file, and tells whether it got it. Closing the file lets go of it. The byte that is
// locked lies behind any content, which others can read that way.
func TryLock(f *os.File) (bool, error) {
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY,
		0, 1, 0, &windows.Overlapped{OffsetHigh: 1})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	return err == nil, err
}

// SyncDirectory does nothing: Windows has no such call.
func SyncDirectory(string) error { return nil }

// roomFor is not known here.
func roomFor(string) (uint64, bool) { return 0, false }
