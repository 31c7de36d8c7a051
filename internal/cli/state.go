package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/store"
	"github.com/verifyctl/verifyctl/internal/verify"
)

func newStateCmd(s *shell) *cobra.Command {
	return group(&cobra.Command{
		Use:   "state",
		Short: "What this machine remembers, and how to make it forget",
		Long: `The state directory holds one file for each environment: the index of factors, stored debugger events, challenges created
here, factors deleted from here, and identities seen. Push tokens are kept as keyed hashes only. The audit file is not part
of it and is never purged.`,
	}, newStateListCmd(s), newStatePurgeCmd(s))
}

// keptRow is how much of one kind is kept of one environment.
type keptRow struct {
	Environment string `json:"environment"`
	store.Kept
	Bytes int64 `json:"bytes"` // of the environment's whole file
}

var keptResource = render.Resource[keptRow]{Columns: []render.Column[keptRow]{
	{Name: "environment", Text: func(r keptRow) string { return r.Environment }},
	{Name: "kind", Text: func(r keptRow) string { return string(r.Kind) }},
	{Name: "rows", Text: func(r keptRow) string { return fmt.Sprint(r.Rows) }},
	{Name: "oldest", Time: func(r keptRow) time.Time { return r.Oldest }},
	{Name: "newest", Time: func(r keptRow) time.Time { return r.Newest }},
	{Name: "bytes", Text: func(r keptRow) string { return fmt.Sprint(r.Bytes) }, Wide: true},
}}

func newStateListCmd(s *shell) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List what is kept, by environment and kind",
		Long:    "List what this machine keeps of each environment.\n\n" + exitHelp(0, 1),
		Example: "  verifyctl state list",
		RunE: func(cmd *cobra.Command, _ []string) error {
			rows, unread := keptRows(cmd.Context(), s)
			if len(rows) == 0 && unread == nil {
				if err := s.checkRemembered(); err != nil {
					return err
				}
				s.note("nothing is stored on this machine")
			}
			err := listAll(s.printer(time.Now), keptResource, rows)
			return errors.Join(err, unread)
		},
	}
}

// keptRows gives what is kept of every environment, or of the one of -e; with an error, what could be read.
func keptRows(ctx context.Context, s *shell) ([]keptRow, error) {
	dir, err := s.stateDir()
	if err != nil {
		return nil, err
	}
	names, unreadable, err := store.Environments(ctx, dir)
	if err != nil {
		return nil, err
	}
	if s.flags.env != "" {
		names = slices.DeleteFunc(names, func(name string) bool { return name != s.flags.env })
	}
	var rows []keptRow
	for _, name := range names {
		state, err := stateOf(ctx, dir, name)
		if err != nil {
			return rows, err
		}
		for _, kept := range state.Kept {
			if kept.Rows > 0 {
				rows = append(rows, keptRow{name, kept, state.Bytes})
			}
		}
	}
	var unknown []error
	for _, path := range slices.Sorted(maps.Keys(unreadable)) {
		unknown = append(unknown, fmt.Errorf("what is kept in %s is unknown: %w", path, unreadable[path]))
	}
	return rows, errors.Join(unknown...)
}

func stateOf(ctx context.Context, dir, name string) (store.EnvironmentState, error) {
	memory, err := store.Open(ctx, dir, name)
	if err != nil {
		return store.EnvironmentState{}, err
	}
	defer memory.Close()
	return memory.State(ctx)
}

type statePurgeOptions struct {
	shell *shell

	before      verify.Since
	identityArg string
	yes         bool

	kinds    []store.Kind
	identity verify.Identity
}

func newStatePurgeCmd(s *shell) *cobra.Command {
	o := statePurgeOptions{shell: s}
	cmd := &cobra.Command{
		Use:   "purge -e ENV [KIND…]",
		Short: "Forget what is kept of an environment",
		Long: `Forget everything of an environment, or only some kinds of it: index, events, challenges, deletions, outcomes, seen,
credentials (what their files told before they were uploaded).
Nothing is changed at Twilio. The audit file stays.

` + exitHelp(0, 1, 6),
		Example: `  verifyctl -e demo state purge seen --yes
  verifyctl -e demo state purge events --before 90d --yes
  verifyctl -e demo state purge --identity user-1001-amara --yes`,
		Args: argsBetween(0, -1),
		RunE: parseThenRun(o.parse, o.run),
	}
	for _, kind := range store.Kinds() {
		cmd.ValidArgs = append(cmd.ValidArgs, string(kind))
	}
	flags := cmd.Flags()
	flags.Var(&o.before, "before", "only what is older than this, such as 90d or 2026-01-31")
	flags.StringVar(&o.identityArg, "identity", "", "only what is kept of this identity")
	flags.BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	return cmd
}

func (o *statePurgeOptions) run(ctx context.Context) error {
	target, err := o.shell.chosen()
	if err != nil {
		return err
	}
	if o.identityArg != "" {
		if o.identity, err = o.shell.identityIn(ctx, target, o.identityArg); err != nil {
			return err
		}
	}
	name := memoryName(target.Environment)
	if err := o.confirm(ctx, name); err != nil {
		return err
	}
	memory, err := o.shell.openMemory(ctx, name)
	if err != nil {
		return err
	}
	defer memory.Close()
	gone, err := o.purge(ctx, memory)
	if err != nil {
		return err
	}
	forgot := 0
	for _, kind := range store.Kinds() {
		if gone[kind] > 0 {
			o.shell.note("removed %s of %s", verify.Count(gone[kind], "row"), kind)
			forgot += gone[kind]
		}
	}
	if forgot == 0 {
		o.shell.note("nothing of that kind is kept for %s", name)
	}
	return nil
}

func (o *statePurgeOptions) parse(args []string) error {
	for _, word := range args {
		kind, err := oneOf("state purge", word, store.Kinds()...)
		if err != nil {
			return err
		}
		o.kinds = append(o.kinds, kind)
	}
	switch {
	case o.identityArg != "" && (len(o.kinds) > 0 || !o.before.IsZero()):
		return verify.Usagef("--identity forgets all kinds of one identity, whatever their age")
	case !o.before.IsZero() && len(o.kinds) == 0:
		return verify.Usagef("--before needs a kind")
	}
	return nil
}

func (o *statePurgeOptions) confirm(ctx context.Context, name string) error {
	what := "everything"
	switch {
	case o.identity != "":
		what = "all about " + string(o.identity)
	case len(o.kinds) > 0:
		what = joined(o.kinds, ", ")
	}
	return o.shell.confirm(ctx, o.yes, fmt.Sprintf("Remove %s that this machine keeps for %s?", what, name))
}

func (o *statePurgeOptions) purge(ctx context.Context, memory *store.Store) (map[store.Kind]int, error) {
	switch {
	case o.identity != "":
		return memory.PurgeIdentity(ctx, o.identity)
	case o.before.IsZero():
		return memory.Purge(ctx, o.kinds...)
	}
	before, err := o.before.Time(time.Now())
	if err != nil {
		return nil, err
	}
	gone := map[store.Kind]int{}
	for _, kind := range o.kinds {
		n, err := memory.PurgeBefore(ctx, kind, before)
		if err != nil {
			return gone, err
		}
		gone[kind] = n
	}
	return gone, nil
}
