package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/fleet"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

type entitiesEraseOptions struct {
	shell *shell
	write writeFlags

	identityArg string
	allEnvs     bool
	confirmed   []string
}

func newEntitiesEraseCmd(s *shell) *cobra.Command {
	o := entitiesEraseOptions{shell: s}
	cmd := &cobra.Command{
		Use:   "erase IDENTITY",
		Short: "Erase a person: from Twilio, and from what this machine remembers",
		Long: `Delete a person's entity with its factors and challenges, prove it by reading again, and make this machine forget the
identity: the index, stored events, challenges, deletions. The audit file keeps a keyed hash in its place.

With --all-envs that is done in every environment but demo; write user:NAME to have it mapped for each. What will go is listed
first. Each production environment needs its own --confirm NAME.

What this cannot erase is said at the end: Twilio keeps alerts for up to 30 days, and other people's machines have their own
memory.

` + exitHelp(0, 1, 3, 4, 6, 7, 9),
		Example: `  verifyctl -e demo entities erase user-1003-chloe --dry-run
  verifyctl entities erase user:jane@bank.example --all-envs --confirm live --yes`,
		Args:              argsBetween(1, 1),
		ValidArgsFunction: s.completeIdentity,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.identityArg = args[0]
			return o.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.allEnvs, "all-envs", false, "in every environment but demo")
	flags.BoolVarP(&o.write.yes, "yes", "y", false, "skip the confirmation prompt (does not replace --confirm)")
	flags.StringArrayVar(&o.confirmed, "confirm", nil, "the `name` of a production environment that may be written to; once for each")
	flags.BoolVar(&o.write.dryRun, "dry-run", false, "show what would be erased, send nothing")
	flags.StringVar(&o.write.reason, "reason", "", "why, for the audit file")
	return cmd
}

// eraseResult is what became of a person in one environment.
type eraseResult struct {
	Environment string          `json:"environment"`
	Identity    verify.Identity `json:"identity"`
	Entity      string          `json:"entity_sid"`
	Outcome     string          `json:"outcome"` // erased, not here, failed, unknown
	Detail      string          `json:"detail,omitempty"`
}

var eraseResource = render.Resource[eraseResult]{
	SID: func(r eraseResult) string { return r.Entity },
	Columns: []render.Column[eraseResult]{
		{Name: "environment", Text: func(r eraseResult) string { return r.Environment }},
		{Name: "identity", Text: func(r eraseResult) string { return string(r.Identity) }, Named: true},
		{Name: "entity_sid", Text: func(r eraseResult) string { return r.Entity }},
		{Name: "outcome", Text: func(r eraseResult) string { return r.Outcome }},
		{Name: "detail", Text: func(r eraseResult) string { return r.Detail }, Flex: true},
	},
}

func (o *entitiesEraseOptions) run(ctx context.Context) error {
	connections, err := o.connections(ctx)
	if err != nil {
		return err
	}
	places, err := o.places(ctx, connections)
	if err != nil {
		return err
	}
	traces := fleet.FindTraces(ctx, places)
	if err := o.show(traces); err != nil {
		return err
	}
	if o.write.dryRun {
		o.shell.note("dry run: nothing was erased")
		return nil
	}
	// All confirmations come before the first delete.
	for i, c := range connections {
		question := fmt.Sprintf("Erase %s with %s in %s? This cannot be undone.", traces[i].Identity, verify.Count(len(traces[i].Factors), "factor"), c.label())
		if err := o.confirm(ctx, c, question); err != nil {
			return err
		}
	}
	for i, c := range connections {
		w, err := c.confirmedWriter(ctx, o.write)
		if err != nil {
			return err
		}
		places[i].Deleter, places[i].Forget = w, o.forget(c, w, places[i].Identity)
	}
	return o.erase(ctx, o.shell.printer(connections[0].now), places)
}

