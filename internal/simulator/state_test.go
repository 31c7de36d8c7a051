package simulator_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/simulator"
	_ "github.com/verifyctl/verifyctl/internal/tmpdir" // for temporary folders
)

// TestMain turns the test binary into a server when a test starts it as one, to be killed.
func TestMain(m *testing.M) {
	if state := os.Getenv("SIMULATOR_TEST_SERVE"); state != "" {
		serveForever(state)
	}
	os.Exit(m.Run())
}

func serveForever(state string) {
	sim, err := simulator.Open(context.Background(), simulator.Options{State: state, World: hurried})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(l.Addr())
	fmt.Fprintln(os.Stderr, sim.Serve(l))
	os.Exit(1)
}

// hurried is a world that takes any number of entities in a second.
var hurried = simulator.World{Settings: &simulator.Settings{EntityRate: simulator.NoEntityRate}}

// serveElsewhere serves a state in another process and gives where.
func serveElsewhere(t *testing.T, state string) (server *exec.Cmd, host string) {
	t.Helper()
	server = exec.Command(os.Args[0])
	server.Env = append(os.Environ(), "SIMULATOR_TEST_SERVE="+state)
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the server did not start: %v", err)
	}
	return server, strings.TrimSpace(line)
}

// TestKilled loses nothing that was acknowledged, however often the process is killed.
func TestKilled(t *testing.T) {
	state := filepath.Join(t.TempDir(), "world.db")
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	c := &client{t: t, http: &http.Client{Transport: transport}, user: simulator.DefaultAccountSID, pass: simulator.DefaultAuthToken}
	var service string
	var acknowledged []string
	for round := range 4 {
		server, host := serveElsewhere(t, state)
		c.host = host
		if service == "" {
			service = c.newService()
		}
		killed := make(chan struct{})
		var wg sync.WaitGroup
		var mu sync.Mutex
		for worker := range 4 {
			wg.Go(func() {
				for i := 0; ; i++ {
					identity := fmt.Sprintf("user-%d-%d-%06d", round, worker, i)
					status, _, _ := c.try("POST", "/v2/Services/"+service+"/Entities", "Identity="+identity)
					if status != 201 {
						return // the server is gone
					}
					mu.Lock()
					acknowledged = append(acknowledged, identity)
					enough := len(acknowledged) >= (round+1)*60
					mu.Unlock()
					if enough {
						select {
						case <-killed:
						default:
							server.Process.Kill() // it may be dead already
						}
					}
				}
			})
		}
		wg.Wait()
		close(killed)
		server.Wait() // it was killed
	}
	sim, err := simulator.Open(t.Context(), simulator.Options{State: state})
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	stored := storedIdentities(t, state)
	for _, identity := range acknowledged {
		if !stored[identity] {
			t.Errorf("%s was acknowledged and is lost", identity)
		}
	}
}

func storedIdentities(t *testing.T, state string) map[string]bool {
	t.Helper()
	db, err := sql.Open("sqlite", state)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query("SELECT identity FROM entities")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	stored := map[string]bool{}
	for rows.Next() {
		var identity string
		if err := rows.Scan(&identity); err != nil {
			t.Fatal(err)
		}
		stored[identity] = true
	}
	if rows.Err() != nil || len(stored) == 0 {
		t.Fatalf("%d identities, %v", len(stored), rows.Err())
	}
	return stored
}

