package twilio

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// The three ways to use the API, by what may be done again.
var operations = map[string]func(ctx context.Context, w *world) error{
	"read": func(ctx context.Context, w *world) error {
		_, err := w.Factor(ctx, service, user, factor)
		return err
	},
	"delete": func(ctx context.Context, w *world) error { return w.DeleteFactor(ctx, service, user, factor) },
	"create": func(ctx context.Context, w *world) error {
		_, err := w.CreateChallenge(ctx, service, user, verify.NewChallenge{FactorSID: factor, Message: "Log in?"})
		return err
	},
	"resend": func(ctx context.Context, w *world) error {
		_, err := w.CreateNotification(ctx, service, user, challenge, 2*time.Minute)
		return err
	},
}

var success = map[string]answer{
	"read":   says(200, factorJSON),
	"delete": says(204, ""),
	"create": says(201, challengeJSON),
	"resend": says(201, notificationJSON),
}

func htmlPage(status int) answer {
	return func(w http.ResponseWriter, _ *http.Request, _ int) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		send(w, status, "<html><h1>502 Bad Gateway</h1></html>")
	}
}

// TestWhatIsSentAgain is promise 3: reads and deletes are tried again, a phone rings once.
func TestWhatIsSentAgain(t *testing.T) {
	const unsaid = verify.Kind(-1) // no error
	for _, tc := range []struct {
		name     string
		first    answer
		requests map[string]int
		kinds    map[string]verify.Kind
	}{
		{"success", nil, map[string]int{"read": 1, "delete": 1, "create": 1, "resend": 1}, nil},
		{"too many requests", failed(429, 20429), map[string]int{"read": 2, "delete": 2, "create": 2, "resend": 2}, nil},
		{"a 429 of unknown origin", htmlPage(429), map[string]int{"read": 2, "delete": 2, "create": 1, "resend": 1},
			map[string]verify.Kind{"create": verify.KindLimit, "resend": verify.KindLimit}},
		{"three notifications were sent", failed(429, 60309), map[string]int{"read": 1, "delete": 1, "create": 1, "resend": 1},
			map[string]verify.Kind{"read": verify.KindLimit, "delete": verify.KindLimit, "create": verify.KindLimit, "resend": verify.KindLimit}},
		{"the connection breaks", hangsUp, map[string]int{"read": 2, "delete": 2, "create": 1, "resend": 1},
			map[string]verify.Kind{"create": verify.KindPartial, "resend": verify.KindPartial}},
		{"500", failed(500, 20500), map[string]int{"read": 2, "delete": 2, "create": 1, "resend": 1},
			map[string]verify.Kind{"create": verify.KindPartial, "resend": verify.KindPartial}},
		{"502 in HTML", htmlPage(502), map[string]int{"read": 2, "delete": 2, "create": 1, "resend": 1},
			map[string]verify.Kind{"create": verify.KindPartial, "resend": verify.KindPartial}},
		{"503 and nothing", says(503, ""), map[string]int{"read": 2, "delete": 2, "create": 1, "resend": 1},
			map[string]verify.Kind{"create": verify.KindPartial, "resend": verify.KindPartial}},
		{"a bad request", failed(400, 60306), map[string]int{"read": 1, "delete": 1, "create": 1, "resend": 1},
			map[string]verify.Kind{"read": verify.KindFailed, "delete": verify.KindFailed, "create": verify.KindFailed, "resend": verify.KindFailed}},
	} {
		for name, operation := range operations {
			t.Run(tc.name+"/"+name, func(t *testing.T) {
				turns := []answer{success[name]}
				if tc.first != nil {
					turns = []answer{tc.first, success[name]}
				}
				w := newWorld(t, inTurn(turns...))
				err := operation(t.Context(), w)
				want, isError := tc.kinds[name]
				if !isError {
					want = unsaid
				}
				if want == unsaid && err != nil {
					t.Errorf("got %v", err)
				}
				if want != unsaid {
					wantError(t, err, want)
				}
				w.wantRequests(t, tc.requests[name])
			})
		}
	}
}

