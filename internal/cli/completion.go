package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/store"
	"github.com/verifyctl/verifyctl/internal/verify"
)

func newCompletionCmd(*shell) *cobra.Command {
	scripts := map[string]func(*cobra.Command, io.Writer) error{
		"bash":       BashCompletion,
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

bash needs version 3.2 or newer; with the package bash-completion it completes words with quotes and "=" as well, without it
plain words. zsh needs compinit in .zshrc.

` + exitHelp(0),
		Example:   "  verifyctl completion bash",
		Args:      argsBetween(1, 1),
		ValidArgs: shells,
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := oneOf("completion", args[0], shells...)
			if err != nil {
				return err
			}
			return scripts[name](cmd.Root(), cmd.OutOrStdout())
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
		return wordsOf(seen), err
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
	memory, err := s.openMemory(ctx, target)
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
	return s.completeSIDs(cmd, identityFlag(cmd), "YC", prefix, args), cobra.ShellCompDirectiveNoFileComp
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
	return s.completeSIDs(cmd, identity, "YF", prefix, args), cobra.ShellCompDirectiveNoFileComp
}

// identityFlag gives the value of --identity, "" where there is no such flag.
func identityFlag(cmd *cobra.Command) string {
	if flag := cmd.Flags().Lookup("identity"); flag != nil {
		return flag.Value.String()
	}
	return ""
}

// completeSIDs gives the SIDs of a kind seen for an identity, or for those met last, but for what is taken already.
func (s *shell) completeSIDs(cmd *cobra.Command, identity, kind, prefix string, taken []string) []string {
	sids := s.remembered(cmd.Context(), func(ctx context.Context, m *store.Store) ([]string, error) {
		return describedSIDs(ctx, m, identity, kind, prefix)
	})
	return slices.DeleteFunc(sids, func(word string) bool {
		sid, _, _ := strings.Cut(word, "\t")
		return slices.Contains(taken, sid)
	})
}

// describedSIDs is [recentSIDs] with what the index knows of factors behind each: the device's name and the status.
func describedSIDs(ctx context.Context, m *store.Store, identity, kind, prefix string) ([]string, error) {
	sids, err := recentSIDs(ctx, m, identity, kind, prefix)
	if err != nil || kind != "YF" {
		return sids, err
	}
	for i, sid := range sids {
		known, err := m.FindFactors(ctx, verify.FactorSID(sid))
		if err == nil && len(known) == 1 {
			sids[i] = described(sid, known[0].FriendlyName+", "+string(known[0].Status))
		}
	}
	return sids, nil
}

// described is a word to complete with what it is.
func described(word, what string) string { return word + "\t" + render.Sanitize(what) }

// completeLive completes one argument with what the environment's account has; like every completion it is fast or silent.
func completeLive[T any](s *shell, list func(context.Context, *connection) rowsOf[T], word func(T) string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
		defer cancel()
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		target, err := s.chosen()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		c, err := s.connect(ctx, target)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var words []string
		for v, err := range limited(mostLive, list(ctx, c)) {
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			words = append(words, word(v))
		}
		return words, cobra.ShellCompDirectiveNoFileComp
	}
}

// mostLive is how many words a completion reads.
const mostLive = 100

// completeAmong completes the last of several values between commas.
func completeAmong(words ...string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		before := typed[:strings.LastIndex(typed, ",")+1]
		var completed []string
		for _, word := range words {
			if name, _, _ := strings.Cut(word, "\t"); !slices.Contains(strings.Split(before, ","), name) {
				completed = append(completed, before+word)
			}
		}
		return completed, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}

// BashCompletion writes cobra's script, made to work where the functions of the package bash-completion are missing.
func BashCompletion(root *cobra.Command, w io.Writer) error {
	var script bytes.Buffer
	if err := root.GenBashCompletionV2(&script, true); err != nil {
		return err
	}
	const needs = `    _get_comp_words_by_ref "$@" cur prev words cword
`
	_, err := io.WriteString(w, strings.Replace(script.String(), needs, `    if declare -F _get_comp_words_by_ref >/dev/null 2>&1; then
        _get_comp_words_by_ref "$@" cur prev words cword
        return
    fi
    # Without the package bash-completion: the words before the cursor, as spaces part them.
    local before="${COMP_LINE:0:COMP_POINT}"
    read -r -a words <<< "$before"
    if [[ $before == *[[:space:]] ]]; then
        words+=("")
    fi
    cword=$((${#words[@]} - 1))
    cur="${words[cword]}"
    prev="${words[cword > 0 ? cword - 1 : 0]}"
`, 1))
	return err
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
