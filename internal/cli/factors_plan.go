package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/fleet"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/statedir"
	"github.com/verifyctl/verifyctl/internal/verify"
)

type factorsPlanOptions struct {
	shell *shell
	file  planFile

	where string
	from  string
}

func newFactorsPlanCmd(s *shell) *cobra.Command {
	o := factorsPlanOptions{shell: s}
	cmd := &cobra.Command{
		Use:   "plan (--where EXPRESSION | --from FILE) --out FILE",
		Short: "Plan the deletion of factors of many identities, for review",
		Long: `Write a plan to delete the factors that fit an expression, or those of a list, into a file. Nothing is deleted. Somebody reads
the file; "verifyctl factors apply" then deletes what it names.

--where asks the index of "fleet sync"; each factor has to fit the expression again when it is read before its delete. --from
takes a list with identity and factor_sid, as "factors list" prints it (csv, ndjson, json) or a spreadsheet saves it, and says
which columns it took; or SIDs alone, as "factors list -q" prints them, whose identities the index tells. What is in the plan
is listed, with its identities, so that the users can be told: they have to enrol again.

A plan for which nothing was found is written too; applying it does nothing.

` + exitHelp(0, 1, 6),
		Example: `  verifyctl -e demo fleet sync
  verifyctl -e demo factors plan --where 'platform = apn and sdk_version < 3.0.1' --out incident.ndjson
  verifyctl -e demo factors apply incident.ndjson --max-lockouts 1 --confirm demo`,
		Args: noArgs,
		RunE: parseThenRun(o.parse, o.run),
	}
	flags := cmd.Flags()
	flags.StringVar(&o.where, "where", "", "factors of any identity that fit this `expression`, such as 'metadata.app_version = 4.2.0'; asks the index")
	flags.StringVar(&o.from, "from", "", "the factors of this `file`, or - for standard input: a list with identity and factor_sid, or SIDs alone")
	o.file.register(cmd)
	return cmd
}

func (o *factorsPlanOptions) parse([]string) error {
	if (o.where == "") == (o.from == "") {
		return verify.Usagef("give either --where EXPRESSION or --from FILE")
	}
	return o.file.check(o.shell.typed("factors", "plan", "--where", "sdk_version < 3.0.1", "--out", "incident.ndjson"))
}

func (o *factorsPlanOptions) run(ctx context.Context) error {
	c, p, err := o.shell.begin(ctx, needsMemory)
	if err != nil {
		return err
	}
	plan, err := o.plan(ctx, c)
	if err != nil {
		return err
	}
	if err := o.file.write(c, p, planResource.Without("detail"), plan); err != nil {
		return err
	}
	identities := map[verify.Identity]bool{}
	for _, item := range plan.Items {
		identities[item.Identity] = true
	}
	if len(identities) > 0 {
		o.shell.note("%s to contact: they have to enrol again", verify.Count(len(identities), "identity"))
	}
	return nil
}

func (o *factorsPlanOptions) plan(ctx context.Context, c *connection) (fleet.Plan, error) {
	if o.where != "" {
		condition, err := parseWhere(o.where, c.now())
		if err != nil {
			return fleet.Plan{}, err
		}
		index, err := c.index(ctx)
		if err != nil {
			return fleet.Plan{}, err
		}
		return fleet.PlanWhere(ctx, index, c.env, condition, c.now(), o.file.lifetime)
	}
	list, err := readInput(o.shell, "the list", o.from, fleet.ParseList)
	if err != nil {
		return fleet.Plan{}, err
	}
	o.shell.note("the list names %s: %s", verify.Count(len(list.Refs), "factor"), list.Columns)
	open := c.memory
	if slices.ContainsFunc(list.Refs, func(ref fleet.FactorRef) bool { return ref.Identity == "" }) {
		open = c.index
	}
	memory, err := open(ctx)
	if err != nil {
		return fleet.Plan{}, err
	}
	return fleet.PlanList(ctx, memory, c.env, list.Refs, c.now(), o.file.lifetime)
}

// planFile is where a plan goes: the flags of every command that makes one.
type planFile struct {
	out      string
	dryRun   bool
	lifetime verify.Period
}

func (f *planFile) register(cmd *cobra.Command) {
	f.lifetime = days(1)
	flags := cmd.Flags()
	flags.StringVar(&f.out, "out", "", "write the plan into this `file`")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show the plan, write nothing")
	flags.Var(&f.lifetime, "expires", "how long the plan is good for")
}

// check refuses flags that make no plan; such is a command line that does.
func (f *planFile) check(such string) error {
	switch {
	case f.out == "" && !f.dryRun:
		return verify.Usagef("name a file for the plan with --out FILE, or preview it with --dry-run").
			WithHint("write a plan, read it, then apply it: %s", such)
	case f.lifetime <= 0:
		return verify.Usagef("--expires must be longer than zero")
	}
	return nil
}

