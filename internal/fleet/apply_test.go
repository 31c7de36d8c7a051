package fleet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// deadWorld is a Service whose first dead phones have all been uninstalled, slowly enough for no storm, beside ten living
// ones. Its clock stands where all of them may be pruned.
func deadWorld(dead int) *world {
	w := &world{rng: rand.New(rand.NewPCG(1, 2)), deleted: map[verify.FactorSID]time.Time{}, outcomes: map[string]map[int]verify.ItemOutcome{}}
	for i := range dead + 10 {
		p := w.newPhone("phone", verify.Identity(fmt.Sprintf("user-%06d", i)), verify.PlatformFCM, worldBegin)
		if i < dead {
			p.dies = worldBegin.Add(10*day + time.Duration(i)*30*time.Minute)
			w.challenge(p, p.dies.Add(time.Minute), 0)
			w.capture(w.fails(p, p.calls[0].created, 52103))
		}
	}
	w.now = worldBegin.Add(10*day + time.Duration(dead)*30*time.Minute + 15*day)
	return w
}

func (w *world) mustPlan(t *testing.T, env verify.Environment) Plan {
	t.Helper()
	plan, err := PlanPrune(t.Context(), Sources{Feed: w, Index: w, Twilio: w}, w.now,
		PruneOptions{Environment: env, Rules: DefaultRules, Since: worldBegin, Lifetime: verify.Period(day), All: true})
	if err != nil {
		t.Fatal(err)
	}
	plan.ID = "test-plan"
	w.reads = 0
	return plan
}

func (w *world) target(env verify.Environment) Target {
	return Target{Environment: env, Twilio: w, Deleter: w, Outcomes: w, Feed: w, Index: w, Now: func() time.Time { return w.now }}
}

// mustAdd checks that the numbers of a report add up to the plan's.
func mustAdd(t *testing.T, s ApplyState) {
	t.Helper()
	if sum := s.Deleted + s.Gone + s.Kept + s.Deferred + s.Failed + s.Unknown + s.Left; sum != s.Planned {
		t.Errorf("the report does not add up to %d: %+v", s.Planned, s)
	}
}

func production() verify.Environment {
	env := worldEnv
	env.Kind = verify.Production
	return env
}

func TestProductionStopsAfterEachStage(t *testing.T) {
	defer goleak.VerifyNone(t)
	w := deadWorld(1234)
	plan := w.mustPlan(t, production())
	if plan.Header.Delete != 1234 {
		t.Fatalf("%d planned: %+v", plan.Header.Delete, plan.Items[len(plan.Items)-1])
	}
	for i, want := range []int{10, 110, 1110, 1234} {
		s, err := Apply(t.Context(), plan, w.target(production()), ApplyOptions{Continue: "go on"})
		mustAdd(t, s)
		if s.Deleted != want || s.Stage != i+1 || s.Stages != 4 || len(w.deleted) != want {
			t.Fatalf("run %d: %+v, want %d deleted", i+1, s, want)
		}
		var e *verify.Error
		if last := want == 1234; errors.As(err, &e) == last || !last && (e.Kind != verify.KindPartial || e.Hint != "go on") {
			t.Errorf("run %d ended with %v", i+1, err)
		}
	}
	w.reads = 0
	s, err := Apply(t.Context(), plan, w.target(production()), ApplyOptions{})
	if err != nil || w.reads != 0 || s.Deleted != 1234 {
		t.Errorf("running it again: %+v, %v, with %d requests", s, err, w.reads)
	}
}

func TestElsewhereStagesFollowEachOther(t *testing.T) {
	for _, env := range []verify.Environment{worldEnv, production()} {
		w := deadWorld(120)
		var stagesDone []int
		reported := 0
		s, err := Apply(t.Context(), w.mustPlan(t, env), w.target(env), ApplyOptions{
			Through: env.IsProduction(), StageDone: func(s ApplyState) { stagesDone = append(stagesDone, s.Deleted) }, Report: func(Result) { reported++ },
		})
		if err != nil || !slices.Equal(stagesDone, []int{10, 110, 120}) || reported != 120 {
			t.Errorf("%+v, %v, stages %v, %d reported", s, err, stagesDone, reported)
		}
	}
}

