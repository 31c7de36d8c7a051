package fleet

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// entityReader reads what Twilio has of an identity.
type entityReader interface {
	Entity(ctx context.Context, service verify.ServiceSID, identity verify.Identity) (verify.Entity, error)
	factorLister
}

// entityDeleter deletes an entity whose factors were just read, and says how that ended: deleted, already gone, failed or
// unknown.
type entityDeleter interface {
	DeleteEntity(ctx context.Context, entity verify.Entity, factors []verify.Factor) (outcome string, err error)
}

// Place is an environment that a person is to be erased from.
type Place struct {
	Environment verify.Environment
	Identity    verify.Identity // what this environment calls the person
	Twilio      entityReader
	Deleter     entityDeleter                   // not needed for looking
	Forget      func(ctx context.Context) error // makes this machine forget the identity, once it is gone from Twilio; may be nil
}

// Trace is what a place has of the person.
type Trace struct {
	Environment string
	Identity    verify.Identity
	Here        bool // there is an entity
	Entity      verify.Entity
	Factors     []verify.Factor
	Err         error // it could not be read: whether the person is there is unknown
}

// FindTraces looks for a person in every place. It writes nothing.
func FindTraces(ctx context.Context, places []Place) []Trace {
	each := func(context.Context) iter.Seq[Place] { return slices.Values(places) }
	var traces []Trace
	for _, trace := range inOrder(ctx, defaultConcurrency, each, findTrace) {
		traces = append(traces, trace)
	}
	for _, p := range places[len(traces):] {
		traces = append(traces, Trace{Environment: p.Environment.Name, Identity: p.Identity, Err: interrupted(ctx, "interrupted before %s was read", p.Environment.Name)})
	}
	return traces
}

func findTrace(ctx context.Context, p Place) Trace {
	t := Trace{Environment: p.Environment.Name, Identity: p.Identity}
	t.Entity, t.Err = p.Twilio.Entity(ctx, p.Environment.ServiceSID, p.Identity)
	switch {
	case verify.KindOf(t.Err) == verify.KindNotFound:
		t.Err = nil
	case t.Err == nil:
		factors := readFactors(ctx, p.Twilio, p.Environment.ServiceSID, p.Identity)
		t.Factors, t.Err = factors.got, factors.err
		t.Here = t.Err == nil
	}
	return t
}

// Erase deletes a person's entities and makes this machine forget them, place by place. Each is looked for again first.
// A place counts as done when Twilio says, asked again after the delete, that there is no such entity; only then is it
// forgotten here. The error joins what went wrong; the other places are done nevertheless.
func Erase(ctx context.Context, places []Place, report func(Result)) error {
	var failures []error
	for i, p := range places {
		r := Result{Outcome: NotTried}
		if ctx.Err() == nil {
			r = p.erase(ctx, i)
		}
		if ctx.Err() != nil && (r.Outcome == NotTried || r.Outcome == Failed) { // Ctrl-C kept it from being read
			failures = append(failures, interrupted(ctx, "interrupted; the same command goes on"))
			break
		}
		if r.Err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", p.Environment.Name, r.Err))
		}
		report(r)
	}
	return errors.Join(failures...)
}

func (p Place) erase(ctx context.Context, number int) Result {
	r := Result{Item: number, Identity: p.Identity}
	trace := findTrace(ctx, p)
	if trace.Err != nil {
		return r.failed(trace.Err)
	}
	ctx, cancel := verify.GraceContext(ctx)
	defer cancel()
	r.Outcome = Gone
	if trace.Here {
		r.SID = string(trace.Entity.SID)
		if r = p.deleteEntity(ctx, r, trace); r.Err != nil {
			return r
		}
	}
	if p.Forget == nil {
		return r
	}
	if err := p.Forget(ctx); err != nil {
		r.Err, r.Detail = err, "gone from Twilio, but not from this machine: "+err.Error()
	}
	return r
}

// deleteEntity deletes and asks again: only Twilio's own word that there is no such entity counts.
func (p Place) deleteEntity(ctx context.Context, r Result, trace Trace) Result {
	_, err := p.Deleter.DeleteEntity(ctx, trace.Entity, trace.Factors)
	_, readErr := p.Twilio.Entity(ctx, p.Environment.ServiceSID, p.Identity)
	switch {
	case readErr == nil && err == nil:
		return r.failed(&verify.Error{Kind: verify.KindFailed, Message: fmt.Sprintf("entity %s is still there after its delete", trace.Entity.SID)})
	case readErr == nil:
		return r.failed(err)
	case verify.KindOf(readErr) == verify.KindNotFound:
		r.Outcome = Deleted
		return r
	}
	r = r.failed(errors.Join(err, readErr))
	r.Outcome = Unknown
	return r
}