// TestStateFile is private, goes on where it was, and is never mistaken for another file.
func TestStateFile(t *testing.T) {
	dir := t.TempDir()
	state := filepath.Join(dir, "deep", "er", "world with space#?.db")
	opts := simulator.Options{State: state, Seed: simulator.SeedDemo}
	c := open(t, opts)
	user := "/v2/Services/" + simulator.DemoServiceSID + "/Entities/" + simulator.DemoIdentity
	c.ok("DELETE", user+"/Factors/"+simulator.DemoDeadFactorSID)
	if runtime.GOOS != "windows" {
		for _, suffix := range []string{"", "-wal", "-shm"} {
			info, err := os.Stat(state + suffix)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v; want mode 0600", suffix, info.Mode(), err)
			}
		}
	}
	again := open(t, opts) // while the first is still open
	again.refused(404, 20404, "GET", user+"/Factors/"+simulator.DemoDeadFactorSID)
	again.ok("DELETE", user)
	c.refused(404, 20404, "GET", user)

	foreign := filepath.Join(dir, "foreign.db")
	db, err := sql.Open("sqlite", foreign)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("CREATE TABLE precious (x)"); err != nil {
		t.Fatal(err)
	}
	db.Close()
	text := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a database at all\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{foreign, text} {
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := simulator.Open(t.Context(), simulator.Options{State: path}); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s was opened: %v", path, err)
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != string(before) && path == text {
			t.Errorf("%s was changed", path)
		}
	}
}

// TestRunningClock runs while a process has the state open, whoever it is, and stands in between.
func TestRunningClock(t *testing.T) {
	wall := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	var mu sync.Mutex
	pass := func(d time.Duration) { mu.Lock(); wall = wall.Add(d); mu.Unlock() }
	opts := simulator.Options{
		State: filepath.Join(t.TempDir(), "world.db"), Clock: simulator.Clock{Mode: simulator.ClockRunning, At: start},
		Wall: func() time.Time { mu.Lock(); defer mu.Unlock(); return wall },
	}
	ctx := t.Context()
	run := func(opts simulator.Options, do func(*simulator.Simulator)) {
		t.Helper()
		sim, err := simulator.Open(ctx, opts)
		if err != nil {
			t.Fatal(err)
		}
		do(sim)
		if err := sim.Close(); err != nil {
			t.Fatal(err)
		}
	}
	want := func(sim *simulator.Simulator, since time.Duration) {
		t.Helper()
		if now, err := sim.Now(ctx); err != nil || !now.Equal(start.Add(since)) {
			t.Errorf("it is %s after the start, %v; want %s", now.Sub(start), err, since)
		}
	}
	run(opts, func(sim *simulator.Simulator) { want(sim, 0); pass(time.Minute); want(sim, time.Minute) })
	pass(24 * time.Hour)
	run(opts, func(sim *simulator.Simulator) { want(sim, time.Minute) })
	run(opts, func(first *simulator.Simulator) {
		pass(10 * time.Second)
		run(opts, func(second *simulator.Simulator) { // which may not count the same ten seconds again
			pass(10 * time.Second)
			want(first, time.Minute+20*time.Second)
			if err := second.Advance(ctx, time.Hour); err != nil {
				t.Fatal(err)
			}
		})
		want(first, time.Hour+time.Minute+20*time.Second)
		if err := first.Freeze(ctx); err != nil {
			t.Fatal(err)
		}
		pass(time.Hour)
		want(first, time.Hour+time.Minute+20*time.Second)
		if err := first.Resume(ctx); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		want(first, time.Hour+time.Minute+21*time.Second)
		if err := first.Advance(ctx, -time.Second); err == nil {
			t.Error("the clock went back")
		}
	})
}

// TestSameBytes is one seed and one clock: the same requests get the same replies, headers and all.
func TestSameBytes(t *testing.T) {
	run := func() string {
		var log strings.Builder
		c := open(t, simulator.Options{Seed: simulator.SeedDemo, Clock: simulator.Clock{Mode: simulator.ClockFrozen, At: simulator.DemoInstant}})
		note := func(a answer) answer {
			fmt.Fprintln(&log, a.status, a.header, a.raw)
			return a
		}
		service := note(c.ok("POST", "/v2/Services", "FriendlyName", "Example Bank")).text("sid")
		d, err := c.sim.Enroll(t.Context(), simulator.Enrolment{Service: service, Identity: "user-1001-amara", Platform: "fcm"})
		if err != nil {
			t.Fatal(err)
		}
		entity := "/v2/Services/" + service + "/Entities/user-1001-amara"
		note(c.ok("GET", entity+"/Factors"))
		note(c.ok("POST", entity+"/Challenges", "FactorSid", d.Factor, "Details.Message", "Sign in?"))
		if _, err := c.sim.Answer(t.Context(), d.Factor, "", true); err != nil {
			t.Fatal(err)
		}
		note(c.ok("GET", entity+"/Challenges"))
		note(c.ok("POST", "/v2/Services/"+service+"/AccessTokens", "Identity", "user-1001-amara", "FactorType", "push"))
		note(c.ok("GET", "/v1/Alerts"))
		note(c.refused(404, 20404, "GET", "/v2/Nothing"))
		return log.String()
	}
	first, second := run(), run()
	if first != second {
		a, b := strings.Split(first, "\n"), strings.Split(second, "\n")
		for i := range a {
			if i < len(b) && a[i] != b[i] {
				t.Fatalf("line %d differs:\n%s\n%s", i, a[i], b[i])
			}
		}
		t.Fatal("the two runs differ in length")
	}
}

