package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// duplicate is one factor that is there more than once, and what it has in common with the others of its group.
type duplicate struct {
	verify.IndexedFactor
	Group int
	Same  string // token or name
	Note  string
}

func duplicateResource() render.Resource[duplicate] {
	base := indexedResource()
	r := render.Resource[duplicate]{
		SID: func(d duplicate) string { return string(d.SID) },
		View: func(d duplicate) any {
			return struct {
				Group int    `json:"group"`
				Same  string `json:"same"`
				Note  string `json:"note"`
				indexedView
			}{d.Group, d.Same, d.Note, base.View(d.IndexedFactor).(indexedView)}
		},
		Columns: []render.Column[duplicate]{
			{Name: "group", Text: func(d duplicate) string { return fmt.Sprint(d.Group) }},
			{Name: "same", Text: func(d duplicate) string { return d.Same }},
			{Name: "note", Text: func(d duplicate) string { return d.Note }, Flex: true},
		},
	}
	for _, name := range []string{"sid", "identity", "friendly_name", "platform", "created", "updated", "token_hash", "read_at"} {
		c := base.Columns[slices.IndexFunc(base.Columns, func(c render.Column[verify.IndexedFactor]) bool { return c.Name == name })]
		column := columnOf(c, func(d duplicate) verify.IndexedFactor { return d.IndexedFactor })
		column.Wide = c.Wide && name != "updated"
		r.Columns = append(r.Columns, column)
	}
	return r
}

func newFleetDuplicatesCmd(s *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "duplicates",
		Short: "List factors that look like the same phone enrolled again",
		Long: `List factors of the index that share a push token with another, and older push factors with the friendly name of a newer
one of the same identity. A token that two identities share means that one phone gets the pushes of both.

It is a hint, not proof: nothing is deleted by it. Which of them still answers, "factors prune" finds out.

` + exitHelp(0, 1, 6),
		Example: "  verifyctl -e demo fleet sync\n  verifyctl -e demo fleet duplicates",
		RunE:    func(cmd *cobra.Command, _ []string) error { return listDuplicates(cmd.Context(), s) },
	}
}

func listDuplicates(ctx context.Context, s *shell) error {
	group := 0
	duplicates := func(same string, note func([]verify.IndexedFactor, int) string) func([]verify.IndexedFactor) []duplicate {
		return func(factors []verify.IndexedFactor) []duplicate {
			group++
			rows := make([]duplicate, len(factors))
			for i, f := range factors {
				rows[i] = duplicate{f, group, same, note(factors, i)}
			}
			return rows
		}
	}
	return listFrom(ctx, s, needsMemory, duplicateResource(), "no factors share a token or a name", func(ctx context.Context, c *connection) rowsOf[duplicate] {
		index, err := c.index(ctx)
		if err != nil {
			return failed[duplicate](err)
		}
		return concat(flatten(index.SameToken(ctx), duplicates("token", sameTokenNote)),
			flatten(index.SameName(ctx), duplicates("name", sameNameNote)))
	})
}

func sameTokenNote(factors []verify.IndexedFactor, i int) string {
	if slices.ContainsFunc(factors, func(f verify.IndexedFactor) bool { return f.Identity != factors[i].Identity }) {
		return "two identities: pushes of one reach the other's phone"
	}
	return sameNameNote(factors, i)
}

func sameNameNote(factors []verify.IndexedFactor, i int) string {
	if i == len(factors)-1 {
		return "newest"
	}
	return "older than " + string(factors[len(factors)-1].SID)
}
