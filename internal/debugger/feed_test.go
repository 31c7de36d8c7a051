package debugger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

const service = "VA0123456789abcdef0123456789abcdef"

func sid(prefix string, n int) string { return fmt.Sprintf("%s%032x", prefix, n) }

// alertOf is an alert about factor n, or without correlation ids.
func alertOf(n int, at time.Time, withFactor bool) verify.Alert {
	text := "bindingType=fcm&description=FCM+failure='NotRegistered'"
	if withFactor {
		text += fmt.Sprintf("&correlationIds=%%5B%s%%2C+user-%06d%%2C+%s%%5D", service, n, sid("YF", n))
	}
	return verify.Alert{SID: verify.AlertSID(sid("NO", n)), LogLevel: "error", ErrorCode: "52103", AlertText: text, DateCreated: at, DateGenerated: at}
}

// account is Twilio's side: it cuts lists off without a word.
type account struct {
	alerts  []verify.Alert
	given   int
	mixed   bool // not in order
	lists   int
	fetched []verify.AlertSID
	single  map[verify.AlertSID]verify.Alert
	fail    error
}

func (a *account) Alerts(_ context.Context, filter verify.AlertFilter) iter.Seq2[verify.Alert, error] {
	a.lists++
	var rows []verify.Alert
	for _, alert := range a.alerts {
		if !alert.DateCreated.Before(filter.Start.Truncate(time.Second)) && !alert.DateCreated.After(filter.End.Add(time.Second-1).Truncate(time.Second)) {
			rows = append(rows, alert)
		}
	}
	slices.SortStableFunc(rows, func(x, y verify.Alert) int { return -x.DateCreated.Compare(y.DateCreated) })
	if a.mixed {
		slices.SortStableFunc(rows, func(x, y verify.Alert) int { return cmp.Compare(x.SID[30:], y.SID[30:]) })
	}
	if a.given > 0 && len(rows) > a.given {
		rows = rows[:a.given]
	}
	return func(yield func(verify.Alert, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
		if a.fail != nil {
			yield(verify.Alert{}, a.fail)
		}
	}
}

func (a *account) Alert(_ context.Context, sid verify.AlertSID) (verify.Alert, error) {
	a.fetched = append(a.fetched, sid)
	if alert, ok := a.single[sid]; ok {
		return alert, nil
	}
	return verify.Alert{}, &verify.Error{Kind: verify.KindNotFound}
}

// memory is a store that lives as long as a test.
type memory struct {
	events  map[string]event.Stored
	order   []string
	covered []event.Span
	fail    error
	taken   bool // another listener works
}

func (m *memory) Events(_ context.Context, f event.StoredFilter) iter.Seq2[event.Stored, error] {
	return func(yield func(event.Stored, error) bool) {
		for _, key := range m.order {
			if e := m.events[key]; !e.At.Before(f.Since) && e.At.Before(f.Until) && !yield(e, nil) {
				return
			}
		}
	}
}

func (m *memory) PutEvent(_ context.Context, e event.Stored, decoded event.Event) (bool, error) {
	if m.fail != nil {
		return false, m.fail
	}
	key := strings.ToUpper(decoded.EventSID)
	if key == "" {
		key = string(e.Body)
	}
	if _, have := m.events[key]; have {
		return false, nil
	}
	if m.events == nil {
		m.events = map[string]event.Stored{}
	}
	if e.At = decoded.Timestamp; e.At.IsZero() {
		e.At = e.Received
	}
	m.events[key] = e
	m.order = append(m.order, key)
	return true, nil
}

func (m *memory) AddCoverage(_ context.Context, _ string, span event.Span) error {
	m.covered = append(m.covered, span)
	return nil
}

func (m *memory) Gaps(_ context.Context, within event.Span, _ ...string) ([]event.Span, error) {
	gaps := []event.Span{within}
	for _, span := range m.covered {
		var left []event.Span
		for _, gap := range gaps {
			left = append(left, subtract(gap, []event.Span{span})...)
		}
		gaps = left
	}
	return gaps, nil
}

func factors(t *testing.T, events iter.Seq2[event.Event, error]) []string {
	t.Helper()
	var all []string
	for e, err := range events {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e.FactorSID)
	}
	return all
}

