package simulator

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// NewServer gives a server for the simulator with limits on time and sizes, so that slow or endless clients cannot
// hold it. Its listener, TLS and shutdown are the caller's.
func (s *Simulator) NewServer() *http.Server {
	return &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.opts.Log.Handler(), slog.LevelDebug),
	}
}

// Serve answers requests on a listener until it is closed, which is no error.
func (s *Simulator) Serve(l net.Listener) error {
	err := s.NewServer().Serve(l)
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// PipeListener is a network inside this process: what is dialled on it arrives as an accepted connection, without a
// port. Resets, dropped replies and slow bodies behave as on a wire.
type PipeListener struct {
	connections chan net.Conn
	closed      chan struct{}
	once        sync.Once
}

// NewPipeListener gives a listener for [Simulator.Serve] whose DialContext fits an [http.Transport].
func NewPipeListener() *PipeListener {
	return &PipeListener{connections: make(chan net.Conn), closed: make(chan struct{})}
}

// Accept waits for the next dialled connection.
func (l *PipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.connections:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept and refuses further dialling.
func (l *PipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr is a name, not an address.
func (l *PipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "in-process" }

// DialContext connects to the listener, whatever the address.
func (l *PipeListener) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.connections <- server:
		return client, nil
	case <-l.closed:
		return nil, &net.OpError{Op: "dial", Net: "pipe", Addr: pipeAddr{}, Err: net.ErrClosed}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// call is one request to an operation, with the transaction it works in.
type call struct {
	*tx
	req     *http.Request
	product string
	args    []string // path parameters, decoded, in order
	form    form
	query   form
	base    string // scheme, host and product prefix of all links
	account string
	caller  *factor      // the factor whose device calls, nil for anyone else
	token   *accessToken // what a device enrols with
	request string       // Twilio-Request-Id
}

func (s *Simulator) serveAPI(w http.ResponseWriter, r *http.Request) {
	started := s.opts.Wall()
	concurrent := s.inFlight.Add(1)
	defer s.inFlight.Add(-1)
	// As with Twilio, a request that arrived is carried out even if its client has hung up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 30*time.Second)
	defer cancel()

	f := frame{concurrent: concurrent}
	where, refusal := findRoute(r)
	if refusal == nil {
		var fault *firedFault
		if fault, refusal = s.findFault(ctx, where.route.name, concurrent); fault != nil {
			defer fault.afterwards(r)
			w = fault.before(w)
		}
	}
	var answer reply
	if refusal == nil {
		answer, refusal = s.perform(ctx, w, r, where, &f)
	}
	if refusal != nil {
		answer = refusal.reply()
	}
	if f.requestSID == "" {
		s.frameWithoutCall(ctx, r, &f)
	}
	answer.write(w, f)
	s.opts.Log.Info("request", "method", r.Method, "host", r.Host, "path", r.URL.Path, "status", answer.status,
		"took", s.opts.Wall().Sub(started), "request_id", f.requestSID)
	if r.Method != http.MethodGet {
		s.hooks.wake(s)
	}
}

// perform carries out one operation in one transaction and fills in the frame of its reply.
func (s *Simulator) perform(ctx context.Context, w http.ResponseWriter, r *http.Request, where target, f *frame) (reply, *apiError) {
	params, refusal := readForm(w, r)
	if refusal != nil {
		return reply{}, refusal
	}
	started := s.opts.Wall()
	var answer reply
	run := func(t *tx) error {
		c := &call{
			tx: t, req: r, product: where.route.product, args: where.args, form: params, query: parseForm(r.URL.RawQuery),
			base: baseURL(r) + where.prefix,
		}
		s.fillFrame(t, r, f, started)
		c.request = f.requestSID
		if err := c.authenticate(where.route); err != nil {
			return err
		}
		var err error
		answer, err = where.route.run(c)
		return err
	}
	transaction := s.view
	if where.route.method != http.MethodGet {
		transaction = s.update
	}
	err := transaction(ctx, run)
	var refused *apiError
	switch {
	case err == nil:
		return answer, nil
	case errors.As(err, &refused):
		return reply{}, refused
	}
	s.opts.Log.Error("the simulator failed", "operation", where.route.name, "error", err)
	return reply{}, refuse(http.StatusInternalServerError, 20500, "An internal server error has occurred")
}

func (s *Simulator) fillFrame(t *tx, r *http.Request, f *frame, started time.Time) {
	f.now = t.now
	f.requestSID = deriveSID("RQ", t.world.seed, strconv.FormatInt(t.world.counter, 10),
		strconv.FormatInt(s.requests.Add(1), 10), t.now.String(), r.Method, r.URL.String())
	if !t.world.clock.frozenAt.Valid {
		f.duration = s.opts.Wall().Sub(started)
	}
}

// frameWithoutCall fills the frame of a reply to a request that reached no operation.
func (s *Simulator) frameWithoutCall(ctx context.Context, r *http.Request, f *frame) {
	err := s.view(ctx, func(t *tx) error {
		s.fillFrame(t, r, f, s.opts.Wall())
		return nil
	})
	if err != nil {
		f.now, f.requestSID = s.opts.Wall(), deriveSID("RQ", err.Error())
	}
}

// link gives an absolute URL; its segments are escaped.
func (c *call) link(segments ...string) string {
	u := c.base
	for _, segment := range segments {
		u += "/" + url.PathEscape(segment)
	}
	return u
}

// notFound is the 404 of this very request.
func (c *call) notFound() error { return notFound(c.req.URL.EscapedPath()) }
