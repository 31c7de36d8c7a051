package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2/maybe"

	"github.com/verifyctl/verifyctl/internal/fleet"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

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

// outcomeResource shows what became of the items of a plan.
var outcomeResource = render.Resource[fleet.Result]{
	SID: func(r fleet.Result) string { return r.SID },
	Columns: []render.Column[fleet.Result]{
		{Name: "identity", Text: func(r fleet.Result) string { return string(r.Identity) }, Named: true},
		{Name: "sid", Text: func(r fleet.Result) string { return r.SID }},
		{Name: "outcome", Text: func(r fleet.Result) string { return string(r.Outcome) }, Tone: outcomeTone},
		{Name: "reason", Text: func(r fleet.Result) string { return string(r.Reason) }},
		{Name: "detail", Text: func(r fleet.Result) string { return r.Detail }, Flex: true},
	},
}

func outcomeTone(r fleet.Result) render.Tone {
	switch r.Outcome {
	case fleet.Deleted, fleet.Gone:
		return render.Good
	case fleet.Failed, fleet.Unknown:
		return render.Bad
	}
	return render.Warn
}

// writePlan puts a plan into a file, for review, and says how to apply it.
func (s *shell) writePlan(c *connection, plan *fleet.Plan, file string, apply ...string) error {
	var text strings.Builder
	if _, err := plan.WriteTo(&text); err != nil {
		return err
	}
	if err := maybe.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		return &verify.Error{Kind: verify.KindFailed, Message: fmt.Sprintf("cannot write the plan: %v", err), Cause: err}
	}
	s.note("the plan is in %s, SHA-256 %s, good until %s", file, plan.ID, plan.Header.Expires.Format(time.RFC3339))
	if plan.Header.Delete > 0 {
		s.note("review it, then: %s", verify.Command(c.env.Name, apply...))
	}
	return nil
}

// sayPlan tells what a plan rests on and what it would do.
func (s *shell) sayPlan(plan fleet.Plan) {
	h := plan.Header
	if e := h.Evidence; e != nil {
		s.note("events from %s to %s: %d failed pushes of this Service, %d other events", stampOf(e.From), stampOf(e.Until), e.Events, e.Others)
		for _, gap := range e.Gaps {
			s.note("no events are known from %s to %s: deaths in that time are not seen", stampOf(gap.From), stampOf(gap.Until))
		}
	}
	for _, storm := range h.Storms {
		s.note("storm: %d of %d %s factors failed with %d within one hour around %s; what failed then is deferred", storm.Factors, storm.Of, storm.Platform, storm.Code, stampOf(storm.From))
	}
	s.note("%d to delete, %d deferred, %d kept%s", h.Delete, h.Defer, h.Keep, reasonCounts(plan.Items))
}

func stampOf(t time.Time) string { return t.UTC().Format(time.RFC3339) }

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

// readPlan reads a plan from a file, to the byte.
func readPlan(file string) (fleet.Plan, error) {
	f, err := os.Open(file)
	if err != nil {
		return fleet.Plan{}, verify.Usagef("cannot read the plan: %w", err)
	}
	defer f.Close()
	return fleet.ReadPlan(f)
}

// applyOptions says how a plan is applied, whatever command made it.
type applyOptions struct {
	write   writeFlags
	ceiling ceilingFlags
	through bool
	words   []string // the command that goes on, without the environment and the confirmation
}

// apply confirms a plan and applies it, and prints each result when it is there.
func (s *shell) apply(ctx context.Context, c *connection, plan fleet.Plan, o applyOptions) error {
	if err := plan.CheckTarget(c.env, c.now()); err != nil {
		return err
	}
	p, err := s.printer(c.now)
	if err != nil {
		return err
	}
	memory, err := c.memory(ctx)
	if err != nil {
		return err
	}
	before, err := fleet.Applied(ctx, plan, memory)
	if err != nil {
		return err
	}
	if err := s.preview(c, plan, before); err != nil {
		return err
	}
	switch {
	case before.Done():
		s.note("everything in the plan is done: %s", stateText(before))
		return nil
	case o.write.dryRun:
		s.note("dry run: nothing was deleted")
		return nil
	}
	w, err := c.writer(ctx, o.write, o.question(c, plan), destructive)
	if err != nil {
		return err
	}
	target := fleet.Target{Environment: c.env, Twilio: c.client, Deleter: w, Outcomes: w.store, Now: c.now}
	if plan.Header.Purpose == fleet.Prune {
		target.Feed, target.Index = c.feed(w.store), w.store
	}
	var state fleet.ApplyState
	var applyErr, forgetErr error
	results := func(yield func(fleet.Result, error) bool) {
		open := true // a reader that goes away does not end the batch
		state, applyErr = fleet.Apply(ctx, plan, target, fleet.ApplyOptions{
			Through: o.through, Continue: o.next(c), Concurrency: o.ceiling.concurrency,
			Report: func(r fleet.Result) { open = open && yield(r, nil) },
			StageDone: func(done fleet.ApplyState) {
				s.note("stage %d of %d is done: %d of %d deleted", done.Stage, done.Stages, done.Deleted, done.Planned)
			},
		})
	}
	_, printErr := render.List(p, outcomeResource, results)
	s.note("%s", stateText(state))
	if state.Deleted > before.Deleted {
		s.note("the users of the identities above have to enrol again on these devices; contact them")
	}
	return errors.Join(applyErr, forgetErr, printErr)
}

// previewed is how many items are shown before a confirmation; a plan's file has them all.
const previewed = 20

// preview shows on standard error what is about to go.
func (s *shell) preview(c *connection, plan fleet.Plan, before fleet.ApplyState) error {
	items := plan.Deletes()
	if len(items) > previewed {
		defer s.note("and %d more", len(items)-previewed)
		items = items[:previewed]
	}
	if done := before.Planned - before.Left; done > 0 {
		s.note("an earlier run has begun this plan: %s", stateText(before))
	}
	return s.showOnErr(c.now, func(p *render.Printer) error {
		_, err := render.List(p, planResource.Without("detail"), each(items))
		return err
	})
}

// question asks for what will really happen.
func (o applyOptions) question(c *connection, plan fleet.Plan) string {
	stage := ""
	if n := plan.Header.Delete; n > fleet.FirstStage {
		stage = fmt.Sprintf(", %d first", fleet.FirstStage)
	}
	return fmt.Sprintf("Delete %s in %s%s? This cannot be undone.", counted(plan.Header.Delete, "factor"), c.label(), stage)
}

// next is the command that goes on after a stage.
func (o applyOptions) next(c *connection) string {
	words := append(slices.Clone(o.words), o.ceiling.words()...)
	if o.write.yes {
		words = append(words, "--yes")
	}
	if o.write.confirm != "" {
		words = append(words, "--confirm", o.write.confirm)
	}
	return "go on: " + verify.Command(c.env.Name, words...)
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
