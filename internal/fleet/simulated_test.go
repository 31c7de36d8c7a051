package fleet_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/fleet"
	"github.com/verifyctl/verifyctl/internal/simulator"
	"github.com/verifyctl/verifyctl/internal/store"
	_ "github.com/verifyctl/verifyctl/internal/tmpdir" // for temporary folders
	"github.com/verifyctl/verifyctl/internal/twilio"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// child, in the environment of this test binary, makes it one run of a crawl or of an apply, to be killed.
const child = "FLEET_TEST_CHILD"

func TestMain(m *testing.M) {
	if mode := os.Getenv(child); mode != "" {
		if err := runChild(mode, os.Args[1], os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func runChild(mode, url, service, dir string) error {
	ctx := context.Background()
	client, err := twilio.New(twilio.Options{Username: simulator.DefaultAccountSID, Password: simulator.DefaultAuthToken, BaseURL: url})
	if err != nil {
		return err
	}
	memory, err := store.Open(ctx, dir, "test")
	if err != nil {
		return err
	}
	if mode == "sync" {
		_, _, err := fleet.Sync(ctx, client, memory, fleet.SyncOptions{Environment: simulated(service), Now: time.Now, Sleep: sleep})
		return err
	}
	plan, err := readPlan(filepath.Join(dir, "plan"))
	if err != nil {
		return err
	}
	_, err = fleet.Apply(ctx, plan, target(simulated(service), client, memory), fleet.ApplyOptions{})
	return err
}

func simulated(service string) verify.Environment {
	return verify.Environment{Name: "test", Kind: verify.Staging, AccountSID: simulator.DefaultAccountSID, ServiceSID: verify.ServiceSID(service)}
}

func target(env verify.Environment, client *twilio.Client, memory *store.Store) fleet.Target {
	return fleet.Target{Environment: env, Twilio: client, Deleter: recordingDeleter{client, memory}, Outcomes: memory, Now: time.Now}
}

// recordingDeleter deletes as the command line does: the record comes first.
type recordingDeleter struct {
	client *twilio.Client
	memory *store.Store
}

func (d recordingDeleter) DeleteFactor(ctx context.Context, f verify.Factor) (string, error) {
	ids, err := d.memory.RecordDeletions(ctx, []verify.Factor{f}, "test", "", time.Now())
	if err != nil {
		return "failed", err
	}
	err = d.client.Writer().DeleteFactor(ctx, f.ServiceSID, f.Identity, f.SID)
	outcome := "failed"
	switch kind := verify.KindOf(err); {
	case err == nil:
		outcome = "deleted"
	case kind == verify.KindNotFound:
		outcome, err = "already gone", nil
	case kind == verify.KindPartial:
		outcome = "unknown"
	}
	end := verify.DeletionEnd{ID: ids[0], Outcome: outcome, Gone: err == nil, At: time.Now()}
	return outcome, errors.Join(err, d.memory.FinishDeletions(ctx, end))
}

func (recordingDeleter) Flush(context.Context) error { return nil }

func readPlan(file string) (fleet.Plan, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return fleet.Plan{}, err
	}
	return fleet.ReadPlan(bytes.NewReader(text))
}

// served is a Service on the simulator, on a port, with a count of the requests for it.
type served struct {
	sim      *simulator.Simulator
	url      string
	service  string
	client   *twilio.Client
	requests atomic.Int64
	onServe  atomic.Pointer[func(n int64)] // called with each request's number before it is served
}

func serve(t *testing.T, entities, factors int) *served {
	t.Helper()
	sim, err := simulator.Open(t.Context(), simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	made, err := sim.Generate(t.Context(), simulator.Fleet{Entities: entities, Factors: factors})
	if err != nil {
		t.Fatal(err)
	}
	s := &served{sim: sim, service: made.Service}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := s.requests.Add(1)
		if do := s.onServe.Load(); do != nil {
			(*do)(n)
		}
		sim.ServeHTTP(w, r)
	}))
	s.url = server.URL
	s.client, err = twilio.New(twilio.Options{
		Username: simulator.DefaultAccountSID, Password: simulator.DefaultAuthToken, BaseURL: server.URL,
		Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.client.Close()
		server.Close()
		sim.Close()
	})
	return s
}

