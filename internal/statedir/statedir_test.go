package statedir

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/verifyctl/verifyctl/internal/tmpdir" // for temporary folders
	"github.com/verifyctl/verifyctl/internal/verify"
)

func TestStateDirectory(t *testing.T) {
	for _, c := range []struct {
		name, goos string
		env        map[string]string
		want       string
	}{
		{"named", "linux", map[string]string{"VERIFYCTL_STATE_DIR": "/srv/state", "XDG_STATE_HOME": "/x", "HOME": "/home/o"}, "/srv/state"},
		{"XDG", "darwin", map[string]string{"XDG_STATE_HOME": "/x", "HOME": "/home/o"}, "/x/verifyctl"},
		{"a relative XDG path counts as none", "linux", map[string]string{"XDG_STATE_HOME": "x", "HOME": "/home/o"}, "/home/o/.local/state/verifyctl"},
		{"Linux", "linux", map[string]string{"HOME": "/home/o"}, "/home/o/.local/state/verifyctl"},
		{"macOS", "darwin", map[string]string{"HOME": "/Users/o"}, "/Users/o/Library/Application Support/verifyctl"},
		{"Windows", "windows", map[string]string{"LocalAppData": "/o/AppData/Local"}, "/o/AppData/Local/verifyctl"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := dirOn(c.goos, func(name string) string { return c.env[name] })
			if err != nil || filepath.ToSlash(got) != c.want {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
		})
	}
	if _, err := dirOn("linux", func(string) string { return "" }); verify.KindOf(err) != verify.KindUsage {
		t.Errorf("without any place: %v", err)
	}
}

func TestADamagedKeyIsNeverReplaced(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenKey(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, keyFile), 7); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := OpenKey(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("got %v", err)
		}
	}
}

// TestAFullDiskIsSaidToBeFull: the cause and the fix, whatever was written.
func TestAFullDiskIsSaidToBeFull(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("this system has no /dev/full: %v", err)
	}
	defer full.Close()
	_, err = full.Write([]byte("x"))
	if failed := Failure("cannot write", err); !strings.Contains(failed.Hint, "the disk is full: make room on it") {
		t.Errorf("%v, hint %q", failed, failed.Hint)
	}
	file := filepath.Join(t.TempDir(), "file")
	for _, full := range []error{err, fmt.Errorf("cannot commit: %w", sqliteError(13)), sqliteError(13 | 1<<8)} {
		if failed, ok := FullDisk("cannot write", file, full); !ok || !strings.Contains(failed.Hint, "make room") {
			t.Errorf("%v: %v, %v", full, failed, ok)
		}
	}
	if _, ok := FullDisk("cannot write", file, sqliteError(10)); ok {
		t.Error("a disk with room is full")
	}
}

// sqliteError is an error as SQLite gives it, with its code.
type sqliteError int

func (e sqliteError) Error() string { return "database or disk is full" }
func (e sqliteError) Code() int     { return int(e) }
