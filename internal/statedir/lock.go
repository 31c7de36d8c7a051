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
	if err != nil {
		if _, refused := errors.AsType[*verify.Error](err); refused {
			return nil, err
		}
		return nil, Failure("cannot lock the state directory", err)
	}
	if err := awaitLock(ctx, f); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

func awaitLock(ctx context.Context, f *os.File) error {
	deadline := time.Now().Add(lockPatience)
	for pause := time.Millisecond; ; pause = min(2*pause, 16*time.Millisecond) {
		locked, err := TryLock(f)
		switch {
		case err != nil:
			return Failure("cannot lock "+f.Name(), err)
		case locked:
			return nil
		case time.Now().After(deadline):
			return &verify.Error{Kind: verify.KindFailed,
				Message: "another process has held " + f.Name() + " locked for " + lockPatience.String(),
				Hint:    "check whether another verifyctl is stuck, then try again"}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}
