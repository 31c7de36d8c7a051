package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/store"
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
func completeValues(cmd *cobra.Command, flag string, values ...string) {
	complete(cmd, flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return values, cobra.ShellCompDirectiveNoFileComp
	})
}

// complete registers a completion; a flag that does not exist is a mistake of ours that every test would meet.
func complete(cmd *cobra.Command, flag string, f cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(fmt.Sprintf("%s: %v", cmd.Name(), err))
	}
}

// completionTimeout bounds what a completion may cost.
const completionTimeout = 2 * time.Second

// completeIdentity completes with the identities seen on this machine, from memory and without a request.
func (s *shell) completeIdentity(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 && cmd.Flags().Lookup("identity") == nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	identities := s.remembered(cmd.Context(), func(ctx context.Context, m *store.Store) ([]string, error) {
		seen, err := m.RecentIdentities(ctx, prefix, 50)
		words := make([]string, len(seen))
		for i, identity := range seen {
			words[i] = string(identity)
		}
		return words, err
	})
	return identities, cobra.ShellCompDirectiveNoFileComp
}

// completeIdentityThenFactors completes an identity, then the factor SIDs seen for it.
func (s *shell) completeIdentityThenFactors(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return s.completeIdentity(cmd, args, prefix)
	}
	return s.completeFactor(cmd, args, prefix)
}

// remembered asks what this machine remembers of the chosen environment, and gives nothing when anything fails: a
// completion is fast or silent.
func (s *shell) remembered(ctx context.Context, ask func(context.Context, *store.Store) ([]string, error)) []string {
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	target, err := s.chosen()
	if err != nil {
		return nil
	}
	dir, err := s.stateDir()
	if err != nil {
		return nil
	}
	memory, err := store.Open(ctx, dir, memoryName(target.Environment))
	if err != nil {
		return nil
	}
	defer memory.Close()
	words, err := ask(ctx, memory)
	if err != nil {
		return nil
	}
	return words
}

// completeChallenges completes challenge SIDs: those of --identity when it is given, else of the identities met last.
func (s *shell) completeChallenges(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	return s.completeSIDs(cmd, "YC", prefix, args), cobra.ShellCompDirectiveNoFileComp
}

// completeChallenge completes the one challenge SID that a command takes.
func (s *shell) completeChallenge(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return s.completeChallenges(cmd, args, prefix)
}

// completeFactor completes with the factor SIDs seen for the identity, which is the first argument.
func (s *shell) completeFactor(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	identity := ""
	if len(args) > 0 {
		identity = args[0]
	}
	sids := s.remembered(cmd.Context(), func(ctx context.Context, m *store.Store) ([]string, error) {
		return recentSIDs(ctx, m, identity, "YF", prefix)
	})
	return sids, cobra.ShellCompDirectiveNoFileComp
}

func (s *shell) completeSIDs(cmd *cobra.Command, kind, prefix string, taken []string) []string {
	identity := ""
	if flag := cmd.Flags().Lookup("identity"); flag != nil {
		identity = flag.Value.String()
	}
	sids := s.remembered(cmd.Context(), func(ctx context.Context, m *store.Store) ([]string, error) {
		return recentSIDs(ctx, m, identity, kind, prefix)
	})
	var words []string
	for _, sid := range sids {
		if !slices.Contains(taken, sid) {
			words = append(words, sid)
		}
	}
	return words
}

// recentSIDs gives SIDs of a kind that begin with prefix, of one identity or of those met last.
func recentSIDs(ctx context.Context, m *store.Store, identity, kind, prefix string) ([]string, error) {
	const most, identities = 50, 20
	if !strings.HasPrefix(kind, prefix) && !strings.HasPrefix(prefix, kind) {
		return nil, nil
	}
	prefix = kind + strings.TrimPrefix(prefix, kind[:min(len(prefix), len(kind))])
	if identity != "" {
		return m.RecentSIDs(ctx, verify.Identity(identity), prefix, most)
	}
	recent, err := m.RecentIdentities(ctx, "", identities)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, id := range recent {
		sids, err := m.RecentSIDs(ctx, id, prefix, most)
		if err != nil {
			return nil, err
		}
		all = append(all, sids...)
	}
	return all[:min(len(all), most)], nil
}
