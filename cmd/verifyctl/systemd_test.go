//go:build unix

package main

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/simulator"
)

const units = "../../docs/systemd"

// unit is a unit of systemd: the values of each key, in their order.
type unit map[string][]string

func readUnit(t *testing.T, name string) unit {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(units, name))
	if err != nil {
		t.Fatal(err)
	}
	u := unit{}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(key, "#") {
			u[key] = append(u[key], value)
		}
	}
	return u
}

// machine gives a home with the configuration of the guide, on a simulator, and the environment of the unit in it.
func (u unit) machine(t *testing.T) (h home, env []string) {
	t.Helper()
	h = newHome(t)
	server := h.serve(t, "--seed", "demo")
	for name, text := range map[string]string{
		"secret": simulator.DefaultAuthToken,
		"etc/verifyctl/config.yaml": fmt.Sprintf("environments:\n  production:\n    account_sid: %s\n    service_sid: %s\n    auth_token_command: [cat, %s]\n"+
			"    webhook_secret: [{command: [cat, %[3]s]}]\n    listener_url: https://ops.bank.example/twilio\n    ios_build: distribution\n    base_url: %s\n",
			simulator.DefaultAccountSID, simulator.DemoServiceSID, h.path("secret"), server.BaseURL),
	} {
		if err := os.MkdirAll(filepath.Dir(h.path(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(h.path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range u["Environment"] {
		for _, assignment := range strings.Fields(line) {
			env = append(env, strings.NewReplacer("=/etc", "="+h.path("etc"), "%S", h.path("state")).Replace(assignment))
		}
	}
	return h, env
}

// words gives the command line of the unit, behind the program's name, with other words in the place of some.
func (u unit) words(t *testing.T, instead ...string) []string {
	t.Helper()
	command, ours := strings.CutPrefix(strings.Join(u["ExecStart"], "\n"), "/usr/bin/verifyctl ")
	if !ours {
		t.Fatalf("ExecStart is %q", u["ExecStart"])
	}
	words := strings.Fields(command)
	for i := 0; i < len(instead); i += 2 {
		at := slices.Index(words, instead[i])
		if at < 0 {
			t.Fatalf("%q has no %s", command, instead[i])
		}
		words[at+1] = instead[i+1]
	}
	return words
}

// ends says whether the unit takes a status for success.
func (u unit) ends(status int) bool {
	return status == 0 || slices.Contains(u["SuccessExitStatus"], strconv.Itoa(status))
}

func TestTheDoctorUnitLeavesMetrics(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("run without -short")
	}
	u := readUnit(t, "verifyctl-doctor.service")
	h, env := u.machine(t)
	cmd := h.command(t, env, u.words(t, "--out", h.path("verifyctl.prom"))...)
	printed, _ := cmd.CombinedOutput() // its status is looked at
	if !u.ends(cmd.ProcessState.ExitCode()) {
		t.Fatalf("status %d\n%s", cmd.ProcessState.ExitCode(), printed)
	}
	metrics, err := os.ReadFile(h.path("verifyctl.prom"))
	if err != nil || !strings.Contains(string(metrics), `verifyctl_doctor_findings{environment="production",status="fail"} `) {
		t.Errorf("%v: %s\n%s", err, metrics, printed)
	}
	if timer := readUnit(t, "verifyctl-doctor.timer"); timer["OnCalendar"] == nil {
		t.Error("the timer has no time")
	}
}

func TestTheListenerUnitServesAndStops(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("run without -short")
	}
	u := readUnit(t, "verifyctl-listen.service")
	h, env := u.machine(t)
	cmd := h.command(t, env, u.words(t, "--addr", "127.0.0.1:0")...)
	messages, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(processTime, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	said, base := "", ""
	for lines := bufio.NewScanner(messages); base == "" && lines.Scan(); {
		said += lines.Text() + "\n"
		if found := regexp.MustCompile(`listening on (http://[^/]+)/twilio for`).FindStringSubmatch(said); found != nil {
			base = found[1]
		}
	}
	if base == "" {
		_ = cmd.Wait() // it has said why
		t.Fatalf("it does not listen: %s", said)
	}
	health, err := http.Get(base + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	health.Body.Close()
	if health.StatusCode != http.StatusOK {
		t.Errorf("/healthz answers %d", health.StatusCode)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil { // as systemd does
		t.Fatal(err)
	}
	_ = cmd.Wait() // its status is looked at
	if status := cmd.ProcessState.ExitCode(); !u.ends(status) {
		t.Errorf("stopping it ends with status %d, and SuccessExitStatus is %v", status, u["SuccessExitStatus"])
	}
}

// TestUnitsMayDoLittle: a service is nobody's user, sees no home and gets its secrets from systemd; systemd itself takes every unit.
func TestUnitsMayDoLittle(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(units, "*.*"))
	if err != nil || len(files) < 3 {
		t.Fatalf("%v: %v", files, err)
	}
	dir := t.TempDir()
	program, err := exec.LookPath("verifyctl")
	if err != nil {
		t.Fatal(err)
	}
	var copies []string
	for _, file := range files {
		name := filepath.Base(file)
		u := readUnit(t, name)
		if strings.HasSuffix(name, ".service") {
			for key, value := range map[string]string{"DynamicUser": "yes", "NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "CapabilityBoundingSet": "", "SystemCallFilter": "@system-service"} {
				if !slices.Equal(u[key], []string{value}) {
					t.Errorf("%s: %s is %q, want %q", name, key, u[key], value)
				}
			}
			if len(u["LoadCredential"]) == 0 || len(u["StateDirectory"]) != 1 {
				t.Errorf("%s has no credential, or no state directory", name)
			}
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, name)
		if err := os.WriteFile(to, []byte(strings.ReplaceAll(string(text), "/usr/bin/verifyctl", program)), 0o644); err != nil {
			t.Fatal(err)
		}
		copies = append(copies, to)
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("no systemd-analyze here: systemd did not look at the units")
	}
	if printed, err := exec.Command(analyze, append([]string{"verify", "--man=no"}, copies...)...).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, printed)
	}
}
