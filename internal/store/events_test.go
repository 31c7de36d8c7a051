package store

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

func eventSID(n int) string { return fmt.Sprintf("NO%032x", n) }

func delivery(n int) (event.Stored, event.Event) {
	code := 52103
	return event.Stored{Source: "webhook", Received: noon.Add(time.Hour), Body: fmt.Appendf(nil, `{"event":%d,"identity":"%s"}`, n, identityOf(n))},
		event.Event{EventSID: eventSID(n), Timestamp: noon.Add(time.Duration(n) * time.Second), ErrorCode: &code, ServiceSID: string(service),
			Identity: string(identityOf(n)), FactorSID: string(factorSID(n)), ChallengeSID: string(challengeSID(n))}
}

// event0 is an event that was not understood, with only its body to tell what it is about.
func event0(body string) event.Stored {
	return event.Stored{Source: "webhook", Received: noon.Add(time.Hour), Body: []byte(body)}
}

var eventNothing event.Event

func putEventOf(t testing.TB, s *Store, n int) bool {
	t.Helper()
	stored, decoded := delivery(n)
	return must[bool](t)(s.PutEvent(t.Context(), stored, decoded))
}

func storedKeys(t testing.TB, s *Store, filter event.StoredFilter) (keys []string) {
	t.Helper()
	for e, err := range s.Events(t.Context(), filter) {
		check(t, err)
		keys = append(keys, e.Key)
	}
	return keys
}

func anEventIsStoredOnce(t *testing.T, w *world) {
	s := w.open(t)
	stored, decoded := delivery(1)
	if !must[bool](t)(s.PutEvent(t.Context(), stored, decoded)) {
		t.Error("the first delivery is not new")
	}
	decoded.EventSID = "NO" + strings.ToUpper(decoded.EventSID[2:])
	if must[bool](t)(s.PutEvent(t.Context(), stored, decoded)) {
		t.Error("the second delivery is new")
	}
	want := stored
	want.Key, want.At = strings.ToUpper(eventSID(1)), decoded.Timestamp
	var got []event.Stored
	for e, err := range s.Events(t.Context(), event.StoredFilter{}) {
		check(t, err)
		got = append(got, e)
	}
	if diff := cmp.Diff([]event.Stored{want}, got); diff != "" {
		t.Error(diff)
	}
}

func anEventWithoutASIDIsKnownByItsBody(t *testing.T, w *world) {
	s := w.open(t)
	put := func(body, sid string) bool {
		return must[bool](t)(s.PutEvent(t.Context(), event.Stored{Body: []byte(body), Received: noon}, event.Event{EventSID: sid}))
	}
	for _, c := range []struct {
		body, sid string
		want      bool
	}{{"one", "", true}, {"one", "", false}, {"two", "", true}, {"three", "NO03xxxx", true}, {"four", "NO03xxxx", true}, {"", "", true}} {
		if got := put(c.body, c.sid); got != c.want {
			t.Errorf("%+v: new is %v", c, got)
		}
	}
}

func theShapeThatNamesAFactorIsKept(t *testing.T, w *world) {
	for _, order := range [][]string{{"alert", "webhook"}, {"webhook", "alert"}} {
		s := w.fresh(t).open(t)
		for _, source := range append(order, "a later one that names another factor") {
			stored, decoded := delivery(1)
			if len(source) > 7 {
				decoded.FactorSID = string(factorSID(2))
			}
			stored.Source, stored.Body = source, []byte(source)
			if source == "alert" {
				decoded.FactorSID, decoded.Identity, decoded.ChallengeSID = "", "", ""
			}
			must[bool](t)(s.PutEvent(t.Context(), stored, decoded))
		}
		for e, err := range s.Events(t.Context(), event.StoredFilter{FactorSID: string(factorSID(1))}) {
			check(t, err)
			if e.Source != "webhook" || string(e.Body) != "webhook" {
				t.Errorf("of %v the %s is kept", order, e.Source)
			}
		}
		if keys := storedKeys(t, s, event.StoredFilter{FactorSID: string(factorSID(1))}); len(keys) != 1 {
			t.Errorf("of %v %d are kept", order, len(keys))
		}
	}
}

