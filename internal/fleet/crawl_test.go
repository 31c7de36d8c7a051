package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/fleet"
	"github.com/verifyctl/verifyctl/internal/store"
	"github.com/verifyctl/verifyctl/internal/verify"
)

var crawlEnv = verify.Environment{Name: "test", Kind: verify.Staging, AccountSID: "AC00000000000000000000000000000001", ServiceSID: "VA00000000000000000000000000000001"}

// service is a Service in memory; each entity has as many factors as its number modulo 3.
type service struct {
	mu        sync.Mutex
	count     int
	gone      map[verify.Identity]bool
	broken    map[verify.Identity]error
	reads     map[verify.Identity]int
	pages     int
	afterN    int // what happens after so many reads of factors
	happens   func()
	totalRead int
}

func newService(count int) *service {
	return &service{count: count, gone: map[verify.Identity]bool{}, broken: map[verify.Identity]error{}, reads: map[verify.Identity]int{}}
}

// user gives identities in an order that is not the alphabet's.
func user(i int) verify.Identity {
	return verify.Identity(fmt.Sprintf("user-%08x-%d", uint32(i)*2654435761, i))
}

func (s *service) EntityPage(_ context.Context, _ verify.ServiceSID, cursor string, size int) ([]verify.Entity, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages++
	start := 0
	fmt.Sscanf(cursor, "PT%d", &start)
	var page []verify.Entity
	for i := start; i < min(start+size, s.count); i++ {
		if !s.gone[user(i)] {
			page = append(page, verify.Entity{Identity: user(i), SID: verify.EntitySID(fmt.Sprintf("YE%032d", i)), ServiceSID: crawlEnv.ServiceSID})
		}
	}
	if start+size >= s.count {
		return page, "", nil
	}
	return page, fmt.Sprintf("PT%d", start+size), nil
}

func (s *service) Factors(ctx context.Context, _ verify.ServiceSID, identity verify.Identity) iter.Seq2[verify.Factor, error] {
	return func(yield func(verify.Factor, error) bool) {
		s.mu.Lock()
		s.reads[identity]++
		s.totalRead++
		if s.totalRead == s.afterN {
			s.happens()
		}
		err := s.broken[identity]
		if s.gone[identity] {
			err = &verify.Error{Kind: verify.KindNotFound, Message: "not found"}
		}
		s.mu.Unlock()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		if err != nil {
			yield(verify.Factor{}, err)
			return
		}
		for _, f := range s.factors(identity) {
			if !yield(f, nil) {
				return
			}
		}
	}
}

func (s *service) factors(identity verify.Identity) []verify.Factor {
	var hash, i int
	fmt.Sscanf(string(identity), "user-%x-%d", &hash, &i)
	var factors []verify.Factor
	for n := range i % 3 {
		f := verify.Factor{SID: verify.FactorSID(fmt.Sprintf("YF%028d%04d", i, n)), Identity: identity, ServiceSID: crawlEnv.ServiceSID, Type: verify.FactorPush}
		f.Config.Platform = verify.PlatformFCM
		factors = append(factors, f)
	}
	return factors
}

func (s *service) forget() { s.reads, s.pages, s.totalRead = map[verify.Identity]int{}, 0, 0 }

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func openMemory(t testing.TB, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), dir, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func options() fleet.SyncOptions {
	return fleet.SyncOptions{Environment: crawlEnv, Now: time.Now, Sleep: sleep}
}

// mustEqual checks that the index is the Service, no more and no less.
func mustEqual(t *testing.T, memory *store.Store, s *service) {
	t.Helper()
	got := map[verify.FactorSID]verify.Identity{}
	for f, err := range memory.FactorsWhere(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		got[f.SID] = f.Identity
	}
	want := 0
	for i := range s.count {
		if s.gone[user(i)] {
			continue
		}
		for _, f := range s.factors(user(i)) {
			want++
			if got[f.SID] != f.Identity {
				t.Fatalf("factor %s of %s is in the index as %q's", f.SID, f.Identity, got[f.SID])
			}
		}
	}
	if len(got) != want {
		t.Fatalf("%d factors in the index, want %d", len(got), want)
	}
}

