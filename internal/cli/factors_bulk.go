package cli

import (
	"context"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/fleet"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// factorsBulkOptions are the flags of "factors delete" for an incident: many factors, of many identities.
type factorsBulkOptions struct {
	shell *shell
	apply applyOptions

	where     string
	from      string
	planFile  string
	applyFile string
	lifetime  fleet.Period
}

func (o *factorsBulkOptions) register(cmd *cobra.Command) {
	o.lifetime = days(1)
	flags := cmd.Flags()
	flags.StringVar(&o.where, "where", "", "factors of any identity that fit this `expression`, such as 'metadata.app_version = 4.2.0'; asks the index")
	flags.StringVar(&o.from, "from", "", "the factors of this `file`, or - for standard input: CSV or NDJSON with identity and factor_sid")
	flags.StringVar(&o.planFile, "plan", "", "with --where or --from, only write the plan into this `file`, for review")
	flags.StringVar(&o.applyFile, "apply", "", "delete what the plan in this `file` names")
	flags.Var(&o.lifetime, "expires", "how long the plan is good for")
	flags.BoolVar(&o.apply.through, "through", false, "in production too, go on from stage to stage")
	o.apply.ceiling.register(flags)
}

// given tells whether this is about many identities.
func (o *factorsBulkOptions) given() bool { return o.where != "" || o.from != "" || o.applyFile != "" }

func (o *factorsBulkOptions) parse() error {
	chosen := 0
	for _, flag := range []string{o.where, o.from, o.applyFile} {
		if flag != "" {
			chosen++
		}
	}
	switch {
	case chosen != 1 || o.applyFile != "" && o.planFile != "":
		return verify.Usagef("--where, --from and --apply exclude each other, and --plan goes with the first two")
	case o.lifetime <= 0:
		return verify.Usagef("--expires must be longer than nothing")
	}
	return nil
}

func (o *factorsBulkOptions) run(ctx context.Context, write writeFlags) error {
	if err := o.parse(); err != nil {
		return err
	}
	if err := o.apply.ceiling.set(o.shell); err != nil {
		return err
	}
	o.apply.write = write
	c, _, err := o.shell.begin(ctx, needsService)
	if err != nil {
		return err
	}
	plan, err := o.plan(ctx, c)
	if err != nil {
		return err
	}
	if plan.Header.Delete == 0 {
		o.shell.note("no factor is selected; nothing to delete")
		return nil
	}
	if o.planFile != "" {
		return o.review(c, plan)
	}
	if o.applyFile == "" && c.env.IsProduction() && !o.apply.through && plan.Header.Delete > fleet.FirstStage && !write.dryRun {
		return verify.Refusedf("%s in %s go in stages, which need a plan", counted(plan.Header.Delete, "factor"), c.label()).
			WithHint("write it with --plan FILE, review it, and apply it with --apply FILE")
	}
	return o.shell.apply(ctx, c, plan, o.apply)
}

// plan makes the plan, or reads it.
func (o *factorsBulkOptions) plan(ctx context.Context, c *connection) (fleet.Plan, error) {
	if o.applyFile != "" {
		o.apply.words = []string{"factors", "delete", "--apply", o.applyFile}
		return readPlan(o.applyFile)
	}
	plan, err := o.selected(ctx, c)
	if err != nil {
		return fleet.Plan{}, err
	}
	o.apply.words = []string{"factors", "delete", "--where", o.where}
	if o.from != "" {
		o.apply.words = []string{"factors", "delete", "--from", o.from}
	}
	_, err = plan.WriteTo(io.Discard) // gives it its id
	return plan, err
}

func (o *factorsBulkOptions) selected(ctx context.Context, c *connection) (fleet.Plan, error) {
	if o.where != "" {
		condition, err := where(o.where, c.now())
		if err != nil {
			return fleet.Plan{}, err
		}
		index, err := c.index(ctx)
		if err != nil {
			return fleet.Plan{}, err
		}
		return fleet.PlanWhere(ctx, index, c.env, condition, c.now(), o.lifetime)
	}
	refs, err := o.list()
	if err != nil {
		return fleet.Plan{}, err
	}
	memory, err := c.memory(ctx)
	if err != nil {
		return fleet.Plan{}, err
	}
	return fleet.PlanList(ctx, memory, c.env, refs, c.now(), o.lifetime)
}

func (o *factorsBulkOptions) list() ([]fleet.FactorRef, error) {
	if o.from == "-" {
		return fleet.ParseList(o.shell.in)
	}
	f, err := os.Open(o.from)
	if err != nil {
		return nil, verify.Usagef("cannot read --from: %w", err)
	}
	defer f.Close()
	return fleet.ParseList(f)
}

// review writes the plan into its file and shows what is in it.
func (o *factorsBulkOptions) review(c *connection, plan fleet.Plan) error {
	p, err := o.shell.printer(c.now)
	if err != nil {
		return err
	}
	o.shell.sayPlan(plan)
	if _, err := render.List(p, planResource.Without("detail"), each(plan.Items)); err != nil {
		return err
	}
	identities := map[verify.Identity]bool{}
	for _, item := range plan.Items {
		identities[item.Identity] = true
	}
	o.shell.note("%s to contact: they have to enrol again", counted(len(identities), "identity"))
	if o.apply.write.dryRun {
		return nil
	}
	return o.shell.writePlan(c, &plan, o.planFile, "factors", "delete", "--apply", o.planFile)
}
