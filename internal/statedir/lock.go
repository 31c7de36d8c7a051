package statedir

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// lockPatience is how long a lock is waited for. Locks are held for one small file write, so a longer wait means a
// process that hangs.
const lockPatience = 10 * time.Second

// Lock takes the lock under which files of a state directory are made and migrated.
func Lock(ctx context.Context, dir string) (unlock func(), err error) {
	return LockFile(ctx, filepath.Join(dir, "lock"))
}

// LockFile takes the lock of a file that exists for nothing else, and waits while another process or goroutine has it.
// The operating system lets go of it when the process ends, however it ends.
func LockFile(ctx context.Context, path string) (unlock func(), err error) {
	f, err := Open(path, os.O_RDWR|os.O_CREATE)
	var refused *verify.Error
	switch {
	case errors.As(err, &refused):
		return nil, err
	case err != nil:
		return nil, Failure("cannot lock the state directory", err)
	}
	deadline := time.Now().Add(lockPatience)
	for pause := time.Millisecond; ; pause = min(2*pause, 16*time.Millisecond) {
		locked, err := TryLock(f)
		if err != nil {
			f.Close()
			return nil, Failure("cannot lock "+path, err)
		}
		if locked {
			return func() { f.Close() }, nil
		}
		if time.Now().After(deadline) {
			f.Close()
			return nil, &verify.Error{Kind: verify.KindFailed,
				Message: "another process has held " + path + " locked for " + lockPatience.String(),
				Hint:    "see whether another verifyctl hangs, and try again"}
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}
