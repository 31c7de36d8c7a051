package cli

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/simulator"
)

// watched runs doctor watch with what happens before each further look, and gives how long it waited for that.
func (c *clinic) watched(between []func(), args ...string) (status int, stdout, stderr string, waits []time.Duration) {
	var out, err bytes.Buffer
	ctx, cancel := context.WithCancel(c.Context())
	defer cancel()
	s := &shell{terminal: terminal{in: strings.NewReader(""), out: &out, err: &err, getenv: func(name string) string {
		if name == "VERIFYCTL_STATE_DIR" {
			return c.state
		}
		return ""
	}}, sleep: withoutWaiting, clockOf: func(now func() time.Time) clock {
		return clock{now, func(ctx context.Context, d time.Duration) error {
			if len(between) == 0 {
				cancel()
				return ctx.Err()
			}
			waits = append(waits, d)
			between[0]()
			between = between[1:]
			return ctx.Err()
		}}
	}}
	status = run(ctx, s, append([]string{"--config", c.config, "-e", "live", "doctor", "watch"}, args...))
	return status, out.String(), err.String(), waits
}

func TestDoctorWatchSaysWhatChanges(t *testing.T) {
	c := newClinic(t, clinicFile)
	fault := func(f simulator.Fault) func() {
		return func() {
			if _, err := c.sim.AddFault(t.Context(), f); err != nil {
				t.Fatal(err)
			}
		}
	}
	mend := func() {
		if err := c.sim.RemoveFault(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
	create := func() {
		if status, _, stderr := c.run("-e", "live", "challenge", "create", "user-1001-amara", "--message", "Log in?", "--all-factors", "--confirm", "live"); status != 0 {
			t.Fatal(stderr)
		}
	}
	unreachable := fault(simulator.Fault{Kind: simulator.FaultError, Status: 503})
	throttled := fault(simulator.Fault{Kind: simulator.FaultError, Operation: "FetchService", Status: 429, Count: 1})
	status, stdout, stderr, waits := c.watched([]func(){unreachable, mend, create, throttled}, "--looks", "5", "--only", "SVC-01,PUSH-APN-01,EVT-03")
	rest := stdout
	for _, want := range []string{
		" live ", "live challenges created here: 0 approved, 0 denied, 0 expired, 0 pending\n", "live events captured here: no listener ever ran here",
		" live UNKNOWN: ", "not everything could be read", "push errors not known: HTTP 503", " live WARN: ", "live challenges created here: 0 approved, 0 denied, 0 expired, 3 pending\n",
	} {
		at := strings.Index(rest, want)
		if at < 0 {
			t.Fatalf("%q is missing, or out of order, in\n%s", want, stdout)
		}
		rest = rest[at:]
	}
	if strings.Count(stdout, "live UNKNOWN") != 1 || strings.Contains(stdout, "\x1b") {
		t.Errorf("not a line for each change:\n%s", stdout)
	}
	if !strings.Contains(stderr, "requests a look, one every 1m\n") || !strings.Contains(stderr, "one every 2m, less often since Twilio answered 429") {
		t.Errorf("the cost is not told: %s", stderr)
	}
	if len(waits) != 4 || waits[0] != time.Minute || waits[3] != time.Minute {
		t.Errorf("waited %v", waits)
	}
	if status != 0 {
		t.Errorf("status %d: %s", status, stderr)
	}
}

// It ends as doctor does after the last look, and by Ctrl-C as every command.
func TestHowDoctorWatchEnds(t *testing.T) {
	c := newClinic(t, strings.Replace(clinicFile, "ios_build: debug", "ios_build: distribution", 1))
	if status, stdout, _, _ := c.watched(nil, "--looks", "1"); status != 1 || !strings.Contains(stdout, "live PUSH-APN-01 FAIL: ") {
		t.Errorf("status %d:\n%s", status, stdout)
	}
	if status, stdout, stderr, _ := c.watched(nil); status != 130 || stdout == "" || !strings.Contains(stderr, "interrupted") {
		t.Errorf("status %d:\n%s%s", status, stdout, stderr)
	}
	if _, err := c.sim.AddFault(t.Context(), simulator.Fault{Kind: simulator.FaultError, Status: 503}); err != nil {
		t.Fatal(err)
	}
	if status, stdout, _, _ := c.watched(nil, "--looks", "1"); status != 3 || !strings.Contains(stdout, "live UNKNOWN: ") {
		t.Errorf("status %d:\n%s", status, stdout)
	}
	for args, want := range map[string]string{"--every 5s": "--every 5s is too often", "--looks -1": "--looks -1 is negative", "--only X": `--only "X" matches no check`, "--since 31d": "30 days"} {
		if status, _, stderr, _ := c.watched(nil, strings.Fields(args)...); status != 64 || !strings.Contains(stderr, want) {
			t.Errorf("%s: status %d, %s", args, status, stderr)
		}
	}
}
