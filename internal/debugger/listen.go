package debugger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
)

// The limits of what a stranger on the network can take from a listener.
const (
	maxDelivery    = 1 << 20 // bytes of a body; Twilio's are a few kilobytes
	maxHeader      = 16 << 10
	maxConnections = 256
	maxAtOnce      = 64 // deliveries whose bodies are in memory
	headerTime     = 5 * time.Second
	deliveryTime   = 15 * time.Second
	idleTime       = time.Minute
	drainTime      = 10 * time.Second
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

	counters *counters
	atOnce   chan struct{}
	telling  sync.Mutex
}

// Handler serves deliveries, /healthz and /metrics.
func (l *Listener) Handler() http.Handler {
	l.counters = newCounters()
	l.atOnce = make(chan struct{}, maxAtOnce)
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+l.Path, l.deliver)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) { l.counters.write(w) })
	return mux
}

// deliver takes one delivery.
func (l *Listener) deliver(w http.ResponseWriter, r *http.Request) {
	l.atOnce <- struct{}{}
	defer func() { <-l.atOnce }()
	l.counters.deliveries.Inc()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxDelivery))
	if err != nil {
		l.refuseBody(w, err)
		return
	}
	if err := l.Signatures.Check(r, body); err != nil {
		l.counters.badSignatures.Inc()
		l.Note("refused a delivery from %s: %v", r.RemoteAddr, err)
		http.Error(w, "not signed as configured", http.StatusForbidden)
		return
	}
	all, err := takeApart(body, isForm(r), l.Now())
	if err != nil {
		l.counters.malformed.Inc()
		l.Note("refused a signed delivery: %v", err)
		http.Error(w, "no event", http.StatusBadRequest)
		return
	}
	if err := l.keep(r.Context(), all); err != nil {
		l.counters.storeErrors.Inc()
		l.Note("could not store a delivery, Twilio is told to try again: %v", err)
		w.Header().Set("Retry-After", "5")
		http.Error(w, "not stored", http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusOK)
}

func (l *Listener) refuseBody(w http.ResponseWriter, err error) {
	l.counters.malformed.Inc()
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
			l.counters.again.Inc()
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
func (l *Listener) ForwardFailed() { l.counters.forwardErrors.Inc() }

// Serve receives deliveries on a listener until ctx ends, then lets those in flight finish.
func (l *Listener) Serve(ctx context.Context, on net.Listener) error {
	server := &http.Server{
		Handler: l.Handler(), ReadHeaderTimeout: headerTime, ReadTimeout: deliveryTime, WriteTimeout: deliveryTime,
		IdleTimeout: idleTime, MaxHeaderBytes: maxHeader,
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(limited(on, maxConnections)) }()
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

// limited accepts so many connections at a time; more wait in the system's queue.
func limited(on net.Listener, n int) net.Listener {
	return &limitedListener{Listener: on, free: make(chan struct{}, n), closed: make(chan struct{})}
}

type limitedListener struct {
	net.Listener
	free   chan struct{}
	closed chan struct{}
	once   sync.Once
}

func (l *limitedListener) Accept() (net.Conn, error) {
	select {
	case l.free <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.free
		return nil, err
	}
	return &limitedConn{Conn: conn, release: sync.OnceFunc(func() { <-l.free })}, nil
}

func (l *limitedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	release func()
}

func (c *limitedConn) Close() error {
	c.release()
	return c.Conn.Close()
}
