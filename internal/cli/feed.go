package cli

import (
	"context"
	"iter"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/store"
	"github.com/verifyctl/verifyctl/internal/twilio"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// What Twilio still has of an account's alerts (https://www.twilio.com/docs/usage/monitor-alert).
const (
	alertsKept  = 30 * 24 * time.Hour
	alertsGiven = 10_000
)

// eventFeed gives the debugger events that this machine has stored, and those that Twilio still has, each once.
type eventFeed struct {
	client *twilio.Client
	store  *store.Store
	now    func() time.Time
}

func (f eventFeed) Events(ctx context.Context, within event.Span) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		seen := map[string]bool{}
		give := func(e event.Event, err error) bool {
			key := strings.ToUpper(e.EventSID)
			if err == nil && key != "" && seen[key] {
				return true
			}
			seen[key] = true
			return yield(e, err)
		}
		for stored, err := range f.store.Events(ctx, event.StoredFilter{Since: within.From, Until: within.Until}) {
			if err != nil {
				yield(event.Event{}, err)
				return
			}
			for _, e := range event.Parse(stored.Body) {
				if !give(e, nil) {
					return
				}
			}
		}
		for alert, err := range f.client.Alerts(ctx, f.alerts(within)) {
			if err != nil {
				yield(event.Event{}, err)
				return
			}
			if !give(event.FromAlert(alert), nil) {
				return
			}
		}
	}
}

// alerts is the part of a span that Twilio still has.
func (f eventFeed) alerts(within event.Span) verify.AlertFilter {
	start := within.From
	if oldest := f.now().Add(-alertsKept); start.Before(oldest) {
		start = oldest
	}
	return verify.AlertFilter{Start: start, End: within.Until}
}

// clockSlack is how much of what Twilio may have dropped already is taken as there: clocks differ, and time passes.
const clockSlack = time.Hour

// Gaps gives the times of which neither this machine nor Twilio has all events.
func (f eventFeed) Gaps(ctx context.Context, within event.Span) ([]event.Span, error) {
	filter := f.alerts(within)
	from, n := filter.Start, 0
	var oldest time.Time
	for alert, err := range f.client.Alerts(ctx, filter) {
		if err != nil {
			return nil, err
		}
		if n++; oldest.IsZero() || alert.DateCreated.Before(oldest) {
			oldest = alert.DateCreated
		}
	}
	if n >= alertsGiven {
		from = oldest // Twilio gives no more at once
	}
	if from.Sub(within.From) < clockSlack {
		return nil, nil
	}
	return f.store.Gaps(ctx, event.Span{From: within.From, Until: from})
}