func TestStormBetweenStagesStopsTheRest(t *testing.T) {
	w := deadWorld(120)
	plan := w.mustPlan(t, worldEnv)
	s, err := Apply(t.Context(), plan, w.target(worldEnv), ApplyOptions{StageDone: func(s ApplyState) {
		if s.Stage == 1 {
			for _, p := range w.phones[120:] {
				w.capture(w.fails(p, w.now.Add(-10*time.Minute), 52109)) // a refused credential
			}
			w.now = w.now.Add(time.Minute)
		}
	}})
	mustAdd(t, s)
	if verify.KindOf(err) != verify.KindPartial || len(w.deleted) != 10 || s.Deferred != 110 || s.Reasons[reasonStorm] != 110 {
		t.Fatalf("%+v, %v, %d deleted", s, err, len(w.deleted))
	}
	// Once the storm is out of the feed's sight, the same command goes on.
	w.events = slices.DeleteFunc(w.events, func(e heard) bool { return *e.ErrorCode == 52109 })
	if s, err = Apply(t.Context(), plan, w.target(worldEnv), ApplyOptions{}); err != nil || s.Deleted != 120 {
		t.Errorf("going on: %+v, %v", s, err)
	}
}

func TestWhatChangedSinceThePlanStays(t *testing.T) {
	w := deadWorld(6)
	plan := w.mustPlan(t, worldEnv)
	planned := w.now
	w.now = w.now.Add(time.Hour)
	back := planned.Add(time.Minute)
	w.phones[0].updates = append(w.phones[0].updates, back)                                        // came back
	w.phones[1].calls = append(w.phones[1].calls, call{sid: "YC1", created: back, answered: back}) // answered
	w.phones[2].calls[0].answered = w.phones[2].calls[0].created.Add(2 * time.Minute)              // turns out to have answered
	w.deleted[w.phones[3].factor.SID] = back                                                       // somebody else deleted it
	w.capture(w.fails(w.phones[4], planned.Add(-time.Hour), 52103))                                // another event: nothing against the delete
	s, err := Apply(t.Context(), plan, w.target(worldEnv), ApplyOptions{})
	mustAdd(t, s)
	want := map[Reason]int{reasonChanged: 1, reasonAnswered: 2}
	if err != nil || s.Kept != 3 || s.Gone != 1 || s.Deleted != 2 || s.Reasons[reasonChanged] != want[reasonChanged] || s.Reasons[reasonAnswered] != want[reasonAnswered] {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestForeignFactorEndsEverything(t *testing.T) {
	w := deadWorld(30)
	plan := w.mustPlan(t, worldEnv)
	w.phones[0].factor.ServiceSID = "VA00000000000000000000000000000009"
	s, err := Apply(t.Context(), plan, w.target(worldEnv), ApplyOptions{Concurrency: 1})
	mustAdd(t, s)
	if verify.KindOf(err) != verify.KindRefused || len(w.deleted) != 0 || s.Left != 29 {
		t.Errorf("%+v, %v, %d deleted", s, err, len(w.deleted))
	}
}

func TestExpiryIsAskedBeforeEachDelete(t *testing.T) {
	w := deadWorld(30)
	plan := w.mustPlan(t, worldEnv)
	s, err := Apply(t.Context(), plan, w.target(worldEnv), ApplyOptions{Concurrency: 1, StageDone: func(ApplyState) { w.now = plan.Header.Expires }})
	mustAdd(t, s)
	if verify.KindOf(err) != verify.KindRefused || len(w.deleted) != 10 {
		t.Errorf("%+v, %v, %d deleted", s, err, len(w.deleted))
	}
}

// faulty is a world whose connection is bad: each request asks what goes wrong.
type faulty struct {
	*world
	mu   sync.Mutex
	fail func(request string, sid verify.FactorSID) error
}

func (f *faulty) ask(request string, sid verify.FactorSID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fail(request, sid)
}

func (f *faulty) Factor(ctx context.Context, service verify.ServiceSID, identity verify.Identity, sid verify.FactorSID) (verify.Factor, error) {
	if err := f.ask("read", sid); err != nil {
		return verify.Factor{}, err
	}
	return f.world.Factor(ctx, service, identity, sid)
}

func (f *faulty) DeleteFactor(ctx context.Context, factor verify.Factor) (string, error) {
	switch err := f.ask("delete", factor.SID); {
	case verify.KindOf(err) == verify.KindPartial && err != nil: // it arrives, and the answer is lost
		f.world.DeleteFactor(ctx, factor) //nolint:errcheck // it has none
		return "unknown", err
	case err != nil:
		return "failed", err
	}
	return f.world.DeleteFactor(ctx, factor)
}

func (f *faulty) Flush(ctx context.Context) error {
	if err := f.ask("flush", ""); err != nil {
		return err
	}
	return f.world.Flush(ctx)
}

func (f *faulty) RecordOutcome(ctx context.Context, o verify.ItemOutcome) error {
	if err := f.ask("record "+o.Outcome, verify.FactorSID(o.SID)); err != nil {
		return err
	}
	return f.world.RecordOutcome(ctx, o)
}

func (f *faulty) target() Target {
	t := f.world.target(worldEnv)
	t.Twilio, t.Deleter, t.Outcomes = f, f, f
	return t
}

func TestBadConnectionDeletesExactlyTheSelected(t *testing.T) {
	w := deadWorld(300)
	plan := w.mustPlan(t, worldEnv)
	rng := rand.New(rand.NewPCG(3, 4))
	f := &faulty{world: w, fail: func(request string, _ verify.FactorSID) error {
		switch n := rng.IntN(100); {
		case request == "delete" && n < 3:
			return &verify.Error{Kind: verify.KindPartial, Message: "the answer was lost"}
		case n < 5 && (request == "delete" || request == "read"):
			return &verify.Error{Kind: verify.KindFailed, Message: "internal error"}
		}
		return nil
	}}
	runs := 0
	for ; runs < 50; runs++ {
		s, err := Apply(t.Context(), plan, f.target(), ApplyOptions{})
		mustAdd(t, s)
		if w.unflushed > 0 {
			t.Errorf("what became of %d deletes is not on disk", w.unflushed)
		}
		if err == nil {
			break
		}
		if verify.KindOf(err) != verify.KindPartial {
			t.Fatal(err)
		}
	}
	if len(w.deleted) != 300 || runs == 0 || runs == 50 {
		t.Errorf("%d deleted after %d runs", len(w.deleted), runs)
	}
	for _, p := range w.phones[300:] {
		if !w.deleted[p.factor.SID].IsZero() {
			t.Errorf("%s was not selected", p.factor.SID)
		}
	}
}

// A process that dies at any point leaves what the next one needs: afterwards exactly the selected factors are gone, none
// was sent twice after its delete was known to have worked, and all of them count as deleted here.
func TestDyingAtAnyPointIsMended(t *testing.T) {
	errDead := &verify.Error{Kind: verify.KindAuth, Message: "the process is dead"}
	points := 0
	for point := 1; ; point++ {
		w := deadWorld(12)
		plan := w.mustPlan(t, worldEnv)
		requests, deletes := 0, map[verify.FactorSID]int{}
		f := &faulty{world: w, fail: func(request string, sid verify.FactorSID) error {
			if requests++; requests >= point {
				if request == "delete" && requests == point {
					w.deleted[sid] = w.now // it arrives, and nobody learns of it
				}
				return errDead
			}
			if request == "delete" {
				deletes[sid]++
			}
			return nil
		}}
		_, err := Apply(t.Context(), plan, f.target(), ApplyOptions{Concurrency: 1})
		if err == nil {
			points = point
			break
		}
		f.fail = func(request string, sid verify.FactorSID) error {
			if request == "delete" {
				deletes[sid]++
			}
			return nil
		}
		s, err := Apply(t.Context(), plan, f.target(), ApplyOptions{})
		if err != nil || s.Deleted != 12 || len(w.deleted) != 12 {
			t.Fatalf("died at %d: %+v, %v, %d gone", point, s, err, len(w.deleted))
		}
		for sid, n := range deletes {
			if n > 1 {
				t.Fatalf("died at %d: %s was sent %d times", point, sid, n)
			}
		}
	}
	if points < 12*4 {
		t.Errorf("only %d points were tried", points)
	}
}

func TestInterruptLetsWritesFinish(t *testing.T) {
	defer goleak.VerifyNone(t)
	w := deadWorld(40)
	plan := w.mustPlan(t, worldEnv)
	ctx, cancel := context.WithCancel(t.Context())
	torn := false
	d := deleterFunc(func(ctx context.Context, f verify.Factor) (string, error) {
		cancel()
		torn = torn || ctx.Err() != nil
		return w.DeleteFactor(ctx, f)
	})
	target := w.target(worldEnv)
	target.Deleter = d
	s, err := Apply(ctx, plan, target, ApplyOptions{Concurrency: 4})
	mustAdd(t, s)
	if verify.KindOf(err) != verify.KindInterrupted || torn || s.Deleted == 0 || s.Deleted > 4 || s.Failed != 0 || s.Deleted != len(w.deleted) {
		t.Errorf("%+v, %v, torn %v", s, err, torn)
	}
	if s, err = Apply(t.Context(), plan, w.target(worldEnv), ApplyOptions{}); err != nil || s.Deleted != 40 {
		t.Errorf("going on: %+v, %v", s, err)
	}
}

type deleterFunc func(context.Context, verify.Factor) (string, error)

func (d deleterFunc) DeleteFactor(ctx context.Context, f verify.Factor) (string, error) {
	return d(ctx, f)
}

func (deleterFunc) Flush(context.Context) error { return nil }

// What a person names goes one by one, in order, until an answer that all others would get as well.
func TestNamedFactorsAreDeletedUntilTheKeysAreRefused(t *testing.T) {
	w := deadWorld(5)
	var named []verify.Factor
	for _, p := range w.phones[:5] {
		named = append(named, p.factor)
	}
	w.deleted[named[1].SID] = w.now // by somebody else, since it was shown
	f := &faulty{world: w, fail: func(request string, sid verify.FactorSID) error {
		switch {
		case request == "delete" && sid == named[2].SID:
			return &verify.Error{Kind: verify.KindFailed, Message: "internal error"}
		case request == "delete" && sid == named[3].SID:
			return &verify.Error{Kind: verify.KindAuth, Message: "the keys were refused"}
		}
		return nil
	}}
	var outcomes []Outcome
	err := DeleteFactors(t.Context(), named, f.target(), func(r Result) {
		if r.SID != string(named[len(outcomes)].SID) {
			t.Errorf("result %d is of %s", len(outcomes), r.SID)
		}
		outcomes = append(outcomes, r.Outcome)
	})
	if !slices.Equal(outcomes, []Outcome{Deleted, Gone, Failed, Failed, NotTried}) || len(w.outcomes) > 0 {
		t.Errorf("%v, remembered %v", outcomes, w.outcomes)
	}
	if err == nil || !strings.Contains(err.Error(), "internal error") || !strings.Contains(err.Error(), "the keys were refused") {
		t.Errorf("the error is %v", err)
	}
	if w.unflushed > 0 {
		t.Errorf("what became of %d deletes is not on disk", w.unflushed)
	}
}

func TestOneFailureAfterTheOtherEndsTheRun(t *testing.T) {
	w := deadWorld(300)
	plan := w.mustPlan(t, worldEnv)
	f := &faulty{world: w, fail: func(request string, _ verify.FactorSID) error {
		if request == "read" {
			return &verify.Error{Kind: verify.KindUnreachable, Message: "internal error", HTTPStatus: 500}
		}
		return nil
	}}
	s, err := Apply(t.Context(), plan, f.target(), ApplyOptions{})
	mustAdd(t, s)
	if err == nil || s.Failed > failuresInARow+deleteConcurrency || len(w.deleted) > 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

// Where nothing answers, the run ends before it has tried every factor of a stage, and the same command goes on from there.
func TestApplyStopsWhereNothingAnswers(t *testing.T) {
	w := deadWorld(30)
	plan := w.mustPlan(t, worldEnv)
	reads := 0
	f := &faulty{world: w, fail: func(request string, _ verify.FactorSID) error {
		if request != "read" {
			return nil
		}
		if reads++; reads > 4 {
			return &verify.Error{Kind: verify.KindUnreachable, Message: "no answer", Hint: "check the network"}
		}
		return nil
	}}
	opts := ApplyOptions{Concurrency: 1, Continue: "go on: verifyctl again"}
	s, err := Apply(t.Context(), plan, f.target(), opts)
	mustAdd(t, s)
	told, ok := errors.AsType[*verify.Error](err)
	done := s.Deleted
	want := fmt.Sprintf("stopped after 3 failures in a row: no answer: %d of 30 factors deleted, %d left", done, 30-done)
	if !ok || done == 0 || s.Failed != unansweredInARow || s.Unknown > 0 || told.Kind != verify.KindUnreachable || told.Message != want ||
		told.Hint != "check the network; go on: verifyctl again" {
		t.Fatalf("%+v, %+v", s, err)
	}
	f.fail = func(string, verify.FactorSID) error { return nil }
	if s, err = Apply(t.Context(), plan, f.target(), opts); err != nil || s.Deleted != 30 {
		t.Errorf("again: %+v, %v", s, err)
	}
}
