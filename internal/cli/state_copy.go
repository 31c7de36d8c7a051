package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/config"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/store"
	"github.com/verifyctl/verifyctl/internal/verify"
)

type stateCopyOptions struct {
	shell *shell
	write writeFlags

	from, to string
	otherKey bool
}

// The words for the two places of an environment; anything else is an address or a path.
const (
	placeFile  = "file"
	placeStore = "store"
)

// copiedRow is a table, and whether the copy has the same.
type copiedRow struct {
	store.CopiedTable
	Copy string `json:"copy"`
}

var copiedResource = render.Resource[copiedRow]{Columns: []render.Column[copiedRow]{
	{Name: "table", Text: func(r copiedRow) string { return r.Table }},
	{Name: "rows", Text: func(r copiedRow) string { return fmt.Sprint(r.Rows) }},
	{Name: "hash", Text: func(r copiedRow) string { return r.Hash }},
	{Name: "copy", Keep: 1, Text: func(r copiedRow) string { return r.Copy }, Tone: func(r copiedRow) render.Tone {
		switch r.Copy {
		case "identical":
			return render.Good
		case "differs":
			return render.Bad
		}
		return render.Plain
	}},
	{Name: "copy_rows", Text: func(r copiedRow) string { return fmt.Sprint(r.CopyRows) }, Wide: true},
	{Name: "copy_hash", Text: func(r copiedRow) string { return r.CopyHash }, Wide: true},
}}

func newStateCopyCmd(s *shell) *cobra.Command {
	o := stateCopyOptions{shell: s}
	cmd := &cobra.Command{
		Use:   "copy --from PLACE --to PLACE",
		Short: "Copy what is kept of an environment to another place, as from a file to a team's store",
		Long: `Copy everything that is kept of an environment from one place into another, empty one. A place is:

  file          this machine's file of the environment
  store         the environment's store
  postgres://…  another PostgreSQL database
  PATH          another SQLite file; its directory is a state directory, with a key of its own

The source is read as it is at one instant, and stays as it is. A copy that was cut off goes on when the same command is run
again; until it is done nothing else can use the destination. In the end the rows of each table are counted and hashed in both
places, and printed. Who is at work is left out: a crawl that was not done can be continued in the copy, and of a challenge that
was being created Twilio is asked first. Stop what writes, such as a listener, before you copy: what it writes later is not
copied.

Push tokens and credential files are kept as hashes under a key: each machine's own for a file, the team's for a store. None is
known again under another key, so a copy from one key to another is refused without --other-key. With it the hashes are copied
as they are. "fleet sync" then makes those of the index anew; those of deleted factors and of credential files stay unknown.

The password of the environment's store is sent to no other address: PGPASSFILE or PGPASSWORD has the one of another.

` + exitHelp(0, 1, 5, 6),
		Example: `  verifyctl -e prod state copy --from file --to store --other-key --confirm prod
  verifyctl -e prod state copy --from store --to backup/env-prod.db --dry-run`,
		RunE: parseThenRun(o.parse, o.run),
	}
	flags := cmd.Flags()
	flags.StringVar(&o.from, "from", "", "the `place` to copy: file, store, postgres://… or a path")
	flags.StringVar(&o.to, "to", "", "the `place` to copy to, which is empty or has the beginning of this copy")
	flags.BoolVar(&o.otherKey, "other-key", false, "copy hashes as they are, though they were made with another key than the destination's")
	flags.BoolVarP(&o.write.yes, "yes", "y", false, "skip the confirmation prompt (does not replace --confirm)")
	flags.StringVar(&o.write.confirm, "confirm", "", "the `name` of the production environment whose memory may be copied")
	flags.BoolVar(&o.write.dryRun, "dry-run", false, "count and hash what would be copied; the destination is not looked at")
	return cmd
}

func (o *stateCopyOptions) parse([]string) error {
	for _, place := range []struct{ flag, value string }{{"--from", o.from}, {"--to", o.to}} {
		switch {
		case place.value == "":
			return verify.Usagef("state copy needs %s", place.flag).WithHint("give file, store, postgres://… or a path")
		case strings.Contains(place.value, "://"):
			if err := config.CheckStore(place.flag, place.value); err != nil {
				return err
			}
		}
	}
	if o.from == o.to {
		return verify.Usagef("--from and --to are the same place")
	}
	return nil
}

func (o *stateCopyOptions) run(ctx context.Context) error {
	c, p, err := o.shell.begin(ctx, needsMemory)
	if err != nil {
		return err
	}
	from, err := o.place(ctx, c.target, o.from)
	if err != nil {
		return err
	}
	to, err := o.place(ctx, c.target, o.to)
	if err != nil {
		return err
	}
	if err := from.Find(); err != nil {
		return err
	}
	if !o.write.dryRun {
		question := fmt.Sprintf("Copy all that is remembered of %s from %s to %s?", c.label(), o.from, o.to)
		if err := c.confirm(ctx, o.write, question, destructive); err != nil {
			return err
		}
	}
	progress := o.shell.progress("copying", time.Now)
	tables, err := store.Copy(ctx, from, to, store.CopyOptions{Service: c.service(), OtherKey: o.otherKey, DryRun: o.write.dryRun,
		Progress: func(table string, rows int) { progress.Set(int64(rows), 0, table) }})
	progress.Close()
	rows := make([]copiedRow, 0, len(tables))
	for _, t := range tables {
		rows = append(rows, o.row(t))
	}
	if len(rows) > 0 {
		if printed := listAll(p, copiedResource, rows); printed != nil {
			return printed
		}
	}
	return err
}

func (o *stateCopyOptions) row(t store.CopiedTable) copiedRow {
	switch {
	case o.write.dryRun:
		return copiedRow{t, "dry run"}
	case t.Identical():
		return copiedRow{t, "identical"}
	}
	return copiedRow{t, "differs"}
}

// place gives what a word of the command line means. Secrets of the environment's store go with its own address only; its key
// goes nowhere.
func (o *stateCopyOptions) place(ctx context.Context, target *config.Target, word string) (store.Place, error) {
	dir, err := o.shell.stateDir()
	if err != nil {
		return store.Place{}, err
	}
	place := store.Place{Environment: asRemembered(target.Environment), Dir: dir}
	address := word
	switch {
	case word == placeFile:
		place.File = store.FileOf(dir, place.Environment.Name)
		return place, nil
	case word == placeStore && target.Environment.Demo:
		return place, verify.Refusedf("%s has no store: it is on this machine only", place.Environment.Name).
			WithHint("give a path in the place of the word, such as backup/env-%s.db", place.Environment.Name)
	case word == placeStore && target.Store == "":
		return place, verify.Refusedf("%s has no store", place.Environment.Name).
			WithHint("declare one: store: postgres://…, or give its address in the place of the word")
	case word == placeStore:
		address = target.Store
	case !strings.Contains(word, "://"):
		place.File, err = filepath.Abs(word)
		return place, err
	}
	password, key, err := target.StoreSecrets(ctx)
	if err != nil {
		return place, err
	}
	if address != target.Store && password != "" {
		o.shell.note("the password of the store of %s is not sent to %s: PGPASSFILE or PGPASSWORD has the one of that", place.Environment.Name, address)
		password = ""
	}
	place.Shared = store.Shared{URL: address, Password: password, Key: key}
	return place, nil
}
