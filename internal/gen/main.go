// Command gen writes what is made from the commands: docs/reference, docs/man and completions. Run it from the root of
// the project with "go run ./internal/gen"; a test compares what is committed with a fresh generation.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/verifyctl/verifyctl/internal/cli"
)

// manDate is fixed so that generating twice gives the same bytes.
var manDate = time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC)

func main() {
	if err := generate("."); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// generate writes all generated files below root, and removes generated files that are no longer made.
func generate(root string) error {
	for _, part := range []struct {
		dir   string
		write func(dir string, cmd *cobra.Command) error
	}{
		{"docs/reference/commands", writeReference},
		{"docs/man", writeMan},
		{"completions", writeCompletions},
	} {
		dir := filepath.Join(root, filepath.FromSlash(part.dir))
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		cmd := cli.Root()
		cmd.DisableAutoGenTag = true
		if err := part.write(dir, cmd); err != nil {
			return fmt.Errorf("%s: %w", part.dir, err)
		}
	}
	return writePages(root)
}

// writePages writes the single pages that are made from tables in the program.
func writePages(root string) error {
	for name, text := range cli.Pages() {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func writeReference(dir string, cmd *cobra.Command) error { return doc.GenMarkdownTree(cmd, dir) }

func writeMan(dir string, cmd *cobra.Command) error {
	return doc.GenManTree(cmd, &doc.GenManHeader{Section: "1", Source: "verifyctl", Manual: "verifyctl manual", Date: &manDate}, dir)
}

func writeCompletions(dir string, cmd *cobra.Command) error {
	for name, write := range map[string]func(*bytes.Buffer) error{
		"verifyctl.bash": func(b *bytes.Buffer) error { return cli.BashCompletion(cmd, b) },
		"verifyctl.fish": func(b *bytes.Buffer) error { return cmd.GenFishCompletion(b, true) },
		"verifyctl.ps1":  func(b *bytes.Buffer) error { return cmd.GenPowerShellCompletionWithDesc(b) },
		"_verifyctl":     func(b *bytes.Buffer) error { return cmd.GenZshCompletion(b) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}
