//go:build unix

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/simulator"
)

// processTime bounds one verifyctl process of these tests; each takes well under a second.
const processTime = time.Minute

// home is where the processes of a test live: a user's folders, and nothing of the machine's own.
type home struct{ dir string }

func newHome(t *testing.T) home { return home{t.TempDir()} }

func (h home) path(name string) string { return filepath.Join(h.dir, name) }

// command is verifyctl in a process of its own. VERIFYCTL_ and TWILIO_ variables and proxies come only from env.
func (h home) command(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath("verifyctl")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = h.dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + h.dir, "XDG_CONFIG_HOME=" + h.path("config"), "NO_COLOR=1", coverageDir(h.dir),
		"VERIFYCTL_STATE_DIR=" + h.path("state"), "VERIFYCTL_KEYCHAIN=off", "SIM_TOKEN=" + simulator.DefaultAuthToken}, env...)
	return cmd
}

// run gives what a command prints on standard output; it must end with a status.
func (h home) run(t *testing.T, status int, env []string, args ...string) string {
	t.Helper()
	cmd := h.command(t, env, args...)
	var out, messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &messages
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(processTime, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	_ = cmd.Wait() // its status is looked at
	if got := cmd.ProcessState.ExitCode(); got != status {
		t.Fatalf("verifyctl %s exited with %d, want %d\n%s%s", strings.Join(args, " "), got, status, out.String(), messages.String())
	}
	return strings.TrimSpace(out.String())
}

// serving is "verifyctl simulator serve" in a process of its own.
type serving struct {
	cmd  *exec.Cmd
	logs sync.WaitGroup

	BaseURL string `json:"base_url"`
	Proxy   string `json:"connect_proxy"`
	CAFile  string `json:"ca_file"`
	State   string `json:"state"`
	Control string `json:"control_file"`
}

// serve starts a simulator on free ports and waits until it says where it listens.
func (h home) serve(t *testing.T, args ...string) *serving {
	t.Helper()
	s := &serving{cmd: h.command(t, nil, append([]string{"simulator", "serve", "-o", "json", "--addr", "127.0.0.1:0"}, args...)...)}
	s.cmd.Stderr = t.Output()
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(processTime, func() { _ = s.cmd.Process.Kill() })
	t.Cleanup(func() {
		kill.Stop()
		_ = s.cmd.Process.Kill() // it has ended where all went well
		s.logs.Wait()
		_ = s.cmd.Wait()
	})
	lines := bufio.NewReader(out)
	first, err := lines.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(first, s)
	}
	if err != nil {
		t.Fatalf("serve said %q: %v", first, err)
	}
	s.logs.Go(func() { _, _ = io.Copy(io.Discard, lines) })
	return s
}

// stop sends a signal and gives the exit status.
func (s *serving) stop(t *testing.T, signal os.Signal) int {
	t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	s.logs.Wait() // the end of its output is the end of the process
	_ = s.cmd.Wait()
	return s.cmd.ProcessState.ExitCode()
}

