package statedir

import (
	"context"
	"encoding/json"
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
	f, err := openLock(path)
	if err != nil {
		return nil, err
	}
	if err := awaitLock(ctx, f); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

func openLock(path string) (*os.File, error) {
	f, err := Open(path, os.O_RDWR|os.O_CREATE)
	if _, refused := errors.AsType[*verify.Error](err); err != nil && !refused {
		return nil, Failure("cannot lock the state directory", err)
	}
	return f, err
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

// Holder is who has a lock that is held for longer than a small write takes.
type Holder struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	Doing string    `json:"doing"` // the command
	Since time.Time `json:"since"`
}

// Hold takes the lock of a file for work that takes long, and writes into the file who has it. While another process has it, it
// gives what that one wrote, and unlock is nil.
func Hold(path string, me Holder) (unlock func(), other Holder, err error) {
	f, err := openLock(path)
	if err != nil {
		return nil, other, err
	}
	locked, err := TryLock(f)
	if err == nil && locked {
		err = writeHolder(f, me)
	}
	if err != nil {
		f.Close()
		return nil, other, Failure("cannot lock "+path, err)
	}
	if locked {
		return func() {
			f.Truncate(0) // what stays is overwritten by the next
			f.Close()
		}, other, nil
	}
	_ = json.NewDecoder(f).Decode(&other) // it is only told: one who has just taken the lock has not written yet
	f.Close()
	return nil, other, nil
}

func writeHolder(f *os.File, me Holder) error {
	line, err := json.Marshal(me)
	if err != nil {
		return err
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt(append(line, '\n'), 0)
	return err
}
