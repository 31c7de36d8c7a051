package fleet

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// household is a world of people with as many phones each as the counts say.
func household(phones ...int) *world {
	w := &world{rng: rand.New(rand.NewPCG(1, 2)), deleted: map[verify.FactorSID]time.Time{}, outcomes: map[string]map[int]verify.ItemOutcome{}}
	for i, n := range phones {
		for range n {
			w.newPhone("phone", verify.Identity("person-"+string(rune('a'+i))+"-000"), verify.PlatformFCM, worldBegin)
		}
	}
	w.now = worldBegin.Add(day)
	return w
}

func (w *world) refs(numbers ...int) []FactorRef {
	var refs []FactorRef
	for _, n := range numbers {
		refs = append(refs, FactorRef{w.phones[n].factor.Identity, w.phones[n].factor.SID})
	}
	return refs
}

// TestAPlanNamesWhoItLocksOut: with an index and without one, and not who keeps a phone or had none to lose.
func TestAPlanNamesWhoItLocksOut(t *testing.T) {
	for _, uncounted := range []bool{false, true} {
		w := household(1, 2, 2, 1)
		w.uncounted = uncounted
		w.phones[5].factor.Status = verify.FactorUnverified
		plan, err := PlanList(t.Context(), w, production(), w.refs(0, 1, 2, 3, 5), w.now, verify.Period(day))
		if err != nil {
			t.Fatal(err)
		}
		if known := plan.Header.LocksOut != nil; known == uncounted {
			t.Fatalf("without an index: %v, and the plan knows who is locked out: %v", uncounted, known)
		}
		if plan, err = plan.LookUp(t.Context(), w, 0); err != nil {
			t.Fatal(err)
		}
		if got := plan.LockedOut(); !slices.Equal(got, []verify.Identity{"person-a-000", "person-b-000"}) || *plan.Header.LocksOut != 2 {
			t.Errorf("without an index: %v, the plan locks out %v", uncounted, got)
		}
		for _, item := range plan.Items {
			if item.FriendlyName != w.find(item.FactorSID).factor.FriendlyName || item.Platform == "" {
				t.Errorf("without an index: %v, %s is shown as %q on %q", uncounted, item.FactorSID, item.FriendlyName, item.Platform)
			}
		}
	}
}

// TestNobodyIsLockedOutByAnOldPlan: who lost the other phone since the plan was made keeps the last one.
func TestNobodyIsLockedOutByAnOldPlan(t *testing.T) {
	w := household(1, 2, 3)
	plan, err := PlanList(t.Context(), w, production(), w.refs(0, 1, 3, 4), w.now, verify.Period(day))
	if err != nil {
		t.Fatal(err)
	}
	plan.ID = "old"
	for _, n := range []int{2, 5} {
		w.deleted[w.phones[n].factor.SID] = w.now
	}
	s, err := Apply(t.Context(), plan, w.target(production()), ApplyOptions{LocksOut: NamedLockout})
	if err != nil || s.Deleted != 1 || s.Kept != 3 || s.Reasons[reasonLocksOut] != 3 {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestLargeShares: of more than 50 factors the share is told, the same before and after some are deleted, and unknown is
// said to be unknown.
func TestLargeShares(t *testing.T) {
	counts := make([]int, 20)
	for i := range counts {
		counts[i] = 10
	}
	w := household(counts...)
	every := make([]int, 60)
	for i := range every {
		every[i] = i
	}
	plan, err := PlanList(t.Context(), w, production(), w.refs(every...), w.now, verify.Period(day))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		shares, err := plan.LargeShares(t.Context(), w)
		if err != nil || len(shares) != 1 || shares[0] != (Share{verify.PlatformFCM, 60, 200}) || shares[0].Percent() != 30 {
			t.Errorf("%+v, %v", shares, err)
		}
		for _, n := range every[:10] {
			w.deleted[w.phones[n].factor.SID] = w.now
		}
	}
	w.uncounted = true
	if _, err := plan.LargeShares(t.Context(), w); !errors.Is(err, ErrShareUnknown) {
		t.Errorf("without an index: %v", err)
	}
	small, err := PlanList(t.Context(), w, production(), w.refs(every[:50]...), w.now, verify.Period(day))
	if err != nil {
		t.Fatal(err)
	}
	if shares, err := small.LargeShares(t.Context(), w); len(shares) != 0 || err != nil {
		t.Errorf("50 factors: %+v, %v", shares, err)
	}
}
