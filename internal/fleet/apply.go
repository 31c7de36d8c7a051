package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
	"github.com/verifyctl/verifyctl/internal/where"
)

// factorDeleter deletes a factor that was just read, after recording what it was, and says how that ended: deleted,
// already gone, failed or unknown. Flush puts on disk what became of the last ones.
type factorDeleter interface {
	DeleteFactor(ctx context.Context, factor verify.Factor) (outcome string, err error)
	Flush(ctx context.Context) error
}

// Target is what a plan is applied to.
type Target struct {
	Environment verify.Environment
	Twilio      candidateReader
	Deleter     factorDeleter
	Outcomes    outcomeMemory
	Feed        eventFeed // asked for storms between the stages of a [purposePrune] plan; not needed for others
	Index       Index     // how many factors each platform has; needed where Feed is
	Now         func() time.Time
}

// ApplyOptions says how a plan is applied.
type ApplyOptions struct {
	Through     bool             // continue from stage to stage, even in production
	Concurrency int              // deletes at the same time; 0 means 8. The client may allow fewer
	Continue    string           // the command that goes on, for hints
	LocksOut    LockoutRule      // who may be left without a verified push factor
	Report      func(Result)     // called for each item when it is done; may be nil
	StageDone   func(ApplyState) // called after each stage; may be nil
}

// LockoutRule says who may be left without a verified push factor.
type LockoutRule int

const (
	AnyLockout   LockoutRule = iota // AnyLockout takes the plan as it is.
	NamedLockout                    // NamedLockout reads the identity's factors before each delete and keeps what the plan does not name as a lockout.
)

const deleteConcurrency = 8

// FirstStage is how many factors the first stage deletes.
const FirstStage = 10

// stages is how many factors each stage deletes; the last takes the rest.
var stages = []int{FirstStage, 100, 1000}

// ApplyState is how far a plan has been applied, in this run and in earlier ones. Its numbers add up to Planned.
type ApplyState struct {
	Plan     string         `json:"plan"`
	Stage    int            `json:"stage"`  // the last one that was begun, from 1
	Stages   int            `json:"stages"` // how many the plan has
	Planned  int            `json:"planned"`
	Deleted  int            `json:"deleted"`
	Gone     int            `json:"already_gone"`
	Kept     int            `json:"kept"`
	Deferred int            `json:"deferred"`
	Failed   int            `json:"failed"`
	Unknown  int            `json:"unknown"`
	Left     int            `json:"left"`              // not tried yet
	Reasons  map[Reason]int `json:"reasons,omitempty"` // for what was kept or deferred in this run
}

// Done tells whether nothing is left to do: a further run would send nothing.
func (s ApplyState) Done() bool { return s.Deleted+s.Gone+s.Kept == s.Planned }

// Apply deletes the factors of a plan. Each is read again just before its delete and deleted only if what the plan rests
// on still holds; what became of it is kept before its worker's next request, so an apply that was cut off goes on
// where it ended, and one that is complete does nothing.
//
// The factors go in stages of 10, 100, 1,000 and the rest. Before each, the storm rule is asked again, with the events that
// came in meanwhile. A stage with failures is the last of the run, and so is every stage in production unless
// opts.Through; the error is then of KindPartial and says how to go on. A plan for another environment, account or
// Service, or past its expiry, is refused.
func Apply(ctx context.Context, plan Plan, target Target, opts ApplyOptions) (ApplyState, error) {
	a := newApplier(plan, target, opts)
	err := plan.CheckTarget(target.Environment, target.Now())
	if err == nil && plan.Header.Purpose == purposeFit {
		a.where, err = where.Parse(plan.Header.Where, plan.Header.Created)
	}
	if err == nil {
		err = a.recall(ctx)
	}
	if err == nil {
		err = a.runStages(ctx)
	}
	return a.state(), err
}

// Applied tells how far a plan was applied by earlier runs.
func Applied(ctx context.Context, plan Plan, outcomes outcomeMemory) (ApplyState, error) {
	a := newApplier(plan, Target{Outcomes: outcomes}, ApplyOptions{})
	err := a.recall(ctx)
	return a.state(), err
}