func fixed(now time.Time) func() time.Time { return func() time.Time { return now } }

// TestCutListsAreRead: Twilio cuts a list at 10,000 alerts and does not say so. Whatever the order, each is had once.
func TestCutListsAreRead(t *testing.T) {
	for _, tc := range []struct {
		name  string
		every time.Duration
		mixed bool
	}{
		{"in order", time.Second, false},
		{"several a second", 300 * time.Millisecond, false},
		{"not in order", time.Second, true},
		{"not in order, several a second", 300 * time.Millisecond, true},
	} {
		a := &account{given: 10, mixed: tc.mixed}
		for i := range 1000 {
			a.alerts = append(a.alerts, alertOf(i, noon.Add(-time.Duration(i)*tc.every), true))
		}
		feed := NewFeed(a, nil, fixed(noon))
		feed.given = 10
		got := factors(t, feed.Events(t.Context(), event.Span{From: noon.Add(-time.Hour), Until: noon.Add(time.Second)}))
		slices.Sort(got)
		if len(got) != 1000 || len(slices.Compact(got)) != 1000 {
			t.Errorf("%s: %d events of 1000", tc.name, len(got))
		}
		if gaps, err := feed.Gaps(t.Context(), event.Span{From: noon.Add(-time.Hour), Until: noon}); err != nil || len(gaps) != 0 {
			t.Errorf("%s: gaps %v, %v", tc.name, gaps, err)
		}
	}
}

// TestASecondOfTooManyAlertsIsAGap: where not even one second can be had whole, it is said.
func TestASecondOfTooManyAlertsIsAGap(t *testing.T) {
	a := &account{given: 10}
	for i := range 50 {
		a.alerts = append(a.alerts, alertOf(i, noon, true))
	}
	a.alerts = append(a.alerts, alertOf(99, noon.Add(-time.Minute), true))
	feed := NewFeed(a, nil, fixed(noon.Add(time.Minute)))
	feed.given = 10
	within := event.Span{From: noon.Add(-time.Hour), Until: noon.Add(time.Minute)}
	got := factors(t, feed.Events(t.Context(), within))
	if !slices.Contains(got, sid("YF", 99)) || len(got) < 11 {
		t.Errorf("%d events", len(got))
	}
	gaps, err := feed.Gaps(t.Context(), within)
	if err != nil || len(gaps) == 0 || gaps[0].From.After(noon) || gaps[len(gaps)-1].Until.Before(noon) {
		t.Errorf("gaps %v, %v", gaps, err)
	}
}

