package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

func newFactorsDeletedCmd(s *shell) *cobra.Command {
	var filter verify.DeletionFilter
	cmd := &cobra.Command{
		Use:   "deleted [IDENTITY]",
		Short: "Show the factors deleted from this machine, as they last were",
		Long: `Show what "factors delete" and "factors apply" deleted from this machine. Twilio keeps nothing of a deleted factor, so
this record is all that is left. Push tokens are kept as keyed hashes only.

` + exitHelp(0, 1, 6),
		Example: "  verifyctl -e demo factors deleted",
		Args:    argsBetween(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			none := "no factor of ENV was deleted from this machine"
			return listFrom(cmd.Context(), s, needsAccount, deletedResource, none, func(ctx context.Context, c *connection) rowsOf[verify.Deletion] {
				if len(args) > 0 {
					var err error
					if filter.Identity, err = c.identity(ctx, args[0]); err != nil {
						return failed[verify.Deletion](err)
					}
				}
				memory, err := c.memory(ctx)
				if err != nil {
					return failed[verify.Deletion](err)
				}
				return memory.Deletions(ctx, filter)
			})
		},
	}
	cmd.Flags().IntVar(&filter.Limit, "limit", 0, "stop after this many")
	return cmd
}

var deletedResource = render.Resource[verify.Deletion]{
	SID: func(d verify.Deletion) string { return string(d.Factor.SID) },
	Columns: []render.Column[verify.Deletion]{
		{Name: "sid", Text: func(d verify.Deletion) string { return string(d.Factor.SID) }},
		{Name: "identity", Text: func(d verify.Deletion) string { return string(d.Factor.Identity) }, Named: true},
		{Name: "friendly_name", Text: func(d verify.Deletion) string { return d.Factor.FriendlyName }, Flex: true, Named: true},
		{Name: "platform", Text: func(d verify.Deletion) string { return string(d.Factor.Config.Platform) }},
		{Name: "outcome", Text: deletionOutcome},
		{Name: "deleted", Time: func(d verify.Deletion) time.Time { return d.At }},
		{Name: "by", Text: func(d verify.Deletion) string { return d.By }},
		{Name: "reason", Text: func(d verify.Deletion) string { return d.Reason }, Flex: true},
		{Name: "created", Time: func(d verify.Deletion) time.Time { return d.Factor.DateCreated }, Wide: true},
		{Name: "token_hash", Text: func(d verify.Deletion) string { return d.TokenHash }, Wide: true},
	},
}

// deletionOutcome says what became of a delete; one that was never finished may have happened.
func deletionOutcome(d verify.Deletion) string {
	if d.Outcome == "" {
		return "unknown"
	}
	return d.Outcome
}
