package debugger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
)

// How much and how long a delivery may be. Twilio gives up after 15 seconds.
const (
	maxDelivery  = 1 << 20 // bytes of a body; Twilio's are a few kilobytes
	maxHeader    = 16 << 10
	headerTime   = 3 * time.Second
	deliveryTime = 5 * time.Second // for header and body
	answerTime   = 15 * time.Second
	idleTime     = 15 * time.Second
	drainTime    = 10 * time.Second

	maxAtOnce = 64          // signed deliveries that are being stored
	quietTime = time.Second // between two notes about deliveries that were refused
)

// Listener receives what Twilio delivers: debugger webhooks, Event Streams, and Verify webhooks. A delivery is answered
// with success only when it is on disk.
type Listener struct {
	Path        string // that deliveries are posted to
	Signatures  *Signatures
	Keeper      func(event.Event) Keeper // where an event is kept
	Attribution *event.Attribution       // may be nil
	Now         func() time.Time
	Received    func(event.Event) // is told every new event, one at a time; it must be quick
	Note        func(format string, args ...any)
	Reachable   func(context.Context) error // asks the store whether it answers; nil is one that always does
	Trusted     []netip.Prefix              // proxies, each of which is many clients

	grace    time.Duration // 0 is defaultGrace
	refused  refusals
	counters *counters
	health   health
	atOnce   chan struct{}
	telling  sync.Mutex
}

// handler serves deliveries, /healthz and /metrics.
func (l *Listener) handler() http.Handler {
	l.counters = newCounters()
	l.atOnce = make(chan struct{}, maxAtOnce)
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+strings.TrimSuffix(l.Path, "/")+"/{$}", l.deliver)
	if path := strings.TrimSuffix(l.Path, "/"); path != "" {
		mux.HandleFunc("POST "+path, l.deliver)
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		if !l.healthy(r.Context()) {
			http.Error(w, "the store does not answer", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		l.healthy(r.Context())
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		l.counters.write(w)
	})
	return mux
}

// How long the store may take to tell that it is there, and how long its answer counts: anybody may ask.
const (
	healthTime = 2 * time.Second
	healthKept = time.Second
)

// health is what the store answered last.
type health struct {
	mu    sync.Mutex
	asked time.Time
	away  bool
}

// healthy tells whether events can be stored, and sets the metric that says so.
func (l *Listener) healthy(ctx context.Context) bool {
	if l.Reachable == nil {
		return true
	}
	l.health.mu.Lock()
	defer l.health.mu.Unlock()
	if now := time.Now(); now.Sub(l.health.asked).Abs() >= healthKept {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), healthTime)
		defer cancel()
		l.health.away = l.Reachable(ctx) != nil
		l.health.asked = time.Now()
		l.counters.setStoreUp(!l.health.away)
	}
	return !l.health.away
}

// deliver takes one delivery. What is not signed never waits for, nor takes, a place among those that are stored.
func (l *Listener) deliver(w http.ResponseWriter, r *http.Request) {
	l.counters.inc(deliveries)
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxDelivery))
	if err != nil {
		l.refuseBody(w, err)
		return
	}
	if err := l.Signatures.check(r, body); err != nil {
		l.counters.inc(badSignatures)
		var undeclared undeclaredKey
		if errors.As(err, &undeclared) {
			l.counters.countUndeclared(undeclared)
		}
		if more, ok := l.refused.tell(l.Now()); ok {
			l.Note("refused a delivery from %s: %v%s", r.RemoteAddr, err, more)
		}
		http.Error(w, "not signed as configured", http.StatusForbidden)
		return
	}
	protect(r.Context())
	l.atOnce <- struct{}{}
	defer func() { <-l.atOnce }()
	all, err := takeApart(body, isForm(r), l.Now())
	if err != nil {
		l.counters.inc(malformed)
		l.Note("refused a signed delivery: %v", err)
		http.Error(w, "no event", http.StatusBadRequest)
		return
	}
	if err := l.keep(r.Context(), all); err != nil {
		l.counters.inc(storeErrors)
		l.Note("could not store a delivery, Twilio is told to try again: %v", err)
		w.Header().Set("Retry-After", "5")
		http.Error(w, "not stored", http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusOK)
}

func (l *Listener) refuseBody(w http.ResponseWriter, err error) {
	l.counters.inc(malformed)
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return
	}
	http.Error(w, "incomplete", http.StatusBadRequest)
}

// keep stores every event of a delivery, and tells of those that are new.
func (l *Listener) keep(ctx context.Context, all []delivered) error {
	for i := range all {
		d := &all[i]
		if l.Attribution != nil && d.known {
			l.Attribution.Apply(&d.event)
		}
		added, err := l.Keeper(d.event).PutEvent(ctx, d.stored, d.event)
		if err != nil {
			return err
		}
		if !added {
			l.counters.inc(again)
			continue
		}
		if d.known {
			l.tell(d.event)
		}
	}
	return nil
}

func (l *Listener) tell(e event.Event) {
	l.counters.count(e)
	if l.Received == nil {
		return
	}
	l.telling.Lock()
	defer l.telling.Unlock()
	l.Received(e)
}

// ForwardFailed counts an event that could not be handed on.
func (l *Listener) ForwardFailed() { l.counters.inc(forwardErrors) }

// Serve receives deliveries on a listener until ctx ends, then lets those in flight finish.
func (l *Listener) Serve(ctx context.Context, on net.Listener) error {
	places := newConnections(on, l.Trusted, cmp.Or(l.grace, defaultGrace))
	server := &http.Server{
		Handler: l.handler(), ReadHeaderTimeout: headerTime, ReadTimeout: deliveryTime, WriteTimeout: answerTime,
		IdleTimeout: idleTime, MaxHeaderBytes: maxHeader, ConnState: places.changed, ConnContext: withPlace,
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
		ErrorLog:    log.New(io.Discard, "", 0), // what strangers get wrong is in the counters
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(places) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		return errors.Join(err, server.Close())
	}
	return nil
}

// refusals keeps the notes about refused deliveries to one in a while: anybody can cause them.
type refusals struct {
	mu     sync.Mutex
	last   time.Time
	untold int
}

// tell says whether to note a refusal now, and how many were not noted before.
func (r *refusals) tell(now time.Time) (more string, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.last).Abs() < quietTime {
		r.untold++
		return "", false
	}
	if r.untold > 0 {
		more = fmt.Sprintf("; %d more before it", r.untold)
	}
	r.last, r.untold = now, 0
	return more, true
}
