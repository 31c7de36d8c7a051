package statedir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// WriteFile writes a file that the user named, whole or not at all: it is written beside its place, synced and renamed, so that a
// reader sees the old one or the new. The mode is that of a new file; one that is there keeps its own. A link is followed, and a
// device or a pipe, such as /dev/stdout, is written to. The error is a [verify.Error] that says what to do.
func WriteFile(path string, content []byte, mode fs.FileMode) error {
	target := path
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		target = resolved
	}
	info, err := os.Stat(target)
	switch {
	case err != nil:
		err = replace(target, content, mode)
	case info.Mode().IsRegular():
		err = replace(target, content, info.Mode().Perm())
	default:
		err = writeInto(target, content)
	}
	if err != nil {
		return cannotWrite(path, err)
	}
	return nil
}

func replace(path string, content []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	return fill(f, path, content, mode)
}

func writeInto(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}

// fill writes a temporary file and gives it its place; when that fails nothing is left of it.
func fill(f *os.File, path string, content []byte, mode fs.FileMode) error {
	_, err := f.Write(content)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// cannotWrite says why a file could not be written, without the name of the temporary one.
func cannotWrite(path string, err error) *verify.Error {
	failed := &verify.Error{Kind: verify.KindFailed, Message: "cannot write " + path + ": " + err.Error(), Hint: HintOf(err), Cause: err}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		failed.Message = "cannot write " + path + ": " + errno.Error()
	}
	dir := verify.Quote(filepath.Dir(path))
	switch {
	case failed.Hint != "":
	case errors.Is(err, fs.ErrPermission):
		failed.Hint = "you may not write to " + dir + ": name a file elsewhere, or change who may"
	case errors.Is(err, fs.ErrNotExist):
		failed.Hint = "there is no folder " + dir + ": make it, or name a file elsewhere"
	case errors.Is(err, syscall.EISDIR):
		failed.Hint = "it is a folder: name a file in it"
	}
	return failed
}

// HintOf says what helps where a disk does not take what is written to it, whatever it is; "" for any other error.
func HintOf(err error) string {
	switch {
	case IsFull(err):
		return FullHint
	case errors.Is(err, syscall.EDQUOT):
		return "your quota of the disk is used up: make room on it, and do it again"
	case errors.Is(err, syscall.EROFS):
		return "the disk is read-only: name a file elsewhere, or have it mounted for writing"
	}
	return ""
}
