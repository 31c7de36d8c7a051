package challenge_test

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/challenge"
	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/simulator"
	"github.com/verifyctl/verifyctl/internal/twilio"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// simulated is a world of the simulator, reached by the real client, with all requests counted.
type simulated struct {
	*simulator.Simulator
	client   *twilio.Client
	requests atomic.Int64
}

func newSimulated(t *testing.T, opts simulator.Options) *simulated {
	t.Helper()
	sim, err := simulator.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	s := &simulated{Simulator: sim}
	network := simulator.NewPipeListener()
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		sim.ServeHTTP(w, r)
	})}
	go server.Serve(network)
	s.client, err = twilio.New(twilio.Options{Username: simulator.DefaultAccountSID, Password: simulator.DefaultAuthToken,
		BaseURL: "http://simulator", Dial: network.DialContext, Now: s.now, Random: func() float64 { return 0 },
		Sleep: func(ctx context.Context, d time.Duration) error { return ctx.Err() }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.client.Close()
		server.Close()
		network.Close()
		sim.Close()
	})
	return s
}

func (s *simulated) now() time.Time {
	now, err := s.Now(context.Background())
	if err != nil {
		panic(err)
	}
	return now
}

// post and request send what an operator would do in Twilio's Console.
func (s *simulated) post(url, form string) { s.request(http.MethodPost, url, form) }

func (s *simulated) request(method, url, form string) {
	r := httptest.NewRequest(method, url, strings.NewReader(form))
	r.SetBasicAuth(simulator.DefaultAccountSID, simulator.DefaultAuthToken)
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer := httptest.NewRecorder()
	s.ServeHTTP(answer, r)
	if answer.Code >= 300 {
		panic(fmt.Sprintf("%s %s: %d %s", method, url, answer.Code, answer.Body))
	}
}

// alertFeed is the account's alerts, decoded.
type alertFeed struct{ alerts challenge.AlertReader }

func (f alertFeed) Events(ctx context.Context, span event.Span) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		for a, err := range f.alerts.Alerts(ctx, verify.AlertFilter{Start: span.From, End: span.Until}) {
			if err != nil {
				yield(event.Event{}, err)
				return
			}
			if !yield(event.FromAlert(a), nil) {
				return
			}
		}
	}
}

func newAlertFeed(a challenge.AlertReader) challenge.Feed { return alertFeed{a} }

func sources(s *simulated, memory challenge.Memory) challenge.Sources {
	return challenge.NewSources(s.client, memory, newAlertFeed)
}

// blank is a machine that remembers nothing.
type blank struct{}

func (blank) IdentityOf(context.Context, string) (verify.Identity, bool, error) {
	return "", false, nil
}
func (blank) Resends(context.Context, verify.ChallengeSID) ([]verify.Resend, error) {
	return nil, nil
}
func (blank) Receipts(context.Context, verify.ChallengeSID) ([]verify.Receipt, error) {
	return nil, nil
}
func (blank) Deletions(context.Context, verify.DeletionFilter) iter.Seq2[verify.Deletion, error] {
	return func(func(verify.Deletion, error) bool) {}
}

// why asks, and fails the test when it took more requests than allowed or than it says.
func (s *simulated) why(t *testing.T, subject challenge.Subject, env verify.Environment, memory challenge.Memory) challenge.Answer {
	t.Helper()
	before := s.requests.Load()
	answer, err := challenge.Why(t.Context(), challenge.Question{Subject: subject, Env: env, Now: s.now()}, sources(s, memory))
	if err != nil {
		t.Fatalf("why %+v: %v", subject, err)
	}
	if sent := s.requests.Load() - before; sent > challenge.MaxRequests || int(sent) > answer.Requests {
		t.Errorf("why %+v took %d requests and says %d; at most %d are allowed", subject, sent, answer.Requests, challenge.MaxRequests)
	}
	return answer
}
