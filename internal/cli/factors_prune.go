package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/fleet"
	"github.com/verifyctl/verifyctl/internal/verify"
)

type factorsPruneOptions struct {
	shell   *shell
	file    planFile
	ceiling ceilingFlags

	activityFile string
	since        verify.Since
	rules        fleet.Rules
	all          bool
}

func newFactorsPruneCmd(s *shell) *cobra.Command {
	o := factorsPruneOptions{shell: s, since: verify.Ago(days(30)), rules: fleet.DefaultRules}
	cmd := &cobra.Command{
		Use:   "prune --out FILE",
		Short: "Plan the deletion of dead factors, by evidence, for review",
		Long: `Find factors whose app is gone, and write them into a plan. Nothing is deleted. Somebody reads the file; "verifyctl factors
apply" then deletes what it names, after it has looked at all of this again.

It looks at the debugger events of the Service (Twilio's alerts of the last 30 days, and what this machine stored) and
at the challenges of each candidate. A 52103 event proves a dead push token, not a dead factor: it
counts when after it at least --min-unanswered challenges ran out on the factor (the one whose push failed among them), none
was answered, the factor was not updated, and --quiet-for has passed. A 52141 or 52119 event needs the idle rule besides.

--idle DAYS takes factors of any platform that showed no activity for so long while challenges to them ran out on three
different days. --activity FILE is the backend's word on when it last saw each app (a list with identity, factor_sid,
last_seen): what it saw lately is kept, and what it has not seen needs one challenge in vain only.

Kept, with the reason, is what is updated, answered, seen, not asked, ambiguous, masked, inferred or contradicted. Deferred is
what failed in a storm: 5 or more factors and over 5 % of the platform's with one code within an hour, which is a broken push
credential. The index ("fleet sync") tells how many factors there are.

` + exitHelp(readStatuses...),
		Example: `  verifyctl -e demo fleet sync
  verifyctl -e demo factors prune --out dead.ndjson
  verifyctl -e demo factors apply dead.ndjson --confirm demo`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && s.flags.quiet { // it took a period once
				return verify.Usagef("--quiet prints SIDs only, it takes no period any more").WithHint("it is now: --quiet-for %s", args[0])
			}
			return noArgs(cmd, args)
		},
		RunE: parseThenRun(o.parse, o.run),
	}
	flags := cmd.Flags()
	o.file.register(cmd)
	flags.Var(&o.since, "since", "how far back to look at events")
	flags.IntVar(&o.rules.MinUnanswered, "min-unanswered", o.rules.MinUnanswered, "challenges that must have run out on the factor since its event")
	flags.Var(&o.rules.Quiet, "quiet-for", "how long the event must lie back")
	flags.Var(&o.rules.Idle, "idle", "also take factors without any activity for so long; 0 for no")
	flags.StringVar(&o.activityFile, "activity", "", "the backend's word on when it last saw each app: a list in a `file`, from a script or a spreadsheet")
	flags.BoolVar(&o.all, "all", false, "read the challenges of more than 1,000 factors, in production too")
	o.ceiling.register(flags)
	moved(cmd, "factors prune --out FILE", "plan")
	moved(cmd, "factors apply FILE", "apply", "through")
	return cmd
}

func (o *factorsPruneOptions) parse([]string) error {
	if o.rules.MinUnanswered < 1 {
		return verify.Usagef("--min-unanswered %d: at least 1, because silence without a question proves nothing", o.rules.MinUnanswered)
	}
	if err := o.file.check(o.shell.typed("factors", "prune", "--out", "dead.ndjson")); err != nil {
		return err
	}
	return o.ceiling.set(o.shell)
}

func (o *factorsPruneOptions) run(ctx context.Context) error {
	activity, err := o.activity()
	if err != nil {
		return err
	}
	c, p, err := o.shell.begin(ctx, needsService)
	if err != nil {
		return err
	}
	now := c.now()
	since, err := o.since.Time(now)
	if err != nil {
		return err
	}
	index, err := c.index(ctx)
	if err != nil {
		return err
	}
	progress := o.shell.progress("reading candidates", c.now)
	plan, err := fleet.PlanPrune(ctx, fleet.Sources{Feed: c.feed(index), Index: index, Twilio: c.client, Activity: activity}, now,
		fleet.PruneOptions{
			Environment: c.env, Rules: o.rules, Since: since, Lifetime: o.file.lifetime, All: o.all, Concurrency: o.ceiling.concurrency,
			Cost: func(candidates, requests int) {
				o.shell.note("%s to look at, about %s", verify.Count(candidates, "candidate"), verify.Count(requests, "request"))
			},
			Progress: func(done, of int) { progress.Set(int64(done), int64(of), "") },
		})
	progress.Close()
	if err != nil {
		return err
	}
	return o.file.write(c, p, planResource, plan)
}

func (o *factorsPruneOptions) activity() (fleet.Activity, error) {
	if o.activityFile == "" {
		return fleet.Activity{}, nil
	}
	activity, err := readInput(o.shell, "the activity list", o.activityFile, fleet.ParseActivity)
	if err == nil {
		o.shell.note("the activity list names %s: %s", verify.Count(activity.Len(), "factor"), activity.Columns)
	}
	return activity, err
}
