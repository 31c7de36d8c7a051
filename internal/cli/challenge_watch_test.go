package cli

import (
	"bytes"
	"context"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
)

const testSecret = "a-shared-secret-of-the-test"

// following runs verifyctl in this process and calls back with each line that it writes to standard error.
type following struct {
	mu      sync.Mutex
	text    bytes.Buffer
	partial string
	line    func(string)
}

func (f *following) Write(p []byte) (int, error) {
	f.mu.Lock()
	f.text.Write(p)
	f.partial += string(p)
	var lines []string
	for {
		line, rest, found := strings.Cut(f.partial, "\n")
		if !found {
			break
		}
		lines, f.partial = append(lines, line), rest
	}
	f.mu.Unlock()
	for _, line := range lines {
		f.line(line)
	}
	return len(p), nil
}

func followArgs(t *testing.T, ctx context.Context, line func(string), args ...string) (status int, stderr string) {
	t.Helper()
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	state := t.TempDir()
	err := &following{line: line}
	s := &shell{terminal: terminal{in: strings.NewReader(""), out: &bytes.Buffer{}, err: err, getenv: func(name string) string {
		return map[string]string{"VERIFYCTL_STATE_DIR": state, receiptSecret: testSecret}[name]
	}}}
	status = run(ctx, s, args)
	return status, err.text.String()
}

var watchPending = []string{"-e", "demo", "challenge", "watch", "YC52bcb3c787af8cbe9af2a9a70f3c0fd6", "--identity", "user-1001-amara",
	"--receipts", "127.0.0.1:0"}

func TestInterruptedWatchLeavesTheCommandThatGoesOn(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	status, stderr := followArgs(t, ctx, func(line string) {
		if strings.Contains(line, "receipts are taken at") {
			cancel()
		}
	}, watchPending...)
	const next = "go on watching: verifyctl -e demo challenge watch YC52bcb3c787af8cbe9af2a9a70f3c0fd6 --identity user-1001-amara"
	if status != 130 || !strings.Contains(stderr, next) {
		t.Errorf("status %d, %s\nwant 130 and %q", status, stderr, next)
	}
}

// The phone confirms before the push would be sent again, by a request of its backend.
func TestReceiptKeepsTheWatchFromResending(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	address := regexp.MustCompile(`receipts are taken at (http://\S+)`)
	status, stderr := followArgs(t, ctx, func(line string) {
		switch m := address.FindStringSubmatch(line); {
		case m != nil:
			confirm(t, m[1])
		case strings.Contains(line, "is not sent again"), strings.Contains(line, "was sent again"):
			cancel()
		}
	}, append(watchPending, "--resend-after", "1s", "--max-resends", "2", "--confirm", "demo")...)
	if status != 130 || !strings.Contains(stderr, "the phone has confirmed YC52bcb3c787af8cbe9af2a9a70f3c0fd6: its push is not sent again") ||
		strings.Contains(stderr, "was sent again") {
		t.Errorf("status %d, %s", status, stderr)
	}
}

func confirm(t *testing.T, url string) {
	r, err := http.NewRequest(http.MethodPost, url, strings.NewReader(`{"challenge_sid":"YC52bcb3c787af8cbe9af2a9a70f3c0fd6"}`))
	if err != nil {
		t.Error(err)
		return
	}
	r.Header.Set("Authorization", "Bearer "+testSecret)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Error(err)
		return
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusNoContent {
		t.Errorf("the receipt was answered %s", answer.Status)
	}
}
