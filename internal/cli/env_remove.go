package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func newEnvRemoveCmd(s *shell) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:     "remove NAME",
		Aliases: []string{"rm", "delete"},
		Short:   "Remove an environment from the file, and its keychain entry",
		Long: `Remove an environment from the file, and from the personal file beside a team's. The keychain entry of its keys goes as
well, unless another environment of the file uses the same keys. Nothing is changed at Twilio, and what this machine
remembers of the environment stays: see "verifyctl state purge".

` + exitHelp(0, 1, 6),
		Example:           "  verifyctl env remove old-staging --yes",
		Args:              argsBetween(1, 1),
		ValidArgsFunction: s.completeEnvironments(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return removeEnvironment(cmd.Context(), s, args[0], yes)
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func removeEnvironment(ctx context.Context, s *shell, name string, yes bool) error {
	cfg, err := s.config()
	if err != nil {
		return err
	}
	if err := cfg.CanRemove(name); err != nil {
		return err
	}
	if err := s.confirm(ctx, yes, fmt.Sprintf("Remove the environment %s from %s, and its keychain entry?", name, cfg.Path())); err != nil {
		return err
	}
	change, err := cfg.Remove(ctx, name)
	if len(change.Files) > 0 {
		s.note("removed %s from %s", name, strings.Join(change.Files, " and "))
	}
	if change.Secret != "" {
		s.note("removed %s", change.Secret)
	}
	return err
}