// DeleteFactors deletes factors that a person named, one after the other, each as [Apply] deletes it; those of an identity are
// read again together just before, in one request. After Ctrl-C, and after an answer that every other would get as well, the
// rest is reported as [NotTried].
// The error joins those of the factors. No outcome is remembered: there is no plan to go on with.
func DeleteFactors(ctx context.Context, factors []verify.Factor, target Target, report func(Result)) error {
	target.Outcomes = nil
	var items []PlanItem
	for _, f := range factors {
		items = append(items, itemOf(f, Delete, reasonSelected, ""))
	}
	var failures []error
	a := newApplier(newPlan(target.Environment, purposeList, target.Now(), verify.Period(day), items), target, ApplyOptions{
		Concurrency: 1,
		Report: func(r Result) {
			failures = append(failures, r.Err)
			report(r)
		},
	})
	all := a.pending(0, len(items))
	a.listAgain(ctx)
	a.batch.run(ctx, all) //nolint:errcheck // its error is that of a factor
	failures = append(failures, a.Deleter.Flush(ctx))
	for _, number := range all {
		if a.results[number] == "" {
			report(a.result(number).ended(NotTried, "", ""))
		}
	}
	return errors.Join(failures...)
}

type applier struct {
	Target
	plan  Plan
	opts  ApplyOptions
	where where.Condition
	batch batch

	planned map[string]bool          // SIDs to delete, in one letter case
	listed  map[string]verify.Factor // what was just read, by such a SID
	results map[int]Outcome          // of every item that was ever tried; written under batch.mu
	reasons map[Reason]int
	stage   int
	storms  []Storm
}

func newApplier(plan Plan, target Target, opts ApplyOptions) *applier {
	a := &applier{Target: target, plan: plan, opts: opts, planned: map[string]bool{}, listed: map[string]verify.Factor{}, results: map[int]Outcome{}, reasons: map[Reason]int{}}
	for _, item := range plan.Deletes() {
		a.planned[fold(item.FactorSID)] = true
	}
	a.batch = batch{
		plan: plan.ID, workers: cmp.Or(opts.Concurrency, deleteConcurrency), now: target.Now, outcomes: target.Outcomes, do: a.apply, report: a.report,
	}
	return a
}

// report counts the result of an item; the batch calls it for one at a time.
func (a *applier) report(r Result) {
	a.results[r.Item] = r.Outcome
	if r.Reason != "" {
		a.reasons[r.Reason]++
	}
	if a.opts.Report != nil {
		a.opts.Report(r)
	}
}

// recall reads what became of the items in earlier runs.
func (a *applier) recall(ctx context.Context) error {
	for o, err := range a.Outcomes.Outcomes(ctx, a.plan.ID) {
		if err != nil {
			return err
		}
		a.results[o.Item] = Outcome(o.Outcome)
	}
	return nil
}

func (a *applier) runStages(ctx context.Context) error {
	ran := false
	for stage, begin := 1, 0; begin < a.plan.Header.Delete; stage++ {
		end := a.stageEnd(stage, begin)
		items := a.pending(begin, end)
		begin = end
		if len(items) == 0 {
			continue
		}
		if ran && a.Environment.GuardsAsProduction() && !a.opts.Through {
			return a.partial("stage %d of %d is done", a.stage, a.stageCount())
		}
		a.stage, ran = stage, true
		if err := a.runStage(ctx, items); err != nil {
			return err
		}
	}
	return a.leftOver()
}

// leftOver is the error for what the stages could not settle, deferred factors among it.
func (a *applier) leftOver() error {
	if s := a.state(); s.Failed+s.Unknown+s.Deferred+s.Left > 0 {
		return a.partial("%d failed, %d unknown, %d deferred", s.Failed, s.Unknown, s.Deferred)
	}
	return nil
}

func (a *applier) runStage(ctx context.Context, items []int) error {
	if err := a.findStorms(ctx); err != nil {
		return err
	}
	before := a.state()
	err := a.batch.run(ctx, items)
	if flushErr := a.Deleter.Flush(ctx); err == nil {
		err = flushErr
	}
	after := a.state()
	if a.opts.StageDone != nil {
		a.opts.StageDone(after)
	}
	switch {
	case err != nil:
		return a.stopped(err)
	case ctx.Err() != nil:
		return interrupted(ctx, "interrupted: %d of %d deleted", after.Deleted, after.Planned)
	case after.Failed+after.Unknown > 0 && after.Left > 0:
		return a.partial("stage %d had failures (%d failed, %d unknown), so the next was not begun", a.stage, after.Failed-before.Failed, after.Unknown)
	}
	return nil
}

// stopped says of what ended a run how far it came, and the command that goes on once that is mended. After a refusal it must not.
func (a *applier) stopped(err error) error {
	told, ok := errors.AsType[*verify.Error](err)
	if !ok || told.Kind == verify.KindRefused {
		return err
	}
	return &verify.Error{Kind: told.Kind, Message: err.Error() + ": " + a.progress(), Cause: err,
		Hint: strings.TrimPrefix(told.Hint+"; "+a.opts.Continue, "; ")}
}

