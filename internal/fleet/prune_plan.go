package fleet

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
	"github.com/verifyctl/verifyctl/internal/where"
)

// eventFeed gives the debugger events of a time, each once, and tells of which parts of it nothing was captured.
type eventFeed interface {
	Events(ctx context.Context, within event.Span) iter.Seq2[event.Event, error]
	Gaps(ctx context.Context, within event.Span) ([]event.Span, error)
}

// Index is what this machine remembers of a Service's factors, as its latest crawl left it.
type Index interface {
	FactorsWhere(ctx context.Context, condition where.Condition) iter.Seq2[verify.IndexedFactor, error]
	FindFactors(ctx context.Context, sids ...verify.FactorSID) ([]verify.IndexedFactor, error)
	FactorGroupsWhere(ctx context.Context, by []where.Field, condition where.Condition) ([]verify.FactorGroup, error)
	Freshness(ctx context.Context) (verify.Freshness, error)
}

// candidateReader reads what Twilio says of one factor now.
type candidateReader interface {
	factorLister
	Factor(ctx context.Context, service verify.ServiceSID, identity verify.Identity, factor verify.FactorSID) (verify.Factor, error)
	Challenges(ctx context.Context, service verify.ServiceSID, identity verify.Identity, filter verify.ChallengeFilter) iter.Seq2[verify.Challenge, error]
}

// Sources is where the evidence of a prune plan comes from.
type Sources struct {
	Feed     eventFeed
	Index    Index
	Twilio   candidateReader
	Activity Activity // the zero value when the backend says nothing
}

// PruneOptions says what to plan.
type PruneOptions struct {
	Environment verify.Environment
	Rules       Rules
	Since       time.Time                      // the events to look at begin here
	Lifetime    verify.Period                  // of the plan
	All         bool                           // read the challenges of more than [UnaskedEntities] factors, even in production
	Concurrency int                            // reads at the same time; 0 means 16. The client may allow fewer
	Cost        func(candidates, requests int) // called before the first request about a candidate; may be nil
	Progress    func(done, of int)             // called after each candidate; may be nil
}

// PlanPrune finds the dead factors of a Service: candidates are named by the feed or, with the idle rule, by the index;
// each is then read from Twilio together with its challenges, and judged by [Rules.judge]. The plan also lists the
// candidates of the feed that are kept or deferred, with the reason, but for those that are gone. Nothing is written.
func PlanPrune(ctx context.Context, from Sources, now time.Time, opts PruneOptions) (Plan, error) {
	p := planner{Sources: from, PruneOptions: opts, now: now.Truncate(time.Second)}
	if err := p.prepare(ctx); err != nil {
		return Plan{}, err
	}
	named, idle, err := p.suspects(ctx)
	if err != nil {
		return Plan{}, err
	}
	settled, open := p.settle(named)
	if err := p.announce(len(settled), len(open), len(idle)); err != nil {
		return Plan{}, err
	}
	items, err := p.judge(ctx, append(open, idle...))
	if err != nil {
		return Plan{}, err
	}
	items = append(items, settled...)
	plan := p.plan(append(items, p.remarks(items)...))
	return plan, plan.judgeByIndex(ctx, p.Index)
}

type planner struct {
	Sources
	PruneOptions
	now time.Time

	freshness verify.Freshness
	fleet     map[verify.Platform]int
	coverage  coverage
	storms    []Storm
	unusable  []PlanItem // events that name no factor clearly enough
}

func (p *planner) prepare(ctx context.Context) error {
	p.Concurrency = cmp.Or(p.Concurrency, defaultConcurrency)
	if p.Progress == nil {
		p.Progress = func(int, int) {}
	}
	var err error
	if p.freshness, err = p.Index.Freshness(ctx); err != nil {
		return err
	}
	if p.freshness.LastFull.ID == 0 || !verify.SameSID(p.freshness.ServiceSID, p.Environment.ServiceSID) {
		return verify.Refusedf("the index does not know the factors of %s, so nobody can tell a broken push credential from uninstalled apps", p.Environment.Name).
			WithHint("%s", p.Environment.Command("fleet", "sync"))
	}
	p.fleet, err = platformCounts(ctx, p.Index)
	return err
}

