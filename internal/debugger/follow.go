package debugger

import (
	"context"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// lateArrivals is how far each look goes back behind the one before: an alert may be recorded some time after it
// happened (twilio_monitor_v1.json, date_generated).
const lateArrivals = 5 * time.Minute

// clock is the environment's time.
type clock interface {
	Now() time.Time
	Sleep(ctx context.Context, d time.Duration) error
}

// Follow gives the events since a time, oldest first, and then new ones as they appear, looking again every so often
// until ctx ends. A look that fails because Twilio cannot be reached, or is asked too often, is reported to retried and
// made again; any other error ends the iteration.
func (f *Feed) Follow(ctx context.Context, since time.Time, every time.Duration, clock clock, retried func(error)) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		seen := sightings{}
		for from := since; ; {
			until := clock.Now()
			events, err := f.look(ctx, event.Span{From: from, Until: until})
			switch {
			case err == nil:
				from = until.Add(-lateArrivals)
			case ctx.Err() == nil && isPassing(err):
				retried(err)
			default:
				yield(event.Event{}, err)
				return
			}
			for _, e := range seen.unseen(events, until) {
				if !yield(e, nil) {
					return
				}
			}
			if err := clock.Sleep(ctx, every); err != nil {
				yield(event.Event{}, err)
				return
			}
		}
	}
}

// look reads a span whole, so that its events can be given oldest first.
func (f *Feed) look(ctx context.Context, span event.Span) ([]event.Event, error) {
	var events []event.Event
	for e, err := range f.Events(ctx, span) {
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, nil
}

// isPassing tells whether an error may be gone at the next look.
func isPassing(err error) bool {
	kind := verify.KindOf(err)
	return kind == verify.KindUnreachable || kind == verify.KindLimit
}

// sightings are the times at which events were seen, by their keys.
type sightings map[string]time.Time

// unseen gives those of the events, which come newest first, that are new, oldest first. It forgets what no later look can
// give again.
func (s sightings) unseen(events []event.Event, at time.Time) (fresh []event.Event) {
	for _, e := range slices.Backward(events) {
		key := keyOf(e)
		if _, known := s[key]; known && key != "" {
			continue
		}
		s[key] = at
		fresh = append(fresh, e)
	}
	maps.DeleteFunc(s, func(_ string, seen time.Time) bool { return seen.Before(at.Add(-2 * lateArrivals)) })
	return fresh
}