func TestTriesAreBoundedAndSpreadOut(t *testing.T) {
	w := newWorld(t, failed(503, 20503))
	_, err := w.Factor(t.Context(), service, user, factor)
	wantError(t, err, verify.KindUnreachable)
	w.wantRequests(t, tries)
	half := []time.Duration{250, 500, 1000, 2000} // milliseconds; Random is 0, so half of each wait
	for i := range half {
		half[i] *= time.Millisecond
	}
	if diff := cmp.Diff(half, w.sleeps); diff != "" {
		t.Errorf("waits (-want +got):\n%s", diff)
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	for _, tc := range []struct {
		name   string
		header []string
		want   time.Duration
	}{
		{"seconds", []string{"Retry-After", "7"}, 7 * time.Second},
		{"fraction", []string{"Retry-After", "2.5"}, 2500 * time.Millisecond},
		{"date by the server's clock", []string{"Date", "Mon, 23 Nov 2020 10:00:00 GMT", "Retry-After", "Mon, 23 Nov 2020 10:00:09 GMT"}, 9 * time.Second},
		{"past", []string{"Retry-After", "-5"}, firstWait / 2},
		{"nonsense", []string{"Retry-After", "soon"}, firstWait / 2},
		{"no number", []string{"Retry-After", "NaN"}, firstWait / 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, inTurn(failed(429, 20429, tc.header...), says(200, factorJSON)))
			if _, err := w.Factor(t.Context(), service, user, factor); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]time.Duration{tc.want}, w.sleeps); diff != "" {
				t.Errorf("waits (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLongRetryAfterIsTheCallersToWait(t *testing.T) {
	w := newWorld(t, failed(429, 20429, "Retry-After", "3600"))
	_, err := w.Factor(t.Context(), service, user, factor)
	if e := wantError(t, err, verify.KindLimit); e.RetryAfter != time.Hour {
		t.Errorf("the error says to wait %v", e.RetryAfter)
	}
	w.wantRequests(t, 1)
	if len(w.sleeps) > 0 {
		t.Errorf("it slept %v", w.sleeps)
	}
}

// TestDeleteThatWasPerhapsDone: a 404 to our own delete means gone only when an earlier try may have reached Twilio.
func TestDeleteThatWasPerhapsDone(t *testing.T) {
	gone := failed(404, 20404)
	for _, tc := range []struct {
		name  string
		turns []answer
		kind  verify.Kind
		ok    bool
	}{
		{"lost reply, then gone", []answer{hangsUp, gone}, 0, true},
		{"502, then gone", []answer{htmlPage(502), gone}, 0, true},
		{"502, then 429, then gone", []answer{htmlPage(502), failed(429, 20429), gone}, 0, true},
		{"gone at once", []answer{gone}, verify.KindNotFound, false},
		{"not processed, then gone", []answer{failed(429, 20429), gone}, verify.KindNotFound, false},
		{"lost reply, then a 404 that is not Twilio's", []answer{hangsUp, htmlPage(404)}, verify.KindPartial, false},
		{"lost reply, then refused keys", []answer{hangsUp, failed(401, 20003)}, verify.KindPartial, false},
		{"lost replies only", []answer{hangsUp}, verify.KindPartial, false},
		{"not processed, always", []answer{failed(429, 20429)}, verify.KindLimit, false},
		{"a page that says 200", []answer{htmlPage(200)}, verify.KindPartial, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, inTurn(tc.turns...))
			err := w.DeleteFactor(t.Context(), service, user, factor)
			if tc.ok {
				if err != nil {
					t.Errorf("got %v, but the factor is gone", err)
				}
				return
			}
			wantError(t, err, tc.kind)
		})
	}
}

// TestNothingSentIsUnreachable: what certainly failed before sending changed nothing, for creates as well.
func TestNothingSentIsUnreachable(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for name, operation := range operations {
		for place, adjust := range map[string]func(*Options){
			"refused connection": func(o *Options) { o.BaseURL = "http://" + closed.Addr().String() },
			"TLS handshake":      func(o *Options) { o.BaseURL = strings.Replace(o.BaseURL, "http:", "https:", 1) },
			"unknown host": func(o *Options) {
				o.BaseURL = "http://bank.example"
				o.Dial = func(context.Context, string, string) (net.Conn, error) {
					return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Name: "bank.example", IsNotFound: true, Err: "no such host"}}
				}
			},
		} {
			t.Run(name+"/"+place, func(t *testing.T) {
				w := newWorld(t, says(500, ""), adjust)
				wantError(t, operation(t.Context(), w), verify.KindUnreachable)
				w.wantRequests(t, 0)
			})
		}
	}
}

// deaf is a connection that can be made to take nothing any more.
type deaf struct {
	net.Conn
	now *atomic.Bool
}

func (d deaf) Write(p []byte) (int, error) {
	if d.now.Load() {
		return 0, errors.New("the connection takes nothing")
	}
	return d.Conn.Write(p)
}

