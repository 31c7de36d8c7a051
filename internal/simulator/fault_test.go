package simulator_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/simulator"
)

func addFault(c *client, f simulator.Fault) {
	c.t.Helper()
	if _, err := c.sim.AddFault(c.t.Context(), f); err != nil {
		c.t.Fatal(err)
	}
}

// try sends a request that may break and gives the status, 0 when there is no reply.
func (c *client) try(method, path, body string) (int, http.Header, string) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, "http://"+c.host+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.SetBasicAuth(c.user, c.pass)
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil, err.Error()
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil, err.Error()
	}
	return resp.StatusCode, resp.Header, string(raw)
}

// TestFaults plays each kind and whether the request was carried out all the same.
func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		fault     simulator.Fault
		status    int
		processed bool
	}{
		{simulator.Fault{Kind: simulator.FaultRateLimit, RetryAfter: 7}, 429, false},
		{simulator.Fault{Kind: simulator.FaultError, Status: 503}, 503, false},
		{simulator.Fault{Kind: simulator.FaultErrorAfter}, 502, true},
		{simulator.Fault{Kind: simulator.FaultResetBefore}, 0, false},
		{simulator.Fault{Kind: simulator.FaultResetAfter}, 0, true},
		{simulator.Fault{Kind: simulator.FaultLatency, Delay: simulator.Duration(time.Millisecond)}, 201, true},
		{simulator.Fault{Kind: simulator.FaultSlowBody, Delay: simulator.Duration(9 * time.Millisecond)}, 201, true},
	} {
		t.Run(string(tt.fault.Kind), func(t *testing.T) {
			c := frozen(t)
			service := c.newService()
			tt.fault.Operation, tt.fault.Count = "CreateEntity", 1
			addFault(c, tt.fault)
			entities := "/v2/Services/" + service + "/Entities"
			c.ok("GET", entities) // another operation is not hit
			status, header, body := c.try("POST", entities, "Identity=user-1001-amara")
			if status != tt.status {
				t.Errorf("status %d, want %d: %s", status, tt.status, body)
			}
			switch {
			case status == 429 && (header.Get("Retry-After") != "7" || header.Get("Twilio-Reached-Rate-Limit") == "" || !strings.Contains(body, "20429")):
				t.Errorf("429 with %v %s", header, body)
			case status > 500 && (header.Get("Content-Type") != "text/html" || !strings.HasPrefix(body, "<html>")):
				t.Errorf("%d with %v %s", status, header, body)
			}
			if got := len(c.ok("GET", entities).items("entities")) == 1; got != tt.processed {
				t.Errorf("processed: %v, want %v", got, tt.processed)
			}
			again, _, body := c.try("POST", entities, "Identity=user-1002-bilal")
			if again != 201 {
				t.Errorf("a fault that was to happen once happened twice: %d %s", again, body)
			}
			faults, err := c.sim.Faults(t.Context())
			if err != nil || len(faults) != 1 || faults[0].Fired != 1 || faults[0].Matched != 2 {
				t.Errorf("faults %+v, %v", faults, err)
			}
		})
	}
}

// TestFaultRate hits the share that was asked for, and the same requests in every run.
func TestFaultRate(t *testing.T) {
	run := func() string {
		c := frozen(t)
		service := c.newService()
		addFault(c, simulator.Fault{Kind: simulator.FaultError, Operation: "List*", Rate: 0.3, Skip: 10})
		var pattern strings.Builder
		for range 200 {
			status, _, _ := c.try("GET", "/v2/Services/"+service+"/Entities", "")
			pattern.WriteString(map[int]string{200: ".", 502: "X"}[status])
		}
		return pattern.String()
	}
	first := run()
	if hit := strings.Count(first, "X"); hit < 30 || hit > 90 || strings.Contains(first[:10], "X") || len(first) != 200 {
		t.Errorf("of 200 requests %d were hit: %s", hit, first)
	}
	if second := run(); second != first {
		t.Errorf("two runs of one world differ:\n%s\n%s", first, second)
	}
}

// TestConcurrencyFault refuses what is too much at one time.
func TestConcurrencyFault(t *testing.T) {
	c := frozen(t)
	service := c.newService()
	addFault(c, simulator.Fault{Kind: simulator.FaultConcurrency, Operation: "ListEntity", Limit: 1})
	addFault(c, simulator.Fault{Kind: simulator.FaultLatency, Operation: "FetchService", Delay: simulator.Duration(time.Minute)})
	ctx, hangUp := context.WithCancel(t.Context())
	slow := make(chan error)
	go func() {
		req, err := http.NewRequestWithContext(ctx, "GET", "http://"+c.host+"/v2/Services/"+service, nil)
		if err == nil {
			req.SetBasicAuth(c.user, c.pass)
			_, err = c.http.Do(req) // it is cut off
		}
		slow <- err
	}()
	for refused := false; !refused; {
		status, header, _ := c.try("GET", "/v2/Services/"+service+"/Entities", "")
		refused = status == 429 && header.Get("Twilio-Concurrent-Requests") == "2"
	}
	hangUp()
	<-slow
	for served := false; !served; { // once the other request is over
		status, _, _ := c.try("GET", "/v2/Services/"+service+"/Entities", "")
		served = status == 200
	}
}

// TestLostPushes lose what would have arrived.
func TestLostPushes(t *testing.T) {
	c := open(t, phones(func(*simulator.World) {}))
	addFault(c, simulator.Fault{Kind: simulator.FaultLosePush, Count: 2})
	var got []string
	for range 3 {
		got = append(got, string(ring(c, "YF"+strings.Repeat("b", 32)).Outcome))
	}
	if fmt.Sprint(got) != "[lost lost delivered]" {
		t.Errorf("pushes were %v", got)
	}
}

// TestFaultRules are refused when they mean nothing.
func TestFaultRules(t *testing.T) {
	c := frozen(t)
	for _, f := range []simulator.Fault{
		{Kind: "earthquake"}, {Kind: simulator.FaultError, Status: 200}, {Kind: simulator.FaultError, Rate: 2}, {Kind: simulator.FaultConcurrency},
		{Kind: simulator.FaultError, Operation: "CreateChallenges"}, {Kind: simulator.FaultError, Operation: "["}, {Kind: simulator.FaultLatency, Delay: -1},
		{Kind: simulator.FaultRateLimit, Status: 503}, {Kind: simulator.FaultResetAfter, Status: 502}, {Kind: simulator.FaultError, RetryAfter: 2},
		{Kind: simulator.FaultRateLimit, Limit: 3}, {Kind: simulator.FaultError, Delay: 1}, {Kind: simulator.FaultLosePush, Operation: "CreateChallenge"},
	} {
		if _, err := c.sim.AddFault(t.Context(), f); err == nil {
			t.Errorf("%+v was taken", f)
		}
	}
	for kind, status := range map[simulator.FaultKind]int{simulator.FaultRateLimit: 429, simulator.FaultError: 502, simulator.FaultResetAfter: 0} {
		if f, err := c.sim.AddFault(t.Context(), simulator.Fault{Kind: kind}); err != nil || f.Status != status {
			t.Errorf("%s shows the status %d, want %d (%v)", kind, f.Status, status, err)
		}
	}
	if err := c.sim.RemoveFault(t.Context(), 5); err == nil {
		t.Error("a fault that is not there was removed")
	}
}
