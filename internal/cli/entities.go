package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/fleet"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

func newEntitiesCmd(s *shell) *cobra.Command {
	return group(&cobra.Command{
		Use:     "entities",
		Aliases: []string{"entity"},
		Short:   "List, show and delete entities: the users of a Service",
		Long:    `An entity is a user of a Verify Service. It is addressed by its identity and holds factors and their challenges.`,
	}, newEntitiesListCmd(s), newEntitiesShowCmd(s), newEntitiesDeleteCmd(s), newEntitiesEraseCmd(s))
}

var entityResource = render.Resource[verify.Entity]{
	SID: func(v verify.Entity) string { return string(v.SID) },
	Columns: []render.Column[verify.Entity]{
		{Name: "sid", Text: func(v verify.Entity) string { return string(v.SID) }},
		{Name: "identity", Text: func(v verify.Entity) string { return string(v.Identity) }, Named: true},
		{Name: "created", Time: func(v verify.Entity) time.Time { return v.DateCreated }},
		{Name: "updated", Time: func(v verify.Entity) time.Time { return v.DateUpdated }},
		{Name: "service_sid", Text: func(v verify.Entity) string { return string(v.ServiceSID) }, Wide: true},
		{Name: "account_sid", Text: func(v verify.Entity) string { return string(v.AccountSID) }, Wide: true},
	},
}

func newEntitiesListCmd(s *shell) *cobra.Command {
	limit := 0
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the entities of the Service",
		Long:    "List the entities of the environment's Service, 1,000 a request.\n\n" + exitHelp(readStatuses...),
		Example: "  verifyctl -e demo entities list --limit 5",
		RunE: func(cmd *cobra.Command, args []string) error {
			return listFrom(cmd.Context(), s, needsService, entityResource, "no entity in ENV", func(ctx context.Context, c *connection) rowsOf[verify.Entity] {
				return limited(limit, c.client.Entities(ctx, c.service()))
			})
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 0, "stop after this many entities")
	return cmd
}

func newEntitiesShowCmd(s *shell) *cobra.Command {
	return &cobra.Command{
		Use:               "show IDENTITY",
		Aliases:           []string{"get"},
		Short:             "Show one entity",
		Long:              "Show one entity of the environment's Service.\n\n" + exitHelp(readStatuses...),
		Example:           "  verifyctl -e demo entities show user-1001-amara",
		Args:              argsBetween(1, 1),
		ValidArgsFunction: s.completeIdentity,
		RunE: func(cmd *cobra.Command, args []string) error {
			return showFrom(cmd.Context(), s, needsService, entityResource, func(ctx context.Context, c *connection) (verify.Entity, error) {
				identity, err := c.identity(ctx, args[0])
				if err != nil {
					return verify.Entity{}, err
				}
				return c.client.Entity(ctx, c.service(), identity)
			})
		},
	}
}

// --- entities delete

type entitiesDeleteOptions struct {
	shell *shell
	write writeFlags

	identityArg string
}

func newEntitiesDeleteCmd(s *shell) *cobra.Command {
	o := entitiesDeleteOptions{shell: s}
	cmd := &cobra.Command{
		Use:     "delete IDENTITY",
		Aliases: []string{"rm"},
		Short:   "Delete an entity with all its factors, for good",
		Long: `Delete an entity, all its factors and its challenge history. None of it can be brought back: the user has to enrol again
on every device. To keep the entity and its history, use "verifyctl factors delete IDENTITY --all".

` + exitHelp(writeStatuses...),
		Example:           "  verifyctl -e demo entities delete user-1003-chloe --dry-run",
		Args:              argsBetween(1, 1),
		ValidArgsFunction: s.completeIdentity,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.identityArg = args[0]
			return o.run(cmd.Context())
		},
	}
	o.write.register(cmd.Flags())
	return cmd
}

func (o *entitiesDeleteOptions) run(ctx context.Context) error {
	c, p, err := o.shell.begin(ctx, needsService)
	if err != nil {
		return err
	}
	identity, err := c.identity(ctx, o.identityArg)
	if err != nil {
		return err
	}
	entity, err := c.client.Entity(ctx, c.service(), identity)
	if err != nil {
		return err
	}
	factors, err := collect(c.client.Factors(ctx, c.service(), identity))
	if err != nil {
		return err
	}
	o.shell.note("to be deleted in %s: entity %s, %s, and its challenge history", c.label(), entity.SID, verify.Count(len(factors), "factor"))
	if err := listOnErr(o.shell, c.now, factorResource(o.shell.hashToken), factors); err != nil {
		return err
	}
	if o.write.dryRun {
		o.shell.note("dry run: nothing was deleted")
		return nil
	}
	question := fmt.Sprintf("Delete %s with %s in %s? This cannot be undone.", identity, verify.Count(len(factors), "factor"), c.label())
	w, err := c.writer(ctx, o.write, question, destructive)
	if err != nil {
		return err
	}
	var result fleet.Result
	place := fleet.Place{Environment: c.env, Identity: identity, Twilio: c.client, Deleter: w}
	err = fleet.Erase(ctx, []fleet.Place{place}, func(r fleet.Result) { result = r })
	if result.Outcome == "" {
		return err // it was not tried
	}
	return errors.Join(err, render.One(p, deletionResource, result))
}