func TestFeedGivesEachEventOnceNewestFirst(t *testing.T) {
	a := &account{}
	m := &memory{}
	put := func(alert verify.Alert) {
		stored, e, err := storeAlert(alert, noon)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.PutEvent(t.Context(), stored, e); err != nil {
			t.Fatal(err)
		}
	}
	at := func(minutes int) time.Time { return noon.Add(-time.Duration(minutes) * time.Minute) }
	a.alerts = []verify.Alert{alertOf(1, at(1), true), alertOf(3, at(3), true), alertOf(4, at(4), false), alertOf(5, at(5), true), alertOf(7, at(7), false)}
	put(alertOf(2, at(2), true))  // Twilio does not have it
	put(alertOf(3, at(3), true))  // both have it
	put(alertOf(4, at(4), true))  // Twilio's names no factor
	put(alertOf(5, at(5), false)) // the stored one names no factor
	put(alertOf(6, at(60*24*40), true))
	noise := alertOf(8, at(8), false)
	noise.ErrorCode, noise.AlertText = "11200", "Msg=x"
	put(noise)

	feed := NewFeed(a, m, fixed(noon))
	got := factors(t, feed.Events(t.Context(), event.Span{From: noon.Add(-50 * 24 * time.Hour), Until: noon}))
	want := []string{sid("YF", 1), sid("YF", 2), sid("YF", 3), sid("YF", 4), sid("YF", 5), "", sid("YF", 6)}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	gaps, err := feed.Gaps(t.Context(), event.Span{From: noon.Add(-50 * 24 * time.Hour), Until: noon})
	if err != nil || len(gaps) != 1 || gaps[0].Until.After(noon.Add(-29*24*time.Hour)) {
		t.Errorf("gaps %v, %v", gaps, err)
	}
	if err := m.AddCoverage(t.Context(), fromAlerts, event.Span{From: noon.Add(-60 * 24 * time.Hour), Until: noon.Add(-20 * 24 * time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if gaps, err := feed.Gaps(t.Context(), event.Span{From: noon.Add(-50 * 24 * time.Hour), Until: noon}); err != nil || len(gaps) != 0 {
		t.Errorf("gaps of a covered time: %v, %v", gaps, err)
	}
}

func TestFeedWithoutTwilioHasGaps(t *testing.T) {
	feed := NewFeed(nil, &memory{}, fixed(noon))
	within := event.Span{From: noon.Add(-time.Hour), Until: noon}
	gaps, err := feed.Gaps(t.Context(), within)
	if diff := gocmp.Diff([]event.Span{within}, gaps); diff != "" || err != nil {
		t.Errorf("%v -want +got\n%s", err, diff)
	}
	if got := factors(t, feed.Events(t.Context(), within)); got != nil {
		t.Errorf("%v", got)
	}
}

// TestFeedEndsWhereReadingEnded: an error comes after everything that is newer.
func TestFeedEndsWhereReadingEnded(t *testing.T) {
	a := &account{alerts: []verify.Alert{alertOf(1, noon.Add(-time.Minute), true)}, fail: &verify.Error{Kind: verify.KindUnreachable, Message: "gone"}}
	m := &memory{}
	stored, e, _ := storeAlert(alertOf(2, noon.Add(-time.Hour), true), noon)
	m.PutEvent(t.Context(), stored, e)
	var got []string
	var last error
	for e, err := range NewFeed(a, m, fixed(noon)).Events(t.Context(), event.Span{From: noon.Add(-2 * time.Hour), Until: noon}) {
		if last = err; err == nil {
			got = append(got, e.FactorSID)
		}
	}
	if len(got) != 1 || got[0] != sid("YF", 1) || verify.KindOf(last) != verify.KindUnreachable {
		t.Errorf("%v, %v", got, last)
	}
}

// TestSingleAlertsAreReadWhereTheListSaysTooLittle, and only there.
func TestSingleAlertsAreReadWhereTheListSaysTooLittle(t *testing.T) {
	bare := alertOf(1, noon, false)
	whole := bare
	whole.RequestVariables = "correlationIds=%5B" + service + "%2C+user-000001%2C+" + sid("YF", 1) + "%5D"
	voice := alertOf(3, noon, false)
	voice.AlertText += "&primaryCorrelationId=" + sid("CA", 1)
	a := &account{alerts: []verify.Alert{bare, alertOf(2, noon, true), voice}, single: map[verify.AlertSID]verify.Alert{bare.SID: whole}}
	var got []event.Event
	for e, err := range NewFeed(a, nil, fixed(noon)).FetchMissing(a).Events(t.Context(), event.Span{From: noon.Add(-time.Hour), Until: noon}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e)
	}
	if diff := gocmp.Diff([]verify.AlertSID{bare.SID}, a.fetched); diff != "" {
		t.Errorf("fetched: -want +got\n%s", diff)
	}
	if len(got) != 3 || got[0].FactorSID != sid("YF", 1) || !got[0].Inferred || got[0].PruneEvidence != event.EvidenceNone {
		t.Errorf("%+v", got)
	}
}

// TestVainFetchesStop: single alerts that tell nothing more are not asked for by the thousand.
func TestVainFetchesStop(t *testing.T) {
	a := &account{}
	for i := range 500 {
		a.alerts = append(a.alerts, alertOf(i, noon.Add(-time.Duration(i)*time.Second), false))
	}
	n := 0
	for _, err := range NewFeed(a, nil, fixed(noon)).FetchMissing(oneAtATime{a}).Events(t.Context(), event.Span{From: noon.Add(-time.Hour), Until: noon}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 500 || len(a.fetched) > vainFetches+fetchesAtOnce {
		t.Errorf("%d events, %d fetches", n, len(a.fetched))
	}
}

// oneAtATime lets the test's account be read by several at once.
type oneAtATime struct{ *account }

var turn = make(chan struct{}, 1)

func (o oneAtATime) Alert(ctx context.Context, sid verify.AlertSID) (verify.Alert, error) {
	turn <- struct{}{}
	defer func() { <-turn }()
	return o.account.Alert(ctx, sid)
}

// ticking is a clock that moves when somebody sleeps, and ends after some sleeps.
type ticking struct {
	now    time.Time
	sleeps int
	onTick func(n int)
	n      int
}

func (c *ticking) Now() time.Time { return c.now }

func (c *ticking) Sleep(_ context.Context, d time.Duration) error {
	if c.n++; c.n > c.sleeps {
		return context.Canceled
	}
	c.now = c.now.Add(d)
	if c.onTick != nil {
		c.onTick(c.n)
	}
	return nil
}

// TestFollowGivesLateEventsOnce: an alert that is recorded minutes after it happened is seen, none is given twice, and a
// look that fails is made again.
func TestFollowGivesLateEventsOnce(t *testing.T) {
	a := &account{alerts: []verify.Alert{alertOf(1, noon.Add(-2*time.Minute), true), alertOf(2, noon.Add(-time.Minute), true)}}
	clock := &ticking{now: noon, sleeps: 5}
	clock.onTick = func(n int) {
		switch n {
		case 1:
			a.alerts = append(a.alerts, alertOf(3, noon.Add(-3*time.Minute), true)) // late
		case 2:
			a.fail = &verify.Error{Kind: verify.KindUnreachable}
			a.alerts = append(a.alerts, alertOf(4, clock.now.Add(-time.Second), true))
		case 3:
			a.fail = nil
		}
	}
	retries := 0
	var got []string
	var last error
	follow := NewFeed(a, nil, func() time.Time { return clock.now }).Follow(t.Context(), noon.Add(-time.Hour), 30*time.Second, clock, func(error) { retries++ })
	for e, err := range follow {
		if last = err; err == nil {
			got = append(got, e.FactorSID)
		}
	}
	want := []string{sid("YF", 1), sid("YF", 2), sid("YF", 3), sid("YF", 4)}
	if diff := gocmp.Diff(want, got); diff != "" || retries != 1 || !errors.Is(last, context.Canceled) {
		t.Errorf("%d retries, %v; -want +got\n%s", retries, last, diff)
	}
}

func recorder(a *account, m *memory, now func() time.Time) *Recorder {
	return &Recorder{Lister: a, Keeper: func(event.Event) Keeper { return m }, Now: now}
}

func TestRecorderCoversWhatItRead(t *testing.T) {
	a := &account{alerts: []verify.Alert{alertOf(1, noon.Add(-time.Hour), true), alertOf(2, noon.Add(-time.Minute), true)}}
	m := &memory{}
	span := event.Span{From: noon.Add(-2 * time.Hour), Until: noon}
	r := recorder(a, m, fixed(noon))
	var told []string
	r.Added = func(e event.Event) { told = append(told, e.FactorSID) }
	if added, err := r.fill(t.Context(), span); err != nil || added != 2 || len(told) != 2 {
		t.Fatalf("%d, %v, %v", added, told, err)
	}
	if diff := gocmp.Diff([]event.Span{{From: span.From, Until: noon.Add(-lateArrivals)}}, m.covered); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if added, err := r.fill(t.Context(), span); err != nil || added != 0 || len(told) != 2 {
		t.Errorf("again: %d, %v, %v", added, told, err)
	}
	a.fail = &verify.Error{Kind: verify.KindUnreachable}
	m.covered = nil
	if _, err := r.fill(t.Context(), span); err == nil || m.covered != nil {
		t.Errorf("a failed reading covers %v, %v", m.covered, err)
	}
	a.fail = nil
	m.fail = errors.New("disk full")
	m.events = nil
	if _, err := r.fill(t.Context(), span); err == nil || m.covered != nil {
		t.Errorf("what is not stored covers %v, %v", m.covered, err)
	}
}

// Alone lets everybody work.
func (m *memory) Alone(ctx context.Context, _ string, work func(context.Context) error) (bool, error) {
	if m.taken {
		return false, nil
	}
	return true, work(ctx)
}

// TestOneListenerFillsAtATime: the others leave it to the one that is at it.
func TestOneListenerFillsAtATime(t *testing.T) {
	a := &account{alerts: []verify.Alert{alertOf(1, noon.Add(-48*time.Hour), true)}}
	m := &memory{taken: true}
	clock := &ticking{now: noon, sleeps: 2}
	clock.onTick = func(int) { m.taken = false }
	filled := 0
	Backfill(t.Context(), recorder(a, m, func() time.Time { return clock.now }), m, time.Hour, clock, func(int) { filled++ }, func(err error) { t.Error(err) })
	if filled != 2 || len(m.events) != 1 {
		t.Errorf("filled %d times, %d events", filled, len(m.events))
	}
}

// TestBackfillGoesOn: what could not be filled is filled at the next turn, and later turns ask only for what is new.
func TestBackfillGoesOn(t *testing.T) {
	a := &account{alerts: []verify.Alert{alertOf(1, noon.Add(-48*time.Hour), true)}, fail: &verify.Error{Kind: verify.KindUnreachable}}
	m := &memory{}
	clock := &ticking{now: noon, sleeps: 3}
	clock.onTick = func(n int) {
		a.fail = nil
		if n == 2 {
			a.alerts = append(a.alerts, alertOf(2, clock.now.Add(-time.Minute), true))
		}
	}
	var filled []int
	failures := 0
	Backfill(t.Context(), recorder(a, m, func() time.Time { return clock.now }), m, time.Hour, clock,
		func(added int) { filled = append(filled, added) }, func(error) { failures++ })
	if diff := gocmp.Diff([]int{0, 1, 0}, filled); failures != 1 || diff != "" {
		t.Errorf("%d failures -want +got\n%s", failures, diff)
	}
	if len(m.events) != 2 {
		t.Errorf("%d events are stored", len(m.events))
	}
}

// factorTable is a Service with some factors.
type factorTable map[string]bool

func (f factorTable) Factor(_ context.Context, s verify.ServiceSID, id verify.Identity, sid verify.FactorSID) (verify.Factor, error) {
	if f[string(id)+" "+string(sid)] {
		return verify.Factor{SID: sid}, nil
	}
	return verify.Factor{}, &verify.Error{Kind: verify.KindNotFound}
}

func (f factorTable) Factors(_ context.Context, _ verify.ServiceSID, id verify.Identity) iter.Seq2[verify.Factor, error] {
	return func(yield func(verify.Factor, error) bool) {
		for key := range f {
			if owner, sid, _ := strings.Cut(key, " "); owner == string(id) && !yield(verify.Factor{SID: verify.FactorSID(sid)}, nil) {
				return
			}
		}
	}
}

func TestSettle(t *testing.T) {
	one, two := sid("YF", 1), sid("YF", 2)
	masked := one[:8] + "xxxxxxxxxxxxxxxxxx" + one[26:]
	for _, tc := range []struct {
		name, ids, factor string
		exist             factorTable
		ambiguous         bool
	}{
		{"one of two exists", "[" + service + ", " + one + ", " + two + "]", two, factorTable{one + " " + two: true}, false},
		{"both exist", "[" + service + ", " + one + ", " + two + "]", "", factorTable{one + " " + two: true, two + " " + one: true}, true},
		{"none exists", "[" + service + ", " + one + ", " + two + "]", "", factorTable{}, true},
		{"masked, one fits", "[" + service + ", user-000001, " + masked + "]", one, factorTable{"user-000001 " + one: true, "user-000001 " + sid("YF", 0xabc): true}, false},
		{"masked, two fit", "[" + service + ", user-000001, " + masked + "]", masked, factorTable{"user-000001 " + one: true, "user-000001 " + one[:20] + "f" + one[21:]: true}, false},
	} {
		e := event.Parse([]byte(`{"error_code":"52103","more_info":{"bindingType":"fcm","correlationIds":"` + tc.ids + `"}}`))[0]
		if err := Settle(t.Context(), tc.exist, &e); err != nil {
			t.Fatal(err)
		}
		if e.FactorSID != tc.factor || e.Ambiguous != tc.ambiguous || e.PruneEvidence != event.EvidenceNone {
			t.Errorf("%s: factor %q ambiguous %v evidence %s: %q", tc.name, e.FactorSID, e.Ambiguous, e.PruneEvidence, e.Reasons)
		}
	}
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
