package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/store"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// saw remembers an identity and SIDs that a command met, for shell completion and to find the identity of a bare SID.
// It is a convenience: when it fails nothing is said.
func (c *connection) saw(ctx context.Context, identity verify.Identity, sids ...string) {
	memory, err := c.memory(ctx)
	if err != nil {
		return
	}
	_ = memory.Saw(context.WithoutCancel(ctx), identity, c.now(), sids...)
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

// completeFlagFactor completes a flag with the factor SIDs seen for the identity, which is the first argument.
func (s *shell) completeFlagFactor(cmd *cobra.Command, flag string) {
	complete(cmd, flag, func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
		identity := ""
		if len(args) > 0 {
			identity = args[0]
		}
		sids := s.remembered(cmd.Context(), func(ctx context.Context, m *store.Store) ([]string, error) {
			return recentSIDs(ctx, m, identity, "YF", prefix)
		})
		return sids, cobra.ShellCompDirectiveNoFileComp
	})
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
