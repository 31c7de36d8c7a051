package fleet

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
	"github.com/verifyctl/verifyctl/internal/where"
)

// lived is what a prune made of a world.
type lived struct {
	phones    int
	killed    []string // living phones that were deleted: there must be none
	dead      int      // Android phones that died with the evidence that is asked for
	planned   int      // of them
	missed    []string
	byPurpose map[Reason]int
}

// pruneWorld plans and applies in a world, through views that may hide things from the planner.
func pruneWorld(t *testing.T, seed uint64, rules Rules, weaken func(*world, *Sources)) lived {
	t.Helper()
	return grown(seed, false).prune(t, seed, rules, weaken)
}

func (w *world) prune(t *testing.T, seed uint64, rules Rules, weaken func(*world, *Sources)) lived {
	t.Helper()
	planAt := w.at(65, worldDays)
	w.now = planAt
	from := Sources{Feed: w, Index: w, Twilio: w}
	if weaken != nil {
		weaken(w, &from)
	}
	plan, err := PlanPrune(t.Context(), from, w.now, PruneOptions{Environment: worldEnv, Rules: rules, Since: worldBegin, Lifetime: verify.Period(day)})
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	var text bytes.Buffer
	if _, err := plan.WriteTo(&text); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	if plan, err = ReadPlan(&text); err != nil {
		t.Fatalf("seed %d: the plan does not read back: %v", seed, err)
	}
	w.now = w.now.Add(w.between(0, 20*time.Hour))
	target := Target{Environment: worldEnv, Twilio: from.Twilio, Deleter: w, Outcomes: w, Feed: w, Index: from.Index, Now: func() time.Time { return w.now }}
	if _, err := Apply(t.Context(), plan, target, ApplyOptions{}); err != nil && verify.KindOf(err) != verify.KindPartial {
		t.Fatalf("seed %d: %v", seed, err)
	}
	return w.judge(seed, plan, planAt, rules)
}

// judge compares what was deleted with the truth about the phones.
func (w *world) judge(seed uint64, plan Plan, planAt time.Time, rules Rules) lived {
	l := lived{phones: len(w.phones), byPurpose: map[Reason]int{}}
	decided := map[verify.FactorSID]PlanItem{}
	for _, item := range plan.Items {
		l.byPurpose[item.Reason]++
		decided[item.FactorSID] = item
	}
	for _, p := range w.phones {
		name := fmt.Sprintf("seed %d: %s (%s) %s: %+v", seed, p.factor.SID, p.factor.Config.Platform, p.kind, decided[p.factor.SID])
		if at := w.deleted[p.factor.SID]; !at.IsZero() && p.canAnswer(at) {
			l.killed = append(l.killed, name)
		}
		if p.deadByEvidence(w, planAt, rules) {
			l.dead++
			if decided[p.factor.SID].Decision == Delete {
				l.planned++
			} else {
				l.missed = append(l.missed, name)
			}
		}
	}
	return l
}

// deadByEvidence tells whether a phone is an Android death with all the evidence the documentation asks for: a captured,
// unambiguous 52103 outside a storm and its silence, then a challenge that ran out, no answer, no update, and quiet.
func (p *phone) deadByEvidence(w *world, planAt time.Time, rules Rules) bool {
	if p.event.IsZero() || deadCode(p) != 52103 || p.inStorm {
		return false
	}
	at := p.event
	if since := w.storms.Until; since.After(at.Add(-2*time.Hour)) && !w.storms.From.IsZero() {
		return false
	}
	unanswered := 0
	for _, c := range p.calls {
		if ran := c.created.Add(callLife); ran.After(at) && ran.Before(planAt) {
			unanswered++
		}
	}
	return planAt.Sub(at) >= time.Duration(rules.Quiet) && unanswered >= max(rules.MinUnanswered, 1)
}

const worlds = 100 // of 100 phones or more each

