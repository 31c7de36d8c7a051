package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/fleet"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

type factorsApplyOptions struct {
	shell   *shell
	write   writeFlags
	ceiling ceilingFlags
	limits  limitFlags

	file    string
	through bool
}

func newFactorsApplyCmd(s *shell) *cobra.Command {
	o := factorsApplyOptions{shell: s}
	cmd := &cobra.Command{
		Use:   "apply FILE",
		Short: "Delete the factors that a reviewed plan names, for good",
		Long: `Delete what a plan of "factors plan" or "factors prune" names. A deleted factor cannot be brought back: the user has to enrol
again. What it was is kept on this machine; "verifyctl factors deleted" shows it.

Each factor is read again just before its delete, and kept when it is not what the plan rests on any more: it must still fit
the expression of "factors plan --where"; for a plan of "factors prune" it must be unchanged, and its challenges and the rules
are looked at again. It goes in stages of 10, 100, 1,000 and the rest; before each, a plan of "factors prune" asks the storm
rule again. In production each stage ends with status 3 and the command that goes on, unless --through.

Who would have no verified push factor left is named first. In production that takes --max-lockouts N, and who has become such
a person since the plan was made is spared. More than 50 factors that are more than 20 % of their platform's verified push
factors, as the index knows them, take --max-share; in production, without an index of all factors, they are refused.

A plan that was changed, has expired, or is of another environment is refused. Stopping at any point is safe; the same command
goes on, and a plan that is done sends nothing. Where Twilio does not answer, the run ends after a few factors.

` + exitHelp(0, 1, 3, 4, 6, 9),
		Example: `  verifyctl -e demo fleet sync
  verifyctl -e demo factors plan --where 'sdk_version < 3.0.1' --out incident.ndjson
  verifyctl -e demo factors apply incident.ndjson --dry-run
  verifyctl -e demo factors apply incident.ndjson --max-lockouts 6 --confirm demo`,
		Args: argsBetween(1, 1),
		RunE: parseThenRun(o.parse, o.run),
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.through, "through", false, "continue from stage to stage, even in production")
	o.limits.register(flags)
	o.ceiling.register(flags)
	o.write.register(flags)
	return cmd
}

func (o *factorsApplyOptions) parse(args []string) error {
	o.file = args[0]
	return cmp.Or(o.limits.parse(), o.ceiling.set(o.shell))
}

func (o *factorsApplyOptions) run(ctx context.Context) error {
	plan, err := readInput(o.shell, "the plan", o.file, fleet.ReadPlan)
	if err != nil {
		return err
	}
	c, p, err := o.shell.begin(ctx, needsService)
	if err != nil {
		return err
	}
	if err := plan.CheckTarget(c.env, c.now()); err != nil {
		return err
	}
	o.shell.sayPlan(plan)
	if plan.Header.Delete == 0 {
		o.shell.note("the plan has nothing to delete")
		return nil
	}
	memory, err := c.memory(ctx)
	if err != nil {
		return err
	}
	before, err := fleet.Applied(ctx, plan, memory)
	if err != nil {
		return err
	}
	if !before.Done() {
		found, err := plan.LookUp(ctx, c.client, o.ceiling.concurrency)
		switch {
		case err == nil:
			plan = found
		case o.write.dryRun:
			o.shell.note("who would be locked out is unknown: %v", err)
		default:
			return o.goOn(c, err)
		}
	}
	if err := o.preview(c, plan, before); err != nil {
		return err
	}
	if before.Done() {
		o.shell.note("everything in the plan is done: %s", stateText(before))
		return nil
	}
	refused := o.limits.check(ctx, c, plan, memory)
	switch {
	case o.write.dryRun && refused != nil:
		o.shell.note("dry run: nothing was deleted, and nothing would be: %v", refused)
		return nil
	case o.write.dryRun:
		o.shell.note("dry run: nothing was deleted")
		return nil
	case refused != nil:
		return refused
	}
	o.write.purpose = string(plan.Header.Purpose)
	w, err := c.writer(ctx, o.write, o.question(c, plan), destructive)
	if err != nil {
		return err
	}
	return o.apply(ctx, c, p, plan, before, w.deletes())
}

// apply prints each result when it is there.
func (o *factorsApplyOptions) apply(ctx context.Context, c *connection, p *render.Printer, plan fleet.Plan, before fleet.ApplyState, target fleet.Target) error {
	var state fleet.ApplyState
	var applyErr error
	_, printErr := render.List(p, outcomeResource, resultsOf(func(report func(fleet.Result)) {
		state, applyErr = fleet.Apply(ctx, plan, target, fleet.ApplyOptions{
			Through: o.through, LocksOut: lockoutRule(c.env), Continue: o.next(c), Concurrency: o.ceiling.concurrency, Report: report,
			StageDone: func(done fleet.ApplyState) {
				o.shell.note("stage %d of %d is done: %d of %d deleted", done.Stage, done.Stages, done.Deleted, done.Planned)
			},
		})
	}))
	o.shell.note("%s", stateText(state))
	if state.Deleted > before.Deleted {
		o.shell.note("the users of the identities above have to enrol again on these devices; contact them")
	}
	return errors.Join(applyErr, printErr)
}

