package cli

import (
	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/config"
	"github.com/verifyctl/verifyctl/internal/verify"
)

func newEnvUseCmd(s *shell) *cobra.Command {
	var none bool
	cmd := &cobra.Command{
		Use:   "use NAME",
		Short: "Choose the environment that commands work on without -e",
		Long: `Make an environment the current one, in your own file; when a team's file is in use, in the personal file beside it.

-e and VERIFYCTL_ENV come before it. A write to production always needs -e, even where production is current.

` + exitHelp(0, 1, 6),
		Example:           "  verifyctl env use demo\n  verifyctl env use --none",
		Args:              argsBetween(0, 1),
		ValidArgsFunction: s.completeEnvironments(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case none && len(args) > 0:
				return verify.Usagef("--none cannot be combined with a NAME")
			case none:
				return useEnvironment(s, "")
			case len(args) == 0 || args[0] == "":
				return verify.Usagef("%s needs a NAME, or --none", cmd.CommandPath()).
					WithHint("see what there is: %s", s.file().Command("env", "list"))
			}
			return useEnvironment(s, args[0])
		},
	}
	cmd.Flags().BoolVar(&none, "none", false, "leave no environment current")
	return cmd
}

func useEnvironment(s *shell, name string) error {
	cfg, err := s.config()
	if err != nil {
		return err
	}
	change, err := cfg.Use(name)
	if err != nil {
		return err
	}
	switch {
	case len(change.Files) == 0:
		s.note("nothing to change")
	case name == "":
		s.note("no environment is current now (%s)", change.Files[0])
	default:
		s.note("%s is the current environment now (%s)", name, change.Files[0])
	}
	if chosen, how, err := cfg.Chosen(); err == nil && how == config.ByVariable && chosen != name {
		s.note("in this shell VERIFYCTL_ENV still chooses %s", chosen)
	}
	return nil
}
