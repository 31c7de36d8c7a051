package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/config"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/store"
	"github.com/verifyctl/verifyctl/internal/verify"
)

func newStateCmd(s *shell) *cobra.Command {
	return group(&cobra.Command{
		Use:   "state",
		Short: "What is remembered, and how to make it forget",
		Long: `The state directory holds one file for each environment: the index of factors, stored debugger events, challenges created
here, factors deleted from here, and identities seen. An environment with a store has a team's PostgreSQL database in the
place of its file. Push tokens are kept as keyed hashes only. The audit file is not part of it and is never purged.`,
	}, newStateListCmd(s), newStatePurgeCmd(s), newStateCheckCmd(s), newStateCopyCmd(s), newStateRolesCmd(s))
}

// keptRow is how much of one kind is kept of one environment.
type keptRow struct {
	Environment string `json:"environment"`
	store.Kept
	Bytes int64  `json:"bytes"` // of the environment's whole file, or of its tables
	Path  string `json:"path"`  // the file, or the team's database
}

var keptResource = render.Resource[keptRow]{Columns: []render.Column[keptRow]{
	{Name: "environment", Text: func(r keptRow) string { return r.Environment }},
	{Name: "kind", Text: func(r keptRow) string { return string(r.Kind) }},
	{Name: "rows", Text: func(r keptRow) string { return fmt.Sprint(r.Rows) }},
	{Name: "oldest", Time: func(r keptRow) time.Time { return r.Oldest }},
	{Name: "newest", Time: func(r keptRow) time.Time { return r.Newest }},
	{Name: "bytes", Text: func(r keptRow) string { return fmt.Sprint(r.Bytes) }, Wide: true},
	{Name: "path", Text: func(r keptRow) string { return r.Path }, Wide: true},
}}

func newStateListCmd(s *shell) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List what is kept, by environment and kind",
		Long:    "List what is kept of each environment: by this machine, and by the team where an environment has a store.\n\n" + exitHelp(0, 1, 6),
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
		memory, err := store.Open(ctx, dir, name)
		if err != nil {
			return rows, err
		}
		own, err := rowsIn(ctx, memory)
		if err != nil {
			return rows, err
		}
		rows = append(rows, own...)
	}
	shared, err := sharedRows(ctx, s)
	rows = append(rows, shared...)
	unknown := []error{err}
	for _, path := range slices.Sorted(maps.Keys(unreadable)) {
		unknown = append(unknown, fmt.Errorf("what is kept in %s is unknown: %w", path, unreadable[path]))
	}
	return rows, errors.Join(unknown...)
}

// rowsIn tells what is in a memory, and closes it.
func rowsIn(ctx context.Context, memory *store.Store) (rows []keptRow, err error) {
	defer memory.Close()
	state, err := memory.State(ctx)
	for _, kept := range state.Kept {
		if kept.Rows > 0 {
			rows = append(rows, keptRow{state.Environment, kept, state.Bytes, state.Path})
		}
	}
	return rows, err
}

// sharedRows gives what teams keep of the environments that have a store; with an error, what could be read.
func sharedRows(ctx context.Context, s *shell) (rows []keptRow, err error) {
	targets, err := s.environments()
	if err != nil {
		return nil, err
	}
	var unknown []error
	for _, target := range targets {
		name := target.Environment.Name
		if target.Store == "" || s.flags.env != "" && s.flags.env != name {
			continue
		}
		var shared []keptRow
		memory, err := s.openMemory(ctx, target)
		if err == nil {
			shared, err = rowsIn(ctx, memory)
		}
		if err != nil {
			unknown = append(unknown, fmt.Errorf("what the team keeps of %s is unknown: %w", name, err))
		}
		rows = append(rows, shared...)
	}
	return rows, errors.Join(unknown...)
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
	if err := o.confirm(ctx, target); err != nil {
		return err
	}
	memory, err := o.shell.openMemory(ctx, target)
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

func (o *statePurgeOptions) confirm(ctx context.Context, target *config.Target) error {
	what, whose := "everything", "this machine keeps"
	if target.Store != "" {
		whose = "the team keeps, for everybody,"
	}
	switch {
	case o.identity != "":
		what = "all about " + string(o.identity)
	case len(o.kinds) > 0:
		what = joined(o.kinds, ", ")
	}
	return o.shell.confirm(ctx, o.yes, fmt.Sprintf("Remove %s that %s for %s?", what, whose, memoryName(target.Environment)))
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
