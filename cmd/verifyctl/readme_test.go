package main

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/creack/pty"
	"github.com/rogpeppe/go-internal/diff"

	"github.com/verifyctl/verifyctl/internal/simulator"
)

// readme is the project's README, whose terminal transcripts are run by TestREADME.
const readme = "../../README.md"

// TestREADME runs every "$ verifyctl" line of the README's transcripts on a terminal and compares what it prints with
// what the README shows. With -update the README is rewritten.
func TestREADME(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("run without -short")
	}
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	world := newTerminalWorld(t)
	world.freeze(t) // a slow machine must see the same time left
	var fresh bytes.Buffer
	ran, inTranscript := 0, false
	for line := range strings.Lines(string(text)) {
		command, isCommand := strings.CutPrefix(line, "$ ")
		switch {
		case strings.HasPrefix(line, "```"):
			inTranscript = strings.HasPrefix(line, "```console")
			fresh.WriteString(line)
		case !inTranscript:
			fresh.WriteString(line)
		case isCommand:
			fresh.WriteString(line)
			fresh.WriteString(world.run(t, strings.TrimSpace(command)))
			ran++
		}
	}
	if ran == 0 {
		t.Fatal("the README shows no transcript")
	}
	if *update {
		if err := os.WriteFile(readme, fresh.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := diff.Diff("README", text, "verifyctl", fresh.Bytes()); diff != nil {
		t.Errorf("the README shows something else than verifyctl prints; go test ./cmd/verifyctl -run README -update\n%s", diff)
	}
}

// terminalWorld is a fresh user at a terminal of fixed size.
type terminalWorld struct {
	home string
	env  []string
}

func newTerminalWorld(t *testing.T) terminalWorld {
	t.Helper()
	home := t.TempDir()
	bin := filepath.Join(home, "bin")
	if err := os.MkdirAll(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The test binary is verifyctl when it is called by that name, as testscript does it.
	if err := os.Symlink(self, filepath.Join(bin, "verifyctl")); err != nil {
		t.Fatal(err)
	}
	return terminalWorld{home: home, env: []string{
		"PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH"), "HOME=" + home, "TERM=xterm", "NO_COLOR=1",
		"XDG_CONFIG_HOME=" + filepath.Join(home, "config"), "VERIFYCTL_STATE_DIR=" + filepath.Join(home, "state"),
		coverageDir(home),
	}}
}

// freeze makes the demo world with a clock that stands still.
func (w terminalWorld) freeze(t *testing.T) {
	t.Helper()
	sim, err := simulator.Open(t.Context(), simulator.Options{State: filepath.Join(w.home, "state", "demo-world.sqlite"),
		Seed: simulator.SeedDemo, Clock: simulator.Clock{Mode: simulator.ClockFrozen, At: simulator.DemoInstant}})
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Close(); err != nil {
		t.Fatal(err)
	}
}

// run gives what a command line prints on a terminal of 120 columns, standard output and error as they come.
func (w terminalWorld) run(t *testing.T, command string) string {
	t.Helper()
	if !strings.HasPrefix(command, "verifyctl ") {
		t.Fatalf("a transcript runs %q; only verifyctl is run", command)
	}
	cmd := exec.Command("sh", "-c", command)
	cmd.Env = w.env
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 50, Cols: 120})
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	var out strings.Builder
	for lines := bufio.NewReader(terminal); ; {
		line, err := lines.ReadString('\n')
		out.WriteString(strings.ReplaceAll(line, "\r\n", "\n"))
		if err != nil { // a terminal whose program has ended gives EIO
			break
		}
	}
	// A transcript may show a command that finds a problem and exits with its number.
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String()
}
