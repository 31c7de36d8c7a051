package fleet

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Bulk work keeps the guards of single work: who would be left without a verified push factor is named, and a plan that
// takes a large part of a platform has to be meant.
const (
	DefaultMaxShare = 20 // percent of a platform's verified push factors
	shareFrom       = 50 // factors; up to so many no share is too large
)

// factorLister lists an identity's factors (ListFactor).
type factorLister interface {
	Factors(ctx context.Context, service verify.ServiceSID, identity verify.Identity) iter.Seq2[verify.Factor, error]
}

// hasIndex tells whether an index knows all factors of the plan's Service, as of its last crawl.
func (p Plan) hasIndex(ctx context.Context, index Index) (bool, error) {
	fresh, err := index.Freshness(ctx)
	return fresh.LastFull.ID != 0 && verify.SameSID(fresh.ServiceSID, p.Header.ServiceSID), err
}

// judgeByIndex marks who would be locked out, if the index can tell.
func (p *Plan) judgeByIndex(ctx context.Context, index Index) error {
	if ok, err := p.hasIndex(ctx, index); err != nil || !ok {
		return err
	}
	return p.judgeLockouts(indexed(index.FactorsWhere(ctx, nil)), true)
}

func indexed(all iter.Seq2[verify.IndexedFactor, error]) iter.Seq2[verify.Factor, error] {
	return func(yield func(verify.Factor, error) bool) {
		for f, err := range all {
			if !yield(f.Factor, err) {
				return
			}
		}
	}
}

// judgeLockouts marks the items that leave an identity without a verified push factor. known has every factor of the
// plan's identities. One that it lacks counts as a person's last if it may be newer than what is known, else as gone.
func (p *Plan) judgeLockouts(known iter.Seq2[verify.Factor, error], mayBeNewer bool) error {
	places := map[string]int{} // by SID
	loses, keeps := map[verify.Identity]bool{}, map[verify.Identity]bool{}
	for i, item := range p.Deletes() {
		places[fold(item.FactorSID)] = i
		loses[item.Identity] = false
	}
	for f, err := range known {
		if err != nil {
			return err
		}
		if _, ours := loses[f.Identity]; !ours {
			continue
		}
		place, going := places[fold(f.SID)]
		if going {
			p.Items[place].describe(f)
			delete(places, fold(f.SID))
		}
		if f.CanBeChallenged() {
			loses[f.Identity] = loses[f.Identity] || going
			keeps[f.Identity] = keeps[f.Identity] || !going
		}
	}
	for _, place := range places {
		loses[p.Items[place].Identity] = loses[p.Items[place].Identity] || mayBeNewer
	}
	for i, item := range p.Deletes() {
		p.Items[i].LocksOut = loses[item.Identity] && !keeps[item.Identity]
	}
	n := len(p.LockedOut())
	p.Header.LocksOut = &n
	return nil
}

func fold(sid verify.FactorSID) string { return strings.ToUpper(string(sid)) }

// describe fills in what a list did not tell of a factor.
func (i *PlanItem) describe(f verify.Factor) {
	i.FriendlyName = cmp.Or(i.FriendlyName, strings.ToValidUTF8(f.FriendlyName, "?"))
	i.Platform = cmp.Or(i.Platform, f.Config.Platform)
}

// LookUp gives a plan that was made without an index with what Twilio says now: the names and platforms of its factors,
// and who would be locked out.
func (p Plan) LookUp(ctx context.Context, lister factorLister, concurrency int) (Plan, error) {
	if p.Header.LocksOut != nil {
		return p, nil
	}
	p.Items = slices.Clone(p.Items)
	each := func(context.Context) iter.Seq[verify.Identity] {
		return slices.Values(identitiesOf(p.Deletes(), func(PlanItem) bool { return true }))
	}
	answers := asDone(ctx, cmp.Or(concurrency, defaultConcurrency), each, func(ctx context.Context, identity verify.Identity) read[[]verify.Factor] {
		return factorsOf(ctx, lister, p.Header.ServiceSID, identity)
	})
	err := p.judgeLockouts(func(yield func(verify.Factor, error) bool) {
		for r := range answers {
			if r.err != nil {
				yield(verify.Factor{}, r.err)
				return
			}
			for _, f := range r.got {
				if !yield(f, nil) {
					return
				}
			}
		}
	}, false)
	if err == nil && ctx.Err() != nil {
		err = interrupted(ctx, "interrupted: nothing was deleted")
	}
	return p, err
}

// factorsOf is readFactors for an identity that may be gone: then it has none.
func factorsOf(ctx context.Context, lister factorLister, service verify.ServiceSID, identity verify.Identity) read[[]verify.Factor] {
	r := readFactors(ctx, lister, service, identity)
	if verify.KindOf(r.err) == verify.KindNotFound {
		return read[[]verify.Factor]{}
	}
	return r
}

// LockedOut names the identities that would have no verified push factor left, in the plan's order.
func (p Plan) LockedOut() []verify.Identity {
	return identitiesOf(p.Deletes(), func(item PlanItem) bool { return item.LocksOut })
}

// identitiesOf gives the identities of the items that fit, each once.
func identitiesOf(items []PlanItem, fits func(PlanItem) bool) (identities []verify.Identity) {
	named := map[verify.Identity]bool{}
	for _, item := range items {
		if fits(item) && !named[item.Identity] {
			identities = append(identities, item.Identity)
			named[item.Identity] = true
		}
	}
	return identities
}

// Share is how much of a platform's verified push factors a plan deletes.
type Share struct {
	Platform verify.Platform // "" where it is not known
	Delete   int
	Of       int
}

// Percent is the share in percent.
func (s Share) Percent() float64 { return 100 * float64(s.Delete) / float64(s.Of) }

// ErrShareUnknown is the error of [Plan.LargeShares] without an index that knows all factors.
var ErrShareUnknown = errors.New("no complete index tells how many factors there are")

// LargeShares gives the shares of platforms of which the plan deletes more than 50 factors. What the plan has deleted
// already counts as there.
func (p Plan) LargeShares(ctx context.Context, index Index) ([]Share, error) {
	shares, planned := map[verify.Platform]*Share{}, map[string]bool{}
	for _, item := range p.Deletes() {
		s := cmp.Or(shares[item.Platform], &Share{Platform: item.Platform})
		s.Delete++
		s.Of++
		shares[item.Platform], planned[fold(item.FactorSID)] = s, true
	}
	if len(p.Deletes()) <= shareFrom {
		return nil, nil
	}
	switch known, err := p.hasIndex(ctx, index); {
	case err != nil:
		return nil, err
	case !known:
		return nil, ErrShareUnknown
	}
	for f, err := range index.FactorsWhere(ctx, nil) {
		if err != nil {
			return nil, err
		}
		if s := shares[f.Config.Platform]; s != nil && f.CanBeChallenged() && !planned[fold(f.SID)] {
			s.Of++
		}
	}
	var large []Share
	for _, s := range shares {
		if s.Delete > shareFrom {
			large = append(large, *s)
		}
	}
	slices.SortFunc(large, func(a, b Share) int { return cmp.Compare(a.Platform, b.Platform) })
	return large, nil
}