func TestSyncReadsEachEntityOnce(t *testing.T) {
	s, memory := newService(2345), openMemory(t, t.TempDir())
	for range memory.FactorsWhere(t.Context(), nil) { // opens its connections
	}
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	var costs []fleet.SyncCost
	opts := options()
	opts.Cost = func(c fleet.SyncCost) { costs = append(costs, c) }
	var last fleet.SyncProgress
	opts.Progress = func(p fleet.SyncProgress) { last = p }
	crawl, progress, err := fleet.Sync(t.Context(), s, memory, opts)
	if err != nil {
		t.Fatal(err)
	}
	mustEqual(t, memory, s)
	if crawl.Entities != 2345 || crawl.Finished.IsZero() || progress.Read != 2345 || progress.Left != 0 || last != progress {
		t.Errorf("crawl %+v, progress %+v, last %+v", crawl, progress, last)
	}
	if s.pages != 3 || s.totalRead != 2345 || progress.Requests != 2348 {
		t.Errorf("%d pages and %d reads (%+v)", s.pages, s.totalRead, progress)
	}
	if len(costs) != 1 || !costs[0].AtLeast || costs[0].Entities != 1001 {
		t.Errorf("the cost was %+v", costs)
	}
	// The next one knows how much there is, and drops who is gone.
	s.gone[user(7)] = true
	if _, _, err := fleet.Sync(t.Context(), s, memory, opts); err != nil || costs[1].Entities != 2345 {
		t.Errorf("%v, %+v", err, costs)
	}
	mustEqual(t, memory, s)
}

// A crawl that is cut off at any point goes on there: what was saved is not read again.
func TestCutOffSyncGoesOn(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	s, dir := newService(3000), t.TempDir()
	runs := 0
	for ; runs < 60; runs++ {
		memory := openMemory(t, dir)
		ctx, cancel := context.WithCancel(t.Context())
		s.afterN, s.happens, s.totalRead = 1+rng.IntN(700), cancel, 0
		_, _, err := fleet.Sync(ctx, s, memory, options())
		cancel()
		if err == nil {
			mustEqual(t, memory, s)
			break
		}
		if verify.KindOf(err) != verify.KindInterrupted {
			t.Fatal(err)
		}
		memory.Close()
	}
	again := 0
	for _, n := range s.reads {
		again += n - 1
	}
	// Each cut costs at most what was in flight.
	if runs == 0 || runs == 60 || again > runs*(32+1) {
		t.Errorf("%d cuts, %d entities read again", runs, again)
	}
	if s.pages > 3+runs {
		t.Errorf("%d pages read for 3", s.pages)
	}
}

func TestUnreadableEntitiesStayOnTheList(t *testing.T) {
	s, memory := newService(1500), openMemory(t, t.TempDir())
	for i := range 10 {
		s.broken[user(i*100)] = &verify.Error{Kind: verify.KindFailed, Message: "internal error"}
	}
	s.gone[user(1499)] = false
	_, progress, err := fleet.Sync(t.Context(), s, memory, options())
	if verify.KindOf(err) != verify.KindPartial || progress.Failed != 10 || progress.Read != 1490 {
		t.Fatalf("%+v, %v", progress, err)
	}
	s.broken = nil
	s.forget()
	crawl, progress, err := fleet.Sync(t.Context(), s, memory, options())
	if err != nil || !crawl.Resumed && crawl.Finished.IsZero() || progress.Read != 10 || s.pages != 0 || s.totalRead != 10 {
		t.Errorf("%+v, %+v, %v, %d pages", crawl, progress, err, s.pages)
	}
	mustEqual(t, memory, s)
}

func TestSyncStopsWhereGoingOnIsPointless(t *testing.T) {
	auth := &verify.Error{Kind: verify.KindAuth, Message: "wrong keys"}
	down := &verify.Error{Kind: verify.KindUnreachable, Message: "no answer"}
	for _, want := range []*verify.Error{auth, down} {
		s, memory := newService(5000), openMemory(t, t.TempDir())
		for i := range s.count {
			s.broken[user(i)] = want
		}
		_, progress, err := fleet.Sync(t.Context(), s, memory, options())
		if !errors.Is(err, want) || s.totalRead > 200 || progress.Read > 0 {
			t.Errorf("%v after %d reads", err, s.totalRead)
		}
	}
}

