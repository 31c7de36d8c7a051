package simulator_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/simulator"
)

// TestChangeIsSeenAtOnce lets two processes on one file change a Service in turns, while clients read it from both: whoever
// asks after a change was answered gets it or a later one.
func TestChangeIsSeenAtOnce(t *testing.T) {
	state := filepath.Join(t.TempDir(), "world.db")
	here := open(t, simulator.Options{State: state})
	elsewhere := *here
	transport := &http.Transport{}
	elsewhere.http = &http.Client{Transport: transport}
	server, host := serveElsewhere(t, state)
	elsewhere.host = host
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Process.Kill() // it serves until then
		server.Wait()
	})
	path := "/v2/Services/" + here.ok("POST", "/v2/Services", "FriendlyName", "round 0").text("sid")
	var answered atomic.Int64
	look := func(c *client) {
		least := answered.Load()
		status, body, err := c.plain("GET", path)
		_, body, _ = strings.Cut(body, `"friendly_name":"round `)
		name, _, _ := strings.Cut(body, `"`)
		if round, wrong := strconv.ParseInt(name, 10, 64); err != nil || wrong != nil || round < least {
			t.Errorf("round %d was answered; then %s served: %d, round %q, %v", least, c.host, status, name, err)
		}
	}
	clients := []*client{here, &elsewhere}
	var over atomic.Bool
	var readers sync.WaitGroup
	for i := range 4 {
		readers.Go(func() {
			for !over.Load() && !t.Failed() {
				look(clients[i%2])
			}
		})
	}
	for round := int64(1); round <= 100 && !t.Failed(); round++ {
		clients[round%2].ok("POST", path, "FriendlyName", fmt.Sprintf("round %d", round))
		answered.Store(round)
		look(here)
		look(&elsewhere)
	}
	over.Store(true)
	readers.Wait()
}

// TestKnownRows changes each kind of row that a read looks at, through the simulator that is asked and through another on the
// same file: the next read goes by what is there then.
func TestKnownRows(t *testing.T) {
	const identity = "user-1001-amara"
	state := filepath.Join(t.TempDir(), "world.db")
	here := open(t, simulator.Options{State: state, Clock: simulator.Clock{Mode: simulator.ClockFrozen, At: start}})
	another := open(t, simulator.Options{State: state})
	service := "/v2/Services/" + here.newService()
	account := simulator.Account{SID: simulator.DefaultAccountSID, AuthToken: simulator.DefaultAuthToken}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, by := range map[string]*client{"by itself": here, "by another": another} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			device, err := by.sim.Enroll(ctx, simulator.Enrolment{Service: strings.TrimPrefix(service, "/v2/Services/"), Identity: identity, Platform: "fcm"})
			must(err)
			entity := service + "/Entities/" + identity
			factor := entity + "/Factors/" + device.Factor
			made := by.ok("POST", "/v1/Keys", "AccountSid", account.SID, "FriendlyName", "of a test")
			keyed := here.as(made.text("sid"), made.text("secret"))
			date := keyed.ok("GET", factor).header.Get("Date")

			must(by.sim.Advance(ctx, time.Minute))
			if later := keyed.ok("GET", factor).header.Get("Date"); later == date {
				t.Errorf("the clock was moved, and it is still %s", later)
			}
			by.ok("POST", factor, "FriendlyName", "Pixel 9")
			if got := keyed.ok("GET", factor).text("friendly_name"); got != "Pixel 9" {
				t.Errorf("the factor was renamed to Pixel 9 and is %q", got)
			}
			fault, err := by.sim.AddFault(ctx, simulator.Fault{Kind: simulator.FaultError, Status: 503})
			must(err)
			if status, _, body := keyed.try("GET", factor, ""); status != 503 {
				t.Errorf("a fault was set: %d %s", status, body)
			}
			must(by.sim.RemoveFault(ctx, fault.ID))
			keyed.ok("GET", factor)

			suspended := account
			suspended.Status = "suspended"
			must(by.sim.PutAccount(ctx, suspended))
			keyed.refused(403, 20005, "GET", factor)
			must(by.sim.PutAccount(ctx, account))
			keyed.ok("GET", factor)

			by.ok("DELETE", "/v1/Keys/"+keyed.user)
			keyed.refused(401, 20003, "GET", factor)
			here.ok("GET", factor)
			by.ok("DELETE", factor)
			here.refused(404, 20404, "GET", factor)
			here.ok("GET", entity)
			by.ok("DELETE", entity)
			here.refused(404, 20404, "GET", entity)
		})
	}
}