// truth gives what the simulator has, read with nothing going wrong.
func (s *served) truth(t *testing.T) map[verify.FactorSID]verify.Identity {
	t.Helper()
	all := map[verify.FactorSID]verify.Identity{}
	for f, err := range fleet.Walk(t.Context(), s.client, verify.ServiceSID(s.service), fleet.Filter{}, fleet.WalkOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		all[f.SID] = f.Identity
	}
	return all
}

// run runs this binary as a child until it ends, or until the simulator has got so many more requests: then it is killed
// as kill -9 does. It tells whether the child came to its end.
func (s *served) run(t *testing.T, mode, dir string, killAfter int64) bool {
	t.Helper()
	cmd := exec.Command(os.Args[0], s.url, s.service, dir)
	cmd.Env = append(os.Environ(), child+"="+mode)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var killed atomic.Bool
	begin := s.requests.Load()
	kill := func(n int64) {
		if killAfter > 0 && n == begin+killAfter {
			killed.Store(true)
			cmd.Process.Kill() //nolint:errcheck // it may have ended
		}
	}
	s.onServe.Store(&kill)
	defer s.onServe.Store(nil)
	err := cmd.Wait()
	if err != nil && !killed.Load() {
		t.Fatalf("%s: %v\n%s", mode, err, stderr.String())
	}
	return err == nil
}

const kills = 20

func TestKilledSyncEndsAsIfNothingHadHappened(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many processes; run without -short")
	}
	const entities = 600
	s, rng := serve(t, entities, 2), rand.New(rand.NewPCG(7, 8))
	truth := s.truth(t)
	for killed := 0; killed < kills; {
		dir, before, begun := t.TempDir(), s.requests.Load(), killed
		for killed < kills && !s.run(t, "sync", dir, 1+rng.Int64N(160)) {
			killed++
		}
		s.run(t, "sync", dir, 0)
		checkIndex(t, dir, truth)
		// What a kill costs: the requests in flight, the readings of the last tenth of a second, and a page of the list.
		// The last two runs may each have read everything.
		most := int64(2*(entities+2) + (killed-begun)*(32+100+128+2))
		if spent := s.requests.Load() - before; spent > most {
			t.Errorf("%d requests with %d kills, at most %d make sense", spent, killed-begun, most)
		}
	}
}

// checkIndex checks that the index in a folder is the truth, no more and no less.
func checkIndex(t *testing.T, dir string, truth map[verify.FactorSID]verify.Identity) {
	t.Helper()
	memory, err := store.Open(t.Context(), dir, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	found := 0
	for f, err := range memory.FactorsWhere(t.Context(), nil) {
		if err != nil || truth[f.SID] != f.Identity {
			t.Fatalf("the index has %s of %s (%v), the simulator of %q", f.SID, f.Identity, err, truth[f.SID])
		}
		found++
	}
	if found != len(truth) {
		t.Errorf("%d factors in the index of %d", found, len(truth))
	}
}

func TestKilledApplyDeletesExactlyTheSelected(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many processes; run without -short")
	}
	s, dir, rng := serve(t, 400, 2), t.TempDir(), rand.New(rand.NewPCG(9, 10))
	selected := writeList(t, s, dir)
	killed := 0
	for killed < kills && !s.run(t, "apply", dir, 1+rng.Int64N(60)) {
		killed++
	}
	s.run(t, "apply", dir, 0)
	before := s.requests.Load()
	s.run(t, "apply", dir, 0)
	if n := s.requests.Load() - before; n != 0 {
		t.Errorf("the run after the last sent %d requests", n)
	}
	checkGone(t, s, dir, selected)
	if killed < kills {
		t.Errorf("the work was done after %d kills", killed)
	}
}