// environment writes an environment file whose environment "sim" has the given lines beside its account.
func (h home) environment(t *testing.T, lines ...string) {
	t.Helper()
	text := "environments:\n  sim:\n    account_sid: " + simulator.DefaultAccountSID + "\n    service_sid: " + simulator.DemoServiceSID +
		"\n    kind: development\n    auth_token_env: SIM_TOKEN\n"
	for _, line := range lines {
		text += "    " + line + "\n"
	}
	if err := os.WriteFile(h.path("environments.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestServeToAnotherProcess goes through an operator's day against a simulator in another process, and stops it.
func TestServeToAnotherProcess(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	server := h.serve(t, "--state", h.path("world.sqlite"))
	h.environment(t, "base_url: "+server.BaseURL)
	sim := func(args ...string) string {
		t.Helper()
		return h.run(t, 0, []string{"VERIFYCTL_CONFIG=" + h.path("environments.yaml"), "VERIFYCTL_ENV=sim"}, args...)
	}
	if got := sim("factors", "list", simulator.DemoIdentity, "-q"); len(strings.Fields(got)) != 3 {
		t.Errorf("the factors are %q", got)
	}
	challenge := sim("challenge", "create", simulator.DemoIdentity, "--factor", simulator.DemoTabletFactorSID, "--message", "Sign in?", "-q")
	sim("challenge", "resend", challenge, "--identity", simulator.DemoIdentity)
	h.run(t, 0, nil, "simulator", "device", "approve", "--state", server.State, "--factor", simulator.DemoTabletFactorSID)
	if got := sim("challenge", "show", challenge, "--identity", simulator.DemoIdentity, "--jq", ".status"); got != "approved" {
		t.Errorf("the challenge is %q after its approval", got)
	}
	sim("factors", "delete", simulator.DemoIdentity, simulator.DemoDeadFactorSID, "--yes")
	if got := h.run(t, 0, nil, "simulator", "pushes", "--state", server.State, "--challenge", challenge, "-q"); len(strings.Fields(got)) != 2 {
		t.Errorf("the create and the resend led to the pushes %q", got)
	}
	if status := server.stop(t, syscall.SIGINT); status != 0 {
		t.Errorf("Ctrl-C ended serve with %d, want 0", status)
	}

	again := h.serve(t, "--state", h.path("world.sqlite"))
	h.environment(t, "base_url: "+again.BaseURL)
	if got := sim("factors", "list", simulator.DemoIdentity, "-q"); strings.Contains(got, simulator.DemoDeadFactorSID) || len(strings.Fields(got)) != 2 {
		t.Errorf("after a restart the factors are %q", got)
	}
	if status := again.stop(t, syscall.SIGTERM); status != 0 {
		t.Errorf("SIGTERM ended serve with %d, want 0", status)
	}
}

// say gives what a command writes to standard error; it must end with a status.
func (h home) say(t *testing.T, status int, env []string, args ...string) string {
	t.Helper()
	cmd := h.command(t, env, args...)
	var messages bytes.Buffer
	cmd.Stderr = &messages
	_ = cmd.Run() // its status is looked at
	if got := cmd.ProcessState.ExitCode(); got != status {
		t.Fatalf("verifyctl %s exited with %d, want %d\n%s", strings.Join(args, " "), got, status, messages.String())
	}
	return messages.String()
}

// TestCommandsFindTheServer: commands beside a running server work on its world, which nobody else can reach, and say so.
func TestCommandsFindTheServer(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("run without -short: it starts many programs")
	}
	h := newHome(t)
	if got := h.say(t, 0, nil, "simulator", "clock", "show"); !strings.Contains(got, "no simulator is running; working on "+h.path("state")) {
		t.Errorf("without a server it says %q", got)
	}
	enroll := []string{"simulator", "device", "enroll", "--identity", "user-2001-new", "--platform", "none"}
	first := h.serve(t, "--state", ":memory:")
	if got := h.say(t, 0, nil, enroll...); !strings.Contains(got, "working on the simulator at "+first.BaseURL+" (state :memory:)") {
		t.Errorf("with one server it says %q", got)
	}
	user := first.BaseURL + "/v2/Services/" + simulator.DemoServiceSID + "/Entities/user-2001-new"
	if status, err := get(user); err != nil || status != http.StatusOK {
		t.Errorf("the server answers %d for the phone's user, %v", status, err)
	}
	for _, args := range [][]string{{"clock", "advance", "5m"}, {"fault", "list"}, {"pushes"}, {"settings"}, {"generate", "--entities", "1"}, {"device", "list", "--limit", "1"}} {
		if got := h.say(t, 0, nil, append([]string{"simulator"}, args...)...); !strings.Contains(got, first.BaseURL) {
			t.Errorf("%v says %q", args, got)
		}
	}
	info, err := os.Stat(first.Control)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the server's file: %v, %v", info, err)
	}

	// Several: one has to be chosen, by its address or by the environment that is reached there.
	second := h.serve(t, "--state", ":memory:", "--tls")
	_, address, _ := strings.Cut(second.BaseURL, "://")
	got := h.say(t, 64, nil, enroll...)
	for _, want := range []string{first.BaseURL, second.BaseURL, "--server "} {
		if !strings.Contains(got, want) {
			t.Errorf("with two servers it says %q, without %q", got, want)
		}
	}
	if got := h.say(t, 0, nil, append(enroll, "--server", address)...); got != "" {
		t.Errorf("with --server it says %q", got)
	}
	h.environment(t, "base_url: "+strings.Replace(second.BaseURL, "127.0.0.1", "localhost", 1), "ca_file: "+second.CAFile, "ios_build: debug")
	config := []string{"VERIFYCTL_CONFIG=" + h.path("environments.yaml")}
	build := h.run(t, 0, config, "-e", "sim", "simulator", "device", "enroll", "--identity", "user-3001-ios", "--jq", ".build")
	if build != "debug" {
		t.Errorf("the phone of an environment with debug builds has %q", build)
	}
	if got := h.run(t, 0, nil, "simulator", "device", "list", "--server", address, "--identity", "user-3001-ios", "-q"); !strings.HasPrefix(got, "YF") {
		t.Errorf("the environment's server has the phones %q", got)
	}
	h.say(t, 64, nil, "simulator", "clock", "show", "--server", "127.0.0.1:1")
	h.say(t, 64, nil, "simulator", "clock", "show", "--state", ":memory:")
	h.say(t, 64, nil, "simulator", "clock", "show", "--server", address, "--state", h.path("world.sqlite"))

	// One that was killed leaves its file, and is not taken for a server.
	if err := second.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	second.logs.Wait()
	_ = second.cmd.Wait()
	if _, err := os.Stat(second.Control); err != nil {
		t.Errorf("a killed server left no file to see through: %v", err)
	}
	if got := h.say(t, 0, nil, "simulator", "clock", "show"); !strings.Contains(got, first.BaseURL) {
		t.Errorf("beside a killed server it says %q", got)
	}
	if status := first.stop(t, syscall.SIGTERM); status != 0 {
		t.Errorf("SIGTERM ended serve with %d, want 0", status)
	}
	if left, err := filepath.Glob(h.path("state/simulator-*.json")); err != nil || len(left) != 0 {
		t.Errorf("what is left of the servers: %v, %v", left, err)
	}
	if got := h.say(t, 0, nil, "simulator", "clock", "show"); !strings.Contains(got, "no simulator is running") {
		t.Errorf("after the end it says %q", got)
	}
}

// TestServeSaysWhatAClientNeeds: for a person, a line each.
func TestServeSaysWhatAClientNeeds(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	serve := h.command(t, nil, "simulator", "serve", "--addr", "127.0.0.1:0", "--connect-proxy", "127.0.0.1:0", "--state", ":memory:")
	out, err := serve.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	defer time.AfterFunc(processTime, func() { _ = serve.Process.Kill() }).Stop()
	lines := bufio.NewScanner(out)
	for _, want := range []string{"base URL:      http://127.0.0.1:", "account SID:   " + simulator.DefaultAccountSID,
		"auth token:    " + simulator.DefaultAuthToken, "connect proxy: http://127.0.0.1:", "trust:         ", "state:         :memory:", "control:       " + h.path("state")} {
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), want) {
			t.Errorf("serve said %q, want %s…", lines.Text(), want)
		}
	}
	if err := serve.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := serve.Wait(); err != nil {
		t.Errorf("Ctrl-C ended serve with %v", err)
	}
}

