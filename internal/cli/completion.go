package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/verify"
)

func newCompletionCmd() *cobra.Command {
	scripts := map[string]func(*cobra.Command, io.Writer) error{
		"bash":       func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, true) },
		"zsh":        func(root *cobra.Command, w io.Writer) error { return root.GenZshCompletion(w) },
		"fish":       func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) },
		"powershell": func(root *cobra.Command, w io.Writer) error { return root.GenPowerShellCompletionWithDesc(w) },
	}
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print a completion script for a shell",
		Long: `Print a script that completes verifyctl's commands, flags, environments, identities and SIDs.

  bash        source <(verifyctl completion bash)
  zsh         verifyctl completion zsh > "${fpath[1]}/_verifyctl"
  fish        verifyctl completion fish | source
  powershell  verifyctl completion powershell | Out-String | Invoke-Expression

` + exitHelp(0),
		Example:   "  verifyctl completion bash",
		Args:      argsBetween(1, 1),
		ValidArgs: shells,
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := oneOf("completion", args[0], shells...)
			if err != nil {
				return err
			}
			script, ok := scripts[name]
			if !ok {
				return verify.Usagef("completion needs the name of a shell").WithHint("usage: %s", cmd.UseLine())
			}
			return script(cmd.Root(), cmd.OutOrStdout())
		},
	}
}

// completeValues completes a flag with fixed words.
func (s *shell) completeValues(cmd *cobra.Command, flag string, values ...string) {
	complete(cmd, flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return values, cobra.ShellCompDirectiveNoFileComp
	})
}

// completeFlagIdentity completes a flag with the identities seen on this machine.
func (s *shell) completeFlagIdentity(cmd *cobra.Command, flag string) {
	complete(cmd, flag, s.completeIdentity)
}

// complete registers a completion; a flag that does not exist is a mistake of ours that every test would meet.
func complete(cmd *cobra.Command, flag string, f cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(fmt.Sprintf("%s: %v", cmd.Name(), err))
	}
}
