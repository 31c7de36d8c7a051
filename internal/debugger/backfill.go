package debugger

import (
	"context"
	"encoding/json"
	"iter"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// Keeper keeps events on this machine. PutEvent returns when the event is on disk, and tells whether it was new.
type Keeper interface {
	PutEvent(ctx context.Context, e event.Stored, decoded event.Event) (added bool, err error)
	PutEvents(ctx context.Context, events iter.Seq2[event.Stored, event.Event]) (added int, err error)
	AddCoverage(ctx context.Context, source string, span event.Span) error
}

// The sources of stored events.
const (
	FromAlerts        = "alerts"
	FromWebhook       = "webhook"
	FromStream        = "stream"
	FromVerifyWebhook = "verify_webhook"
	FromElsewhere     = "unknown" // signed by Twilio, and in a shape not known yet
)

// Backfill stores the alerts of a span that are push errors, and records that the span is covered but for its last
// minutes, where alerts may still arrive. It gives how many were new.
func Backfill(ctx context.Context, lister AlertLister, keeper Keeper, span event.Span, now time.Time) (added int, err error) {
	w := newWindows(lister)
	var failed error
	added, err = keeper.PutEvents(ctx, func(yield func(event.Stored, event.Event) bool) {
		for a, err := range w.alerts(ctx, span) {
			if err != nil {
				failed = err
				return
			}
			stored, e, err := StoreAlert(a, now)
			if err != nil {
				failed = err
				return
			}
			if !e.IsNoise() && !yield(stored, e) {
				return
			}
		}
	})
	if failed != nil {
		return added, failed
	}
	if err != nil {
		return added, err
	}
	return added, cover(ctx, keeper, span, now, w.lost)
}

// StoreAlert gives an alert as it is stored, and as it is decoded.
func StoreAlert(a verify.Alert, received time.Time) (event.Stored, event.Event, error) {
	body, err := json.Marshal(a)
	if err != nil {
		return event.Stored{}, event.Event{}, err
	}
	return event.Stored{Source: FromAlerts, Received: received, Body: body}, event.FromAlert(a), nil
}

// cover records what of a span was read whole.
func cover(ctx context.Context, keeper Keeper, span event.Span, now time.Time, lost []event.Span) error {
	if settled := now.Add(-LateArrivals); span.Until.After(settled) {
		span.Until = settled
	}
	for _, part := range subtract(span, lost) {
		if err := keeper.AddCoverage(ctx, FromAlerts, part); err != nil {
			return err
		}
	}
	return nil
}

// subtract gives what is left of a span without its holes.
func subtract(span event.Span, holes []event.Span) []event.Span {
	parts := []event.Span{span}
	for _, hole := range holes {
		var left []event.Span
		for _, p := range parts {
			before := event.Span{From: p.From, Until: earlier(p.Until, hole.From)}
			after := event.Span{From: later(p.From, hole.Until), Until: p.Until}
			for _, part := range []event.Span{before, after} {
				if part.From.Before(part.Until) {
					left = append(left, part)
				}
			}
		}
		parts = left
	}
	if len(parts) == 1 && !parts[0].From.Before(parts[0].Until) {
		return nil
	}
	return parts
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
