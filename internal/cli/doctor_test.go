package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/doctor"
	"github.com/verifyctl/verifyctl/internal/simulator"
)

// clinic is a machine with an environment file and a simulator at a port of it.
type clinic struct {
	*testing.T
	sim    *simulator.Simulator
	config string
	state  string
}

// The keys of the clinic's account.
const (
	mainKey    = "SK00000000000000000000000000000001"
	blindKey   = "SK00000000000000000000000000000002" // may not read push credentials
	clinicPass = "secret0of0the0keys"
)

func newClinic(t *testing.T, environments string) *clinic {
	t.Helper()
	t.Setenv("CLINIC_SECRET", clinicPass)
	t.Setenv("CLINIC_WRONG", "wrong0secret")
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	sim, err := simulator.Open(t.Context(), simulator.Options{Seed: simulator.SeedDemo, Clock: simulator.Clock{Mode: simulator.ClockWall}})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []simulator.Key{{SID: mainKey, Kind: "main"}, {SID: blindKey, Kind: "restricted", Allow: []string{"/twilio/verify/*", "/twilio/monitor/*"}}} {
		key.Account, key.Secret = simulator.DefaultAccountSID, clinicPass
		if err := sim.PutKey(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	server := httptest.NewServer(sim)
	t.Cleanup(func() {
		server.Close()
		sim.Close()
	})
	c := &clinic{T: t, sim: sim, state: t.TempDir(), config: filepath.Join(t.TempDir(), "config.yaml")}
	text := strings.NewReplacer("$SERVER", server.URL, "$ACCOUNT", simulator.DefaultAccountSID, "$DEV", simulator.DemoDevServiceSID,
		"$STAGING", simulator.DemoStagingServiceSID, "$LIVE", simulator.DemoServiceSID, "$MAIN", mainKey, "$BLIND", blindKey).Replace(environments)
	if err := os.WriteFile(c.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

// run runs the program in this process.
func (c *clinic) run(args ...string) (status int, stdout, stderr string) {
	var out, err bytes.Buffer
	s := &shell{terminal: terminal{in: strings.NewReader(""), out: &out, err: &err, getenv: func(name string) string {
		if name == "VERIFYCTL_STATE_DIR" {
			return c.state
		}
		return ""
	}}}
	if c.config != "" {
		args = append([]string{"--config", c.config}, args...)
	}
	status = run(context.Background(), s, args)
	return status, out.String(), err.String()
}

// report runs doctor and reads its JSON.
func (c *clinic) report(args ...string) (int, doctor.Report) {
	c.Helper()
	status, stdout, stderr := c.run(append([]string{"doctor", "-o", "json"}, args...)...)
	var report doctor.Report
	if err := json.Unmarshal([]byte(stdout), &report); err != nil {
		c.Fatalf("status %d: %v\n%s%s", status, err, stdout, stderr)
	}
	return status, report
}

func (c *clinic) result(report doctor.Report, env, check string) doctor.Result {
	c.Helper()
	i := slices.IndexFunc(report.Results, func(r doctor.Result) bool { return r.Check == check && r.Environment == env })
	if i < 0 {
		c.Fatalf("there is no result of %s for %s", check, env)
	}
	return report.Results[i]
}

// TestTheDemoIsMendedByPasting runs doctor on the broken demo world, pastes the commands it prints for what failed, and
// nothing else, until nothing fails.
func TestTheDemoIsMendedByPasting(t *testing.T) {
	c := newClinic(t, "environments: {}\n")
	c.config = ""
	for round := range 5 {
		status, report := c.report("-e", "demo")
		if status == 0 {
			if round == 0 {
				t.Fatal("the demo world is not broken")
			}
			return
		}
		pasted := false
		for _, result := range report.Results {
			if result.Status != doctor.Fail {
				continue
			}
			for _, command := range result.Commands {
				words := strings.Fields(command)
				if words[0] != "verifyctl" {
					t.Fatalf("%q is no command of verifyctl", command)
				}
				pasted = true
				status, stdout, stderr := c.run(words[1:]...)
				if status == 6 && strings.Contains(stderr, "confirm with --confirm demo") { // as whoever pastes types the name
					status, stdout, stderr = c.run(append(words[1:], "--confirm", "demo")...)
				}
				if status != 0 && status != 1 {
					t.Fatalf("%s: status %d\n%s%s", command, status, stdout, stderr)
				}
			}
		}
		if !pasted {
			t.Fatalf("something fails, and no command is printed: %+v", report.Summary)
		}
	}
	t.Error("something still fails after five rounds")
}

const clinicFile = `current: live
environments:
  live:
    account_sid: $ACCOUNT
    service_sid: $LIVE
    api_key: $MAIN
    secret_env: CLINIC_SECRET
    ios_build: debug
    platforms: [apn, fcm]
    base_url: $SERVER
  staging:
    account_sid: $ACCOUNT
    service_sid: $STAGING
    api_key: $BLIND
    secret_env: CLINIC_SECRET
    kind: staging
    ios_build: debug
    platforms: [apn, fcm]
    base_url: $SERVER
`

func TestDoctorOfAFile(t *testing.T) {
	c := newClinic(t, clinicFile)

	// All environments, whatever is current; the demo is not among them.
	status, report := c.report("--no-evidence")
	if names := fmt.Sprint(report.Environments[0].Name, report.Environments[1].Name, len(report.Environments)); names != "livestaging2" {
		t.Errorf("examined %s", names)
	}
	// Nothing fails, but one key may not read push credentials: 3, one finding, and the rest is checked.
	if status != 3 {
		t.Errorf("status %d, want 3: %+v", status, report.Problems())
	}
	if got := c.result(report, "staging", "PUSH-APN-02"); got.Status != doctor.Unknown || !got.ReadFailed {
		t.Errorf("PUSH-APN-02 of staging is %s: %s", got.Status, got.Reason)
	}
	if got := c.result(report, "live", "PUSH-APN-02"); got.Status != doctor.Pass {
		t.Errorf("PUSH-APN-02 of live is %s: %s", got.Status, got.Reason)
	}
	if len(report.Unreadable) != 1 || !strings.Contains(report.Unreadable[0].Permission, "standard key") {
		t.Errorf("unreadable: %+v", report.Unreadable)
	}
	if header := report.Environments[0]; header.File != c.config || header.Line != 3 {
		t.Errorf("live is said to be declared at %s:%d", header.File, header.Line)
	}
	// Narrowed to the one in order: 0.
	if status, report := c.report("--no-evidence", "-e", "live"); status != 0 {
		t.Errorf("status %d, want 0: %+v", status, report.Problems())
	}
	// A secret that cannot be had is a failed check of that environment, and hides nothing of the others.
	t.Setenv("CLINIC_SECRET", clinicPass+"\r\n")
	if status, report := c.report("--no-evidence", "-e", "live"); status != 1 || !strings.Contains(c.result(report, "live", "AUTH-01").Reason, "line break") {
		t.Errorf("status %d, AUTH-01 %+v", status, c.result(report, "live", "AUTH-01"))
	}
}

func TestDoctorNamesTheCauseOfARefusal(t *testing.T) {
	c := newClinic(t, clinicFile+`  wrong:
    account_sid: $ACCOUNT
    service_sid: $DEV
    api_key: $MAIN
    secret_env: CLINIC_WRONG
    kind: development
    base_url: $SERVER
  gone:
    account_sid: $ACCOUNT
    service_sid: VA00000000000000000000000000000009
    api_key: $MAIN
    secret_env: CLINIC_SECRET
    kind: development
    base_url: $SERVER
  nobody:
    account_sid: $ACCOUNT
    service_sid: $DEV
    api_key: $MAIN
    secret_env: NO_SUCH_VARIABLE
    kind: development
    base_url: $SERVER
`)
	status, report := c.report("--no-evidence")
	if status != 1 {
		t.Errorf("status %d, want 1", status)
	}
	for env, says := range map[string]string{"wrong": "20003", "gone": "no Service VA00000000000000000000000000000009", "nobody": "NO_SUCH_VARIABLE"} {
		if got := c.result(report, env, "AUTH-01"); got.Status != doctor.Fail || !strings.Contains(got.Reason, says) {
			t.Errorf("AUTH-01 of %s is %s: %s", env, got.Status, got.Reason)
		}
	}
	if got := c.result(report, "live", "PUSH-APN-02"); got.Status != doctor.Pass {
		t.Errorf("the others hide live: PUSH-APN-02 is %s: %s", got.Status, got.Reason)
	}
}

func TestDoctorSurvivesATwilioThatHangsOrFails(t *testing.T) {
	c := newClinic(t, clinicFile)
	for name, fault := range map[string]simulator.Fault{
		"hangs": {Kind: simulator.FaultLatency, Operation: "FetchCredential", Delay: simulator.Duration(20 * time.Second)},
		"fails": {Kind: simulator.FaultError, Operation: "FetchCredential", Status: 500},
	} {
		if err := c.sim.RemoveFault(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		if _, err := c.sim.AddFault(t.Context(), fault); err != nil {
			t.Fatal(err)
		}
		status, report := c.report("--no-evidence", "-e", "live", "--timeout", "400ms")
		if status != 3 {
			t.Errorf("%s: status %d, want 3", name, status)
		}
		if got := c.result(report, "live", "PUSH-APN-02"); got.Status != doctor.Unknown || !strings.Contains(got.Reason, "the APNs credential could not be read") {
			t.Errorf("%s: PUSH-APN-02 is %s: %s", name, got.Status, got.Reason)
		}
		if got := c.result(report, "live", "HOOK-01"); got.Status != doctor.Pass {
			t.Errorf("%s hides HOOK-01: %s", name, got.Reason)
		}
	}
}

func TestAFixInProductionIsConfirmedByName(t *testing.T) {
	c := newClinic(t, strings.Replace(clinicFile, "ios_build: debug", "ios_build: distribution", 1))
	fix := []string{"-e", "live", "doctor", "--fix", "--credential", simulator.DemoSpareCredentialSID, "--no-evidence"}
	for _, more := range [][]string{nil, {"--yes"}, {"--confirm", "staging"}} {
		if status, _, stderr := c.run(append(fix, more...)...); status != 6 {
			t.Errorf("%v: status %d\n%s", more, status, stderr)
		}
	}
	if status, report := c.report("--no-evidence", "-e", "live", "--only", "PUSH-APN-01"); status != 1 {
		t.Errorf("something was changed without leave: status %d, %+v", status, report.Problems())
	}
	if status, stdout, stderr := c.run(append(fix, "--confirm", "live", "--only", "PUSH-APN-01")...); status != 0 || !strings.Contains(stderr, "to undo it: verifyctl --config "+c.config+" -e live doctor undo apn=") {
		t.Errorf("status %d\n%s%s", status, stdout, stderr)
	}
}