func days(n int) verify.Period { return verify.Period(n) * verify.Period(24*time.Hour) }

// write shows a plan, puts it into its file for review, and says how to apply it.
func (f *planFile) write(c *connection, p *render.Printer, resource render.Resource[fleet.PlanItem], plan fleet.Plan) error {
	s := c.shell
	s.sayPlan(plan)
	s.sayLockouts(plan)
	if err := listAll(p, resource, plan.Items); err != nil || f.dryRun {
		return err
	}
	var text strings.Builder
	if _, err := plan.WriteTo(&text); err != nil {
		return err
	}
	if err := statedir.WriteFile(f.out, []byte(text.String()), 0o600); err != nil {
		return err
	}
	s.note("the plan is in %s, SHA-256 %s, good until %s", f.out, plan.ID, plan.Header.Expires.Format(time.RFC3339))
	if plan.Header.Delete > 0 {
		s.note("review it, then: %s", c.env.Command("factors", "apply", f.out))
	}
	return nil
}

// planResource shows the items of a plan.
var planResource = render.Resource[fleet.PlanItem]{
	SID: func(i fleet.PlanItem) string { return string(i.FactorSID) },
	Columns: []render.Column[fleet.PlanItem]{
		{Name: "decision", Text: func(i fleet.PlanItem) string { return string(i.Decision) }, Tone: decisionTone},
		{Name: "reason", Text: func(i fleet.PlanItem) string { return string(i.Reason) }},
		{Name: "identity", Text: func(i fleet.PlanItem) string { return string(i.Identity) }, Named: true},
		{Name: "factor_sid", Text: func(i fleet.PlanItem) string { return string(i.FactorSID) }},
		{Name: "friendly_name", Text: func(i fleet.PlanItem) string { return i.FriendlyName }, Flex: true, Named: true},
		{Name: "platform", Text: func(i fleet.PlanItem) string { return string(i.Platform) }},
		{Name: "locks_out", Text: func(i fleet.PlanItem) string { return yesOrNothing(i.LocksOut) }, Wide: true},
		{Name: "detail", Text: func(i fleet.PlanItem) string { return i.Detail }, Flex: true},
		{Name: "updated", Time: func(i fleet.PlanItem) time.Time { return i.DateUpdated }, Wide: true},
		{Name: "app_id", Text: func(i fleet.PlanItem) string { return i.AppID }, Wide: true},
	},
}

func decisionTone(i fleet.PlanItem) render.Tone {
	switch i.Decision {
	case fleet.Delete:
		return render.Bad
	case fleet.Defer:
		return render.Warn
	}
	return render.Plain
}

// sayPlan tells what a plan rests on and what it would do.
func (s *shell) sayPlan(plan fleet.Plan) {
	h := plan.Header
	if e := h.Evidence; e != nil {
		s.note("events from %s to %s: %d failed pushes of this Service, %d other events", verify.Stamp(e.From), verify.Stamp(e.Until), e.Events, e.Others)
		for _, gap := range e.Gaps {
			s.note("no events are known from %s to %s: deaths in that time are not seen", verify.Stamp(gap.From), verify.Stamp(gap.Until))
		}
	}
	for _, storm := range h.Storms {
		s.note("storm: %d of %d %s factors failed with %d within one hour around %s; what failed then is deferred", storm.Factors, storm.Of, storm.Platform, storm.Code, verify.Stamp(storm.From))
	}
	s.note("%d to delete, %d deferred, %d kept%s", h.Delete, h.Defer, h.Keep, reasonCounts(plan.Items))
}

// sayLockouts names who would be locked out, as "factors delete" does for one person.
func (s *shell) sayLockouts(plan fleet.Plan) {
	locked := plan.LockedOut()
	if len(locked) == 0 {
		return
	}
	const named = 20 // in a message; the plan names all
	var names []string
	for _, identity := range locked[:min(len(locked), named)] {
		names = append(names, string(identity))
	}
	more := ""
	if len(locked) > named {
		more = fmt.Sprintf(" and %d more, marked locks_out in the plan", len(locked)-named)
	}
	s.note("warning: %s will have no verified push factor left and cannot approve logins by push: %s%s",
		verify.Count(len(locked), "identity"), strings.Join(names, ", "), more)
}

// reasonCounts says how many items there are of each reason.
func reasonCounts(items []fleet.PlanItem) string {
	counts := map[fleet.Reason]int{}
	for _, item := range items {
		counts[item.Reason]++
	}
	var parts []string
	for reason, n := range counts {
		parts = append(parts, fmt.Sprintf("%d %s", n, reason))
	}
	if len(parts) == 0 {
		return ""
	}
	slices.Sort(parts)
	return " (" + strings.Join(parts, ", ") + ")"
}