// platformCounts gives the number of push factors on each platform.
func platformCounts(ctx context.Context, index Index) (map[verify.Platform]int, error) {
	platform, _ := where.FieldOf("platform")
	groups, err := index.FactorGroupsWhere(ctx, []where.Field{platform}, nil)
	counts := map[verify.Platform]int{}
	for _, g := range groups {
		counts[verify.Platform(g.Values[0])] += g.Count
	}
	return counts, err
}

// settle decides on those that need no request, because their event or the index says enough: after a storm that may be
// most of the fleet. With the idle rule nothing is settled before the challenges are read.
func (p *planner) settle(named []suspect) (settled []PlanItem, open []suspect) {
	for _, s := range named {
		f := verify.Factor{SID: s.sid, Identity: s.identity, Type: verify.FactorPush, Status: verify.FactorVerified, Config: verify.FactorConfig{Platform: s.event.Platform}}
		if s.indexed != nil {
			f = s.indexed.Factor
		}
		j := p.Rules.judge(candidate{Factor: f, Event: s.event, LastSeen: p.lastSeen(s), Storms: p.storms}, p.now)
		if p.Rules.Idle > 0 || j.Reason == reasonNotAsked {
			open = append(open, s)
			continue
		}
		settled = append(settled, judgedItem(f, j))
	}
	return settled, open
}

func (p *planner) lastSeen(s suspect) time.Time { return p.Activity.LastSeen(s.identity, s.sid).UTC() }

// announce tells the cost before the first request, and holds back what would take too much from logins.
func (p *planner) announce(settled, fromFeed, fromIndex int) error {
	if reads := fromFeed + fromIndex; p.Environment.IsProduction() && !p.All && reads > UnaskedEntities {
		return verify.Refusedf("the challenges of %d factors of %s would be read, which competes with logins", reads, p.Environment.Name).
			WithHint("add --all to do it, best at a quiet hour")
	}
	if p.Cost != nil {
		p.Cost(settled+fromFeed+fromIndex, 2*fromFeed+fromIndex)
	}
	return nil
}

// judge reads and judges every suspect.
func (p *planner) judge(ctx context.Context, suspects []suspect) ([]PlanItem, error) {
	var items []PlanItem
	done := 0
	each := func(context.Context) iter.Seq[suspect] { return slices.Values(suspects) }
	for s, result := range inOrder(ctx, p.Concurrency, each, p.judgeOne) {
		if result.err != nil {
			return nil, result.err
		}
		if result.got.Reason != reasonGone && (s.event != nil || result.got.Decision == Delete) {
			items = append(items, result.got)
		}
		done++
		p.Progress(done, len(suspects))
	}
	if ctx.Err() != nil {
		return nil, interrupted(ctx, "planning was interrupted after %d of %d candidates", done, len(suspects))
	}
	return items, nil
}

// judgeOne judges a suspect; its error is what makes the whole plan impossible.
func (p *planner) judgeOne(ctx context.Context, s suspect) read[PlanItem] {
	subject := candidate{Event: s.event, LastSeen: p.lastSeen(s), Storms: p.storms}
	service, since := p.Environment.ServiceSID, p.Rules.since(s.event, p.now)
	if s.event == nil {
		// Most idle suspects fall by their challenges, which need not be followed by another request.
		subject.Factor = s.indexed.Factor
		var err error
		if subject.Challenges, err = readChallenges(ctx, p.Twilio, service, s.identity, since); err != nil {
			return p.unreadable(s, err)
		}
		if j := p.Rules.judge(subject, p.now); j.Decision != Delete {
			return read[PlanItem]{got: judgedItem(subject.Factor, j)}
		}
	}
	factor, err := p.Twilio.Factor(ctx, service, s.identity, s.sid)
	if err != nil {
		return p.unreadable(s, err)
	}
	if reason := foreign(factor, p.Environment.AccountSID, service); reason != "" {
		return read[PlanItem]{got: itemOf(factor, Keep, reasonForeign, reason)}
	}
	subject.Factor = factor
	if s.event != nil {
		if subject.Challenges, err = readChallenges(ctx, p.Twilio, service, s.identity, since); err != nil {
			return p.unreadable(s, err)
		}
	}
	return read[PlanItem]{got: judgedItem(factor, p.Rules.judge(subject, p.now))}
}

