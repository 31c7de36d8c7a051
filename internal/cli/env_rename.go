package cli

import (
	"strings"

	"github.com/spf13/cobra"
)

func newEnvRenameCmd(s *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "rename OLD NEW",
		Short: "Give an environment another name",
		Long: `Give an environment another name in the file, and in the personal file beside a team's. Comments stay; the current environment
stays current. What this machine remembers of it (index, events, deletions) stays under the old name, and plans made for
that name no longer apply: make the index again with "verifyctl fleet sync".

` + exitHelp(0, 1, 6),
		Example:           "  verifyctl env rename staging uat",
		Args:              argsBetween(2, 2),
		ValidArgsFunction: s.completeEnvironments(1),
		RunE: func(_ *cobra.Command, args []string) error {
			cfg, err := s.config()
			if err != nil {
				return err
			}
			change, err := cfg.Rename(args[0], args[1])
			if err != nil {
				return err
			}
			if len(change.Files) == 0 {
				s.note("nothing to change")
				return nil
			}
			s.note("%s is now %s in %s", args[0], args[1], strings.Join(change.Files, " and "))
			s.note("what this machine remembers of %s stays under that name; make the index again: %s", args[0], cfg.Command("-e", args[1], "fleet", "sync"))
			return nil
		},
	}
}
