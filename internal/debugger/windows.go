package debugger

import (
	"context"
	"iter"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// What Twilio keeps and gives of alerts (https://www.twilio.com/docs/usage/monitor-alert).
const (
	AlertsKept  = 30 * 24 * time.Hour // older ones are gone
	alertsGiven = 10_000              // of one span of time; the rest is cut off without a word
)

// AlertLister lists the alerts of an account.
type AlertLister interface {
	Alerts(ctx context.Context, filter verify.AlertFilter) iter.Seq2[verify.Alert, error]
}

// windows reads the alerts of a span of time however many there are: where Twilio cuts a list off, the rest is asked for
// in smaller spans.
type windows struct {
	lister AlertLister
	level  string       // of the alerts to read; "" is all
	given  int          // [alertsGiven], smaller in tests
	lost   []event.Span // of which not all alerts could be had, because one second has more than Twilio gives
	seen   map[string]bool
}

func newWindows(lister AlertLister) *windows {
	return &windows{lister: lister, given: alertsGiven, seen: map[string]bool{}}
}

// alerts gives every alert of a span once, the newest window first.
func (w *windows) alerts(ctx context.Context, span event.Span) iter.Seq2[verify.Alert, error] {
	return func(yield func(verify.Alert, error) bool) {
		for todo := []event.Span{span}; len(todo) > 0; {
			window := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			r := reading{windows: w, window: window}
			if !r.read(ctx, yield) {
				return
			}
			todo = append(todo, r.rest()...)
		}
	}
}

// reading is one list of alerts, and what its order and length tell of those it left out.
type reading struct {
	*windows
	window event.Span

	rows   int
	oldest time.Time
	sorted bool // every row was as old as the one before, or older
}

// read gives the rows of the window. False means that nobody wants more.
func (r *reading) read(ctx context.Context, yield func(verify.Alert, error) bool) bool {
	r.sorted = true
	filter := verify.AlertFilter{Start: r.window.From, End: r.window.Until, LogLevel: r.level}
	for a, err := range r.lister.Alerts(ctx, filter) {
		if err != nil {
			yield(a, err)
			return false
		}
		r.note(a.DateCreated)
		key := strings.ToUpper(string(a.SID))
		if r.seen[key] {
			continue
		}
		r.seen[key] = true
		if !yield(a, nil) {
			return false
		}
	}
	return true
}

func (r *reading) note(created time.Time) {
	r.rows++
	if r.rows == 1 {
		r.oldest = created
		return
	}
	if created.After(r.oldest) {
		r.sorted = false
		return
	}
	r.oldest = created
}

// rest gives the spans to read again because the list was cut off, the newest last. A list in order goes on where it
// ends; any other window is halved.
func (r *reading) rest() []event.Span {
	if r.rows < r.given {
		return nil
	}
	if r.sorted && r.window.From.Before(r.oldest) {
		if until := r.oldest.Truncate(time.Second).Add(time.Second); until.Before(r.window.Until) {
			return []event.Span{{From: r.window.From, Until: until}}
		}
	}
	length := r.window.Until.Sub(r.window.From)
	if length <= time.Second {
		r.lost = append(r.lost, r.window)
		return nil
	}
	middle := r.window.From.Add((length / 2).Truncate(time.Second))
	if !middle.After(r.window.From) {
		middle = r.window.From.Add(time.Second)
	}
	return []event.Span{{From: r.window.From, Until: middle}, {From: middle, Until: r.window.Until}}
}