// TestStaleConnectionIsNotALostWrite: of a kept connection that turns out dead before anything was written, net/http
// makes another; when it cannot, nothing was sent.
func TestStaleConnectionIsNotALostWrite(t *testing.T) {
	var broken, unreachable atomic.Bool
	w := newWorld(t, inTurn(says(200, factorJSON), says(201, challengeJSON)), func(o *Options) {
		o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			if unreachable.Load() {
				return nil, errors.New("no way there")
			}
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			return deaf{conn, &broken}, err
		}
	})
	if err := operations["read"](t.Context(), w); err != nil {
		t.Fatal(err)
	}
	broken.Store(true)
	unreachable.Store(true)
	wantError(t, operations["create"](t.Context(), w), verify.KindUnreachable)
	w.wantRequests(t, 1)

	broken.Store(false)
	unreachable.Store(false)
	if err := operations["create"](t.Context(), w); err != nil {
		t.Error(err)
	}
	w.wantRequests(t, 2)
}

func TestContextEndsACall(t *testing.T) {
	for name, kind := range map[string]verify.Kind{
		"read": verify.KindInterrupted, "delete": verify.KindPartial, "create": verify.KindPartial, "resend": verify.KindPartial,
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			w := newWorld(t, func(_ http.ResponseWriter, r *http.Request, _ int) {
				cancel()
				<-r.Context().Done()
			})
			err := operations[name](ctx, w)
			wantError(t, err, kind)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%v is not context.Canceled", err)
			}
			w.wantRequests(t, 1)
		})
		t.Run(name+" before it begins", func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			w := newWorld(t, says(500, ""))
			wantError(t, operations[name](ctx, w), verify.KindInterrupted)
			w.wantRequests(t, 0)
		})
	}
}

func TestContextEndsAWait(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	w := newWorld(t, failed(503, 20503), func(o *Options) {
		o.Sleep = func(ctx context.Context, _ time.Duration) error {
			cancel()
			return ctx.Err()
		}
	})
	_, err := w.Factor(ctx, service, user, factor)
	wantError(t, err, verify.KindInterrupted)
	w.wantRequests(t, 1)
}

func TestOneTryIsBounded(t *testing.T) {
	stalls := func(w http.ResponseWriter, r *http.Request, n int) { <-r.Context().Done() }
	w := newWorld(t, inTurn(stalls, says(200, factorJSON)), func(o *Options) { o.Timeout = 50 * time.Millisecond })
	if _, err := w.Factor(t.Context(), service, user, factor); err != nil {
		t.Errorf("the second try was not made: %v", err)
	}
	w = newWorld(t, stalls, func(o *Options) { o.Timeout = 50 * time.Millisecond })
	_, err := w.CreateNotification(t.Context(), service, user, challenge, 0)
	wantError(t, err, verify.KindPartial)
	w.wantRequests(t, 1)
}

func TestRequestIDOfTheLastAnswer(t *testing.T) {
	var id string
	ctx := WithRequestID(t.Context(), &id)
	w := newWorld(t, inTurn(failed(503, 20503), says(204, "")))
	if err := w.DeleteFactor(ctx, service, user, factor); err != nil {
		t.Fatal(err)
	}
	if want := "RQ" + strings.Repeat("0", 31) + "2"; id != want {
		t.Errorf("the request id is %q, want %q", id, want)
	}
	w = newWorld(t, failed(403, 60322))
	_, err := w.CreateNotification(ctx, service, user, challenge, 0)
	if e := wantError(t, err, verify.KindFailed); e.RequestID != id || id == "" {
		t.Errorf("the error's request id is %q, the call's %q", e.RequestID, id)
	}
	w = newWorld(t, hangsUp)
	if _, err := w.CreateNotification(ctx, service, user, challenge, 0); err == nil || id != "" {
		t.Errorf("after no answer the request id is %q (%v)", id, err)
	}
}

func TestConnectionsAreKept(t *testing.T) {
	connections := map[string]bool{}
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request, n int) {
		connections[r.RemoteAddr] = true
		switch {
		case n%3 == 0:
			send(rw, 404, `{"code":20404,"message":"gone"}`)
		case n%3 == 1:
			rw.(http.Flusher).Flush() // chunked
			io.WriteString(rw, factorJSON)
		default:
			htmlPage(403)(rw, r, n)
		}
	})
	for range 30 {
		w.Factor(t.Context(), service, user, factor) //nolint:errcheck // errors are what this is about
	}
	if len(connections) != 1 {
		t.Errorf("30 calls, most of them failing, took %d connections", len(connections))
	}
}
