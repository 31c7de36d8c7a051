//go:build unix

package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/verifyctl/verifyctl/internal/simulator"
)

var (
	pageCommand  = regexp.MustCompile(`(?s)aria-label="(curl|verifyctl) command">(.*?)</pre>`)
	phoneCommand = regexp.MustCompile(`(?s)aria-label="Command that sends a challenge">(.*?)</pre>`)
)

// TestThePagePrintsCommandsThatRun pastes what the simulator's page prints for each request into a shell, over TLS too. A write
// to what counts as production says how it is confirmed.
func TestThePagePrintsCommandsThatRun(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("run without -short")
	}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Fatalf("this test pastes commands for curl: %v", err)
	}
	service := "/v2/Services/" + simulator.DemoServiceSID
	user := service + "/Entities/" + simulator.DemoIdentity
	const challenge, alert = "/Challenges/YC52bcb3c787af8cbe9af2a9a70f3c0fd6", "/v1/Alerts"
	reads := []string{"/v2/Services", service, service + "/Entities", user, user + "/Factors", user + "/Factors/" + simulator.DemoTabletFactorSID,
		user + "/Challenges", user + challenge, "/v1/Credentials", "/v1/Credentials/" + simulator.DemoSpareCredentialSID, alert}
	writes := []struct {
		method, path string
		form         url.Values
	}{
		{"POST", user + "/Challenges", url.Values{"FactorSid": {simulator.DemoTabletFactorSID}, "Details.Message": {"It's you? $HOME `id`"}}},
		{"POST", user + challenge + "/Notifications", nil},
		{"DELETE", user + "/Factors/" + simulator.DemoDeadFactorSID, nil},
		{"DELETE", service + "/Entities/user-1003-chloe", nil},
	}
	for _, flags := range [][]string{nil, {"--tls"}} {
		h := newHome(t)
		server := h.serve(t, append([]string{"--state", ":memory:"}, flags...)...)
		client := trusting(t, server.CAFile)
		send := func(method, path, token string, form url.Values) string {
			r, err := http.NewRequestWithContext(t.Context(), method, server.BaseURL+path, strings.NewReader(form.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			r.SetBasicAuth(simulator.DefaultAccountSID, token)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Accept", "text/html")
			reply, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer reply.Body.Close()
			body, err := io.ReadAll(reply.Body)
			if err != nil {
				t.Fatal(err)
			}
			return string(body)
		}
		challenges := phoneCommand.FindAllStringSubmatch(send("GET", "/", "", nil), -1)
		if len(challenges) == 0 {
			t.Fatal("no phone has a command that sends it a challenge")
		}
		h.paste(t, "curl", html.UnescapeString(challenges[0][1]))
		for _, path := range reads {
			send("GET", path, simulator.DefaultAuthToken, nil)
		}
		for _, w := range writes { // refused, so that what they do is still to be done
			send(w.method, w.path, "wrong", w.form)
		}
		for number := range 1 + len(reads) + len(writes) {
			page := send("GET", fmt.Sprintf("/__page/requests/%d", number+1), "", nil)
			printed := pageCommand.FindAllStringSubmatch(page, -1)
			if len(printed) != 2 {
				t.Fatalf("request %d prints %d commands:\n%s", number+1, len(printed), page)
			}
			for _, p := range printed {
				h.paste(t, p[1], html.UnescapeString(p[2]))
			}
		}
	}
}

// trusting is an HTTP client that trusts an authority, where there is one.
func trusting(t *testing.T, caFile string) *http.Client {
	t.Helper()
	if caFile == "" {
		return http.DefaultClient
	}
	pem, err := os.ReadFile(caFile)
	pool := x509.NewCertPool()
	if err != nil || !pool.AppendCertsFromPEM(pem) {
		t.Fatalf("no authority in %s: %v", caFile, err)
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
}

var confirmation = regexp.MustCompile(`--confirm \S+`)

// paste runs a command as the page prints it. curl must get what was meant, and verifyctl must end well.
func (h home) paste(t *testing.T, program, command string) {
	t.Helper()
	run := func(command string) (int, string) {
		cmd := h.command(t, nil)
		cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", command}
		text, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return cmd.ProcessState.ExitCode(), string(text)
	}
	if program == "curl" {
		if strings.Contains(command, "-X DELETE") {
			return // verifyctl does it, and it can be done once
		}
		if status, text := run(command + " -sS"); status != 0 || strings.Contains(text, `"code"`) || !strings.Contains(text, "{") {
			t.Errorf("%s\nends with %d:\n%s", command, status, text)
		}
		return
	}
	status, text := run(command)
	if confirm := confirmation.FindString(text); status == 6 && confirm != "" {
		status, text = run(command + " " + confirm)
	}
	if status != 0 {
		t.Errorf("%s\nends with %d:\n%s", command, status, text)
	}
}
