package cli

import (
	"context"
	"iter"
	"slices"

	"github.com/verifyctl/verifyctl/internal/challenge"
	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/store"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// challengeFeed gives why the debugger events that this machine has stored and those that Twilio still has as alerts, newest
// first and each once.
type challengeFeed struct {
	stored *store.Store
	alerts challenge.AlertReader
}

// Events reads the stored events of the span and lays them between the alerts as those come.
func (f challengeFeed) Events(ctx context.Context, span event.Span) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		waiting, err := f.storedEvents(ctx, span)
		if err != nil {
			yield(event.Event{}, err)
			return
		}
		told := map[string]bool{}
		give := func(e event.Event) bool {
			if e.EventSID != "" && told[e.EventSID] {
				return true
			}
			told[e.EventSID] = true
			return yield(e, nil)
		}
		for alert, err := range f.alerts.Alerts(ctx, verify.AlertFilter{Start: span.From, End: span.Until}) {
			if err != nil {
				yield(event.Event{}, err)
				return
			}
			e := event.FromAlert(alert)
			for len(waiting) > 0 && waiting[0].Timestamp.After(e.Timestamp) {
				if !give(waiting[0]) {
					return
				}
				waiting = waiting[1:]
			}
			if !give(e) {
				return
			}
		}
		for _, e := range waiting {
			if !give(e) {
				return
			}
		}
	}
}

// storedEvents gives the stored events of a span, newest first.
func (f challengeFeed) storedEvents(ctx context.Context, span event.Span) ([]event.Event, error) {
	var all []event.Event
	for stored, err := range f.stored.Events(ctx, event.StoredFilter{Since: span.From, Until: span.Until}) {
		if err != nil {
			return nil, err
		}
		all = append(all, event.Parse(stored.Body)...)
	}
	slices.SortStableFunc(all, func(a, b event.Event) int { return b.Timestamp.Compare(a.Timestamp) })
	return all, nil
}
