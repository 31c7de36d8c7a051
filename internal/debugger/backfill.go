package debugger

import (
	"context"
	"encoding/json"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// Keeper keeps events on this machine. PutEvent returns when the event is on disk, and tells whether it was new.
type Keeper interface {
	PutEvent(ctx context.Context, e event.Stored, decoded event.Event) (added bool, err error)
	AddCoverage(ctx context.Context, source string, span event.Span) error
}

// backfilled is the memory whose gaps are filled.
type backfilled interface {
	// Gaps tells of which spans not all events are stored.
	Gaps(ctx context.Context, within event.Span, sources ...string) ([]event.Span, error)
	// Alone does what one listener at a time does, and tells whether it was this one.
	Alone(ctx context.Context, name string, work func(context.Context) error) (bool, error)
}

// The sources of stored events.
const (
	fromAlerts        = "alerts"
	fromWebhook       = "webhook"
	fromStream        = "stream"
	fromVerifyWebhook = "verify_webhook"
	fromElsewhere     = "unknown" // signed by Twilio, and in a shape not known yet
)

// storeAlert gives an alert as it is stored, and as it is decoded.
func storeAlert(a verify.Alert, received time.Time) (event.Stored, event.Event, error) {
	body, err := json.Marshal(a)
	if err != nil {
		return event.Stored{}, event.Event{}, err
	}
	return event.Stored{Source: fromAlerts, Received: received, Body: body}, event.FromAlert(a), nil
}

// Backfill fills what is missing of the last 30 days at once, and then every so often again, because deliveries can be
// lost: until ctx ends. Of several listeners on one memory one does it at a time, and the others leave that turn to it. A time
// that cannot be filled is reported to failed and tried again at the next turn.
func Backfill(ctx context.Context, r *Recorder, memory backfilled, every time.Duration, clock clock, filled func(added int), failed func(error)) {
	for {
		added := 0
		alone, err := memory.Alone(ctx, "backfill", func(ctx context.Context) (err error) {
			added, err = r.fillGaps(ctx, memory, clock.Now())
			return err
		})
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			failed(err)
		case alone:
			filled(added)
		}
		if clock.Sleep(ctx, every) != nil {
			return
		}
	}
}

// fillGaps fills what is missing of the last 30 days, and gives how many events were new.
func (r *Recorder) fillGaps(ctx context.Context, memory backfilled, now time.Time) (added int, err error) {
	missing, err := memory.Gaps(ctx, event.Span{From: now.Add(-AlertsKept + time.Hour), Until: now}, fromAlerts)
	for _, span := range missing {
		if err != nil {
			break
		}
		var n int
		n, err = r.fill(ctx, span)
		added += n
	}
	return added, err
}
