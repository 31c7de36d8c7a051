package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/verifyctl/verifyctl/internal/simulator"
	_ "github.com/verifyctl/verifyctl/internal/tmpdir" // for temporary folders
)

var update = flag.Bool("update", false, "rewrite the expected output in the scripts")

func TestMain(m *testing.M) {
	testscript.Main(waiting{m}, map[string]func(){"verifyctl": main})
}

// waiting are tests that wait for programs most of their time: more of them run side by side than there are processors.
type waiting struct{ *testing.M }

func (w waiting) Run() int {
	flag.Parse()
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == parallel.DefValue {
		_ = flag.Set(parallel.Name, strconv.Itoa(3*runtime.GOMAXPROCS(0))) // a number it takes
	}
	return w.M.Run()
}

// coverageDir is the variable that names where verifyctl puts what it covered, when these tests are built with -cover: it
// is the test binary, and without a place it warns.
func coverageDir(otherwise string) string {
	return "GOCOVERDIR=" + cmp.Or(os.Getenv("GOCOVERDIR"), otherwise)
}

// concurrent are the transcripts that are run with -short too, which is how data races are looked for: each start of a program
// takes long there, and these do many things at once.
var concurrent = []string{"fleet/index", "fleet/prune", "doctor/demo"}

// TestScripts runs every transcript below testdata/script: what a user types and what they see, by the real binary. Each
// script has a home and a state of its own, without any account, network or keychain.
func TestScripts(t *testing.T) {
	params := testscript.Params{UpdateScripts: *update, RequireUniqueNames: true, Setup: setUp, Condition: condition, Cmds: commands}
	if testing.Short() {
		for _, name := range concurrent {
			params.Files = append(params.Files, filepath.Join("testdata/script", name+".txtar"))
		}
		testscript.Run(t, params)
		t.Log("run without -short for the other transcripts")
		return
	}
	for _, dir := range scriptDirs(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			params := params
			params.Dir = dir
			testscript.Run(t, params)
		})
	}
}

// commands are what a script can call beside verifyctl.
var commands = map[string]func(*testscript.TestScript, bool, []string){
	"exits":    exits,
	"contains": contains,
	"simulate": simulate,
	"postgres": postgres,
}

// condition tells a script whether there is a PostgreSQL server.
func condition(name string) (bool, error) {
	if name != "postgres" {
		return false, fmt.Errorf("no condition %s", name)
	}
	address, err := database()
	return address != "", err
}

// scriptDirs finds the folders with scripts; Params.Dir does not recurse, and a folder that is never run is a defect.
func scriptDirs(t *testing.T) []string {
	var dirs []string
	err := filepath.WalkDir("testdata/script", func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".txtar") && !slices.Contains(dirs, filepath.Dir(path)) {
			dirs = append(dirs, filepath.Dir(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(dirs) == 0 {
		t.Fatal("there are no scripts")
	}
	return dirs
}

func setUp(env *testscript.Env) error {
	home := filepath.Join(env.WorkDir, "home")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return err
	}
	env.Setenv("HOME", home)
	env.Setenv("XDG_CONFIG_HOME", filepath.Join(home, "config"))
	env.Setenv("VERIFYCTL_STATE_DIR", filepath.Join(home, "state"))
	env.Setenv("VERIFYCTL_KEYCHAIN", "off")
	env.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+filepath.Join(home, "no-bus"))
	env.Setenv("NO_COLOR", "1")
	return nil
}

// simulate serves the demo world for the rest of the script, at $SIMULATOR; with "now" its clock is the machine's.
func simulate(ts *testscript.TestScript, neg bool, args []string) {
	opts := simulator.Options{Seed: simulator.SeedDemo}
	switch {
	case !neg && len(args) == 1 && args[0] == "now":
		opts.Clock = simulator.Clock{Mode: simulator.ClockWall}
	case neg || len(args) > 0:
		ts.Fatalf("usage: simulate [now]")
	}
	sim, err := simulator.Open(context.Background(), opts)
	ts.Check(err)
	server := httptest.NewServer(sim)
	ts.Defer(func() {
		server.Close()
		_ = sim.Close()
	})
	ts.Setenv("SIMULATOR", server.URL)
}

// databaseInput is what the database runs for: it is closed when this process ends, however it ends.
var databaseInput io.Closer

// database is a PostgreSQL server for scripts, "" where there is none.
var database = sync.OnceValues(func() (address string, err error) {
	cmd := exec.Command("go", "run", "github.com/verifyctl/verifyctl/internal/pgtest")
	if databaseInput, err = cmd.StdinPipe(); err != nil {
		return "", err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	_, address, _ = strings.Cut(strings.TrimSpace(line), " ")
	return address, err
})

// postgres puts the address of a database into $POSTGRES.
func postgres(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: postgres")
	}
	address, err := database()
	ts.Check(err)
	ts.Setenv("POSTGRES", address)
}

// exits runs a program and checks its exact exit status: "exits 4 verifyctl -e prod factors list". What it printed is
// then in stdout and stderr.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS PROGRAM ARGS…")
	}
	want, err := strconv.Atoi(args[0])
	if err != nil {
		ts.Fatalf("exits: %v", err)
	}
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("exits: %v", err)
	}
	if got != want {
		ts.Fatalf("%s exited with %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// contains checks that a file or stdout or stderr holds every one of the texts, taken literally.
func contains(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: [!] contains FILE TEXT…")
	}
	text := ts.ReadFile(args[0])
	for _, want := range args[1:] {
		switch found := strings.Contains(text, want); {
		case !found && !neg:
			ts.Fatalf("%s does not contain %q:\n%s", args[0], want, text)
		case found && neg:
			ts.Fatalf("%s contains %q:\n%s", args[0], want, text)
		}
	}
}
