package debugger

import (
	"context"
	"iter"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// Recorder lists alerts and stores the push errors among them as they pass, each committed before it is given. Of every
// list that was read to its end it records what span it covers.
type Recorder struct {
	Lister AlertLister
	Keeper func(event.Event) Keeper
	Now    func() time.Time
	Adjust func(*event.Event) // before it is stored, such as attributing it; may be nil
	Added  func(event.Event)  // is told every event that was new; may be nil

	new int
}

// Alerts lists and stores.
func (r *Recorder) Alerts(ctx context.Context, filter verify.AlertFilter) iter.Seq2[verify.Alert, error] {
	return func(yield func(verify.Alert, error) bool) {
		rows := 0
		for a, err := range r.Lister.Alerts(ctx, filter) {
			if err == nil {
				rows++
				err = r.store(ctx, a)
			}
			if !yield(a, err) || err != nil {
				return
			}
		}
		if err := r.cover(ctx, filter, rows); err != nil {
			yield(verify.Alert{}, err)
		}
	}
}

func (r *Recorder) store(ctx context.Context, a verify.Alert) error {
	stored, e, err := storeAlert(a, r.Now())
	if err != nil {
		return err
	}
	if r.Adjust != nil {
		r.Adjust(&e)
	}
	if e.IsNoise() {
		return nil
	}
	added, err := r.Keeper(e).PutEvent(ctx, stored, e)
	if err != nil || !added {
		return err
	}
	r.new++
	if r.Added != nil {
		r.Added(e)
	}
	return nil
}

// cover records what was read whole: not the last minutes, where alerts may still arrive, and nothing of a list that
// Twilio cut off.
func (r *Recorder) cover(ctx context.Context, filter verify.AlertFilter, rows int) error {
	span := event.Span{From: filter.Start, Until: filter.End}
	if settled := r.Now().Add(-lateArrivals); span.Until.After(settled) {
		span.Until = settled
	}
	if rows >= alertsGiven || filter.LogLevel != "" || !span.From.Before(span.Until) {
		return nil
	}
	return r.Keeper(event.Event{}).AddCoverage(ctx, fromAlerts, span)
}

// fill reads a span of alerts whole, so that what is missing of it is stored, and gives how many events were new.
func (r *Recorder) fill(ctx context.Context, span event.Span) (added int, err error) {
	before := r.new
	for _, err := range newWindows(r).alerts(ctx, span) {
		if err != nil {
			return r.new - before, err
		}
	}
	return r.new - before, nil
}
