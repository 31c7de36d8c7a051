package simulator

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// call is one request to an operation, with the transaction it works in.
type call struct {
	*tx
	req     *http.Request
	product string   // verify, notify, …
	args    []string // path parameters, decoded, in order
	form    form
	query   form
	base    string // scheme, host and product prefix of all links
	account string
	caller  *factor      // the factor whose device calls, nil for anyone else
	token   *accessToken // what a device enrols with
}

func (s *Simulator) serveAPI(w http.ResponseWriter, r *http.Request) {
	started := s.opts.Wall()
	concurrent := s.inFlight.Add(1)
	defer s.inFlight.Add(-1)
	// As with Twilio, a request that arrived is carried out even if its client has hung up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 2*time.Minute)
	defer cancel()

	f := frame{concurrent: concurrent}
	var answer reply
	var raw []byte
	if s.opts.Observe != nil { // deferred, because a fault that breaks the connection panics
		defer func() { s.opts.Observe(s.observed(r, started, f, answer.status, raw)) }()
	}
	answer = s.answer(ctx, w, r, &f)
	if f.requestSID == "" {
		s.frameWithoutCall(ctx, r, &f)
	}
	raw = answer.write(w, f)
	s.opts.Log.Info("request", "method", r.Method, "host", r.Host, "path", r.URL.Path, "status", answer.status,
		"took", s.opts.Wall().Sub(started), "request_id", f.requestSID)
	s.hooks.wake(s)
}

// answer finds the operation of a request, plays the faults that hit it and carries it out.
func (s *Simulator) answer(ctx context.Context, w http.ResponseWriter, r *http.Request, f *frame) reply {
	where, refusal := findRoute(r)
	if refusal != nil {
		return refusal.reply()
	}
	f.operation = where.route.name
	params, refusal := readForm(w, r)
	if refusal != nil {
		return refusal.reply()
	}
	f.form = params
	answer, err := s.perform(ctx, r, where, params, nil, f)
	if errors.Is(err, errFaulty) {
		var faults firedFaults
		if faults, err = s.decideFaults(ctx, where.route.name, f.concurrent); err == nil {
			if instead := faults.before(r.Context(), w); instead != nil {
				return *instead
			}
			answer, err = s.perform(ctx, r, where, params, faults, f)
			answer = s.conclude(answer, err, where)
			faults.after(r.Context(), w, &answer)
			return answer
		}
	}
	return s.conclude(answer, err, where)
}

// conclude turns the failure of an operation into a reply.
func (s *Simulator) conclude(answer reply, err error, where target) reply {
	var refused *apiError
	switch {
	case err == nil:
		return answer
	case errors.As(err, &refused):
		return refused.reply()
	}
	s.opts.Log.Error("the simulator failed", "operation", where.route.name, "error", err)
	return refuse(http.StatusInternalServerError, 20500, "An internal server error has occurred").reply()
}

// perform carries out one operation in one transaction and fills in the frame of its reply. In a world with faults it
// does nothing until they are decided.
func (s *Simulator) perform(ctx context.Context, r *http.Request, where target, params form, decided firedFaults, f *frame) (reply, error) {
	started := s.opts.Wall()
	var answer reply
	run := func(t *tx) error {
		if t.world.settings.Faults > 0 && decided == nil {
			return errFaulty
		}
		c := &call{
			tx: t, req: r, product: where.route.product, args: where.args, form: params, query: parseForm(r.URL.RawQuery),
			base: baseURL(r) + where.prefix,
		}
		s.fillFrame(t, r, f, started)
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
	return answer, err
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
	u := []byte(c.base)
	for _, segment := range segments {
		u = append(append(u, '/'), url.PathEscape(segment)...)
	}
	return string(u)
}

// notFound is the 404 of this very request.
func (c *call) notFound() error { return notFound(c.req.URL.EscapedPath()) }

// require refuses a request that lacks one of the parameters.
func (c *call) require(names ...string) error {
	for _, name := range names {
		if _, sent := c.form.get(name); !sent {
			return missing(name)
		}
	}
	return nil
}
