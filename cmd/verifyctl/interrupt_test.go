//go:build unix

package main

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// TestInterruptedDeletes: after Ctrl-C the delete that was sent is waited for and told, no other is sent, and the hint
// names the rest.
func TestInterruptedDeletes(t *testing.T) {
	t.Parallel()
	const (
		account = "AC00000000000000000000000000000001"
		service = "VA00000000000000000000000000000001"
		first   = "YF00000000000000000000000000000001"
		second  = "YF00000000000000000000000000000002"
	)
	factor := func(sid string) string {
		return fmt.Sprintf(`{"sid":%q,"account_sid":%q,"service_sid":%q,"identity":"user-1001","friendly_name":"Phone","status":"verified","factor_type":"push"}`, sid, account, service)
	}
	var deletes atomic.Int32
	arrived, answer := make(chan string, 2), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodDelete:
			deletes.Add(1)
			arrived <- r.URL.Path
			select {
			case <-answer:
			case <-r.Context().Done():
			}
			w.WriteHeader(http.StatusNoContent)
		case strings.HasSuffix(r.URL.Path, "/Factors"):
			fmt.Fprintf(w, `{"factors":[%s,%s],"meta":{"next_page_url":null}}`, factor(first), factor(second))
		case strings.HasSuffix(r.URL.Path, first):
			fmt.Fprint(w, factor(first))
		default:
			fmt.Fprint(w, `{"challenges":[],"meta":{"next_page_url":null}}`)
		}
	}))
	defer server.Close()
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, "verifyctl"), 0o700); err != nil {
		t.Fatal(err)
	}
	file := fmt.Sprintf("environments:\n  here:\n    account_sid: %s\n    service_sid: %s\n    auth_token_env: TOKEN_HERE\n    kind: staging\n    base_url: %s\n", account, service, server.URL)
	if err := os.WriteFile(filepath.Join(home, "verifyctl", "config.yaml"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	path, err := exec.LookPath("verifyctl")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, "-e", "here", "factors", "delete", "user-1001", first, second, "--yes", "-o", "csv")
	cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+home, "VERIFYCTL_STATE_DIR="+t.TempDir(), "VERIFYCTL_KEYCHAIN=off", "TOKEN_HERE=0123456789abcdef")
	var stdout strings.Builder
	cmd.Stdout = &stdout
	messages, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	lines := bufio.NewScanner(messages)
	go func() {
		<-arrived
		_ = cmd.Process.Signal(syscall.SIGINT)
	}()
	for lines.Scan() {
		stderr.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "finishing the request under way") {
			close(answer) // it has noticed
		}
	}
	_ = cmd.Wait()
	if status := cmd.ProcessState.ExitCode(); status != 130 {
		t.Errorf("status %d, want 130", status)
	}
	if n := deletes.Load(); n != 1 {
		t.Errorf("%d deletes were sent after one Ctrl-C during the first, want 1", n)
	}
	if got, want := stdout.String(), "sid,friendly_name,outcome,error\n"+first+",Phone,deleted,\n"+second+",Phone,not tried,\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
	for _, want := range []string{"error: interrupted: 1 of 2 factors not tried", "verifyctl -e here factors delete user-1001 " + second} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("standard error lacks %q:\n%s", want, stderr.String())
		}
	}
}