func (a *applier) progress() string {
	s := a.state()
	return fmt.Sprintf("%d of %d factors deleted, %d left", s.Deleted, s.Planned, s.Planned-s.Deleted-s.Gone-s.Kept)
}

// partial is the error of a run that ended with something left to do.
func (a *applier) partial(format string, args ...any) error {
	return &verify.Error{Kind: verify.KindPartial, Hint: a.opts.Continue, Message: fmt.Sprintf(format, args...) + ": " + a.progress()}
}

// stageEnd gives the number after the last item of a stage.
func (a *applier) stageEnd(stage, begin int) int {
	if stage > len(stages) {
		return a.plan.Header.Delete
	}
	return min(begin+stages[stage-1], a.plan.Header.Delete)
}

func (a *applier) stageCount() int {
	count := 0
	for begin := 0; begin < a.plan.Header.Delete; {
		count++
		begin = a.stageEnd(count, begin)
	}
	return count
}

func (a *applier) pending(begin, end int) []int {
	var items []int
	for item := begin; item < end; item++ {
		if !a.results[item].final() {
			items = append(items, item)
		}
	}
	return items
}

func (a *applier) state() ApplyState {
	a.batch.mu.Lock()
	defer a.batch.mu.Unlock()
	s := ApplyState{Plan: a.plan.ID, Stage: a.stage, Stages: a.stageCount(), Planned: a.plan.Header.Delete, Reasons: a.reasons}
	count := map[Outcome]*int{Deleted: &s.Deleted, Gone: &s.Gone, Kept: &s.Kept, Deferred: &s.Deferred, Failed: &s.Failed, Unknown: &s.Unknown, sending: &s.Unknown}
	s.Left = s.Planned
	for _, outcome := range a.results {
		if n := count[outcome]; n != nil {
			*n++
			s.Left--
		}
	}
	return s
}

// findStorms asks the storm rule again, with all events from the beginning of the plan's evidence until now.
func (a *applier) findStorms(ctx context.Context) error {
	if a.Feed == nil || a.plan.Header.Evidence == nil {
		return nil
	}
	fleet, err := platformCounts(ctx, a.Index)
	if err != nil {
		return err
	}
	var failures []failure
	for e, err := range a.Feed.Events(ctx, event.Span{From: a.plan.Header.Evidence.From, Until: a.Now()}) {
		if err != nil {
			return err
		}
		if f, ours := failureOf(e, a.Environment.ServiceSID, e.Platform); ours && !f.at.IsZero() {
			failures = append(failures, f)
		}
	}
	if err := namePlatforms(ctx, a.Index, failures); err != nil {
		return err
	}
	a.storms = findStorms(failures, fleet)
	return nil
}

// apply reads one factor again and deletes it if the plan's reasons still hold.
func (a *applier) apply(ctx context.Context, number int) Result {
	item, r := a.plan.Items[number], a.result(number)
	if err := a.plan.CheckTarget(a.Environment, a.Now()); err != nil {
		return r.failed(err)
	}
	factor, err := a.read(ctx, item)
	switch {
	case verify.KindOf(err) == verify.KindNotFound:
		return r.ended(a.goneOutcome(number), "", "")
	case err != nil:
		return r.failed(err)
	}
	if where := foreign(factor, a.plan.Header.AccountSID, a.plan.Header.ServiceSID); where != "" {
		return r.failed(verify.Refusedf("factor %s was read again, and %s: nothing more is deleted", item.FactorSID, where))
	}
	if r = a.lookAgain(ctx, r, item, factor); r.Outcome == "" {
		r = a.lookForLockout(ctx, r, item, factor)
	}
	if r.Outcome == "" {
		r = a.delete(ctx, r, factor)
	}
	return r
}

// listAgain reads the factors of each identity that has several in the plan.
func (a *applier) listAgain(ctx context.Context) {
	number := map[verify.Identity]int{}
	for _, item := range a.plan.Items {
		if number[item.Identity]++; number[item.Identity] != 2 {
			continue
		}
		for _, factor := range readFactors(ctx, a.Twilio, a.Environment.ServiceSID, item.Identity).got {
			a.listed[fold(factor.SID)] = factor
		}
	}
}

// read gives a factor as it is now: what a list that was just read does not have is asked for.
func (a *applier) read(ctx context.Context, item PlanItem) (verify.Factor, error) {
	if factor, ok := a.listed[fold(item.FactorSID)]; ok {
		return factor, nil
	}
	return a.Twilio.Factor(ctx, a.Environment.ServiceSID, item.Identity, item.FactorSID)
}

