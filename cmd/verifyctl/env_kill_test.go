//go:build unix

package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/verifyctl/verifyctl/internal/simulator"
)

// TestAKilledApplyIsFinishedByTheNext kills the program at each request of an apply until it has read back, before and after
// Twilio took it. The same command then leaves one of each, no plan finds a change, and the audit file knows how every write
// ended.
func TestAKilledApplyIsFinishedByTheNext(t *testing.T) {
	if testing.Short() {
		t.Skip("run without -short")
	}
	const made = 3 // a credential, a Service and a webhook
	for _, after := range []bool{false, true} {
		for n, writes := 1, 0; writes < made; n++ {
			var killed bool
			if killed, writes = applyKilled(t, n, after); !killed {
				t.Fatalf("the apply has only %d requests", n-1)
			}
		}
	}
}

// applyKilled applies, is killed at a request before or after Twilio took it, and applies again. It tells whether it was
// killed, and how many writes Twilio had taken by then.
func applyKilled(t *testing.T, n int, after bool) (wasKilled bool, writes int) {
	t.Helper()
	sim, err := simulator.Open(t.Context(), simulator.Options{Clock: simulator.Clock{Mode: simulator.ClockWall}})
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	const key, secret = "SK00000000000000000000000000000001", "secret0of0the0keys"
	if err := sim.PutKey(t.Context(), simulator.Key{SID: key, Kind: "main", Account: simulator.DefaultAccountSID, Secret: secret}); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var kill func()
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		requests++
		end := kill != nil && requests == n
		if end && !after {
			kill()
			kill, wasKilled = nil, true
			panic(http.ErrAbortHandler)
		}
		if r.Method == http.MethodPost {
			writes++
		}
		sim.ServeHTTP(w, r)
		if end {
			kill()
			kill, wasKilled = nil, true
			panic(http.ErrAbortHandler)
		}
	}))
	defer server.Close()
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("fcm.json", killAccountJSON())
	write("config.yaml", fmt.Sprintf("environments:\n  dev:\n    account_sid: %s\n    api_key: %s\n    secret_env: KILL_SECRET\n    base_url: %s\n    kind: development\n    ios_build: none\n    platforms: [fcm]\n"+
		"    service:\n      friendly_name: Bank\n      push: {fcm: {name: Android, service_account_file: fcm.json}}\n      webhooks: [{name: answers, url: 'https://ops.example', events: ['*'], version: v2}]\n",
		simulator.DefaultAccountSID, key, server.URL))
	command := func(args ...string) (*exec.Cmd, *bytes.Buffer) {
		path, err := exec.LookPath("verifyctl")
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), path, append([]string{"--config", filepath.Join(dir, "config.yaml")}, args...)...)
		cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+dir, "VERIFYCTL_STATE_DIR="+filepath.Join(dir, "state"), "VERIFYCTL_KEYCHAIN=off", "KILL_SECRET="+secret, coverageDir(dir))
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		return cmd, &out
	}
	first, firstOut := command("env", "apply", "dev", "--yes")
	mu.Lock()
	kill = func() { _ = first.Process.Kill() }
	mu.Unlock()
	_ = first.Run() // it is killed
	mu.Lock()
	kill, requests = nil, 0
	soFar := writes
	mu.Unlock()
	second, secondOut := command("env", "apply", "dev", "--yes")
	if err := second.Run(); err != nil {
		t.Errorf("killed at request %d (after: %v): the next apply: %v\n%s\n%s", n, after, err, firstOut, secondOut)
	}
	for list, want := range map[string]int{"services": 1, "credentials": 1} {
		cmd, out := command("-e", "dev", list, "list", "-o", "json")
		var rows []json.RawMessage
		if err := cmd.Run(); err != nil || json.Unmarshal(out.Bytes(), &rows) != nil || len(rows) != want {
			t.Errorf("killed at request %d (after: %v): %d %s\n%s\n%s", n, after, len(rows), list, firstOut, secondOut)
		}
	}
	plan, out := command("env", "drift", "dev")
	if err := plan.Run(); err != nil {
		t.Errorf("killed at request %d (after: %v): %v\n%s", n, after, err, out)
	}
	audit, out := command("audit", "verify", "-o", "json")
	if err := audit.Run(); err != nil || !strings.Contains(out.String(), `"unfinished": []`) {
		t.Errorf("killed at request %d (after: %v): %v\n%s", n, after, err, out)
	}
	return wasKilled, soFar
}

var killAccountJSON = sync.OnceValue(func() string {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	text, _ := json.Marshal(map[string]string{"type": "service_account", "project_id": "bank", "private_key_id": "key-1", "client_email": "push@bank.iam.gserviceaccount.com",
		"token_uri": "https://oauth2.googleapis.com/token", "private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))})
	return string(text)
})
