package twilio

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// flood sends requests through a limiter from many goroutines until n were answered. Each takes 19 to 21 ms, no two the
// same: of answers that come at one instant the scheduler chose the order, and with it how many met a 429. More than capacity
// in flight are answered with a 429 and tried again. It gives the most that were in flight, the time it took and the number
// of 429s.
func flood(t *testing.T, l *Limiter, n, workers, capacity int) (peak int64, took time.Duration, throttled int64) {
	t.Helper()
	var inFlight, most, cuts, left atomic.Int64
	left.Store(int64(n))
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(1, 2))
	takes := func() time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return 19*time.Millisecond + time.Duration(random.Int64N(int64(2*time.Millisecond)))
	}
	start := time.Now()
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				for {
					release, err := l.acquire(t.Context(), time.Now, sleep)
					if err != nil {
						t.Error(err)
						return
					}
					now := inFlight.Add(1)
					for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
					}
					time.Sleep(takes())
					inFlight.Add(-1)
					over := now > int64(capacity)
					release(over)
					if !over {
						break
					}
					cuts.Add(1)
				}
			}
		})
	}
	wg.Wait()
	return most.Load(), time.Since(start), cuts.Load()
}

// TestProductionReadsStayCareful is promise 7: 4 in flight and 10 a second at most, and slower after a 429.
func TestProductionReadsStayCareful(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(ProductionLimits)
		peak, took, _ := flood(t, l, 100, 50, 1000)
		if peak > 4 || took < 9900*time.Millisecond {
			t.Errorf("100 requests took %v with up to %d in flight", took, peak)
		}
		release, err := l.acquire(t.Context(), time.Now, sleep)
		if err != nil {
			t.Fatal(err)
		}
		release(true)
		if l.Window() != 3 {
			t.Errorf("the window is %d after a 429", l.Window())
		}
		_, took, _ = flood(t, l, 90, 50, 1000)
		if l.Window() != 3 || took < 9800*time.Millisecond {
			t.Errorf("after the 429 the window grew to %d again, 90 requests took %v", l.Window(), took)
		}
	})
}

// TestWindowFindsTheLimit: against a limit of 25 in flight the window is found, at the cost of one 429 in seven requests.
func TestWindowFindsTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, took, throttled := flood(t, NewLimiter(Limits{MaxInFlight: 200}), 5000, 200, 25)
		ideal := 5000 / 25 * 20 * time.Millisecond
		if share := float64(ideal) / float64(took); share < 0.8 || throttled > 750 {
			t.Errorf("5000 requests took %v, the ideal being %v, with %d answers of 429", took, ideal, throttled)
		}
	})
}

func TestWindowNeverCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(Limits{InFlight: 2, PerSecond: 10, Sticky: true})
		for range 200 {
			release, err := l.acquire(t.Context(), time.Now, sleep)
			if err != nil {
				t.Fatal(err)
			}
			release(true)
		}
		if l.Window() < 1 || l.rate.Limit() < slowest {
			t.Errorf("after 200 answers of 429 the window is %d and the rate %v", l.Window(), l.rate.Limit())
		}
	})
}

func TestStickyWindowStaysSmall(t *testing.T) {
	for sticky, want := range map[bool]int{true: 3, false: 4} {
		l := NewLimiter(Limits{InFlight: 4, MaxInFlight: 4, Sticky: sticky})
		l.enterAll(t, 4, true)
		if l.Window() != 3 {
			t.Errorf("the window is %d after a 429", l.Window())
		}
		for range 20 {
			l.enterAll(t, 3, false)
		}
		if l.Window() != want {
			t.Errorf("sticky %v: the window is %d after 20 good round trips, want %d", sticky, l.Window(), want)
		}
	}
}

// enterAll is a round trip of n requests at once, all answered alike.
func (l *Limiter) enterAll(t *testing.T, n int, throttled bool) {
	t.Helper()
	var all []func(bool)
	for range n {
		release, err := l.acquire(t.Context(), time.Now, sleep)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, release)
	}
	for _, release := range all {
		release(throttled)
	}
}

// TestRoomGivenToTheImpatientIsNotLost: a request may be let in at the moment it gives up.
func TestRoomGivenToTheImpatientIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(Limits{InFlight: 1, MaxInFlight: 1})
		for range 100 {
			release, err := l.acquire(t.Context(), time.Now, sleep)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() {
				defer close(done)
				if release, err := l.acquire(ctx, time.Now, sleep); err == nil {
					release(false)
				}
			}()
			synctest.Wait()
			l.mu.Lock() // behind which the room and the giving up queue
			go release(false)
			letOthersRun()
			cancel()
			letOthersRun()
			l.mu.Unlock()
			<-done
			synctest.Wait()
			if l.inFlight != 0 || l.waiting.Len() != 0 {
				t.Fatalf("%d in flight and %d waiting at the end", l.inFlight, l.waiting.Len())
			}
		}
	})
}

func letOthersRun() {
	for range 100 {
		runtime.Gosched()
	}
}

func TestWaitingRequestsCanBeGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(Limits{InFlight: 1, MaxInFlight: 1})
		release, err := l.acquire(t.Context(), time.Now, sleep)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var given sync.WaitGroup
		for range 3 {
			given.Go(func() {
				if _, err := l.acquire(ctx, time.Now, sleep); !errors.Is(err, context.Canceled) {
					t.Errorf("got %v", err)
				}
			})
		}
		synctest.Wait()
		patient := make(chan struct{})
		go func() {
			defer close(patient)
			release, err := l.acquire(t.Context(), time.Now, sleep)
			if err != nil {
				t.Error(err)
				return
			}
			release(false)
		}()
		synctest.Wait()
		cancel()
		given.Wait()
		release(false)
		<-patient // the room went to the one still waiting
		if l.inFlight != 0 || l.waiting.Len() != 0 {
			t.Errorf("%d in flight and %d waiting at the end", l.inFlight, l.waiting.Len())
		}
	})
}

func TestClientSlowsDownAfter429(t *testing.T) {
	limiter := NewLimiter(ProductionLimits)
	w := newWorld(t, inTurn(failed(http.StatusTooManyRequests, 20429), says(200, factorJSON)), func(o *Options) { o.Limiter = limiter })
	if _, err := w.Factor(t.Context(), service, user, factor); err != nil {
		t.Fatal(err)
	}
	if limiter.Window() != 3 {
		t.Errorf("the window is %d after a 429", limiter.Window())
	}
	_, err := newWorld(t, failed(429, 60309), func(o *Options) { o.Limiter = NewLimiter(Limits{}) }).CreateNotification(t.Context(), service, user, challenge, 0)
	wantError(t, err, verify.KindLimit)
}
