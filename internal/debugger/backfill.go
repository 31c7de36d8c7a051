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

// GapFinder tells of which spans not all events are stored.
type GapFinder interface {
	Gaps(ctx context.Context, within event.Span, sources ...string) ([]event.Span, error)
}

// The sources of stored events.
const (
	FromAlerts        = "alerts"
	FromWebhook       = "webhook"
	FromStream        = "stream"
	FromVerifyWebhook = "verify_webhook"
	FromElsewhere     = "unknown" // signed by Twilio, and in a shape not known yet
)

// StoreAlert gives an alert as it is stored, and as it is decoded.
func StoreAlert(a verify.Alert, received time.Time) (event.Stored, event.Event, error) {
	body, err := json.Marshal(a)
	if err != nil {
		return event.Stored{}, event.Event{}, err
	}
	return event.Stored{Source: FromAlerts, Received: received, Body: body}, event.FromAlert(a), nil
}

// Backfill fills what is missing of the last 30 days at once, and then every so often again, because deliveries can be
// lost: until ctx ends. A time that cannot be filled is reported to failed and tried again at the next turn.
func Backfill(ctx context.Context, r *Recorder, gaps GapFinder, every time.Duration, clock Clock, filled func(added int), failed func(error)) {
	for {
		now := clock.Now()
		missing, err := gaps.Gaps(ctx, event.Span{From: now.Add(-AlertsKept + time.Hour), Until: now}, FromAlerts)
		added := 0
		for _, span := range missing {
			if err != nil {
				break
			}
			var n int
			n, err = r.Fill(ctx, span)
			added += n
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			failed(err)
		} else {
			filled(added)
		}
		if clock.Sleep(ctx, every) != nil {
			return
		}
	}
}
