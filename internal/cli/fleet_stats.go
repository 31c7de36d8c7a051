package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
	"github.com/verifyctl/verifyctl/internal/where"
)

type fleetStatsOptions struct {
	shell *shell

	by    []string
	where string
}

func newFleetStatsCmd(s *shell) *cobra.Command {
	o := fleetStatsOptions{shell: s}
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Count the factors of the index by platform, app, SDK version, metadata",
		Long: `Count the factors of the index by any fields, most first. Metadata keys that the environment declares (metadata_keys) are
counted as fast as the other fields. On a terminal each count has a bar of its share.

` + exitHelp(0, 1, 6),
		Example: `  verifyctl -e demo fleet sync
  verifyctl -e demo fleet stats
  verifyctl -e demo fleet stats --by platform,sdk_version,metadata.app_version
  verifyctl -e demo fleet stats --by app_id --where 'status = verified and updated < now-60d'`,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&o.by, "by", []string{"platform", "app_id", "sdk_version", "status"}, "fields to count by, such as platform,metadata.app_version")
	flags.StringVar(&o.where, "where", "", whereHelp)
	complete(cmd, "by", completeAmong(countedFields()...))
	return cmd
}

func (o *fleetStatsOptions) run(ctx context.Context) error {
	fields, err := fieldsOf("--by", o.by)
	if err != nil {
		return err
	}
	if len(fields) == 0 {
		return verify.Usagef("--by needs a field")
	}
	r := statsResource(fields)
	if err := r.CheckColumns(o.shell.flags.columns); err != nil {
		return err
	}
	c, p, err := o.shell.begin(ctx, needsMemory)
	if err != nil {
		return err
	}
	condition, err := parseWhere(o.where, c.now())
	if err != nil {
		return err
	}
	index, err := c.index(ctx)
	if err != nil {
		return err
	}
	groups, err := index.FactorGroupsWhere(ctx, fields, condition)
	if err != nil {
		return err
	}
	whole := 0
	for _, group := range groups {
		whole += group.Count
	}
	return listAll(p, r.Plotted(p, "share", func(plot render.Plot, g verify.FactorGroup) string { return plot.Share(g.Count, whole) }), groups)
}

// statsResource shows counts by fields.
func statsResource(fields []where.Field) render.Resource[verify.FactorGroup] {
	r := render.Resource[verify.FactorGroup]{View: func(g verify.FactorGroup) any {
		view := map[string]any{"count": g.Count}
		for i, f := range fields {
			view[f.Name] = g.Values[i]
		}
		return view
	}}
	for i, f := range fields {
		r.Columns = append(r.Columns, render.Column[verify.FactorGroup]{Name: f.Name, Text: func(g verify.FactorGroup) string { return g.Values[i] }})
	}
	r.Columns = append(r.Columns, render.Column[verify.FactorGroup]{Name: "count", Text: func(g verify.FactorGroup) string { return fmt.Sprint(g.Count) }, Keep: 1})
	return r
}
