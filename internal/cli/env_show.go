package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/render"
)

func newEnvShowCmd(s *shell) *cobra.Command {
	return &cobra.Command{
		Use:     "show [NAME]",
		Aliases: []string{"get"},
		Short:   "Show an environment, the chosen one by default",
		Long: `Show what is declared of an environment and where its keys come from. The secret itself is neither looked up nor shown.

` + exitHelp(0, 6),
		Example:           "  verifyctl env show demo\n  verifyctl -e demo env show -o json",
		Args:              argsBetween(0, 1),
		ValidArgsFunction: s.completeEnvironments(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			row, err := findEnvironment(s, args)
			if err != nil {
				return err
			}
			return render.One(s.printer(time.Now), envResource, row)
		},
	}
}

// findEnvironment gives the environment of an argument, or without one the chosen environment.
func findEnvironment(s *shell, args []string) (envRow, error) {
	cfg, err := s.config()
	if err != nil {
		return envRow{}, err
	}
	if len(args) == 0 {
		t, err := cfg.Choose()
		if err != nil {
			return envRow{}, err
		}
		return newEnvRow(t, t.Environment.Name), nil
	}
	t, err := cfg.Lookup(args[0])
	if err != nil {
		return envRow{}, err
	}
	chosen, _, err := cfg.Chosen()
	if err != nil {
		s.note("%v", err)
	}
	return newEnvRow(t, chosen), nil
}