// connections gives the environments to erase from.
func (o *entitiesEraseOptions) connections(ctx context.Context) ([]*connection, error) {
	if !o.allEnvs {
		c, _, err := o.shell.begin(ctx, needsService)
		return []*connection{c}, err
	}
	targets, err := o.shell.environments()
	if err != nil {
		return nil, err
	}
	var connections []*connection
	for _, target := range targets {
		if target.Environment.Demo || target.Environment.ServiceSID == "" {
			continue
		}
		c, err := o.shell.connect(ctx, target)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", target.Environment.Name, err)
		}
		connections = append(connections, c)
	}
	if len(connections) == 0 {
		return nil, verify.Usagef("no environment is set up besides the demo").WithHint("add one: %s", o.shell.file().Command("env", "add"))
	}
	return connections, nil
}

// places maps the person for each environment.
func (o *entitiesEraseOptions) places(ctx context.Context, connections []*connection) ([]fleet.Place, error) {
	var places []fleet.Place
	for _, c := range connections {
		identity, err := c.identity(ctx, o.identityArg)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.label(), err)
		}
		places = append(places, fleet.Place{Environment: c.env, Identity: identity, Twilio: c.client})
	}
	return places, nil
}

// show lists what there is of the person, on standard error.
func (o *entitiesEraseOptions) show(traces []fleet.Trace) error {
	var unread []error
	for _, t := range traces {
		switch {
		case t.Err != nil:
			o.shell.note("%s: could not check whether %s exists: %v", t.Environment, t.Identity, t.Err)
			unread = append(unread, fmt.Errorf("%s: %w", t.Environment, t.Err))
		case t.Here:
			o.shell.note("%s: entity %s of %s, %s, and its challenge history", t.Environment, t.Entity.SID, t.Identity, verify.Count(len(t.Factors), "factor"))
		default:
			o.shell.note("%s: %s does not exist", t.Environment, t.Identity)
		}
	}
	return errors.Join(unread...)
}

// confirm lets the erasure from one environment pass. With --all-envs, naming a production environment with --confirm does
// what -e does elsewhere.
func (o *entitiesEraseOptions) confirm(ctx context.Context, c *connection, question string) error {
	write := o.write
	name, _ := c.confirmName()
	confirmed := slices.Contains(o.confirmed, name)
	if confirmed {
		write.confirm = name
	}
	switch {
	case !o.allEnvs || !c.env.IsProduction() || c.env.ReadOnly:
		return c.confirm(ctx, write, question, destructive)
	case confirmed:
		return nil
	case !o.shell.canAsk():
		return verify.Refusedf("not confirmed: %s", question).WithHint("%s is production; confirm with --confirm %s", name, name)
	}
	return o.shell.prompter().TypeName(ctx, question, name)
}

// forget makes this machine forget the identity in one environment and in the audit file.
func (o *entitiesEraseOptions) forget(c *connection, w *writer, identity verify.Identity) func(context.Context) error {
	return func(ctx context.Context) error {
		c.seen.forget(identity)
		_, storeErr := w.store.PurgeIdentity(ctx, identity)
		audit, auditErr := c.shell.ledger(ctx)
		if auditErr == nil {
			_, auditErr = audit.EraseIdentity(ctx, string(identity))
		}
		return errors.Join(storeErr, auditErr)
	}
}

func (o *entitiesEraseOptions) erase(ctx context.Context, p *render.Printer, places []fleet.Place) error {
	words := map[fleet.Outcome]string{fleet.Deleted: "erased", fleet.Gone: "not here", fleet.Failed: "failed", fleet.Unknown: "unknown"}
	var eraseErr error
	_, printErr := render.List(p, eraseResource, resultsOf(func(report func(eraseResult)) {
		eraseErr = fleet.Erase(ctx, places, func(r fleet.Result) {
			place := places[r.Item]
			report(eraseResult{place.Environment.Name, place.Identity, r.SID, words[r.Outcome], r.Detail})
		})
	}))
	o.shell.note("what remains elsewhere: Twilio keeps debugger alerts that name the identity for up to 30 days; other machines that run verifyctl, and your own logs and backups, have their own memory")
	return errors.Join(eraseErr, printErr)
}
