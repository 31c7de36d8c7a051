package cli

import (
	"context"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/fleet"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

type factorsPruneOptions struct {
	shell *shell
	apply applyOptions

	planFile     string
	applyFile    string
	activityFile string
	since        fleet.Period
	lifetime     fleet.Period
	rules        fleet.Rules
	all          bool
}

func newFactorsPruneCmd(s *shell) *cobra.Command {
	o := factorsPruneOptions{shell: s, since: days(30), lifetime: days(1), rules: fleet.DefaultRules}
	cmd := &cobra.Command{
		Use:   "prune (--plan FILE | --apply FILE)",
		Short: "Find the dead factors, and delete them after review",
		Long: `Find factors whose app is gone, write them into a plan, and delete them after somebody has read it. A deleted factor cannot be
brought back.

--plan looks at the debugger events of the Service (Twilio's alerts of the last 30 days, and what this machine stored) and
at the challenges of each candidate, and deletes nothing. A 52103 event proves a dead push token, not a dead factor: it
counts when after it at least --min-unanswered challenges ran out on the factor (the one whose push failed among them), none
was answered, the factor was not updated, and --quiet has passed. A 52141 or 52119 event needs the idle rule besides.

--idle DAYS takes factors of any platform that gave no sign of life for so long while challenges to them ran out on three
different days. --activity FILE is the backend's word on when it last saw each app (CSV or NDJSON: identity, factor_sid,
last_seen): what it saw lately is kept, and what it has not seen needs one challenge in vain only.

Kept, with the reason, is what is updated, answered, seen, not asked, ambiguous, masked, inferred or contradicted. Deferred is
what failed in a storm: 5 or more factors and over 5 % of the platform's with one code within an hour, which is a broken push
credential. The index ("fleet sync") tells how many factors there are.

--apply reads each factor and its challenges again just before its delete, and keeps it when anything has changed. It goes
in stages of 10, 100, 1,000 and the rest; before each the storm rule is asked again. In production each stage ends with
status 3 and the command that goes on, unless --through. A plan that was changed, has expired, or is of another environment
is refused. Stopping at any point is safe; the same command goes on.

` + exitHelp(writeStatuses...),
		Example: `  verifyctl -e demo fleet sync
  verifyctl -e demo factors prune --plan dead.ndjson
  verifyctl -e demo factors prune --apply dead.ndjson --yes`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.parse(); err != nil {
				return err
			}
			if err := o.apply.ceiling.set(s); err != nil {
				return err
			}
			if o.applyFile != "" {
				return o.runApply(cmd.Context())
			}
			return o.runPlan(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.planFile, "plan", "", "write the plan into this `file`")
	flags.StringVar(&o.applyFile, "apply", "", "delete what the plan in this `file` names")
	flags.Var(&o.since, "since", "how far back to look at events")
	flags.IntVar(&o.rules.MinUnanswered, "min-unanswered", o.rules.MinUnanswered, "challenges that must have run out on the factor since its event")
	flags.Var(&o.rules.Quiet, "quiet", "how long the event must lie back (here --quiet does not mean \"SIDs only\")")
	flags.Var(&o.rules.Idle, "idle", "also take factors without any sign of life for so long; 0 for no")
	flags.StringVar(&o.activityFile, "activity", "", "the backend's word on when it last saw each app: CSV or NDJSON `file`")
	flags.Var(&o.lifetime, "expires", "how long the plan is good for")
	flags.BoolVar(&o.all, "all", false, "read the challenges of more than 1,000 factors, in production too")
	flags.BoolVar(&o.apply.through, "through", false, "in production too, go on from stage to stage")
	o.apply.ceiling.register(flags)
	o.apply.write.register(flags)
	return cmd
}

func days(n int) fleet.Period { return fleet.Period(n) * fleet.Period(24*time.Hour) }

func (o *factorsPruneOptions) parse() error {
	switch {
	case (o.planFile == "") == (o.applyFile == ""):
		return verify.Usagef("either --plan FILE or --apply FILE").
			WithHint("write a plan, read it, then apply it: %s", verify.Command(o.shell.flags.env, "factors", "prune", "--plan", "dead.ndjson"))
	case o.rules.MinUnanswered < 1:
		return verify.Usagef("--min-unanswered %d: at least 1, because silence without a question proves nothing", o.rules.MinUnanswered)
	case o.since <= 0 || o.lifetime <= 0:
		return verify.Usagef("--since and --expires must be longer than nothing")
	}
	return nil
}

func (o *factorsPruneOptions) runPlan(ctx context.Context) error {
	if err := planResource.CheckColumns(o.shell.flags.columns); err != nil {
		return err
	}
	activity, err := o.activity()
	if err != nil {
		return err
	}
	c, p, err := o.shell.begin(ctx, needsService)
	if err != nil {
		return err
	}
	index, err := c.index(ctx)
	if err != nil {
		return err
	}
	now := c.now()
	progress := o.shell.progress("reading candidates", c.now)
	plan, err := fleet.PlanPrune(ctx, fleet.Sources{Feed: c.feed(index), Index: index, Twilio: c.client, Activity: activity}, now,
		fleet.PruneOptions{
			Environment: c.env, Rules: o.rules, Since: now.Add(-time.Duration(o.since)), Lifetime: o.lifetime, All: o.all, Concurrency: o.apply.ceiling.concurrency,
			Cost: func(candidates, requests int) {
				o.shell.note("%s to look at, about %s", counted(candidates, "candidate"), counted(requests, "request"))
			},
			Progress: func(done, of int) { progress.Set(int64(done), int64(of), "") },
		})
	progress.Close()
	if err != nil {
		return err
	}
	o.shell.sayPlan(plan)
	if _, err := render.List(p, planResource, each(plan.Items)); err != nil {
		return err
	}
	if o.apply.write.dryRun {
		return nil
	}
	return o.shell.writePlan(c, &plan, o.planFile, "factors", "prune", "--apply", o.planFile)
}

func (o *factorsPruneOptions) activity() (fleet.Activity, error) {
	if o.activityFile == "" {
		return fleet.Activity{}, nil
	}
	f, err := os.Open(o.activityFile)
	if err != nil {
		return fleet.Activity{}, verify.Usagef("cannot read --activity: %w", err)
	}
	defer f.Close()
	activity, err := fleet.ParseActivity(f)
	if err == nil {
		o.shell.note("the backend speaks of %s", counted(activity.Len(), "factor"))
	}
	return activity, err
}

func (o *factorsPruneOptions) runApply(ctx context.Context) error {
	if err := outcomeResource.CheckColumns(o.shell.flags.columns); err != nil {
		return err
	}
	plan, err := readPlan(o.applyFile)
	if err != nil {
		return err
	}
	c, _, err := o.shell.begin(ctx, needsService)
	if err != nil {
		return err
	}
	o.apply.words = []string{"factors", "prune", "--apply", o.applyFile}
	if o.apply.through {
		o.apply.words = append(o.apply.words, "--through")
	}
	if err := plan.CheckTarget(c.env, c.now()); err != nil {
		return err
	}
	o.shell.sayPlan(plan)
	if plan.Header.Delete == 0 {
		o.shell.note("the plan names nothing to delete")
		return nil
	}
	return o.shell.apply(ctx, c, plan, o.apply)
}
