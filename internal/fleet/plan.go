package fleet

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/plan"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// The purposes of plans about factors.
const (
	purposePrune plan.Purpose = "prune"       // they are dead: nothing may have changed since, and the rules must still hold
	purposeFit   plan.Purpose = "delete"      // they fit a condition: they must still fit it
	purposeList  plan.Purpose = "delete_list" // they were listed one by one: they must be there
)

// Plan is a list of factors to delete, those to delete first, for a person to review before it is applied.
type Plan struct {
	plan.Plan[planHeader, PlanItem]
}

// planHeader is the first line of a plan.
type planHeader struct {
	plan.Header
	Delete    int       `json:"delete"` // how many items have this decision
	Defer     int       `json:"defer"`
	Keep      int       `json:"keep"`
	Where     string    `json:"where,omitempty"`    // the condition of [purposeFit]
	Rules     *Rules    `json:"rules,omitempty"`    // of [purposePrune]
	Evidence  *coverage `json:"evidence,omitempty"` // of [purposePrune]
	Storms    []Storm   `json:"storms,omitempty"`
	IndexRead time.Time `json:"index_read,omitzero"` // the oldest reading in the index that the plan rests on
	LocksOut  *int      `json:"locks_out,omitempty"` // how many identities would have no verified push factor left; nil when no index could tell
}

// coverage is the time that the events behind a plan cover. Silence in a gap says nothing.
type coverage struct {
	From   time.Time    `json:"from"`
	Until  time.Time    `json:"until"`
	Gaps   []event.Span `json:"gaps,omitempty"`
	Events int          `json:"events"` // failed pushes of this Service
	Others int          `json:"others"` // events of other Services and products, which were passed over
}

// PlanItem is one candidate and what is to be done with it.
type PlanItem struct {
	Decision     Decision         `json:"decision"`
	Reason       Reason           `json:"reason"`
	Detail       string           `json:"detail,omitempty"`
	Identity     verify.Identity  `json:"identity"`
	FactorSID    verify.FactorSID `json:"factor_sid"`
	FriendlyName string           `json:"friendly_name,omitempty"`
	Platform     verify.Platform  `json:"platform,omitempty"`
	AppID        string           `json:"app_id,omitempty"`
	DateUpdated  time.Time        `json:"date_updated,omitzero"`
	Evidence     *Evidence        `json:"evidence,omitempty"`
	LocksOut     bool             `json:"locks_out,omitempty"` // the identity would have no verified push factor left
}

// itemOf starts a plan's line about a factor.
func itemOf(f verify.Factor, decision Decision, reason Reason, detail string) PlanItem {
	return PlanItem{
		Decision: decision, Reason: reason, Detail: strings.ToValidUTF8(detail, "?"), Identity: f.Identity, FactorSID: f.SID,
		FriendlyName: strings.ToValidUTF8(f.FriendlyName, "?"), Platform: f.Config.Platform, AppID: strings.ToValidUTF8(f.Config.AppID, "?"),
		DateUpdated: f.DateUpdated.UTC(),
	}
}

// Deletes gives the items to delete; an item's place among them is its number in the outcomes.
func (p Plan) Deletes() []PlanItem { return p.Items[:p.Header.Delete] }

// newPlan starts a plan: the items to delete first, then the deferred, then the kept.
func newPlan(env verify.Environment, purpose plan.Purpose, now time.Time, lifetime verify.Period, items []PlanItem) Plan {
	h := planHeader{Header: plan.NewHeader(env, purpose, now, time.Duration(lifetime))}
	count := map[Decision]int{}
	for _, item := range items {
		count[item.Decision]++
	}
	h.Delete, h.Defer, h.Keep = count[Delete], count[Defer], count[Keep]
	rank := map[Decision]int{Delete: 0, Defer: 1, Keep: 2}
	slices.SortStableFunc(items, func(a, b PlanItem) int { return cmp.Compare(rank[a.Decision], rank[b.Decision]) })
	return Plan{plan.Plan[planHeader, PlanItem]{Header: h, Items: items}}
}

// ReadPlan reads a plan about factors, to the byte; see [plan.Read].
func ReadPlan(r io.Reader) (Plan, error) {
	p, err := plan.Read(r, func(p plan.Plan[planHeader, PlanItem]) error { return Plan{p}.check() })
	return Plan{p}, err
}

// check makes sure that this is a plan that verifyctl could have written.
func (p Plan) check() error {
	h := p.Header
	if h.Purpose != purposePrune && h.Purpose != purposeFit && h.Purpose != purposeList {
		return fmt.Errorf("%q is not the purpose of a plan about factors", h.Purpose)
	}
	if (h.Purpose == purposePrune) != (h.Rules != nil && h.Evidence != nil) || (h.Purpose == purposeFit) != (h.Where != "") {
		return fmt.Errorf("the purpose %s does not go with its rules, evidence and condition", h.Purpose)
	}
	n := len(p.Items)
	if min(h.Delete, h.Defer, h.Keep) < 0 || max(h.Delete, h.Defer, h.Keep) > n || h.Delete+h.Defer+h.Keep != n {
		return fmt.Errorf("it has %d items, and its header says %d to delete, %d deferred and %d kept", n, h.Delete, h.Defer, h.Keep)
	}
	if locked := len(p.LockedOut()); h.LocksOut != nil && *h.LocksOut != locked || h.LocksOut == nil && locked > 0 {
		return fmt.Errorf("its items lock out %d identities, and its header does not say so", locked)
	}
	seen := map[string]bool{}
	for i, item := range p.Items {
		if want := h.decisionAt(i); item.Decision != want {
			return fmt.Errorf("the decision of item %d is %q, and the header says %q", i+1, item.Decision, want)
		}
		key := fold(item.FactorSID)
		if err := item.check(seen[key]); err != nil {
			return fmt.Errorf("item %d: %w", i+1, err)
		}
		seen[key] = true
	}
	return nil
}

// check refuses what must not be deleted by this item, now or after a storm.
func (i PlanItem) check(twice bool) error {
	if i.Decision == Keep {
		return nil
	}
	if _, err := verify.ParseFactorSID(string(i.FactorSID)); err != nil {
		return err
	}
	switch {
	case i.Identity == "":
		return errors.New("it has no identity")
	case twice:
		return fmt.Errorf("%s is in the plan twice", i.FactorSID)
	}
	return nil
}

// decisionAt gives the decision that the item at a place must have.
func (h planHeader) decisionAt(place int) Decision {
	switch {
	case place < h.Delete:
		return Delete
	case place < h.Delete+h.Defer:
		return Defer
	}
	return Keep
}
