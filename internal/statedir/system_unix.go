//go:build !windows

package statedir

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// noFollow makes opening a link fail.
const noFollow = syscall.O_NOFOLLOW

func othersCanWrite(info fs.FileInfo) bool  { return info.Mode().Perm()&0o022 != 0 }
func othersCanAccess(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 != 0 }

// foreignOwner tells whose directory it is when it is another user's. The superuser may use anybody's: in a container
// the directory often comes from outside.
func foreignOwner(info fs.FileInfo) (uid uint32, foreign bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	me := os.Geteuid()
	return stat.Uid, me != 0 && int(stat.Uid) != me
}

// TryLock takes an exclusive lock on an open file, and tells whether it got it. Closing the file lets go of it.
func TryLock(f *os.File) (bool, error) {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, nil
		case errors.Is(err, syscall.EINTR):
			continue
		}
		return err == nil, err
	}
}

// roomFor gives the bytes that this user may still write in a directory.
func roomFor(dir string) (bytes uint64, known bool) {
	var stat syscall.Statfs_t
	if syscall.Statfs(dir, &stat) != nil {
		return 0, false
	}
	return uint64(stat.Bavail) * uint64(stat.Bsize), true
}

// SyncDirectory makes a rename in the directory survive a power loss.
func SyncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