// writeList makes a plan to delete half of the factors and puts it into the folder.
func writeList(t *testing.T, s *served, dir string) map[verify.FactorSID]bool {
	t.Helper()
	memory, err := store.Open(t.Context(), dir, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	var refs []fleet.FactorRef
	selected := map[verify.FactorSID]bool{}
	all := s.truth(t)
	for sid, identity := range all {
		if len(refs) < len(all)/2 {
			refs = append(refs, fleet.FactorRef{Identity: identity, SID: sid})
			selected[sid] = true
		}
	}
	plan, err := fleet.PlanList(t.Context(), memory, simulated(s.service), refs, time.Now(), verify.Period(24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if _, err := plan.WriteTo(&text); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "plan"), text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return selected
}

// checkGone checks that the selected factors are gone and none else, and that this machine's records say so.
func checkGone(t *testing.T, s *served, dir string, selected map[verify.FactorSID]bool) {
	t.Helper()
	left := s.truth(t)
	for sid := range selected {
		if left[sid] != "" {
			t.Errorf("%s is still there", sid)
		}
	}
	if len(left) != len(selected) { // the other half
		t.Errorf("%d factors are left, %d were selected of twice as many", len(left), len(selected))
	}
	memory, err := store.Open(t.Context(), dir, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	plan, err := readPlan(filepath.Join(dir, "plan"))
	if err != nil {
		t.Fatal(err)
	}
	state, err := fleet.Applied(t.Context(), plan, memory)
	if err != nil || !state.Done() || state.Deleted+state.Gone != len(selected) {
		t.Errorf("%+v, %v", state, err)
	}
	recorded := map[verify.FactorSID]bool{}
	for d, err := range memory.Deletions(t.Context(), verify.DeletionFilter{}) {
		if err != nil || !selected[d.Factor.SID] {
			t.Fatalf("deletion %+v (%v)", d, err)
		}
		recorded[d.Factor.SID] = true
	}
	if len(recorded) != len(selected) {
		t.Errorf("%d deletions are recorded of %d", len(recorded), len(selected))
	}
}

func TestBadNetworkDeletesExactlyTheSelected(t *testing.T) {
	s, dir := serve(t, 150, 2), t.TempDir()
	selected := writeList(t, s, dir)
	for _, f := range []simulator.Fault{
		{Kind: simulator.FaultRateLimit, Rate: 0.05}, {Kind: simulator.FaultError, Rate: 0.01, Status: 503},
		{Kind: simulator.FaultErrorAfter, Rate: 0.01, Status: 502}, {Kind: simulator.FaultResetBefore, Rate: 0.02}, {Kind: simulator.FaultResetAfter, Rate: 0.02},
	} {
		if _, err := s.sim.AddFault(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	memory, err := store.Open(t.Context(), dir, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	for range 20 { // until the crawl has read what it could not read the time before
		if _, _, err = fleet.Sync(t.Context(), s.client, memory, fleet.SyncOptions{Environment: simulated(s.service), Now: time.Now, Sleep: sleep}); err == nil {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	plan, err := readPlan(filepath.Join(dir, "plan"))
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		var state fleet.ApplyState
		state, err = fleet.Apply(t.Context(), plan, target(simulated(s.service), s.client, memory), fleet.ApplyOptions{})
		if sum := state.Deleted + state.Gone + state.Kept + state.Deferred + state.Failed + state.Unknown + state.Left; sum != 150 {
			t.Errorf("the report does not add up: %+v", state)
		}
		if err == nil {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	faults, err := s.sim.Faults(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		if f.Fired == 0 {
			t.Errorf("the fault %s never happened", f.Kind)
		}
		if err := s.sim.RemoveFault(t.Context(), f.ID); err != nil {
			t.Fatal(err)
		}
	}
	checkGone(t, s, dir, selected)
}
