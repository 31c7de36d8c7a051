// Package fleet knows all factors of a Service and changes many of them at once: it walks and crawls, selects, plans and
// applies. It knows Twilio and this machine's memory only through the small interfaces declared here.
package fleet

import (
	"cmp"
	"context"
	"fmt"
	"iter"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// factorReader is how Twilio tells which factors a Service has: page after page of entities, then the factors of each
// (twilio_verify_v2.json, ListEntity and ListFactor). There is no list of factors per Service.
type factorReader interface {
	EntityPage(ctx context.Context, service verify.ServiceSID, cursor string, pageSize int) (page []verify.Entity, next string, err error)
	factorLister
}

const (
	maxPageSize = 1000 // twilio_verify_v2.json, PageSize
	minPageSize = 50   // the size Twilio itself picks; smaller pages save nothing

	// UnaskedEntities is how many entities a walk may read in production when nobody asked for more.
	UnaskedEntities = 1000

	defaultConcurrency = 16
	failuresInARow     = 20 // beyond this it is not the identities that are at fault
)

// Filter narrows a walk to the factors that fit all its parts. Zero values do not narrow.
type Filter struct {
	Status   verify.FactorStatus
	Platform verify.Platform
	AppID    string
	Type     verify.FactorType
}

// Match tells whether a factor fits.
func (f Filter) Match(factor verify.Factor) bool {
	return (f.Status == "" || factor.Status == f.Status) &&
		(f.Platform == "" || factor.Config.Platform == f.Platform) &&
		(f.AppID == "" || factor.Config.AppID == f.AppID) &&
		(f.Type == "" || factor.Type == f.Type)
}

// WalkOptions says how far a walk may go.
type WalkOptions struct {
	Limit       int                // stop after this many factors; 0 means all of them
	All         bool               // the operator asked for every entity, even in production
	Production  bool               // hold the walk to [UnaskedEntities] unless All or a greater Limit
	Concurrency int                // entities read at the same time; 0 means 16. The client may allow fewer
	Progress    func(WalkProgress) // called after each entity by the goroutine that consumes the walk; may be nil
}

// WalkProgress is how far a walk has come.
type WalkProgress struct {
	Entities int // read, one way or the other
	Factors  int // given to the consumer
	Gone     int // entities that were deleted between their listing and the reading of their factors
	Failed   int // entities whose factors could not be read; each was reported as an error
}

// Walk gives the factors of a Service that fit the filter, entity by entity in Twilio's order, while it reads the next
// entities concurrently. It holds a bounded number of entities, whatever the size of the Service.
//
// An identity whose factors cannot be read is given as an error beside a Factor that holds only the Identity, and the
// walk goes on; the factors of it that were read come first. An identity that was deleted meanwhile is only counted.
// What ends a walk early (a page of entities that cannot be read, refused account keys, many identities failing in a
// row, the end of ctx) is the last error, beside an empty Factor.
//
// In production a walk refuses to go beyond [UnaskedEntities], with nothing but one page of entities read, unless the
// options ask for more. When the consumer stops, all work has ended by the time the loop is left.
func Walk(ctx context.Context, api factorReader, service verify.ServiceSID, filter Filter, opts WalkOptions) iter.Seq2[verify.Factor, error] {
	opts.Concurrency = cmp.Or(max(opts.Concurrency, 0), defaultConcurrency)
	if opts.Progress == nil {
		opts.Progress = func(WalkProgress) {}
	}
	return func(yield func(verify.Factor, error) bool) {
		w := walk{api: api, service: service, filter: filter, opts: opts}
		var end error // written before the loop ends
		identities := func(ctx context.Context) iter.Seq[verify.Identity] {
			return func(visit func(verify.Identity) bool) { end = w.eachEntity(ctx, visit) }
		}
		for identity, r := range inOrder(ctx, opts.Concurrency, identities, w.read) {
			if !w.deliver(ctx, identity, r, yield) {
				return
			}
		}
		switch {
		case ctx.Err() != nil:
			yield(verify.Factor{}, interrupted(ctx, "the walk was interrupted after %d entities", w.done.Entities))
		case end != nil:
			yield(verify.Factor{}, end)
		}
	}
}

type walk struct {
	api     factorReader
	service verify.ServiceSID
	filter  Filter
	opts    WalkOptions

	done         WalkProgress
	failedInARow int
}

// read is the result of a reading, as far as it came, and why not further.
type read[T any] struct {
	got T
	err error
}

// readFactors reads an identity's factors.
func readFactors(ctx context.Context, api factorLister, service verify.ServiceSID, identity verify.Identity) (r read[[]verify.Factor]) {
	for factor, err := range api.Factors(ctx, service, identity) {
		if err != nil {
			r.err = err
			break
		}
		r.got = append(r.got, factor)
	}
	return r
}

// eachEntity pages through the entities until there are no more, visit says stop, or promise 7 forbids to go on.
func (w *walk) eachEntity(ctx context.Context, visit func(verify.Identity) bool) error {
	seen, cursor := 0, ""
	met := map[verify.Identity]bool{} // a list that changes while it is paged through has an entity twice
	for {
		page, next, err := w.api.EntityPage(ctx, w.service, cursor, w.pageSize())
		if err != nil {
			return err
		}
		page, refusal := w.allow(page, next != "", seen)
		for _, entity := range page {
			if met[entity.Identity] {
				continue
			}
			met[entity.Identity] = true
			if !visit(entity.Identity) {
				return nil
			}
		}
		if refusal != nil || next == "" {
			return refusal
		}
		seen, cursor = seen+len(page), next
	}
}

// allow gives the part of a page that may be read after those seen, and the refusal to read on.
func (w *walk) allow(page []verify.Entity, more bool, seen int) ([]verify.Entity, error) {
	allowed := max(UnaskedEntities, w.opts.Limit)
	switch {
	case !w.opts.Production || w.opts.All:
		return page, nil
	case w.opts.Limit == 0 && (more || len(page) > allowed):
		return nil, tooManyEntities(w.service, allowed)
	case seen+len(page) > allowed:
		return page[:allowed-seen], tooManyEntities(w.service, allowed)
	}
	return page, nil
}

func (w *walk) pageSize() int {
	if w.opts.Limit == 0 {
		return maxPageSize
	}
	return min(max(w.opts.Limit, minPageSize), maxPageSize)
}

func tooManyEntities(service verify.ServiceSID, allowed int) error {
	return verify.Refusedf("Service %s has more than %d entities, and reading the factors of each costs one request that competes with logins", service, allowed).
		WithHint("narrow it with --limit, ask the index with --where after 'fleet sync', or walk them all with --all")
}

func (w *walk) read(ctx context.Context, identity verify.Identity) read[[]verify.Factor] {
	return readFactors(ctx, w.api, w.service, identity)
}

// deliver gives one entity's factors to the consumer and tells whether the walk goes on.
func (w *walk) deliver(ctx context.Context, identity verify.Identity, r read[[]verify.Factor], yield func(verify.Factor, error) bool) bool {
	for _, factor := range r.got {
		if !w.filter.Match(factor) {
			continue
		}
		w.done.Factors++
		if !yield(factor, nil) || w.done.Factors == w.opts.Limit {
			return false
		}
	}
	if r.err != nil && ctx.Err() != nil {
		return true // the loop ends by itself, and says that it was interrupted
	}
	w.done.Entities++
	goOn := w.account(identity, r.err, yield)
	w.opts.Progress(w.done)
	return goOn
}

// account counts how an entity's reading ended and tells whether the walk goes on.
func (w *walk) account(identity verify.Identity, err error, yield func(verify.Factor, error) bool) bool {
	switch {
	case err == nil:
		w.failedInARow = 0
		return true
	case verify.KindOf(err) == verify.KindNotFound:
		w.done.Gone++
		return true
	case verify.KindOf(err) == verify.KindAuth:
		yield(verify.Factor{}, err)
		return false
	}
	w.done.Failed++
	w.failedInARow++
	if !yield(verify.Factor{Identity: identity}, fmt.Errorf("factors of %s: %w", identity, err)) {
		return false
	}
	if w.failedInARow == failuresInARow {
		yield(verify.Factor{}, fmt.Errorf("the walk stopped: the factors of %d entities in a row could not be read: %w", failuresInARow, err))
		return false
	}
	return true
}

// interrupted is the error of work that ctx ended.
func interrupted(ctx context.Context, format string, args ...any) error {
	return &verify.Error{Kind: verify.KindInterrupted, Message: fmt.Sprintf(format, args...), Cause: context.Cause(ctx)}
}
