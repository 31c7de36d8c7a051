package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/config"
)

func newEnvSetCmd(s *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "set NAME KEY=VALUE…",
		Short: "Change what the file says of an environment",
		Long: `Change keys of an environment in the file, for example kind=staging, readonly=true or app_ids=com.example.app,com.example.beta.
Comments stay. A key that stands in the personal file beside a team's is changed there. Nothing is written when the result
would not be valid.

Credentials are replaced with "verifyctl env add NAME"; a secret is never an argument.

` + exitHelp(0, 1, 6),
		Example: "  verifyctl env set staging ios_build=debug platforms=apn,fcm",
		Args:    argsBetween(2, -1),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return s.completeEnvironment(cmd, args, prefix)
			}
			var words []string
			for _, key := range config.SettableKeys() {
				words = append(words, key+"=")
			}
			return words, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		},
		RunE: func(_ *cobra.Command, args []string) error {
			var settings []config.Setting
			for _, text := range args[1:] {
				setting, err := config.ParseSetting(text)
				if err != nil {
					return err
				}
				settings = append(settings, setting)
			}
			cfg, err := s.config()
			if err != nil {
				return err
			}
			change, err := cfg.Set(args[0], settings)
			if err != nil {
				return err
			}
			if len(change.Files) == 0 {
				s.note("nothing to change")
				return nil
			}
			s.note("changed %s in %s", args[0], strings.Join(change.Files, " and "))
			return nil
		},
	}
}
