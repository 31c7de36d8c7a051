package twilio

import (
	"cmp"
	"container/list"
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limits say how hard an account may be used. Twilio limits requests in flight per account, at a number it does not tell
// (https://www.twilio.com/docs/api/errors/20429), and users' logins count as well.
type Limits struct {
	InFlight    int     // at the start; 0 means 4
	MaxInFlight int     // the most it may grow to; 0 means 32
	PerSecond   float64 // requests started in a second; 0 means any number
	Sticky      bool    // what a 429 slowed down stays slow
}

// ProductionLimits are those of bulk reads in production: 4 in flight and 10 a second at most, and slower for the rest of
// the run after a 429.
var ProductionLimits = Limits{InFlight: 4, MaxInFlight: 4, PerSecond: 10, Sticky: true}

const (
	slowDown   = 0.9 // what is left of the window after a 429
	roundTrips = 4   // for the window to grow by one
	slowest    = 1.0 // requests in flight, and requests a second
)

// Limiter holds back requests: a window of so many in flight, and a rate. The window doubles with each round trip until
// the first 429, then shrinks by a tenth for each round trip that meets a 429 and grows by one in four that do not.
// Clients of one account share one.
type Limiter struct {
	mu        sync.Mutex
	sticky    bool
	window    float64
	ceiling   float64
	slowStart bool
	inFlight  int
	cuts      int       // how often the window was cut
	requests  int       // that were let go
	throttled int       // of them, that met a 429
	waiting   list.List // of chan struct{}, closed when the request may go
	rate      *rate.Limiter
}

// NewLimiter makes a limiter; zero limits take their defaults.
func NewLimiter(limits Limits) *Limiter {
	ceiling := float64(cmp.Or(limits.MaxInFlight, 32))
	perSecond := rate.Inf
	if limits.PerSecond > 0 {
		perSecond = rate.Limit(limits.PerSecond)
	}
	return &Limiter{
		sticky: limits.Sticky, slowStart: true, ceiling: ceiling,
		window: min(float64(cmp.Or(limits.InFlight, 4)), ceiling), rate: rate.NewLimiter(perSecond, 1),
	}
}

// Window tells how many requests may be in flight now, for progress.
func (l *Limiter) Window() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int(l.window)
}

// Counts tells how many requests have gone through, retries included, and how many of them met a 429, for progress.
func (l *Limiter) Counts() (requests, throttled int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.requests, l.throttled
}

// acquire waits until a request may go. The release it gives tells whether the answer was a 429.
func (l *Limiter) acquire(ctx context.Context, now func() time.Time, sleep func(context.Context, time.Duration) error) (release func(throttled bool), err error) {
	if err := l.pace(ctx, now, sleep); err != nil {
		return nil, err
	}
	if err := l.enter(ctx); err != nil {
		return nil, err
	}
	l.mu.Lock()
	cuts, full := l.cuts, l.inFlight >= int(l.window)
	l.mu.Unlock()
	return func(throttled bool) { l.leave(throttled, cuts, full) }, nil
}

// pace waits for the request's turn in the rate.
func (l *Limiter) pace(ctx context.Context, now func() time.Time, sleep func(context.Context, time.Duration) error) error {
	at := now()
	turn := l.rate.ReserveN(at, 1)
	if d := turn.DelayFrom(at); d > 0 {
		if err := sleep(ctx, d); err != nil {
			turn.CancelAt(now())
			return err
		}
	}
	return ctx.Err()
}

// enter waits for room in the window, first come, first served.
func (l *Limiter) enter(ctx context.Context) error {
	l.mu.Lock()
	if l.waiting.Len() == 0 && l.inFlight < int(l.window) {
		l.inFlight++
		l.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	place := l.waiting.PushBack(turn)
	l.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-turn: // given room just now; hand it on
		l.inFlight--
	default:
		l.waiting.Remove(place)
	}
	l.admit()
	return ctx.Err()
}

func (l *Limiter) leave(throttled bool, cuts int, full bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight--
	l.requests++
	if throttled {
		l.throttled++
	}
	switch {
	case throttled && cuts == l.cuts: // requests that set out before the last cut say nothing about the new window
		l.cut()
	case !throttled && full:
		l.grow()
	}
	l.admit()
}

func (l *Limiter) cut() {
	l.cuts++
	l.slowStart = false
	l.window = max(l.window*slowDown, slowest)
	if l.sticky {
		l.ceiling = l.window
	}
	if r := l.rate.Limit(); r != rate.Inf && l.sticky {
		l.rate.SetLimit(max(r*slowDown, slowest))
	}
}

func (l *Limiter) grow() {
	step := 1.0
	if !l.slowStart {
		step /= roundTrips * l.window
	}
	l.window = min(l.window+step, l.ceiling)
}

// admit lets in those that wait, as far as there is room.
func (l *Limiter) admit() {
	for l.waiting.Len() > 0 && l.inFlight < int(l.window) {
		l.inFlight++
		close(l.waiting.Remove(l.waiting.Front()).(chan struct{}))
	}
}
