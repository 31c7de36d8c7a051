package fleet

import (
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

func (w *world) plan(t *testing.T, env verify.Environment, all bool) (Plan, error) {
	t.Helper()
	w.reads = 0
	return PlanPrune(t.Context(), Sources{Feed: w, Index: w, Twilio: w}, w.now,
		PruneOptions{Environment: env, Rules: DefaultRules, Since: worldBegin, Lifetime: verify.Period(day), All: all})
}

// A storm may name most of a fleet: that it is one is known without a request.
func TestStormIsDeferredWithoutRequests(t *testing.T) {
	w := deadWorld(0)
	for range 200 {
		p := w.newPhone("phone", verify.Identity(w.sid("user-")[:30]), verify.PlatformFCM, worldBegin)
		at := worldBegin.Add(5*day + w.between(0, time.Hour))
		w.challenge(p, at, 0)
		w.capture(w.fails(p, at, 52103))
	}
	w.now = worldBegin.Add(30 * day)
	plan, err := w.plan(t, worldEnv, false)
	if err != nil || plan.Header.Defer != 200 || plan.Header.Delete != 0 || w.reads != 0 || len(plan.Header.Storms) == 0 {
		t.Errorf("%+v, %v, with %d requests", plan.Header, err, w.reads)
	}
}

func TestPlanningInProductionNeedsToBeAsked(t *testing.T) {
	w := deadWorld(UnaskedEntities + 1)
	if _, err := w.plan(t, production(), false); verify.KindOf(err) != verify.KindRefused || w.reads != 0 {
		t.Errorf("%v, with %d requests", err, w.reads)
	}
	if plan, err := w.plan(t, production(), true); err != nil || plan.Header.Delete != UnaskedEntities+1 || w.reads != 2*(UnaskedEntities+1) {
		t.Errorf("%+v, %v, with %d requests", plan.Header, err, w.reads)
	}
}

func TestPlanNeedsToKnowTheFleet(t *testing.T) {
	w := deadWorld(3)
	w.uncounted = true
	if _, err := w.plan(t, worldEnv, false); verify.KindOf(err) != verify.KindRefused {
		t.Errorf("without an index: %v", err)
	}
}