func judgedItem(f verify.Factor, j finding) PlanItem {
	item := itemOf(f, j.Decision, j.Reason, j.Detail)
	item.Evidence = &j.Evidence
	return item
}

// unreadable keeps a suspect that could not be read, unless nothing can be.
func (p *planner) unreadable(s suspect, err error) read[PlanItem] {
	switch f := (verify.Factor{SID: s.sid, Identity: s.identity}); verify.KindOf(err) {
	case verify.KindAuth, verify.KindInterrupted:
		return read[PlanItem]{err: err}
	case verify.KindNotFound:
		return read[PlanItem]{got: itemOf(f, Keep, reasonGone, "it no longer exists")}
	default:
		return read[PlanItem]{got: itemOf(f, Keep, reasonUnreadable, err.Error())}
	}
}

// foreign says how a factor belongs elsewhere than where it was looked for; "" when it does not.
func foreign(f verify.Factor, account verify.AccountSID, service verify.ServiceSID) string {
	switch {
	case !verify.SameSID(f.AccountSID, account):
		return fmt.Sprintf("it belongs to account %s", f.AccountSID)
	case !verify.SameSID(f.ServiceSID, service):
		return fmt.Sprintf("it belongs to Service %s", f.ServiceSID)
	}
	return ""
}

// challengePage is how many challenges one request gives: reading on to there costs nothing.
const challengePage = maxPageSize

// readChallenges reads the identity's challenges, newest first, back to a time. It makes sure that they come newest first:
// stopping early in another order would overlook answers.
func readChallenges(ctx context.Context, twilio candidateReader, service verify.ServiceSID, identity verify.Identity, since time.Time) ([]verify.Challenge, error) {
	var challenges []verify.Challenge
	var last time.Time
	seen := 0
	for c, err := range twilio.Challenges(ctx, service, identity, verify.ChallengeFilter{Newest: true}) {
		if err != nil {
			return nil, err
		}
		if seen > 0 && c.DateCreated.After(last) {
			return nil, &verify.Error{Kind: verify.KindFailed, Message: fmt.Sprintf("the challenges of %s did not come newest first", identity)}
		}
		seen, last = seen+1, c.DateCreated
		if !c.DateCreated.Before(since) {
			challenges = append(challenges, c)
		} else if seen >= challengePage {
			break
		}
	}
	return challenges, nil
}

// remarks gives an item for each factor that only unusable events name.
func (p *planner) remarks(items []PlanItem) []PlanItem {
	listed := map[string]bool{}
	for _, item := range items {
		listed[fold(item.FactorSID)] = true
	}
	return slices.DeleteFunc(p.unusable, func(item PlanItem) bool {
		key := fold(item.FactorSID)
		known := listed[key]
		listed[key] = true
		return known
	})
}

// plan puts the items in order and writes the header about them.
func (p *planner) plan(items []PlanItem) Plan {
	rules := p.Rules
	plan := newPlan(p.Environment, purposePrune, p.now, p.Lifetime, items)
	plan.Header.Rules, plan.Header.Evidence = &rules, &p.coverage
	plan.Header.Storms, plan.Header.IndexRead = p.storms, p.freshness.OldestRead.UTC()
	return plan
}
