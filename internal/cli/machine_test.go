package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/simulator"
	_ "github.com/verifyctl/verifyctl/internal/tmpdir" // for temporary folders
)

// The tests run thousands of commands in this process, each with a tree of commands of its own: a fifth of their time went
// into collecting garbage. cobra keeps every tree whose flags can be completed, so that each collection looks at more.
func TestMain(m *testing.M) {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(512 << 20)
	os.Exit(m.Run())
}

// machine is a folder for everything that a run reads and writes: an environment file, a state directory, a place to work.
// A copy of it has the same memory.
type machine struct{ dir string }

// newMachine makes a machine with the production environment live, on a simulator with the demo world, and staging, which
// is nowhere. It holds files of the kinds that commands read.
func newMachine(t *testing.T) machine {
	t.Helper()
	t.Setenv("CLINIC_SECRET", clinicPass)
	server := httptest.NewServer(newWorld(t))
	t.Cleanup(server.Close)
	m := machine{t.TempDir()}
	for _, folder := range []string{"work", "state"} {
		if err := os.Mkdir(filepath.Join(m.dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	m.reaches(t, server.URL)
	m.write(t, "work/texts.yaml", `texts:
  login:
    values: {city: 20}
    locales:
      default: {message: 'Log in from {city}?'}
      de: {message: 'Anmelden aus {city}?'}
`)
	masked := `{"sid":"NO00000000000000000000000000000001","error_code":"52103","more_info":{"bindingType":"fcm","correlationIds":"[` + simulator.DemoServiceSID + `, user-1001-amara, YFdeafxxxxxxxxxxxxxxxxxxxxxxxxafabc]"}}`
	m.write(t, "work/event.json", masked)
	m.write(t, "work/events.ndjson", masked+"\n"+masked+"\n"+`{"error_code":"11200","more_info":{"url":"https://bank.example"}}`+"\n")
	m.write(t, "work/list.csv", "identity,factor_sid\nuser-1001-amara,"+simulator.DemoTabletFactorSID+"\n")
	m.write(t, "work/key.json", `{"type":"service_account"}`)
	m.write(t, "work/service-account.json", serviceAccount())
	return m
}

// serviceAccount is the JSON of a service account.
var serviceAccount = sync.OnceValue(func() string {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	account, err := json.Marshal(map[string]string{"type": "service_account", "project_id": "bank-example", "private_key_id": "1",
		"private_key":  string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
		"client_email": "push@bank-example.iam.gserviceaccount.com", "token_uri": "https://oauth2.googleapis.com/token"})
	if err != nil {
		panic(err)
	}
	return string(account)
})

// rememberingMachine gives a machine that has read the fleet and the events of an environment, and made a plan. It has the demo's
// world too.
func rememberingMachine(t *testing.T, environment string) machine {
	t.Helper()
	m := newMachine(t)
	for _, args := range [][]string{
		{"fleet", "sync"}, {"debugger", "alerts", "--store"}, {"challenge", "show", simulator.DemoPendingChallengeSID, "--identity", "user-1001-amara"},
		{"challenge", "create", "user-1002-bilal", "--message", "Hello?", "--confirm", environment},
		{"factors", "delete", "user-1005-elif", "--all", "--confirm", environment},
		{"factors", "delete", "user-1012-lena", "--all", "--confirm", environment},
		{"factors", "plan", "--where", "platform = fcm", "--out", environment + ".ndjson"}, {"-e", "demo", "services", "list"},
	} {
		if status, _, stderr := m.run(t.Context(), append([]string{"-e", environment}, args...)...); status != 0 {
			t.Fatalf("%s: status %d, %s", args, status, stderr)
		}
	}
	return m
}

// newWorld opens a simulator with the demo world and the key of a machine.
func newWorld(t *testing.T) *simulator.Simulator {
	t.Helper()
	return newWorldIn(t, simulator.Memory)
}

// newWorldIn is [newWorld] with a state of its own.
func newWorldIn(t *testing.T, state string) *simulator.Simulator {
	t.Helper()
	sim := openWorldIn(t, state)
	key := simulator.Key{SID: mainKey, Kind: "main", Account: simulator.DefaultAccountSID, Secret: clinicPass}
	if err := sim.PutKey(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	return sim
}

// openWorldIn opens a simulator on a state, or makes it with the demo world.
func openWorldIn(t *testing.T, state string) *simulator.Simulator {
	t.Helper()
	sim, err := simulator.Open(t.Context(), simulator.Options{State: state, Seed: simulator.SeedDemo, Clock: simulator.Clock{Mode: simulator.ClockWall}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	return sim
}

// reaches writes the environment file, with live at an address.
func (m machine) reaches(t *testing.T, url string) {
	t.Helper()
	m.write(t, "config.yaml", `environments:
  live:
    account_sid: `+simulator.DefaultAccountSID+`
    service_sid: `+simulator.DemoServiceSID+`
    api_key: `+mainKey+`
    secret_env: CLINIC_SECRET
    kind: production
    ios_build: distribution
    base_url: `+url+`
    service: {code_length: 7}
  staging:
    account_sid: AC00000000000000000000000000000001
    service_sid: VA00000000000000000000000000000001
    api_key: SK00000000000000000000000000000003
    kind: staging
    secret_env: STAGING_SECRET
`)
}

func (m machine) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(m.dir, name)
	os.Remove(path) // which leaves it to the machines that share it
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// copy gives another machine with the same memory. Its files in the work folder are those of the first: no command changes
// one in place.
func (m machine) copy(t *testing.T) machine {
	t.Helper()
	other := machine{t.TempDir()}
	err := filepath.WalkDir(m.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, m.dir)
		to := other.dir + name
		switch {
		case name == "":
			return nil
		case entry.IsDir():
			return os.Mkdir(to, 0o700)
		case filepath.Base(filepath.Dir(name)) == "work":
			return os.Link(path, to)
		}
		return copyFile(to, path)
	})
	if err != nil {
		t.Fatal(err)
	}
	return other
}

func copyFile(to, path string) error {
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	defer from.Close()
	info, err := from.Stat()
	if err != nil {
		return err
	}
	file, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, from)
	return errors.Join(err, file.Chmod(info.Mode()), file.Close())
}

// drop ends a copy before its test does, for those that make thousands.
func (m machine) drop(t *testing.T) {
	if err := os.RemoveAll(m.dir); err != nil {
		t.Error(err)
	}
}

// run runs the program in this process, with no terminal and without waiting between attempts. A word such as plan.ndjson
// stands for the file in the work folder.
func (m machine) run(ctx context.Context, args ...string) (status int, stdout, stderr string) {
	args = append([]string{"--config", filepath.Join(m.dir, "config.yaml")}, args...)
	for i, arg := range args {
		if i > 1 && workFile.MatchString(arg) {
			args[i] = filepath.Join(m.dir, "work", arg)
		}
	}
	s, out, err := m.shell()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	status = run(ctx, s, args)
	return status, out.String(), err.String()
}

// shell gives the shell of one run on the machine, and what it prints.
func (m machine) shell() (s *shell, stdout, stderr *bytes.Buffer) {
	stdout, stderr = &bytes.Buffer{}, &bytes.Buffer{}
	return &shell{terminal: terminal{in: strings.NewReader(""), out: stdout, err: stderr, getenv: func(name string) string {
		if name == "VERIFYCTL_STATE_DIR" {
			return filepath.Join(m.dir, "state")
		}
		return ""
	}}, sleep: withoutWaiting, clockOf: skipping}, stdout, stderr
}

// withoutWaiting is how a run waits between attempts whose faults a test made.
func withoutWaiting(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// skipping gives a clock that a wait moves on.
func skipping(now func() time.Time) clock {
	var skipped atomic.Int64
	return clock{
		now: func() time.Time { return now().Add(time.Duration(skipped.Load())) },
		sleep: func(ctx context.Context, d time.Duration) error {
			skipped.Add(int64(d))
			return ctx.Err()
		},
	}
}

var workFile = regexp.MustCompile(`^[\w-]+\.(yaml|json|ndjson|csv|db)$`)
