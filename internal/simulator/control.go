package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// controlPath is where the simulation itself is controlled, as JSON, by whoever knows the server's secret. Twilio uses no
// such path. Every call does what the method of the same name does.
const controlPath = "/__simulator/"

// SecretHeader carries the secret of [Options] to the control API.
const SecretHeader = "X-Simulator-Secret"

// control is one control call: its argument is the JSON body, its result the JSON reply.
type control func(s *Simulator, r *http.Request) (any, error)

var controls = map[string]control{
	"GET clock":  giving((*Simulator).readClock),
	"POST clock": taking((*Simulator).changeClockBy),

	"GET settings": giving((*Simulator).settings),
	"POST settings": func(s *Simulator, r *http.Request) (any, error) {
		return s.ChangeSettings(r.Context(), func(g *Settings) error { return readJSON(r, g) })
	},

	"GET faults":    giving((*Simulator).Faults),
	"POST faults":   taking((*Simulator).AddFault),
	"DELETE faults": func(s *Simulator, r *http.Request) (any, error) { return nil, s.RemoveFault(r.Context(), 0) },
	"DELETE faults/{id}": func(s *Simulator, r *http.Request) (any, error) {
		id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
		if err != nil || id < 1 {
			return nil, ErrNotFound
		}
		return nil, s.RemoveFault(r.Context(), id)
	},

	"GET pushes": func(s *Simulator, r *http.Request) (any, error) {
		q := r.URL.Query()
		limit, err := limitOf(q)
		if err != nil {
			return nil, err
		}
		return s.Pushes(r.Context(), PushFilter{q.Get("service_sid"), q.Get("identity"), q.Get("factor_sid"), q.Get("challenge_sid"), limit})
	},

	"GET devices": func(s *Simulator, r *http.Request) (any, error) {
		q := r.URL.Query()
		limit, err := limitOf(q)
		if err != nil {
			return nil, err
		}
		return s.Devices(r.Context(), DeviceFilter{q.Get("service_sid"), q.Get("identity"), q.Get("factor_sid"), limit})
	},
	"POST devices": taking((*Simulator).Enroll),
	"POST devices/{factor}": func(s *Simulator, r *http.Request) (any, error) {
		return s.changeDevice(r.Context(), r.PathValue("factor"), func(state *DeviceState) error { return readJSON(r, state) })
	},
	"GET devices/{factor}/pending":       ofFactor((*Simulator).pending),
	"POST devices/{factor}/answer":       answerAsDevice,
	"POST devices/{factor}/rotate-token": ofFactor((*Simulator).RotateToken),
	"POST devices/{factor}/reinstall":    ofFactor((*Simulator).Reinstall),

	"POST credentials/{sid}/contents": func(s *Simulator, r *http.Request) (any, error) {
		var contents CredentialContents
		if err := readJSON(r, &contents); err != nil {
			return nil, err
		}
		return contents, s.SetCredentialContents(r.Context(), r.PathValue("sid"), contents)
	},
	"POST world":    taking(func(s *Simulator, ctx context.Context, w World) (any, error) { return nil, s.Apply(ctx, w) }),
	"POST generate": taking((*Simulator).Generate),
}

// giving is a call without an argument.
func giving[R any](do func(*Simulator, context.Context) (R, error)) control {
	return func(s *Simulator, r *http.Request) (any, error) { return do(s, r.Context()) }
}

// taking is a call whose argument is its body.
func taking[A, R any](do func(*Simulator, context.Context, A) (R, error)) control {
	return func(s *Simulator, r *http.Request) (any, error) {
		var argument A
		if err := readJSON(r, &argument); err != nil {
			return nil, err
		}
		return do(s, r.Context(), argument)
	}
}

// ofFactor is a call about the phone of the factor in its path.
func ofFactor[R any](do func(*Simulator, context.Context, string) (R, error)) control {
	return func(s *Simulator, r *http.Request) (any, error) { return do(s, r.Context(), r.PathValue("factor")) }
}

// controlQueries are the parameters that calls take in their query; the others take none.
var controlQueries = map[string][]string{
	"GET pushes":  {"challenge_sid", "factor_sid", "identity", "limit", "service_sid"},
	"GET devices": {"factor_sid", "identity", "limit", "service_sid"},
}

// checkQuery refuses parameters that a call does not know, which would otherwise pick everything.
func checkQuery(q url.Values, known []string) error {
	for _, name := range slices.Sorted(maps.Keys(q)) {
		switch {
		case slices.Contains(known, name):
		case len(known) == 0:
			return badInput("unknown parameter %q: this call takes none", name)
		default:
			return badInput("unknown parameter %q: it is one of %s", name, strings.Join(known, ", "))
		}
	}
	return nil
}

// limitOf is how many items are asked for, 0 for all.
func limitOf(q url.Values) (int, error) {
	if !q.Has("limit") {
		return 0, nil
	}
	limit, err := strconv.Atoi(q.Get("limit"))
	if err != nil || limit < 1 {
		return 0, badInput("limit is a number from 1, not %q", q.Get("limit"))
	}
	return limit, nil
}

