package simulator

import (
	"context"
	"encoding/json"
	"errors"
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
	"GET clock":  func(s *Simulator, r *http.Request) (any, error) { return s.clockReport(r.Context()) },
	"POST clock": setClock,

	"GET settings": func(s *Simulator, r *http.Request) (any, error) { return s.Settings(r.Context()) },
	"POST settings": func(s *Simulator, r *http.Request) (any, error) {
		var failed error
		g, err := s.ChangeSettings(r.Context(), func(g *Settings) { failed = readJSON(r, g) })
		return g, cmpError(failed, err)
	},

	"GET faults": func(s *Simulator, r *http.Request) (any, error) { return s.Faults(r.Context()) },
	"POST faults": func(s *Simulator, r *http.Request) (any, error) {
		f, err := argument[Fault](r)
		if err != nil {
			return nil, err
		}
		return s.AddFault(r.Context(), f)
	},
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
	"POST devices": func(s *Simulator, r *http.Request) (any, error) {
		e, err := argument[Enrolment](r)
		if err != nil {
			return nil, err
		}
		return s.Enroll(r.Context(), e)
	},
	"POST devices/{factor}": func(s *Simulator, r *http.Request) (any, error) {
		var failed error
		d, err := s.ChangeDevice(r.Context(), r.PathValue("factor"), func(state *DeviceState) { failed = readJSON(r, state) })
		return d, cmpError(failed, err)
	},
	"GET devices/{factor}/pending": func(s *Simulator, r *http.Request) (any, error) {
		return s.Pending(r.Context(), r.PathValue("factor"))
	},
	"POST devices/{factor}/answer": answerAsDevice,
	"POST devices/{factor}/rotate-token": func(s *Simulator, r *http.Request) (any, error) {
		return s.RotateToken(r.Context(), r.PathValue("factor"))
	},
	"POST devices/{factor}/reinstall": func(s *Simulator, r *http.Request) (any, error) {
		return s.Reinstall(r.Context(), r.PathValue("factor"))
	},

	"POST credentials/{sid}/contents": func(s *Simulator, r *http.Request) (any, error) {
		contents, err := argument[CredentialContents](r)
		if err != nil {
			return nil, err
		}
		return contents, s.SetCredentialContents(r.Context(), r.PathValue("sid"), contents)
	},
	"POST world": func(s *Simulator, r *http.Request) (any, error) {
		w, err := argument[World](r)
		if err != nil {
			return nil, err
		}
		return nil, s.Apply(r.Context(), w)
	},
	"POST generate": func(s *Simulator, r *http.Request) (any, error) {
		f, err := argument[Fleet](r)
		if err != nil {
			return nil, err
		}
		return s.Generate(r.Context(), f)
	},
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

func (s *Simulator) clockReport(ctx context.Context) (ClockReading, error) {
	var report ClockReading
	err := s.view(ctx, func(t *tx) error {
		report = ClockReading{t.now, t.world.clock.frozenAt.Valid}
		return nil
	})
	return report, err
}

func setClock(s *Simulator, r *http.Request) (any, error) {
	change, err := argument[ClockChange](r)
	if err != nil {
		return nil, err
	}
	if change.Frozen != nil && *change.Frozen {
		err = s.Freeze(r.Context())
	} else if change.Frozen != nil {
		err = s.Resume(r.Context())
	}
	if err == nil && change.Advance != 0 {
		err = s.Advance(r.Context(), time.Duration(change.Advance))
	}
	if err != nil {
		return nil, err
	}
	return s.clockReport(r.Context())
}

func answerAsDevice(s *Simulator, r *http.Request) (any, error) {
	answer, err := argument[DeviceAnswer](r)
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
				if err := checkQuery(r.URL.Query(), controlQueries[pattern]); err != nil {
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

// argument reads a control call's JSON body.
func argument[T any](r *http.Request) (T, error) {
	var value T
	return value, readJSON(r, &value)
}

func readJSON(r *http.Request, into any) error {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return badInput("the body is not the JSON of this call: %s", err)
	}
	return nil
}

func cmpError(first, second error) error {
	if first != nil {
		return first
	}
	return second
}