// TestServeAsTwilio reaches a simulator in another process in every way but base_url: through the proxy, over TLS, and by
// the variables that Twilio's own tools read.
func TestServeAsTwilio(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	server := h.serve(t, "--state", ":memory:", "--connect-proxy", "127.0.0.1:0", "--tls")
	config := []string{"VERIFYCTL_CONFIG=" + h.path("environments.yaml"), "VERIFYCTL_ENV=sim"}
	account := []string{"TWILIO_ACCOUNT_SID=" + simulator.DefaultAccountSID, "TWILIO_AUTH_TOKEN=" + simulator.DefaultAuthToken}
	list := []string{"factors", "list", simulator.DemoIdentity, "-q"}
	for _, tc := range []struct {
		name     string
		settings []string
		env      []string
		args     []string
		status   int
	}{
		{"proxy and ca_file", []string{"ca_file: " + server.CAFile}, append(config, "HTTPS_PROXY="+server.Proxy), nil, 0},
		{"proxy and SSL_CERT_FILE", nil, append(config, "HTTPS_PROXY="+server.Proxy, "SSL_CERT_FILE="+server.CAFile), nil, 0},
		{"proxy without the authority", nil, append(config, "HTTPS_PROXY="+server.Proxy), nil, 9},
		{"base_url over TLS", []string{"base_url: " + server.BaseURL, "ca_file: " + server.CAFile}, config, nil, 0},
		{"TWILIO variables and VERIFYCTL_BASE_URL", nil, append(account, "VERIFYCTL_BASE_URL="+server.BaseURL, "SSL_CERT_FILE="+server.CAFile),
			[]string{"--service", simulator.DemoServiceSID}, 0},
		{"TWILIO variables through the proxy", nil, append(account, "HTTPS_PROXY="+server.Proxy, "SSL_CERT_FILE="+server.CAFile),
			[]string{"--service", simulator.DemoServiceSID}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h.environment(t, tc.settings...)
			got := h.run(t, tc.status, tc.env, append(list, tc.args...)...)
			if tc.status == 0 && len(strings.Fields(got)) != 3 {
				t.Errorf("the factors are %q", got)
			}
		})
	}
	if status := server.stop(t, syscall.SIGINT); status != 0 {
		t.Errorf("Ctrl-C ended serve with %d, want 0", status)
	}
}