func concurrentDeliveriesAreAllStored(t *testing.T, w *world) {
	a, b := w.open(t), w.another(t).open(t)
	var senders sync.WaitGroup
	var mu sync.Mutex
	added := 0
	for worker := range 32 {
		s := a
		if worker%2 == 0 {
			s = b
		}
		senders.Go(func() {
			for n := range 50 {
				stored, decoded := delivery(n * (1 + worker%4)) // many of them twice
				isNew, err := s.PutEvent(t.Context(), stored, decoded)
				if err != nil {
					t.Error(err)
				}
				if isNew {
					mu.Lock()
					added++
					mu.Unlock()
				}
			}
		})
	}
	senders.Wait()
	distinct := map[int]bool{}
	for n := range 50 {
		for factor := 1; factor <= 4; factor++ {
			distinct[n*factor] = true
		}
	}
	count, first, last, err := a.EventSpan(t.Context())
	check(t, err)
	if count != len(distinct) || added != count || !first.Equal(noon) || !last.Equal(noon.Add(196*time.Second)) {
		t.Errorf("%d stored from %v to %v, %d said to be new, want %d", count, first, last, added, len(distinct))
	}
}

func aFailedCommitIsNoSuccess(t *testing.T, w *world) {
	s := w.open(t)
	s.engine.close()
	stored, decoded := delivery(1)
	if _, err := s.PutEvent(t.Context(), stored, decoded); err == nil {
		t.Error("an event that was not stored is reported as stored")
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.open(t).PutEvent(cancelled, stored, decoded); err != nil && cancelled.Err() == nil {
		t.Error(err)
	}
}

// storeEventsForEver stores events and says of each when it may be answered with success, until it is killed.
func storeEventsForEver(dir string) error {
	ctx := context.Background()
	s, err := openAsChild(ctx, dir)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	next := int(time.Now().UnixNano() % 1e9)
	for range 8 {
		go func() {
			for {
				mu.Lock()
				next++
				n := next
				mu.Unlock()
				stored, decoded := delivery(n)
				if _, err := s.PutEvent(ctx, stored, decoded); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				mu.Lock()
				fmt.Println(eventSID(n))
				mu.Unlock()
			}
		}()
	}
	select {}
}

func killLosesNoAcknowledgedEvent(t *testing.T, w *world) {
	acknowledged := map[string]bool{}
	for round := range 6 {
		cmd := w.child(t, "store")
		out := must[io.ReadCloser](t)(cmd.StdoutPipe())
		check(t, cmd.Start())
		// Killed after it has acknowledged some: where in its work that hits is chance.
		enough := 20 + rand.IntN(60)
		var said []byte
		buffer := make([]byte, 4096)
		for bytes.Count(said, []byte("\n")) < enough {
			n, err := out.Read(buffer)
			said = append(said, buffer[:n]...)
			if err != nil {
				t.Fatalf("round %d: the child ended by itself: %v", round, err)
			}
		}
		check(t, cmd.Process.Kill())
		rest, _ := io.ReadAll(out)
		cmd.Wait()
		lines := strings.SplitAfter(string(append(said, rest...)), "\n")
		for _, line := range lines {
			if sid, whole := strings.CutSuffix(line, "\n"); whole {
				acknowledged[strings.ToUpper(sid)] = true
			}
		}
		s := w.open(t)
		have := map[string]bool{}
		for _, key := range storedKeys(t, s, event.StoredFilter{}) {
			have[key] = true
		}
		for sid := range acknowledged {
			if !have[sid] {
				t.Fatalf("round %d: %s was acknowledged and is lost", round, sid)
			}
		}
		check(t, s.Close())
	}
}

func storedEventsAreFound(t *testing.T, w *world) {
	s := w.open(t)
	var all []putEvent
	for n := 2*eventPage + 10; n > 0; n-- { // newest first, and more than two pages
		stored, decoded := delivery(n)
		decoded.Timestamp = noon.Add(time.Duration(n/7) * time.Second) // many at the same time
		if n%5 == 0 {
			code := 52141
			decoded.ErrorCode, stored.Received = &code, noon.Add(2*time.Hour)
		}
		all = append(all, putEvent{stored, decoded})
	}
	for _, isNew := range []bool{true, false} {
		for i, added := range must[[]bool](t)(s.commitEvents(t.Context(), all)) {
			if added != isNew {
				t.Fatalf("event %d: added is %v, want %v", i, added, isNew)
			}
		}
	}
	previous := time.Time{}
	for e, err := range s.Events(t.Context(), event.StoredFilter{}) {
		check(t, err)
		if e.At.Before(previous) {
			t.Fatalf("%v comes after %v", e.At, previous)
		}
		previous = e.At
	}
	for name, c := range map[string]struct {
		filter event.StoredFilter
		want   int
	}{
		"all":        {event.StoredFilter{}, 1010},
		"since":      {event.StoredFilter{Since: noon.Add(144 * time.Second)}, 3},
		"until":      {event.StoredFilter{Until: noon.Add(time.Second)}, 6},
		"received":   {event.StoredFilter{ReceivedSince: noon.Add(2 * time.Hour)}, 202},
		"code":       {event.StoredFilter{Code: 52141}, 202},
		"factor":     {event.StoredFilter{FactorSID: string(factorSID(30))}, 1},
		"upper case": {event.StoredFilter{ChallengeSID: "YC" + strings.ToUpper(string(challengeSID(30))[2:])}, 1},
		"identity":   {event.StoredFilter{Identity: string(identityOf(30)), Code: 52103}, 0},
		"Service":    {event.StoredFilter{ServiceSID: string(other)}, 0},
	} {
		if got := storedKeys(t, s, c.filter); len(got) != c.want {
			t.Errorf("%s: %d events, want %d", name, len(got), c.want)
		}
	}
	for range s.Events(t.Context(), event.StoredFilter{}) {
		putEventOf(t, s, 5000) // a walk keeps no writer waiting
		break
	}
	if got := must[[]verify.Identity](t)(s.ChangedIdentities(t.Context(), noon.Add(2*time.Hour))); len(got) != 202 {
		t.Errorf("%d identities are named by the events received since", len(got))
	}
}

// coverageIsTheUnionOfItsSpans compares with a line of a hundred minutes that are marked one by one.
func coverageIsTheUnionOfItsSpans(t *testing.T, w *world) {
	s := w.open(t)
	at := func(minute int) time.Time { return noon.Add(time.Duration(minute) * time.Minute) }
	minutes := func(spans []event.Span) (marked [100]bool) {
		for _, span := range spans {
			for m := range marked {
				if !at(m).Before(span.From) && at(m).Before(span.Until) {
					marked[m] = true
				}
			}
		}
		return marked
	}
	rapid.Check(t, func(t *rapid.T) {
		check := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		check(s.exec(t.Context(), "", `DELETE FROM coverage`))
		var want, ofAlerts [100]bool
		for range rapid.IntRange(0, 8).Draw(t, "spans") {
			from := rapid.IntRange(0, 99).Draw(t, "from")
			until := rapid.IntRange(0, 99).Draw(t, "until")
			source := rapid.SampledFrom([]string{"alerts", "webhook"}).Draw(t, "source")
			check(s.AddCoverage(t.Context(), source, event.Span{From: at(from), Until: at(until)}))
			for m := from; m < until; m++ {
				want[m] = true
				ofAlerts[m] = ofAlerts[m] || source == "alerts"
			}
		}
		within := event.Span{From: at(rapid.IntRange(0, 50).Draw(t, "within from")), Until: at(rapid.IntRange(50, 99).Draw(t, "within until"))}
		covered, err := s.Coverage(t.Context(), within)
		check(err)
		gaps, err := s.Gaps(t.Context(), within)
		check(err)
		alerts, err := s.Coverage(t.Context(), within, "alerts")
		check(err)
		isCovered, isGap, isAlerts := minutes(covered), minutes(gaps), minutes(alerts)
		for m := range want {
			inside := !at(m).Before(within.From) && at(m).Before(within.Until)
			if isCovered[m] != (inside && want[m]) || isGap[m] != (inside && !want[m]) || isAlerts[m] != (inside && ofAlerts[m]) {
				t.Fatalf("minute %d: covered %v, gap %v, by alerts %v\n%v\n%v", m, isCovered[m], isGap[m], isAlerts[m], covered, gaps)
			}
		}
		var touching int
		check(s.read.queryRow(t.Context(), `SELECT count(*) FROM coverage a JOIN coverage b ON a.source = b.source AND a.until_time >= b.from_time
			AND a.from_time < b.from_time`).Scan(&touching))
		if touching > 0 {
			t.Fatalf("%d spans are kept that touch another of the same source", touching)
		}
		for i := 1; i < len(covered); i++ {
			if !covered[i-1].Until.Before(covered[i].From) {
				t.Fatalf("spans touch: %v", covered)
			}
		}
	})
}
