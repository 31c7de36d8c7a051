package debugger

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// eventStore is what this machine remembers of debugger events.
type eventStore interface {
	Events(ctx context.Context, filter event.StoredFilter) iter.Seq2[event.Stored, error]
	Gaps(ctx context.Context, within event.Span, sources ...string) ([]event.Span, error)
}

// Feed gives the debugger events of an account from everywhere they can be had: those stored on this machine and the
// alerts that Twilio still has, each once. Make it with [NewFeed]. It is for one caller at a time.
type Feed struct {
	alerts      AlertLister // nil: stored events only
	single      alertReader // nil: alerts are taken as the list gives them
	store       eventStore  // nil: nothing is stored
	attribution *event.Attribution
	now         func() time.Time
	given       int
	lost        []event.Span
}

// NewFeed makes a feed. The store may be nil, and so may the alerts.
func NewFeed(alerts AlertLister, store eventStore, now func() time.Time) *Feed {
	return &Feed{alerts: alerts, store: store, now: now, given: alertsGiven}
}

// Attribute makes the feed tell the environment of each event.
func (f *Feed) Attribute(a *event.Attribution) *Feed {
	f.attribution = a
	return f
}

// Events gives the events of a span of time, newest first and each once. Where the store and Twilio have the same event,
// the one that names a factor is given. Noise ([event.Event.IsNoise]) is given as far as Twilio still has it. An error
// comes last; what came before it is everything that is newer than where the reading ended.
func (f *Feed) Events(ctx context.Context, within event.Span) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		stored, err := f.stored(ctx, within)
		if err != nil {
			yield(event.Event{}, err)
			return
		}
		m := merge{stored: stored, yield: yield}
		for e, err := range f.listed(ctx, within) {
			if err != nil {
				yield(event.Event{}, err)
				return
			}
			if !m.listed(e) {
				return
			}
		}
		m.rest()
	}
}

// stored gives the stored events of a span, decoded anew, oldest first.
func (f *Feed) stored(ctx context.Context, within event.Span) (*recorded, error) {
	r := &recorded{byKey: map[string]int{}}
	if f.store == nil {
		return r, nil
	}
	for stored, err := range f.store.Events(ctx, event.StoredFilter{Since: within.From, Until: within.Until}) {
		if err != nil {
			return nil, err
		}
		for _, e := range event.Parse(stored.Body) {
			f.attribute(&e)
			if !e.IsNoise() {
				if e.Timestamp.IsZero() {
					e.Timestamp = stored.At.UTC()
				}
				r.events = append(r.events, e)
			}
		}
	}
	slices.SortStableFunc(r.events, func(a, b event.Event) int { return a.Timestamp.Compare(b.Timestamp) })
	for i, e := range r.events {
		if e.EventSID != "" {
			r.byKey[keyOf(e)] = i
		}
	}
	return r, nil
}

func (f *Feed) attribute(e *event.Event) {
	if f.attribution != nil {
		f.attribution.Apply(e)
	}
}

func keyOf(e event.Event) string { return strings.ToUpper(e.EventSID) }

// recorded are stored events, of which those that were given are taken out from the end.
type recorded struct {
	events []event.Event
	byKey  map[string]int
}

// listed gives what Twilio still has of a span.
func (f *Feed) listed(ctx context.Context, within event.Span) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		span, ok := f.kept(within)
		if f.alerts == nil || !ok {
			return
		}
		w := newWindows(f.alerts)
		w.given = f.given
		defer func() { f.lost = append(f.lost, w.lost...) }()
		for e, err := range f.complete(ctx, w.alerts(ctx, span)) {
			if !yield(e, err) {
				return
			}
		}
	}
}

// kept is the part of a span that Twilio still has.
func (f *Feed) kept(within event.Span) (event.Span, bool) {
	// A clock that is a little behind Twilio's must not ask for too much.
	if oldest := f.now().Add(-AlertsKept + time.Hour); within.From.Before(oldest) {
		within.From = oldest
	}
	return within, within.From.Before(within.Until)
}

// Gaps gives the parts of a span of which events may be missing, oldest first: what Twilio has no more, or could not give,
// and this machine did not store. Twilio never promises that an event arrives, so a span without gaps proves nothing of
// silence.
func (f *Feed) Gaps(ctx context.Context, within event.Span) ([]event.Span, error) {
	missing := f.overlapping(within)
	span, ok := f.kept(within)
	switch {
	case f.alerts == nil || !ok:
		missing = []event.Span{within}
	case within.From.Before(span.From):
		missing = append(missing, event.Span{From: within.From, Until: span.From})
	}
	slices.SortFunc(missing, func(a, b event.Span) int { return a.From.Compare(b.From) })
	if f.store == nil {
		return missing, nil
	}
	var gaps []event.Span
	for _, span := range missing {
		some, err := f.store.Gaps(ctx, span)
		if err != nil {
			return nil, err
		}
		gaps = append(gaps, some...)
	}
	return gaps, nil
}

// overlapping gives the seconds within a span that had more alerts than Twilio gives, as far as they were read.
func (f *Feed) overlapping(within event.Span) []event.Span {
	var lost []event.Span
	for _, span := range f.lost {
		if span.From.Before(within.Until) && within.From.Before(span.Until) {
			lost = append(lost, span)
		}
	}
	return slices.CompactFunc(slices.SortedFunc(slices.Values(lost), func(a, b event.Span) int {
		return cmp.Or(a.From.Compare(b.From), a.Until.Compare(b.Until))
	}), func(a, b event.Span) bool { return a.From.Equal(b.From) && a.Until.Equal(b.Until) })
}

// merge gives stored events and alerts in one order.
type merge struct {
	stored *recorded
	given  map[string]bool
	yield  func(event.Event, error) bool
}

// listed takes the next alert, and gives the stored events that are newer before it.
func (m *merge) listed(e event.Event) bool {
	for n := len(m.stored.events); n > 0 && m.stored.events[n-1].Timestamp.After(e.Timestamp); n-- {
		if !m.last() {
			return false
		}
	}
	if e.EventSID == "" {
		return m.yield(e, nil)
	}
	key := keyOf(e)
	if m.given[key] {
		return true
	}
	if i, ok := m.stored.byKey[key]; ok && (m.stored.events[i].FactorSID != "" || e.FactorSID == "") {
		return true // the stored one comes, and says as much
	}
	return m.give(e)
}

// last gives the newest stored event that is left.
func (m *merge) last() bool {
	n := len(m.stored.events) - 1
	e := m.stored.events[n]
	m.stored.events = m.stored.events[:n]
	if e.EventSID == "" {
		return m.yield(e, nil)
	}
	if m.given[keyOf(e)] {
		return true
	}
	return m.give(e)
}

func (m *merge) give(e event.Event) bool {
	if m.given == nil {
		m.given = map[string]bool{}
	}
	m.given[keyOf(e)] = true
	return m.yield(e, nil)
}

func (m *merge) rest() {
	for len(m.stored.events) > 0 && m.last() {
	}
}

// alertReader reads one alert, which tells more than the list does (FetchAlert).
type alertReader interface {
	Alert(ctx context.Context, sid verify.AlertSID) (verify.Alert, error)
}