func TestGoneEntitiesLeaveTheIndex(t *testing.T) {
	s, memory := newService(100), openMemory(t, t.TempDir())
	if _, _, err := fleet.Sync(t.Context(), s, memory, options()); err != nil {
		t.Fatal(err)
	}
	// Deleted between the list and the reading: the list still has it.
	broken := &service{count: 100, gone: map[verify.Identity]bool{}, broken: map[verify.Identity]error{user(5): &verify.Error{Kind: verify.KindNotFound, Message: "gone"}}, reads: map[verify.Identity]int{}}
	_, progress, err := fleet.Sync(t.Context(), broken, memory, options())
	if err != nil || progress.Gone != 1 {
		t.Fatalf("%+v, %v", progress, err)
	}
	broken.gone[user(5)] = true
	mustEqual(t, memory, broken)
}

func TestChangedReadsWhatEventsName(t *testing.T) {
	s, memory := newService(1200), openMemory(t, t.TempDir())
	opts := options()
	opts.Changed = true
	if _, _, err := fleet.Sync(t.Context(), s, memory, opts); verify.KindOf(err) != verify.KindRefused {
		t.Fatalf("without an index: %v", err)
	}
	if _, _, err := fleet.Sync(t.Context(), s, memory, options()); err != nil {
		t.Fatal(err)
	}
	s.forget()
	s.count = 1210
	s.gone[user(3)] = true
	for _, i := range []int{3, 4} {
		e := event.Event{EventSID: fmt.Sprintf("NO%032d", i), Identity: string(user(i)), ServiceSID: string(crawlEnv.ServiceSID)}
		stored := event.Stored{Key: e.EventSID, Source: "webhook", Received: time.Now(), At: time.Now(), Body: []byte("{}")}
		if _, err := memory.PutEvent(t.Context(), stored, e); err != nil {
			t.Fatal(err)
		}
	}
	_, progress, err := fleet.Sync(t.Context(), s, memory, opts)
	if err != nil || progress.Read != 12 || progress.Gone != 1 || s.pages != 2 {
		t.Errorf("%+v, %v, %d pages: want ten new entities and two named ones", progress, err, s.pages)
	}
	mustEqual(t, memory, s)
}

func TestSyncInProductionNeedsToBeAsked(t *testing.T) {
	env := crawlEnv
	env.Kind = verify.Production
	s, memory := newService(1001), openMemory(t, t.TempDir())
	opts := options()
	opts.Environment = env
	if _, _, err := fleet.Sync(t.Context(), s, memory, opts); verify.KindOf(err) != verify.KindRefused || s.totalRead > 0 || s.pages != 1 {
		t.Fatalf("%v after %d reads and %d pages", err, s.totalRead, s.pages)
	}
	opts.Limit = 100
	_, progress, err := fleet.Sync(t.Context(), s, memory, opts)
	if verify.KindOf(err) != verify.KindPartial || progress.Read != 100 || s.totalRead != 100 {
		t.Fatalf("%+v, %v", progress, err)
	}
	opts.Limit, opts.All = 0, true
	if _, progress, err = fleet.Sync(t.Context(), s, memory, opts); err != nil || progress.Read != 901 {
		t.Fatalf("%+v, %v", progress, err)
	}
	mustEqual(t, memory, s)
}

// nightClock is a clock that only sleeping moves.
type nightClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *nightClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *nightClock) Sleep(_ context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return nil
}

func TestSyncWaitsForItsHours(t *testing.T) {
	s, memory := newService(50), openMemory(t, filepath.Join(t.TempDir(), "state"))
	clock := &nightClock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	opts := options()
	opts.Now, opts.Sleep = clock.Now, clock.Sleep
	opts.Hours, _ = fleet.ParseHours("01:00-05:00")
	var waited []time.Time
	var mu sync.Mutex
	opts.Waiting = func(until time.Time) { mu.Lock(); defer mu.Unlock(); waited = append(waited, until) }
	if _, _, err := fleet.Sync(t.Context(), s, memory, opts); err != nil {
		t.Fatal(err)
	}
	if opens := time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC); len(waited) == 0 || !waited[0].Equal(opens) || clock.now.Before(opens) {
		t.Errorf("it waited until %v, and the clock stands at %v", waited, clock.now)
	}
}
