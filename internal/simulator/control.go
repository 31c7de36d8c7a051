package simulator

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// controlPath is where the simulation itself is controlled, as JSON, with the credentials of any account in it. Twilio
// uses no such path. Every call does what the method of the same name does.
const controlPath = "/__simulator/"

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
		limit, _ := strconv.Atoi(q.Get("limit"))
		return s.Pushes(r.Context(), PushFilter{q.Get("service_sid"), q.Get("identity"), q.Get("factor_sid"), q.Get("challenge_sid"), limit})
	},

	"GET devices": func(s *Simulator, r *http.Request) (any, error) {
		q := r.URL.Query()
		return s.Devices(r.Context(), DeviceFilter{q.Get("service_sid"), q.Get("identity"), q.Get("factor_sid")})
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

// clockReport is the clock as the control API shows it.
type clockReport struct {
	Now    time.Time `json:"now"`
	Frozen bool      `json:"frozen"`
}

func (s *Simulator) clockReport(ctx context.Context) (clockReport, error) {
	var report clockReport
	err := s.view(ctx, func(t *tx) error {
		report = clockReport{t.now, t.world.clock.frozenAt.Valid}
		return nil
	})
	return report, err
}

func setClock(s *Simulator, r *http.Request) (any, error) {
	change, err := argument[struct {
		Advance Duration `json:"advance"`
		Frozen  *bool    `json:"frozen"`
	}](r)
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
	answer, err := argument[struct {
		Challenge string `json:"challenge_sid"`
		Status    string `json:"status"`
	}](r)
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
				result, err := do(s, r)
				if err != nil {
					return controlRefusal(err).reply()
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
	if err := s.admit(r); err != nil {
		s.frameControl(w, r, func() reply { return controlRefusal(err).reply() })
		return
	}
	s.control().ServeHTTP(w, r)
}

// maxWorld is the largest control argument; worlds can be large.
const maxWorld = 64 << 20

// admit lets holders of an account's token in, so that no page in a browser can turn the world over.
func (s *Simulator) admit(r *http.Request) error {
	user, password, sent := r.BasicAuth()
	return s.view(r.Context(), func(t *tx) error {
		c := call{tx: t}
		if !sent {
			return errUnauthenticated
		}
		return c.authenticateAccount(user, password)
	})
}

func (s *Simulator) frameControl(w http.ResponseWriter, r *http.Request, do func() reply) {
	var f frame
	answer := do()
	s.frameWithoutCall(r.Context(), r, &f)
	answer.write(w, f)
}

// controlRefusal turns an error into a reply like the API's.
func controlRefusal(err error) *apiError {
	var refused *apiError
	var input InputError
	switch {
	case errors.As(err, &refused):
		return refused
	case errors.As(err, &input):
		return invalid(20001, "%s", input)
	case errors.Is(err, ErrNotFound):
		return refuse(http.StatusNotFound, 20404, "%s", err)
	}
	return refuse(http.StatusInternalServerError, 20500, "%s", err)
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