// TestServeKilled kills a simulator while clients write, again and again: what was acknowledged is there afterwards.
func TestServeKilled(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	entities := "/v2/Services/" + simulator.DemoServiceSID + "/Entities"
	h.run(t, 0, nil, "simulator", "settings", "--state", h.path("world.sqlite"), "--entity-rate", "-1")
	var mu sync.Mutex
	var acknowledged []string
	for round := range 5 {
		server := h.serve(t, "--state", h.path("world.sqlite"))
		var clients sync.WaitGroup
		for client := range 4 {
			clients.Go(func() {
				for i := 0; ; i++ {
					identity := fmt.Sprintf("user-%d-%d-%06d", round, client, i)
					if status, err := post(server.BaseURL+entities, "Identity", identity); err != nil || status != http.StatusCreated {
						return // the server is gone
					}
					mu.Lock()
					acknowledged = append(acknowledged, identity)
					enough := len(acknowledged) >= (round+1)*40
					mu.Unlock()
					if enough {
						_ = server.cmd.Process.Kill() // it may be dead already
					}
				}
			})
		}
		clients.Wait()
		server.logs.Wait()
		_ = server.cmd.Wait()
	}
	if len(acknowledged) < 5*40 {
		t.Fatalf("only %d writes were acknowledged", len(acknowledged))
	}
	server := h.serve(t, "--state", h.path("world.sqlite"))
	for _, identity := range acknowledged {
		if status, err := get(server.BaseURL + entities + "/" + identity); err != nil || status != http.StatusOK {
			t.Errorf("%s was acknowledged and is answered with %d, %v", identity, status, err)
		}
	}
	if status := server.stop(t, syscall.SIGINT); status != 0 {
		t.Errorf("Ctrl-C ended serve with %d, want 0", status)
	}
}

// TestServeEndsRequestsInFlight: Ctrl-C lets a request be answered, and takes no new one.
func TestServeEndsRequestsInFlight(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	state := h.path("world.sqlite")
	server := h.serve(t, "--state", state)
	h.run(t, 0, nil, "simulator", "fault", "add", "latency", "--operation", "CreateEntity", "--delay", "1s", "--state", state)
	target := server.BaseURL + "/v2/Services/" + simulator.DemoServiceSID + "/Entities"
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	body := "Identity=user-5001-late"
	req, err := http.NewRequest(http.MethodPost, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(simulator.DefaultAccountSID, simulator.DefaultAuthToken)
	if err := req.Write(conn); err != nil {
		t.Fatal(err)
	}
	waitUntilInFlight(t, server)
	if err := server.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("the request in flight got %v, %v", resp, err)
	}
	resp.Body.Close()
	server.logs.Wait()
	_ = server.cmd.Wait()
	if status := server.cmd.ProcessState.ExitCode(); status != 0 {
		t.Errorf("serve ended with %d", status)
	}
	if _, err := get(target); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("after its end serve answers with %v", err)
	}
}

// waitUntilInFlight waits until the server counts another request beside the one that asks.
func waitUntilInFlight(t *testing.T, s *serving) {
	t.Helper()
	for range 2000 {
		req, err := http.NewRequest(http.MethodGet, s.BaseURL+"/v2/Services?PageSize=1", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth(simulator.DefaultAccountSID, simulator.DefaultAuthToken)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.Header.Get("Twilio-Concurrent-Requests") == "2" {
			return
		}
	}
	t.Fatal("the request never arrived")
}

func post(target string, form ...string) (int, error) {
	values := url.Values{}
	for i := 0; i < len(form); i += 2 {
		values.Add(form[i], form[i+1])
	}
	req, err := http.NewRequest(http.MethodPost, target, strings.NewReader(values.Encode()))
	if err != nil {
		return 0, err
	}
	return statusOf(req)
}

func get(target string) (int, error) {
	req, err := http.NewRequest(http.MethodGet, target, nil)
	if err != nil {
		return 0, err
	}
	return statusOf(req)
}

func statusOf(req *http.Request) (int, error) {
	req.SetBasicAuth(simulator.DefaultAccountSID, simulator.DefaultAuthToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}
