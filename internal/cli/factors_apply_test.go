package cli

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/verifyctl/verifyctl/internal/simulator"
)

// An incident in production: nothing without a plan, then stage by stage, each ending with the command that goes on.
func TestIncidentInProductionGoesByStages(t *testing.T) {
	c := newCompany(t)
	if _, err := c.sim.Generate(t.Context(), simulator.Fleet{Service: simulator.DemoServiceSID, Entities: 130, Factors: 1}); err != nil {
		t.Fatal(err)
	}
	plan := filepath.Join(t.TempDir(), "incident.ndjson")
	live := func(want int, args ...string) (stdout, stderr string) {
		t.Helper()
		status, stdout, stderr := c.run(append([]string{"-e", "live"}, args...)...)
		if status != want {
			t.Fatalf("%v: status %d, want %d\n%s%s", args, status, want, stdout, stderr)
		}
		return stdout, stderr
	}
	live(0, "fleet", "sync", "--rps", "10000", "--concurrency", "16")
	where := "identity ~ 'user-000*'"
	stdout, _ := live(0, "factors", "list", "--where", where, "-q")
	if strings.Count(stdout, "YF") != 130 {
		t.Fatalf("%d factors of the generated fleet", strings.Count(stdout, "YF"))
	}

	if _, stderr := live(0, "factors", "plan", "--where", where, "--out", plan); !strings.Contains(stderr, "130 to delete") {
		t.Errorf("the plan: %s", stderr)
	}
	for _, tc := range [][]string{
		{"leaves 130 identities without a verified push factor", "--max-lockouts 130"},
		{"leaves 130 identities without a verified push factor", "--max-lockouts allows 129", "--max-lockouts", "129"},
		{"verified apn factors", "--max-share allows 20 %", "--max-lockouts", "130"},
		{"verified apn factors", "--max-share allows 50.5 %", "--max-lockouts", "130", "--max-share", "50.5"},
	} {
		if _, stderr := live(6, append([]string{"factors", "apply", plan, "--confirm", "live"}, tc[2:]...)...); !strings.Contains(stderr, tc[0]) || !strings.Contains(stderr, tc[1]) {
			t.Errorf("%v: %s", tc, stderr)
		}
	}
	limits := []string{"--max-lockouts", "130", "--max-share", "100"}
	if _, stderr := live(6, append([]string{"factors", "apply", plan, "--yes"}, limits...)...); !strings.Contains(stderr, "live is production; confirm with --confirm live") {
		t.Errorf("unconfirmed: %s", stderr)
	}
	apply := append([]string{"factors", "apply", plan, "--confirm", "live", "-q", "--rps", "10000", "--concurrency", "16"}, limits...)
	for i, want := range []int{10, 100, 20} { // the stages of 130
		status := 3
		if i == 2 {
			status = 0
		}
		stdout, stderr := live(status, apply...)
		if got := strings.Count(stdout, "YF"); got != want {
			t.Fatalf("stage %d deleted %d, want %d\n%s", i+1, got, want, stderr)
		}
		if next := "go on: verifyctl --config " + c.config + " -e live factors apply " + plan + " --rps 10000 --concurrency 16 --max-lockouts 130 --max-share 100 --confirm live"; strings.Contains(stderr, next) != (status == 3) {
			t.Errorf("stage %d: %s", i+1, stderr)
		}
	}
	if stdout, stderr := live(0, apply...); stdout != "" || !strings.Contains(stderr, "everything in the plan is done") {
		t.Errorf("again: %s%s", stdout, stderr)
	}
	if stdout, _ := live(0, "factors", "list", "--where", where, "-q"); stdout != "" {
		t.Errorf("the index still has %s", stdout)
	}
}

func TestWalkingAndSyncingProductionNeedsToBeAsked(t *testing.T) {
	c := newCompany(t)
	if _, err := c.sim.Generate(t.Context(), simulator.Fleet{Service: simulator.DemoServiceSID, Entities: 1001, Factors: 0}); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"fleet", "sync"}, {"factors", "list"}} {
		status, stdout, stderr := c.run(append([]string{"-e", "live"}, args...)...)
		if status != 6 || stdout != "" || !strings.Contains(stderr, "competes with logins") || !strings.Contains(stderr, "--all") {
			t.Errorf("%v: status %d\n%s%s", args, status, stdout, stderr)
		}
	}
}
