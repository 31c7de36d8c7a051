// Package statedir is the state directory of this machine: where it is, that its files are its owner's alone, its locks,
// and the key by which what must not be kept is still recognised.
package statedir

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Dir gives the state directory of this machine as an absolute path: VERIFYCTL_STATE_DIR, else verifyctl under
// XDG_STATE_HOME, else the platform's place (~/.local/state/verifyctl; on macOS ~/Library/Application Support/verifyctl;
// on Windows %LocalAppData%\verifyctl). It does not create it.
func Dir(getenv func(string) string) (string, error) { return dirOn(runtime.GOOS, getenv) }

func dirOn(goos string, getenv func(string) string) (string, error) {
	if dir := getenv("VERIFYCTL_STATE_DIR"); dir != "" {
		return filepath.Abs(dir)
	}
	// The XDG specification says to ignore a relative path.
	if dir := getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "verifyctl"), nil
	}
	variable, below := "HOME", []string{".local", "state", "verifyctl"}
	switch goos {
	case "darwin":
		below = []string{"Library", "Application Support", "verifyctl"}
	case "windows":
		variable, below = "LocalAppData", []string{"verifyctl"}
	}
	home := getenv(variable)
	if home == "" {
		return "", verify.Usagef("no place for the state directory: neither VERIFYCTL_STATE_DIR nor %s is set", variable).
			WithHint("set VERIFYCTL_STATE_DIR to a directory of your own")
	}
	return filepath.Join(append([]string{home}, below...)...), nil
}

// Prepare makes the state directory, for its owner only, or checks that nobody else can write to it.
func Prepare(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		failed := Failure("cannot make the state directory", err)
		failed.Hint = cmp.Or(failed.Hint, "set VERIFYCTL_STATE_DIR to a directory you can write to")
		return failed
	}
	return check(dir)
}

// check refuses a state directory that others can write to: they could swap the files in it.
func check(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return Failure("cannot read the state directory", err)
	}
	if !info.IsDir() {
		return verify.Refusedf("the state directory %s is not a directory", dir).
			WithHint("set VERIFYCTL_STATE_DIR to a directory")
	}
	if othersCanWrite(info) {
		return verify.Refusedf("others can write to the state directory %s (mode %04o)", dir, info.Mode().Perm()).
			WithHint("chmod go-w %s", verify.Quote(dir))
	}
	if owner, foreign := foreignOwner(info); foreign {
		return verify.Refusedf("the state directory %s belongs to another user (id %d)", dir, owner).
			WithHint("set VERIFYCTL_STATE_DIR to a directory of your own")
	}
	return nil
}

// Open opens a file of the state directory, or makes it for the owner only when flag has os.O_CREATE. It never follows a
// link, and refuses what [CheckFile] refuses. A file that does not exist is fs.ErrNotExist.
func Open(path string, flag int) (*os.File, error) {
	if err := CheckFile(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := os.OpenFile(path, flag|noFollow, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat() // of what was really opened
	if err == nil {
		err = checkInfo(path, info)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// ReadFile gives the content of a file, which it opens as [Open] does.
func ReadFile(path string) ([]byte, error) {
	f, err := Open(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// CheckFile refuses a file of the state directory that is a link or anything else but a plain file, that others can read or
// write, or that belongs to another user. A file that does not exist is fs.ErrNotExist.
func CheckFile(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	return checkInfo(path, info)
}

// CheckDatabase is [CheckFile] for a SQLite file and the two that SQLite keeps beside it. Those that do not exist are fine.
func CheckDatabase(path string) error {
	for _, file := range []string{path, path + "-wal", path + "-shm"} {
		if err := CheckFile(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func checkInfo(path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return verify.Refusedf("%s is not a plain file", path).WithHint("move it away")
	}
	if othersCanAccess(info) {
		return verify.Refusedf("others can read or write %s (mode %04o)", path, info.Mode().Perm()).
			WithHint("chmod 600 %s", verify.Quote(path))
	}
	if owner, foreign := foreignOwner(info); foreign {
		return verify.Refusedf("%s belongs to another user (id %d)", path, owner).
			WithHint("set VERIFYCTL_STATE_DIR to a directory of your own")
	}
	return nil
}

// WriteNew creates a file with its whole content at once: it is either there and complete, or not there. The caller
// holds the lock of the directory.
func WriteNew(path string, content []byte) error {
	temporary := path + ".new"
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := fill(f, path, content, 0o600); err != nil {
		return err
	}
	return SyncDirectory(filepath.Dir(path))
}

// Failure makes an error about the state directory or a file in it.
func Failure(doing string, err error) *verify.Error {
	return &verify.Error{Kind: verify.KindFailed, Message: doing + ": " + err.Error(), Hint: HintOf(err), Cause: err}
}

// FullHint is what helps when a disk is full.
const FullHint = "the disk is full: make room on it, and do it again"

// IsFull tells whether an error says that a disk is full: the system's, or SQLite's own.
func IsFull(err error) bool {
	const sqliteFull = 13 // SQLITE_FULL (https://www.sqlite.org/rescode.html), the low byte of a code
	var sqlite interface{ Code() int }
	return errors.Is(err, syscall.ENOSPC) || errors.As(err, &sqlite) && sqlite.Code()&0xff == sqliteFull
}

// FullDisk makes an error of what failed because the disk of a file is full, when it is; else ok is false. Where the error
// does not say so the disk is asked: SQLite tells of it in several ways.
func FullDisk(doing, file string, cause error) (failed *verify.Error, ok bool) {
	if room, known := roomFor(filepath.Dir(file)); !IsFull(cause) && (!known || room >= leastRoom) {
		return nil, false
	}
	return &verify.Error{Kind: verify.KindFailed, Message: doing + ": the disk is full", Cause: cause,
		Hint: "make room on the disk of " + filepath.Dir(file) + ", and do it again"}, true
}

// leastRoom is below what SQLite needs beside a file for its log, in bytes.
const leastRoom = 256 << 10
