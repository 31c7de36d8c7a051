package fleet

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
	"github.com/verifyctl/verifyctl/internal/where"
)

// suspect is a factor that may be dead.
type suspect struct {
	identity verify.Identity
	sid      verify.FactorSID
	event    *deadToken
	indexed  *verify.IndexedFactor // nil when the index does not know it
}

// suspects gives the factors to look at: those the feed names, oldest event first, and those the idle rule may take.
func (p *planner) suspects(ctx context.Context) (named, idle []suspect, err error) {
	bySID, err := p.readFeed(ctx)
	if err != nil {
		return nil, nil, err
	}
	if idle, err = p.matchIndex(ctx, bySID); err != nil {
		return nil, nil, err
	}
	for _, s := range bySID {
		named = append(named, *s)
	}
	slices.SortFunc(named, func(a, b suspect) int {
		return cmp.Or(a.event.At.Compare(b.event.At), strings.Compare(string(a.sid), string(b.sid)))
	})
	return named, idle, nil
}

// readFeed reads the events of the Service: suspects by SID in upper case, and the storms among all failures.
func (p *planner) readFeed(ctx context.Context) (map[string]*suspect, error) {
	within := event.Span{From: p.Since, Until: p.now}
	p.coverage = coverage{From: p.Since.UTC().Truncate(time.Second), Until: p.now.UTC()}
	named := map[string]*suspect{}
	var failures []failure
	for e, err := range p.Feed.Events(ctx, within) {
		if err != nil {
			return nil, err
		}
		f, ours := failureOf(e, p.Environment.ServiceSID, e.Platform)
		if !ours {
			p.coverage.Others++
			continue
		}
		p.coverage.Events++
		if !f.at.IsZero() {
			failures = append(failures, f)
		}
		p.take(e, named)
	}
	gaps, err := p.Feed.Gaps(ctx, within)
	if err != nil {
		return nil, err
	}
	p.coverage.Gaps = gaps
	if err := namePlatforms(ctx, p.Index, failures); err != nil {
		return nil, err
	}
	p.storms = findStorms(failures, p.fleet)
	return named, nil
}

// take makes a suspect of an event about a dead token, or a note why the event cannot be used.
func (p *planner) take(e event.Event, named map[string]*suspect) {
	if code, known := event.Lookup(*e.ErrorCode); e.Verdict != event.TokenDead && (!known || code.Evidence == event.EvidenceNone) {
		return
	}
	sid, sidErr := verify.ParseFactorSID(e.FactorSID)
	if reason := p.problemOf(e, sidErr); reason != "" {
		p.unusable = append(p.unusable, unusableItem(e, reason))
		return
	}
	token := &deadToken{EventSID: e.EventSID, Code: *e.ErrorCode, At: e.Timestamp.UTC(), Platform: e.Platform, Grade: e.PruneEvidence}
	key := fold(sid)
	switch s := named[key]; {
	case s == nil:
		named[key] = &suspect{identity: verify.Identity(e.Identity), sid: sid, event: token}
	case s.identity != verify.Identity(e.Identity):
		// Two events that do not agree on whose factor it is: the item says so, and the factor is looked at no more.
		p.unusable = append(p.unusable, unusableItem(e, reasonContradicted))
		s.identity = ""
	case stronger(token, s.event):
		s.event = token
	}
}

// stronger prefers strong evidence, then the later event.
func stronger(a, b *deadToken) bool {
	if aStrong, bStrong := a.Grade == event.EvidenceStrong, b.Grade == event.EvidenceStrong; aStrong != bStrong {
		return aStrong
	}
	return a.At.After(b.At)
}

// problemOf says why an event can be no evidence; "" when it can.
func (p *planner) problemOf(e event.Event, sid error) Reason {
	_, identity := verify.ParseIdentity(e.Identity)
	switch {
	case e.Masked:
		return reasonMasked
	case e.Ambiguous:
		return reasonAmbiguous
	case e.Inferred || e.ServiceSID == "":
		return reasonInferred
	case e.Repaired || sid != nil || identity != nil:
		return reasonRepaired
	case e.AccountSID != "" && !verify.SameSID(e.AccountSID, string(p.Environment.AccountSID)):
		return reasonForeign
	case e.PruneEvidence != event.EvidenceStrong && e.PruneEvidence != event.EvidenceWeak:
		return reasonContradicted
	}
	return ""
}

func unusableItem(e event.Event, reason Reason) PlanItem {
	f := verify.Factor{SID: verify.FactorSID(strings.ToValidUTF8(e.FactorSID, "?")), Identity: verify.Identity(strings.ToValidUTF8(e.Identity, "?"))}
	f.Config.Platform = e.Platform
	return itemOf(f, Keep, reason, fmt.Sprintf("event %s: %s", e.EventSID, strings.Join(e.Reasons, "; ")))
}

// namePlatforms fills in the platform of failures whose event does not name it, from the index.
func namePlatforms(ctx context.Context, index Index, failures []failure) error {
	for i, f := range failures {
		if f.platform != "" {
			continue
		}
		known, err := index.FindFactors(ctx, verify.FactorSID(f.factor))
		if err != nil {
			return err
		}
		for _, k := range known {
			failures[i].platform = k.Config.Platform
		}
	}
	return nil
}

// matchIndex adds to the named suspects what the index has of them, and gives the others that the idle rule may take.
func (p *planner) matchIndex(ctx context.Context, named map[string]*suspect) ([]suspect, error) {
	for _, s := range named {
		known, err := p.Index.FindFactors(ctx, s.sid)
		if err != nil {
			return nil, err
		}
		for _, f := range known {
			s.indexed = &f
		}
	}
	for key, s := range named {
		if s.identity == "" || s.indexed != nil && s.indexed.Identity != s.identity {
			f := verify.Factor{SID: s.sid, Identity: s.identity}
			p.unusable = append(p.unusable, itemOf(f, Keep, reasonContradicted, "the events and the index name different identities"))
			delete(named, key)
		}
	}
	if p.Rules.Idle == 0 {
		return nil, nil
	}
	return p.idleSuspects(ctx, named)
}

func (p *planner) idleSuspects(ctx context.Context, named map[string]*suspect) ([]suspect, error) {
	since := p.Rules.Idle.Before(p.now).UTC().Format(time.RFC3339)
	where, err := where.Parse(fmt.Sprintf("factor_type = push and status = verified and created < %s and updated < %s", since, since), p.now)
	if err != nil {
		return nil, err
	}
	var suspects []suspect
	for f, err := range p.Index.FactorsWhere(ctx, where) {
		if err != nil {
			return nil, err
		}
		if named[fold(f.SID)] == nil {
			suspects = append(suspects, suspect{identity: f.Identity, sid: f.SID, indexed: &f})
		}
	}
	return suspects, nil
}
