//go:build unix

package main

import (
	"context"
	"os/exec"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/cli"
)

// TestAWrongColumnSendsNothing runs the examples of every command that writes to Twilio with a column that does not exist.
// Wrong usage is status 64, of which the help says that nothing was sent.
func TestAWrongColumnSendsNothing(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("run without -short")
	}
	world := newTerminalWorld(t)
	run := func(command string) string {
		ctx, cancel := context.WithTimeout(t.Context(), processTime)
		defer cancel()
		cmd := exec.CommandContext(ctx, "sh", "-c", "exec "+command) // what is sent in spite of it may wait for an answer
		cmd.Env, cmd.Dir = world.env, world.home
		out, _ := cmd.CombinedOutput() // most end with a status
		return string(out)
	}
	tried := 0
	for _, example := range writingExamples(cli.Root()) {
		said := run(example + " --yes --columns nosuch")
		if strings.Contains(said, `unknown column "nosuch"`) {
			tried++
		}
		if written := run("verifyctl audit show"); !strings.Contains(written, "no write from this machine matches") {
			t.Fatalf("%s: with a wrong column it said %q, and wrote:\n%s", example, said, written)
		}
	}
	if tried < 4 {
		t.Errorf("only %d examples came as far as their columns", tried)
	}
}

// writingExamples gives the examples on the demo world of the commands that write to Twilio, which all have --dry-run.
func writingExamples(cmd *cobra.Command) []string {
	var examples []string
	for _, child := range cmd.Commands() {
		examples = append(examples, writingExamples(child)...)
	}
	if cmd.Flags().Lookup("dry-run") == nil {
		return examples
	}
	for line := range strings.Lines(cmd.Example) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "verifyctl -e demo") {
			examples = append(examples, line)
		}
	}
	return examples
}