func (a *applier) result(number int) Result {
	item := a.plan.Items[number]
	return Result{Item: number, Identity: item.Identity, SID: string(item.FactorSID), Name: item.FriendlyName}
}

// goneOutcome says what a 404 means: our own delete worked, if one was sent.
func (a *applier) goneOutcome(number int) Outcome {
	a.batch.mu.Lock()
	defer a.batch.mu.Unlock()
	if before := a.results[number]; before == sending || before == Unknown {
		return Deleted
	}
	return Gone
}

// lookAgain gives the result of a factor that must not be deleted any more; its outcome is "" when it may be.
func (a *applier) lookAgain(ctx context.Context, r Result, item PlanItem, factor verify.Factor) Result {
	switch a.plan.Header.Purpose {
	case purposeFit:
		if !a.where.Match(factor) {
			return r.ended(Kept, reasonUnmatched, "it does not fit "+a.plan.Header.Where+" any more")
		}
		return r
	case purposeList:
		return r
	}
	if !factor.DateUpdated.Equal(item.DateUpdated) {
		return r.ended(Kept, reasonChanged, fmt.Sprintf("it was updated at %s, after the plan was made", verify.Stamp(factor.DateUpdated)))
	}
	rules := *a.plan.Header.Rules
	subject := candidate{Factor: factor, Storms: a.storms}
	if item.Evidence != nil {
		subject.Event, subject.LastSeen = item.Evidence.Event, item.Evidence.LastSeen
	}
	now := a.Now()
	var err error
	subject.Challenges, err = readChallenges(ctx, a.Twilio, a.Environment.ServiceSID, item.Identity, rules.since(subject.Event, a.plan.Header.Created))
	if err != nil {
		return r.failed(err)
	}
	if storm, ok := begunSince(a.storms, factor.Config.Platform, a.plan.Header.Created); ok {
		return r.ended(Deferred, reasonStorm, fmt.Sprintf("a storm of %d began on %s at %s", storm.Code, storm.Platform, verify.Stamp(storm.From)))
	}
	if j := rules.judge(subject, now); j.Decision != Delete {
		return r.ended(map[Decision]Outcome{Keep: Kept, Defer: Deferred}[j.Decision], j.Reason, j.Detail)
	}
	return r
}

// lookForLockout keeps the factor of somebody who would be locked out though the plan does not say so: their other factors
// have gone since it was made.
func (a *applier) lookForLockout(ctx context.Context, r Result, item PlanItem, factor verify.Factor) Result {
	if a.opts.LocksOut == AnyLockout || item.LocksOut || !factor.CanBeChallenged() {
		return r
	}
	all := factorsOf(ctx, a.Twilio, a.Environment.ServiceSID, item.Identity)
	if all.err != nil {
		return r.failed(all.err)
	}
	for _, f := range all.got {
		if f.CanBeChallenged() && !a.planned[fold(f.SID)] {
			return r
		}
	}
	return r.ended(Kept, reasonLocksOut, "no other verified push factor is left since the plan was made")
}

// delete sends the delete, which Ctrl-C does not tear, and settles an unknown outcome by reading again.
func (a *applier) delete(ctx context.Context, r Result, factor verify.Factor) Result {
	ctx, cancel := verify.GraceContext(ctx)
	defer cancel()
	r.Outcome = sending
	if err := a.batch.record(ctx, r); err != nil {
		return r.failed(err)
	}
	outcome, err := a.Deleter.DeleteFactor(ctx, factor)
	switch {
	case err == nil && (outcome == string(Deleted) || outcome == string(Gone)):
		return r.ended(Outcome(outcome), "", "")
	case err == nil:
		err = &verify.Error{Kind: verify.KindFailed, Message: fmt.Sprintf("the delete of %s ended as %q", factor.SID, outcome)}
	}
	if outcome != string(Unknown) {
		return r.failed(err)
	}
	_, readErr := a.Twilio.Factor(ctx, a.Environment.ServiceSID, factor.Identity, factor.SID)
	switch {
	case readErr == nil:
		return r.failed(err)
	case verify.KindOf(readErr) == verify.KindNotFound:
		return r.ended(Deleted, "", "the answer was lost; reading again shows that it is gone")
	}
	r = r.failed(err)
	r.Outcome = Unknown
	return r
}

func (r Result) ended(outcome Outcome, reason Reason, detail string) Result {
	r.Outcome, r.Reason, r.Detail = outcome, reason, strings.ToValidUTF8(detail, "?")
	return r
}

func (r Result) failed(err error) Result {
	r.Error = strings.ToValidUTF8(err.Error(), "?")
	r.Outcome, r.Detail, r.Err = Failed, r.Error, err
	return r
}
