package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/simulator"
	"github.com/verifyctl/verifyctl/internal/store"
)

func newDemoResetCmd(s *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "reset",
		Short: "Restore the demo environments to their initial state",
		Long: `Forget everything that was done in demo, demo-dev and demo-staging, and everything this machine remembers about them.

` + exitHelp(0, 1),
		Example: "  verifyctl demo reset",
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := s.stateDir()
			if err != nil {
				return err
			}
			if err := removeDatabase(filepath.Join(dir, demoState)); err != nil {
				return err
			}
			if err := forgetDemo(cmd.Context(), dir); err != nil {
				return err
			}
			s.note("demo, demo-dev and demo-staging are back to their initial state")
			return nil
		},
	}
}

// forgetDemo purges what this machine remembers of the demo environments.
func forgetDemo(ctx context.Context, dir string) error {
	known, _, err := store.Environments(ctx, dir)
	if err != nil {
		return err
	}
	for _, e := range simulator.DemoEnvironments() {
		if !slices.Contains(known, e.Name) {
			continue
		}
		memory, err := store.Open(ctx, dir, e.Name)
		if err != nil {
			return err
		}
		_, err = memory.Purge(ctx)
		if err := errors.Join(err, memory.Close()); err != nil {
			return err
		}
	}
	return nil
}

// removeDatabase removes an SQLite file with the two files beside it.
func removeDatabase(path string) error {
	for _, suffix := range []string{"-wal", "-shm", ""} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot remove %s: %w", render.Sanitize(path), err)
		}
	}
	return nil
}