// TestManyClients lets 100 clients at one world and counts afterwards.
func TestManyClients(t *testing.T) {
	c := open(t, simulator.Options{State: filepath.Join(t.TempDir(), "world.db"), World: hurried})
	service := c.newService()
	entities := "/v2/Services/" + service + "/Entities"
	errs := make(chan error, 100)
	for n := range 100 {
		go func() {
			errs <- func() error {
				for i := range 3 {
					identity := fmt.Sprintf("user-%03d-%d", n, i)
					if status, _, body := c.try("POST", entities, "Identity="+identity); status != 201 {
						return fmt.Errorf("create: %d %s", status, body)
					}
					if status, _, body := c.try("GET", entities+"/"+identity, ""); status != 200 {
						return fmt.Errorf("fetch: %d %s", status, body)
					}
					if i == 1 {
						if status, _, body := c.try("DELETE", entities+"/"+identity, ""); status != 204 {
							return fmt.Errorf("delete: %d %s", status, body)
						}
					}
				}
				return nil
			}()
		}()
	}
	var failed error
	for range 100 {
		failed = errors.Join(failed, <-errs)
	}
	if failed != nil {
		t.Fatal(failed)
	}
	if got := len(c.ok("GET", entities+"?PageSize=1000").items("entities")); got != 200 {
		t.Errorf("%d entities are left, want 200", got)
	}
}

// TestGenerate makes the same fleet every time, beside what is there.
func TestGenerate(t *testing.T) {
	make := func() (string, string) {
		c := frozen(t)
		made, err := c.sim.Generate(t.Context(), simulator.Fleet{Entities: 2100, Factors: 2})
		if err != nil || made.Entities != 2100 || made.Factors != 4200 {
			t.Fatalf("%+v, %v", made, err)
		}
		entities := "/v2/Services/" + made.Service + "/Entities"
		last := c.ok("GET", entities+"?PageSize=1000").body["meta"].(map[string]any)["next_page_url"].(string)
		a := c.ok("GET", strings.TrimPrefix(last, "http://simulator.test"))
		identity := column(a.items("entities"), "identity")[999]
		factors := c.ok("GET", entities+"/"+identity+"/Factors")

		// A generated phone can answer.
		sid := column(factors.items("factors"), "sid")[0]
		c.ok("POST", entities+"/"+identity+"/Challenges", "FactorSid", sid, "Details.Message", "Sign in?")
		if _, err := c.sim.Answer(t.Context(), sid, "", true); err != nil {
			t.Error(err)
		}
		more, err := c.sim.Generate(t.Context(), simulator.Fleet{Service: made.Service, Entities: 3, Factors: 1})
		if err != nil || more.Entities != 3 {
			t.Errorf("a second fleet: %+v, %v", more, err)
		}
		return identity, factors.raw
	}
	identity, factors := make()
	if again, same := make(); identity != again || factors != same {
		t.Errorf("two fleets differ: %s %s\n%s\n%s", identity, again, factors, same)
	}
	c := frozen(t)
	for _, f := range []simulator.Fleet{{}, {Entities: 1, Factors: 21}, {Entities: 1, Service: "VA" + strings.Repeat("0", 32)}} {
		if _, err := c.sim.Generate(t.Context(), f); err == nil {
			t.Errorf("%+v was made", f)
		}
	}
}