func TestNoLivingPhoneIsPruned(t *testing.T) {
	for name, rules := range map[string]Rules{
		"events":          DefaultRules,
		"events and idle": {MinUnanswered: 1, Quiet: verify.Period(14 * day), Idle: verify.Period(30 * day)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			phones, dead, planned, reasons := 0, 0, 0, map[Reason]int{}
			for seed := range uint64(worlds) {
				l := pruneWorld(t, seed, rules, nil)
				for _, killed := range l.killed {
					t.Errorf("deleted alive: %s", killed)
				}
				phones, dead, planned = phones+l.phones, dead+l.dead, planned+l.planned
				for reason, n := range l.byPurpose {
					reasons[reason] += n
				}
				if len(l.missed) > 0 {
					t.Logf("missed: %v", l.missed)
				}
			}
			t.Logf("%d phones, %d dead with evidence, %d planned, reasons %v", phones, dead, planned, reasons)
			if phones < 10_000 || dead < 300 {
				t.Fatalf("only %d histories with %d deaths: the test shows nothing", phones, dead)
			}
			if planned*100 < dead*99 {
				t.Errorf("%d of %d dead phones planned, 99%% wanted", planned, dead)
			}
			for _, reason := range []Reason{reasonDeadToken, reasonUpdated, reasonAnswered, reasonStorm, reasonMasked, reasonAmbiguous, reasonContradicted,
				reasonRepaired, reasonNotAsked, reasonNeedsIdle, reasonQuiet} {
				if reasons[reason] == 0 && (reason != reasonNeedsIdle || rules.Idle == 0) {
					t.Errorf("no candidate was ever %q: the worlds are too tame", reason)
				}
			}
		})
	}
}

// Each safety rule is needed: a planner that is kept from seeing what it looks at deletes living phones.
func TestEachPruneRuleIsNeeded(t *testing.T) {
	for name, weaken := range map[string]func(*world, *Sources){
		"without the update rule":     func(_ *world, s *Sources) { s.Twilio, s.Index = neverUpdated{s.Twilio}, unknownFactors{s.Index} },
		"without the unanswered rule": func(w *world, s *Sources) { s.Twilio = neverAnswered{s.Twilio, w} },
		"without the storm rule":      func(_ *world, s *Sources) { s.Index = endlessFleet{s.Index} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			killed := 0
			for seed := range uint64(10) {
				killed += len(pruneWorld(t, seed, DefaultRules, weaken).killed)
			}
			if killed == 0 {
				t.Error("no living phone was deleted: the worlds do not test this rule")
			}
			t.Logf("%d living phones deleted", killed)
		})
	}
}

// The quiet period is needed, and so is a second challenge where people may leave a phone alone for weeks after a push
// that failed: with --min-unanswered 2 it is enough that nobody lets two challenges in a row run out.
func TestStricterRulesNeedFewerAssumptions(t *testing.T) {
	count := func(rules Rules, lazy bool) (killed int) {
		for seed := range uint64(20) {
			killed += len(grown(seed, lazy).prune(t, seed, rules, nil).killed)
		}
		return killed
	}
	if count(Rules{MinUnanswered: 1}, false) == 0 {
		t.Error("without the quiet period no living phone is deleted: the worlds do not test it")
	}
	if count(DefaultRules, true) == 0 {
		t.Error("people who leave a phone alone make no difference: the worlds do not test it")
	}
	if n := count(Rules{MinUnanswered: 2, Quiet: DefaultRules.Quiet}, true); n > 0 {
		t.Errorf("%d living phones deleted after two challenges in vain", n)
	}
}

// neverUpdated hides when factors were created and updated.
type neverUpdated struct{ candidateReader }

func (n neverUpdated) Factor(ctx context.Context, service verify.ServiceSID, identity verify.Identity, sid verify.FactorSID) (verify.Factor, error) {
	f, err := n.candidateReader.Factor(ctx, service, identity, sid)
	f.DateCreated, f.DateUpdated = worldBegin, worldBegin
	return f, err
}

// unknownFactors is an index that has counted the factors but knows none of them.
type unknownFactors struct{ Index }

func (unknownFactors) FindFactors(context.Context, ...verify.FactorSID) ([]verify.IndexedFactor, error) {
	return nil, nil
}

// neverAnswered shows one challenge that ran out just now, whatever happened.
type neverAnswered struct {
	candidateReader
	w *world
}

func (n neverAnswered) Challenges(_ context.Context, _ verify.ServiceSID, identity verify.Identity, _ verify.ChallengeFilter) iter.Seq2[verify.Challenge, error] {
	return func(yield func(verify.Challenge, error) bool) {
		for _, p := range n.w.phones {
			at := n.w.now.Add(-2 * time.Hour)
			if p.factor.Identity == identity && !yield(verify.Challenge{FactorSID: p.factor.SID, Status: verify.ChallengeExpired, DateCreated: at, ExpirationDate: at.Add(callLife)}, nil) {
				return
			}
		}
	}
}

// endlessFleet says that each platform has so many factors that nothing is a storm.
type endlessFleet struct{ Index }

func (e endlessFleet) FactorGroupsWhere(context.Context, []where.Field, where.Condition) ([]verify.FactorGroup, error) {
	var groups []verify.FactorGroup
	for _, p := range []verify.Platform{verify.PlatformAPN, verify.PlatformFCM, verify.PlatformNone, ""} {
		groups = append(groups, verify.FactorGroup{Values: []string{string(p)}, Count: 1e9})
	}
	return groups, nil
}
