package cli

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/verifyctl/verifyctl/internal/simulator"
)

// lines collects what a command prints, and lets a test wait for it.
type lines struct {
	mu    sync.Mutex
	text  bytes.Buffer
	grown chan struct{}
}

func newLines() *lines { return &lines{grown: make(chan struct{}, 1)} }

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.grown <- struct{}{}:
	default:
	}
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// wait returns what a pattern's first group matches in the output, as soon as it is there.
func (l *lines) wait(t *testing.T, pattern string) string {
	t.Helper()
	for re := regexp.MustCompile(pattern); ; {
		if match := re.FindStringSubmatch(l.String()); match != nil {
			return match[len(match)-1]
		}
		select {
		case <-l.grown:
		case <-t.Context().Done():
			t.Fatalf("no %s in %q", pattern, l.String())
		}
	}
}

// runShell runs a command line with a state directory, in this process.
func runShell(ctx context.Context, state string, out, errs io.Writer, args ...string) int {
	s := &shell{terminal: terminal{in: strings.NewReader(""), out: out, err: errs, getenv: func(name string) string {
		if name == "VERIFYCTL_STATE_DIR" {
			return state
		}
		return ""
	}}}
	return run(ctx, s, args)
}

// postSigned posts a debugger webhook as Twilio would, and gives the status.
func postSigned(t *testing.T, to, public, secret string, form url.Values) int {
	t.Helper()
	text := public
	for _, name := range []string{"AccountSid", "Level", "Payload", "Sid", "Timestamp"} {
		text += name + form.Get(name)
	}
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(text))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("X-Twilio-Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// TestListenReceivesKeepsAndHandsOn: what Twilio posts is printed, handed on and kept, what a stranger posts is not, and
// the missed alerts of the demo are fetched at start.
func TestListenReceivesKeepsAndHandsOn(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	handedOn := make(chan string, 100)
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		handedOn <- string(body)
	}))
	defer other.Close()

	state := t.TempDir()
	const public = "https://ops.bank.example/twilio/debugger"
	out, errs := newLines(), newLines()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- runShell(ctx, state, out, errs, "-e", "demo", "debugger", "listen", "--addr", "127.0.0.1:0", "--path", "/in",
			"--public-url", public, "--forward", other.URL, "--columns", "factor_sid,verdict", "--no-header")
	}()
	base := errs.wait(t, `listening on (http://\S+)/in for`)
	errs.wait(t, `fetched (\d+) alerts that had not been delivered`)

	service := string(demoEnvironments()[0].ServiceSID)
	form := url.Values{"Sid": {"NO000000000000000000000000000000aa"}, "AccountSid": {simulator.DefaultAccountSID}, "Level": {"ERROR"},
		"Timestamp": {"2026-11-02T08:59:00Z"},
		"Payload":   {`{"error_code":"52103","more_info":{"bindingType":"fcm","correlationIds":"[` + service + `, user-1001-amara, YF000000000000000000000000000000aa]"}}`}}
	if status := postSigned(t, base+"/in", public, "another token", form); status != http.StatusForbidden {
		t.Errorf("a forged delivery is answered with %d", status)
	}
	for range 2 {
		if status := postSigned(t, base+"/in", public, simulator.DefaultAuthToken, form); status != http.StatusOK {
			t.Errorf("a delivery is answered with %d: %s", status, errs)
		}
	}
	for {
		if strings.Contains(<-handedOn, `"factor_sid":"YF000000000000000000000000000000aa"`) {
			break
		}
	}
	out.wait(t, `YF000000000000000000000000000000aa\ttoken_(dead)`) // while it runs
	resp, err := http.Get(base + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	metrics, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	for _, want := range []string{"verifyctl_bad_signatures_total 1", "verifyctl_events_delivered_again_total 1",
		`verifyctl_push_errors_total{environment="demo",code="52103",verdict="token_dead"} 1`} {
		if !bytes.Contains(metrics, []byte(want)) {
			t.Errorf("no %s in\n%s", want, metrics)
		}
	}
	stop()
	if status := <-ended; status != 0 {
		t.Errorf("exit status %d: %s", status, errs)
	}
	if n := strings.Count(out.String(), "YF000000000000000000000000000000aa\ttoken_dead"); n != 1 {
		t.Errorf("the event was printed %d times:\n%s", n, out)
	}

	var replayed bytes.Buffer
	if status := runShell(t.Context(), state, &replayed, io.Discard, "-e", "demo", "debugger", "replay", "-q"); status != 0 {
		t.Errorf("replay exits with %d", status)
	}
	if n := strings.Count(replayed.String(), "YF000000000000000000000000000000aa"); n != 1 || strings.Count(replayed.String(), "YF") < 5 {
		t.Errorf("%d of the delivered event is stored:\n%s", n, replayed.String())
	}
}

func TestListenNeedsASecret(t *testing.T) {
	config := t.TempDir() + "/verifyctl.yaml"
	if err := os.WriteFile(config, []byte(`environments:
  prod:
    account_sid: AC00000000000000000000000000000001
    service_sid: VA00000000000000000000000000000001
    api_key: SK00000000000000000000000000000001
    secret_env: NO_SUCH_SECRET
`), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("NO_SUCH_SECRET", strings.Repeat("a", 32))
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	var errs bytes.Buffer
	status := runShell(t.Context(), t.TempDir(), io.Discard, &errs, "--config", config, "-e", "prod", "debugger", "listen", "--addr", "127.0.0.1:0")
	if status != 64 || !strings.Contains(errs.String(), "webhook_secret") {
		t.Errorf("status %d: %s", status, errs.String())
	}
}
