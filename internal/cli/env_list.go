package cli

import (
	"time"

	"github.com/spf13/cobra"
)

func newEnvListCmd(s *shell) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the environments",
		Long: `List the environments of the file in its order, then the built-in ones. No secret is looked up. With -q only names are
printed.

` + exitHelp(0, 6),
		Example: "  verifyctl env list\n  verifyctl env list --columns name,username,secret_from,declared",
		RunE:    func(cmd *cobra.Command, _ []string) error { return listEnvironments(s) },
	}
}

func listEnvironments(s *shell) error {
	cfg, err := s.config()
	if err != nil {
		return err
	}
	targets, err := cfg.All()
	if err != nil {
		return err
	}
	chosen, _, chosenErr := cfg.Chosen() // reported after the list, which shows what there is to choose
	own := 0
	rows := make([]envRow, len(targets))
	for i, t := range targets {
		rows[i] = newEnvRow(t, chosen)
		if !t.Environment.Demo {
			own++
		}
	}
	if err := listAll(s.printer(time.Now), envResource, rows); err != nil {
		return err
	}
	if own == 0 {
		s.note("no environment is set up; add one: %s", s.file().Command("env", "add", "NAME"))
	}
	return chosenErr
}
