package statedir

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestAFileIsWrittenWhole(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "plan.ndjson")
	write := func(path, content string, mode fs.FileMode) {
		t.Helper()
		if err := WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(file)
		got, _ := os.ReadFile(file)
		if err != nil || string(got) != content || info.Mode().Perm() != mode {
			t.Errorf("%q, %v, %v; want %q with mode %v", got, info, err, content, mode)
		}
	}
	write(file, "first", 0o600)
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	write(file, "second", 0o640) // it keeps its mode
	link := filepath.Join(dir, "link")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	write(link, "third", 0o640)

	f, err := os.CreateTemp(dir, ".plan.*")
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := fill(f, file, []byte("half"), 0o600); err == nil {
		t.Error("a closed file was written to")
	}
	left, err := os.ReadDir(dir)
	got, _ := os.ReadFile(file)
	if err != nil || len(left) != 2 || string(got) != "third" {
		t.Errorf("after a failure %v is left, and %q in the file", left, got)
	}
}

func TestWhatKeepsAFileFromBeingWrittenIsSaid(t *testing.T) {
	for cause, hint := range map[syscall.Errno]string{
		syscall.ENOSPC: "the disk is full: make room on it, and do it again",
		syscall.EDQUOT: "your quota of the disk is used up: make room on it, and do it again",
		syscall.EROFS:  "the disk is read-only: name a file elsewhere, or have it mounted for writing",
		syscall.EACCES: "you may not write to plans: name a file elsewhere, or change who may",
		syscall.EPERM:  "you may not write to plans: name a file elsewhere, or change who may",
		syscall.ENOENT: "there is no folder plans: make it, or name a file elsewhere",
		syscall.EISDIR: "it is a folder: name a file in it",
	} {
		failed := cannotWrite("plans/plan.ndjson", &fs.PathError{Op: "write", Path: "plans/.plan.ndjson.1234", Err: cause})
		if failed.Message != "cannot write plans/plan.ndjson: "+cause.Error() || failed.Hint != hint {
			t.Errorf("%v: %q, hint %q; want %q", cause, failed.Message, failed.Hint, hint)
		}
	}
	link := filepath.Join(t.TempDir(), "plan.ndjson")
	if err := os.Symlink("/dev/full", link); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(link); err != nil {
		t.Skipf("this system has no /dev/full: %v", err)
	}
	if err := WriteFile(link, []byte("x"), 0o600); err == nil || !strings.Contains(err.Error(), "cannot write "+link+": no space left on device") {
		t.Errorf("on a full disk: %v", err)
	}
}
