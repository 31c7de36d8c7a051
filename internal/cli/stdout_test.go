package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/statedir"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// failingFile is a standard output whose every write fails as that of a file does.
type failingFile struct{ errno syscall.Errno }

func (f failingFile) Write([]byte) (int, error) {
	return 0, &fs.PathError{Op: "write", Path: "/dev/stdout", Err: f.errno}
}

// runInto is [runArgs] on a machine that stays, with another standard output.
func runInto(state string, out failingFile, args ...string) (status int, stderr string) {
	var err bytes.Buffer
	s := &shell{terminal: terminal{in: strings.NewReader(""), out: out, err: &err, getenv: func(name string) string {
		if name == "VERIFYCTL_STATE_DIR" {
			return state
		}
		return ""
	}}}
	return run(context.Background(), s, args), err.String()
}

func TestWhatBecomesOfTheOutputDecidesToo(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	for _, args := range []string{
		"--help", "factors list --help", "help factors", "version", "completion bash", "env list",
		"-e demo factors list", "-e demo factors list -o markdown", "-e demo factors list -o json", "-e demo factors list -q",
	} {
		state := t.TempDir()
		if status, stderr := runInto(state, failingFile{syscall.EPIPE}, strings.Fields(args)...); status != 0 || strings.Contains(stderr, "error") {
			t.Errorf("%s, whose reader went away: status %d, %q", args, status, stderr)
		}
		status, stderr := runInto(state, failingFile{syscall.ENOSPC}, strings.Fields(args)...)
		if status != 1 || !strings.Contains(stderr, "cannot write to standard output: no space left on device") || !strings.Contains(stderr, statedir.FullHint) {
			t.Errorf("%s on a full disk: status %d, %q", args, status, stderr)
		}
	}
}

// TestAReaderThatGoesAwayEndsNoBatch: what was confirmed is done to its end, and failures are still told.
func TestAReaderThatGoesAwayEndsNoBatch(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	for _, format := range []string{"-q", "--output=ndjson", "--output=json", "--output=csv", "--output=table"} {
		state := t.TempDir()
		if status, stderr := runInto(state, failingFile{syscall.EPIPE}, "-e", "demo", "factors", "delete", "user-1001-amara", "--all", "--confirm", "demo", format); status != 0 {
			t.Fatalf("%s: status %d, %q", format, status, stderr)
		}
		status, stderr := runInto(state, failingFile{syscall.EPIPE}, "-e", "demo", "factors", "delete", "user-1001-amara", "--all", "--confirm", "demo", format)
		if status != 5 || !strings.Contains(stderr, "no factor to delete") {
			t.Errorf("%s: after it status %d, %q", format, status, stderr)
		}
	}
}

func TestABrokenNetworkPipeIsAFailure(t *testing.T) {
	network := &verify.Error{Kind: verify.KindUnreachable, Cause: &net.OpError{Op: "write", Err: os.NewSyscallError("write", syscall.EPIPE)}}
	w := &resultWriter{to: failingFile{syscall.EPIPE}}
	_, gone := w.Write([]byte("x"))
	for _, tc := range []struct {
		err  error
		want int
	}{
		{network, 9}, {errors.Join(network, gone), 9}, {gone, 0}, {errors.Join(gone, nil), 0}, {nil, 0},
		{errors.Join(&verify.Error{Kind: verify.KindPartial}, errors.Join(gone)), 3},
	} {
		if got := exitCode(w.outcome(tc.err)); got != tc.want {
			t.Errorf("%v: status %d, want %d", tc.err, got, tc.want)
		}
	}
}

func TestAStatusHidesNoOtherError(t *testing.T) {
	var out bytes.Buffer
	report(&out, "", errors.Join(status{verify.KindFailed}, verify.Usagef("what else went wrong")))
	if !strings.Contains(out.String(), "what else went wrong") {
		t.Errorf("reported %q", out.String())
	}
}

// TestADemoThatCannotBeOpenedOnAFullDiskIsNotResetForIt: a reset makes no room.
func TestADemoThatCannotBeOpenedOnAFullDiskIsNotResetForIt(t *testing.T) {
	state := filepath.Join(t.TempDir(), demoState)
	for cause, want := range map[error]string{
		&fs.PathError{Op: "open", Path: state, Err: syscall.ENOSPC}: "make room on the disk of " + filepath.Dir(state),
		errors.New("it was made by another version"):                "verifyctl demo reset",
	} {
		err := demoFailure(state, fmt.Errorf("simulator state: %w", cause))
		if hint := asError(err).Hint; !strings.Contains(hint, want) || strings.Contains(hint, "reset") != strings.Contains(want, "reset") {
			t.Errorf("%v: hint %q", cause, hint)
		}
	}
}

// TestWhateverCannotBeWrittenOnAFullDiskSaysSo: whoever wrote it, when it has no better hint.
func TestWhateverCannotBeWrittenOnAFullDiskSaysSo(t *testing.T) {
	full := &fs.PathError{Op: "write", Path: "plan.ndjson", Err: syscall.ENOSPC}
	for _, err := range []error{
		fmt.Errorf("config.yaml cannot be written: %w", full), errors.Join(full, nil),
		&verify.Error{Kind: verify.KindFailed, Message: "cannot write the plan", Cause: full}, verify.Usagef("--out: %w", full),
	} {
		if got := asError(err).Hint; got != statedir.FullHint {
			t.Errorf("%v: hint %q", err, got)
		}
	}
	sent := (&verify.Error{Kind: verify.KindFailed, Message: "cannot write the audit file", Cause: full}).WithHint("the write was sent")
	if got := asError(sent).Hint; got != "the write was sent" {
		t.Errorf("what is more important is lost: %q", got)
	}
}

// TestAFileOnAFullDiskIsSaidToBe: every command with --out says which file could not be written and what to do.
func TestAFileOnAFullDiskIsSaidToBe(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skipf("this system has no /dev/full: %v", err)
	}
	m := newMachine(t)
	if status, _, stderr := m.run(t.Context(), "-e", "demo", "fleet", "sync"); status != 0 {
		t.Fatal(stderr)
	}
	lines := map[string]string{"audit export": "", "doctor": "-o prometheus --only SVC-01", "factors plan": "--where status=verified", "factors prune": "--idle 30d", "env plan": "live"}
	walk(Root(), func(cmd *cobra.Command) {
		if cmd.LocalFlags().Lookup("out") == nil {
			return
		}
		more, ok := lines[commandOf(cmd)]
		if !ok {
			t.Errorf("%s has --out, and no line here", cmd.CommandPath())
		}
		status, _, stderr := m.run(t.Context(), strings.Fields("-e demo "+commandOf(cmd)+" --out /dev/full "+more)...)
		if status != 1 || !strings.Contains(stderr, "cannot write /dev/full: no space left on device") || !strings.Contains(stderr, "hint: "+statedir.FullHint) {
			t.Errorf("%s: status %d, %s", cmd.CommandPath(), status, stderr)
		}
	})
}