// lockoutRule is what production asks of a plan: nobody is locked out whom it does not name.
func lockoutRule(env verify.Environment) fleet.LockoutRule {
	if env.GuardsAsProduction() {
		return fleet.NamedLockout
	}
	return fleet.AnyLockout
}

// previewed is how many items are shown before a confirmation; a plan's file has them all.
const previewed = 20

// preview shows on standard error what is about to go.
func (o *factorsApplyOptions) preview(c *connection, plan fleet.Plan, before fleet.ApplyState) error {
	items := plan.Deletes()
	more := len(items) - previewed
	items = items[:min(len(items), previewed)]
	if done := before.Planned - before.Left; done > 0 {
		o.shell.note("an earlier run has begun this plan: %s", stateText(before))
	}
	err := listOnErr(o.shell, c.now, planResource.Without("detail"), items)
	if more > 0 {
		o.shell.note("and %d more", more)
	}
	o.shell.sayLockouts(plan)
	return err
}

// question asks for what will really happen.
func (o *factorsApplyOptions) question(c *connection, plan fleet.Plan) string {
	stage := ""
	if n := plan.Header.Delete; n > fleet.FirstStage {
		stage = fmt.Sprintf(", %d first", fleet.FirstStage)
	}
	return fmt.Sprintf("Delete %s in %s%s? This cannot be undone.", verify.Count(plan.Header.Delete, "factor"), c.label(), stage)
}

// goOn adds to an error the command that goes on once it is mended; after a refusal it must not.
func (o *factorsApplyOptions) goOn(c *connection, err error) error {
	if told, ok := errors.AsType[*verify.Error](err); ok && told.Kind != verify.KindRefused {
		told.Hint = strings.TrimPrefix(told.Hint+"; "+o.next(c), "; ")
	}
	return err
}

// next is the command that goes on after a stage.
func (o *factorsApplyOptions) next(c *connection) string {
	words := append([]string{"factors", "apply", o.file}, o.ceiling.words()...)
	words = append(words, o.limits.words()...)
	if o.through {
		words = append(words, "--through")
	}
	if o.write.yes {
		words = append(words, "--yes")
	}
	if o.write.confirm != "" {
		words = append(words, "--confirm", o.write.confirm)
	}
	return "go on: " + c.env.Command(words...)
}

// stateText adds the outcomes up.
func stateText(s fleet.ApplyState) string {
	text := fmt.Sprintf("%d planned: %d deleted, %d already gone, %d kept, %d deferred, %d failed, %d unknown, %d left",
		s.Planned, s.Deleted, s.Gone, s.Kept, s.Deferred, s.Failed, s.Unknown, s.Left)
	var reasons []string
	for reason, n := range s.Reasons {
		reasons = append(reasons, fmt.Sprintf("%d %s", n, reason))
	}
	if len(reasons) > 0 {
		slices.Sort(reasons)
		text += " (" + strings.Join(reasons, ", ") + ")"
	}
	return text
}

// resultResource shows what became of factors and entities that were to be deleted.
var resultResource = render.Resource[fleet.Result]{
	SID: func(r fleet.Result) string { return r.SID },
	Columns: []render.Column[fleet.Result]{
		{Name: "identity", Text: func(r fleet.Result) string { return string(r.Identity) }, Named: true},
		{Name: "sid", Text: func(r fleet.Result) string { return r.SID }},
		{Name: "friendly_name", Text: func(r fleet.Result) string { return r.Name }, Flex: true, Named: true},
		{Name: "outcome", Text: func(r fleet.Result) string { return string(r.Outcome) }, Tone: outcomeTone},
		{Name: "reason", Text: func(r fleet.Result) string { return string(r.Reason) }},
		{Name: "detail", Text: func(r fleet.Result) string { return r.Detail }, Flex: true},
		{Name: "error", Text: func(r fleet.Result) string { return r.Error }, Flex: true},
	},
}

var (
	outcomeResource  = resultResource.Without("friendly_name").Without("error")               // of a plan
	deletionResource = resultResource.Without("identity").Without("reason").Without("detail") // of one identity
)

func outcomeTone(r fleet.Result) render.Tone {
	switch r.Outcome {
	case fleet.Deleted, fleet.Gone:
		return render.Good
	case fleet.Failed, fleet.Unknown:
		return render.Bad
	}
	return render.Warn
}