func (s *Simulator) readClock(ctx context.Context) (ClockReading, error) {
	return read(ctx, s, func(t *tx) (ClockReading, error) { return ClockReading{t.now, t.world.clock.frozenAt.Valid}, nil })
}

// changeClockBy moves the clock before it stops it or lets it go on: only the move can be refused.
func (s *Simulator) changeClockBy(ctx context.Context, change ClockChange) (ClockReading, error) {
	var err error
	if change.Advance != 0 {
		err = s.Advance(ctx, time.Duration(change.Advance))
	}
	switch {
	case err != nil || change.Frozen == nil:
	case *change.Frozen:
		err = s.Freeze(ctx)
	default:
		err = s.Resume(ctx)
	}
	if err != nil {
		return ClockReading{}, err
	}
	return s.readClock(ctx)
}

func answerAsDevice(s *Simulator, r *http.Request) (any, error) {
	var answer DeviceAnswer
	err := readJSON(r, &answer)
	if err != nil {
		return nil, err
	}
	if answer.Status != approved && answer.Status != denied {
		return nil, badInput("the status of an answer is approved or denied, not %q", answer.Status)
	}
	answer.Challenge, err = s.Answer(r.Context(), r.PathValue("factor"), answer.Challenge, answer.Status == approved)
	return answer, err
}

// newControlMux routes the control calls.
func newControlMux(s *Simulator) *http.ServeMux {
	mux := http.NewServeMux()
	for pattern, do := range controls {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" "+controlPath+"v1/"+path, func(w http.ResponseWriter, r *http.Request) {
			s.frameControl(w, r, func() reply {
				if err := errors.Join(checkQuery(r.URL.Query(), controlQueries[pattern]), readWhole(r)); err != nil {
					return controlRefusal(err)
				}
				result, err := do(s, r)
				if err != nil {
					return controlRefusal(err)
				}
				return ok(result)
			})
		})
	}
	return mux
}

func (s *Simulator) serveControl(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxWorld)
	if _, pattern := s.control().Handler(r); pattern == "" {
		s.frameControl(w, r, func() reply { return notFound(r.URL.EscapedPath()).reply() })
		return
	}
	if refused := s.admit(r); refused != nil {
		s.frameControl(w, r, func() reply { return *refused })
		return
	}
	// A fleet of a million takes longer than any request of Twilio's.
	deadlines := http.NewResponseController(w)
	if err := errors.Join(deadlines.SetReadDeadline(time.Time{}), deadlines.SetWriteDeadline(time.Time{})); err != nil {
		s.opts.Log.Debug("the deadlines of a control call stay", "error", err)
	}
	s.control().ServeHTTP(w, r)
}

// maxWorld is the largest control argument; worlds can be large.
const maxWorld = 64 << 20

// admit lets in whoever knows the secret of this server. No page in a browser does, and what a page of elsewhere sends is
// refused before that.
func (s *Simulator) admit(r *http.Request) *reply {
	var refused controlError
	sent := r.Header.Get(SecretHeader)
	switch {
	case s.opts.ControlSecret == "":
		refused = controlError{Status: http.StatusForbidden, Message: "this server has no control API"}
	case crossOrigin.Check(r) != nil:
		refused = controlError{Status: http.StatusForbidden, Message: "the control API does not take requests from other sites"}
	case sent == "":
		refused = controlError{Status: http.StatusUnauthorized, Message: "the control API asks for the server's secret in the header " + SecretHeader}
	case !equal(s.opts.ControlSecret, sent):
		refused = controlError{Status: http.StatusForbidden, Message: "this is not the server's secret"}
	default:
		return nil
	}
	answer := refused.reply()
	return &answer
}

var crossOrigin = http.NewCrossOriginProtection()

func (e controlError) reply() reply { return reply{status: e.Status, body: e} }

func (s *Simulator) frameControl(w http.ResponseWriter, r *http.Request, do func() reply) {
	var f frame
	answer := do()
	s.frameWithoutCall(r.Context(), r, &f)
	answer.write(w, f)
}

// controlRefusal turns the error of a call into its reply.
func controlRefusal(err error) reply {
	var refused *apiError
	var input InputError
	failed := controlError{Status: http.StatusInternalServerError, Message: err.Error()}
	switch {
	case errors.As(err, &refused):
		failed.Status, failed.Code = refused.status, refused.code
	case errors.As(err, &input):
		failed.Status = http.StatusBadRequest
	case errors.Is(err, ErrNotFound):
		failed.Status = http.StatusNotFound
	}
	return failed.reply()
}

// readWhole reads the body of a request before anything is done with it: some calls read their argument inside a transaction,
// and a slow client must not keep the world from everybody else.
func readWhole(r *http.Request) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return badInput("the body could not be read: %s", err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

func readJSON(r *http.Request, into any) error {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return badInput("the body is not the JSON of this call: %s", err)
	}
	return nil
}
