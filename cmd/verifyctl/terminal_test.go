//go:build unix

package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/verifyctl/verifyctl/internal/simulator"
)

// patience bounds the wait for a screen that never shows what it should.
const patience = 30 * time.Second

// terminal is verifyctl on a terminal of ours: what it shows, and where keys go.
type terminal struct {
	cmd    *exec.Cmd
	tty    *os.File
	screen strings.Builder
}

// onTerminal starts verifyctl with all its streams on a terminal that answers nothing but what the test types.
func onTerminal(t *testing.T, env []string, args ...string) *terminal {
	t.Helper()
	path, err := exec.LookPath("verifyctl")
	if err != nil {
		t.Fatal(err)
	}
	// The shell leads the session: when a leader ends, the kernel drops what its terminal has not passed on.
	const wrapper = `trap : INT; "$@"; printf '\n[ended with %d]\n' $?; read -r _`
	term := &terminal{cmd: exec.Command("sh", append([]string{"-c", wrapper, "sh", path}, args...)...)}
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if !slices.Contains([]string{"CI", "TERM", "ACCESSIBLE", "STY", "TMUX"}, name) && !strings.HasPrefix(name, "VERIFYCTL_") && !strings.HasPrefix(name, "TWILIO_") {
			term.cmd.Env = append(term.cmd.Env, kv)
		}
	}
	term.cmd.Env = append(term.cmd.Env, env...)
	if term.tty, err = pty.StartWithSize(term.cmd, &pty.Winsize{Rows: 40, Cols: 120}); err != nil {
		t.Fatalf("no pseudo-terminal: %v", err)
	}
	giveUp := time.AfterFunc(patience, func() { _ = term.cmd.Process.Kill() })
	t.Cleanup(func() {
		giveUp.Stop()
		_ = term.cmd.Process.Kill()
		_ = term.tty.Close()
	})
	return term
}

// answer waits until the screen shows a text that it did not show before, and types.
func (term *terminal) answer(t *testing.T, waitFor, keys string) {
	t.Helper()
	seen := ""
	buf := make([]byte, 1024)
	for !strings.Contains(seen, waitFor) {
		n, err := term.tty.Read(buf)
		seen += string(buf[:n])
		if err != nil {
			t.Fatalf("the terminal ended before it showed %q:\n%q", waitFor, term.screen.String()+seen)
		}
	}
	term.screen.WriteString(seen)
	if _, err := io.WriteString(term.tty, keys); err != nil {
		t.Fatal(err)
	}
}

var ended = regexp.MustCompile(`\r?\n\[ended with (\d+)\]`)

// end waits for the program and gives its exit status and all that the screen showed.
func (term *terminal) end(t *testing.T) (int, string) {
	t.Helper()
	buf := make([]byte, 1024)
	for {
		screen := term.screen.String()
		if at := ended.FindStringSubmatchIndex(screen); at != nil {
			status, _ := strconv.Atoi(screen[at[2]:at[3]]) //nolint:errcheck // digits
			return status, screen[:at[0]]
		}
		n, err := term.tty.Read(buf)
		term.screen.Write(buf[:n])
		if err != nil {
			t.Fatalf("the terminal ended before the program:\n%q", term.screen.String())
		}
	}
}

// TestVersionAsksTheTerminalNothing holds the guard around the prompt library in the whole program: without it, every
// command writes a question about colours to the terminal and waits five seconds for an answer. This is the one place
// where a bound on time is the behaviour.
func TestVersionAsksTheTerminalNothing(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"version"}, {"--help"}} {
		started := time.Now()
		status, screen := onTerminal(t, []string{"TERM=xterm-256color", "HOME=" + t.TempDir()}, args...).end(t)
		if status != 0 || strings.Contains(screen, "\x1b") || screen == "" {
			t.Errorf("%q: status %d, screen %q", args, status, screen)
		}
		if took := time.Since(started); took > 3*time.Second {
			t.Errorf("%q took %s", args, took)
		}
	}
}

func TestEnvAddAsksWhatIsMissing(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	vars := []string{"TERM=xterm-256color", "NO_COLOR=1", "XDG_CONFIG_HOME=" + home, "VERIFYCTL_KEYCHAIN=off", "VERIFYCTL_STATE_DIR=" + t.TempDir()}
	const enter, down, secret = "\r", "\x1b[B", "secretsecretsecret"
	term := onTerminal(t, vars, "env", "add", "staging", "--no-check")
	term.answer(t, "The account SID", "AC1"+enter)
	term.answer(t, "is not a", strings.Repeat("\x7f", 3)+"AC00000000000000000000000000000001"+enter)
	term.answer(t, "What kind", down)
	term.answer(t, "> staging", enter)
	term.answer(t, "The API key", "SK00000000000000000000000000000001"+enter)
	term.answer(t, "The secret of SK00000000000000000000000000000001", secret+enter)
	term.answer(t, "The Verify Service SID", "VA00000000000000000000000000000001"+enter)
	term.answer(t, "Which platforms", enter)
	term.answer(t, "How is the iOS app", enter)
	status, screen := term.end(t)
	if status != 0 || strings.Contains(screen, secret) || !strings.Contains(screen, "added staging to") ||
		!strings.Contains(screen, "What kind of environment is it? staging\r\n") {
		t.Errorf("status %d, screen %q", status, screen)
	}
	got, err := os.ReadFile(filepath.Join(home, "verifyctl", "config.yaml"))
	const want = `current: staging
environments:
  staging:
    account_sid: AC00000000000000000000000000000001
    service_sid: VA00000000000000000000000000000001
    api_key: SK00000000000000000000000000000001
    secret: keychain
    kind: staging
    platforms: [apn, fcm]
`
	if err != nil || string(got) != want {
		t.Errorf("%v, the file is\n%s", err, got)
	}
	kept, err := os.ReadFile(filepath.Join(home, "verifyctl", "credentials"))
	if err != nil || !strings.Contains(string(kept), secret) {
		t.Errorf("the secret is not kept: %v", err)
	}

	// Removing asks, on plain lines too where the terminal cannot redraw, and doing nothing is no.
	plain := append(vars, "TERM=dumb")
	for _, tc := range []struct {
		keys   string
		status int
		says   string
	}{
		{"\n", 6, "not confirmed"}, {"\x04", 130, "nothing was done"}, {"\x03", 130, ""} /* Ctrl-C also flushes what is being shown */, {"y\n", 0, "removed staging from"},
	} {
		term := onTerminal(t, plain, "env", "remove", "staging")
		term.answer(t, "[y/N]", tc.keys)
		if status, screen := term.end(t); status != tc.status || !strings.Contains(screen, tc.says) || strings.Contains(screen, "\x1b") {
			t.Errorf("%q: status %d, screen %q; want %d and %q", tc.keys, status, screen, tc.status, tc.says)
		}
	}
}

// The Service is picked from those of the account, and the environment that is current may stay so.
func TestEnvAddPicksTheService(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("run without -short")
	}
	h := newHome(t)
	server := h.serve(t, "--state", ":memory:")
	vars := []string{"TERM=xterm-256color", "NO_COLOR=1", "XDG_CONFIG_HOME=" + h.path("config"), "VERIFYCTL_KEYCHAIN=off", "VERIFYCTL_STATE_DIR=" + h.path("state")}
	const enter, down = "\r", "\x1b[B"
	add := func(name string, more ...string) *terminal {
		args := []string{"env", "add", name, "--account-sid", simulator.DefaultAccountSID, "--kind", "staging", "--platforms", "fcm", "--base-url", server.BaseURL}
		term := onTerminal(t, vars, append(args, more...)...)
		term.answer(t, "The API key", enter)
		return term
	}
	term := add("first")
	term.answer(t, "The auth token of "+simulator.DefaultAccountSID, simulator.DefaultAuthToken+enter)
	term.answer(t, "Which Verify Service?", down)
	term.answer(t, "> Example Bank staging, "+simulator.DemoStagingServiceSID, enter)
	if status, screen := term.end(t); status != 0 || !strings.Contains(screen, "the keys work: they read the Service Example Bank staging") || strings.Contains(screen, "Make first") {
		t.Errorf("status %d, screen %q", status, screen)
	}
	for _, next := range []struct{ name, keys, current string }{{"second", enter, "first"}, {"third", down + enter, "third"}} {
		term = add(next.name, "--service-sid", simulator.DemoDevServiceSID)
		term.answer(t, "The auth token of", simulator.DefaultAuthToken+enter)
		term.answer(t, "Make "+next.name+" the current environment?", next.keys)
		if status, screen := term.end(t); status != 0 {
			t.Errorf("status %d, screen %q", status, screen)
		}
		if got := h.run(t, 0, nil, "env", "show", "-q"); got != next.current {
			t.Errorf("%q is current, want %s", got, next.current)
		}
	}
	// A wrong token is asked again, when the Services are listed and when the one that was given is read; the third ends it.
	for name, more := range map[string][]string{"fourth": nil, "fifth": {"--service-sid", simulator.DemoDevServiceSID, "--use"}} {
		for _, tokens := range [][]string{{"wrong1secret", "wrong2secret", "wrong3secret"}, {"wrong1secret", simulator.DefaultAuthToken}} {
			term = add(name, more...)
			for i, token := range tokens {
				if i > 0 {
					term.answer(t, "The API key", enter)
				}
				term.answer(t, "The auth token of", token+enter)
			}
			want, says := 4, "nothing was stored"
			switch {
			case len(tokens) == 2 && more == nil:
				term.answer(t, "Which Verify Service?", "\x03")
				want, says = 130, "the keys were refused; type them again"
			case len(tokens) == 2:
				want, says = 0, "added fifth to"
			}
			if status, screen := term.end(t); status != want || !strings.Contains(screen, says) || strings.Contains(screen, "wrong1secret") {
				t.Errorf("%s, %q: status %d, screen %q", name, tokens, status, screen)
			}
		}
	}
	// A SID that is typed and belongs to no Service is asked for again; the other answers stay.
	term = add("mistyped")
	term.answer(t, "The auth token of", simulator.DefaultAuthToken+enter)
	term.answer(t, "Which Verify Service?", down+down+down)
	term.answer(t, "> another one", enter)
	term.answer(t, "The Verify Service SID", "VA00000000000000000000000000000009"+enter)
	const asksAgain = "\r\n\x1b[?25l" // what is typed before is not for the prompt
	term.answer(t, "the account has no Service VA00000000000000000000000000000009; type its SID again, or press Ctrl-C to end"+asksAgain, simulator.DemoStagingServiceSID+enter)
	term.answer(t, "Make mistyped the current environment?", enter)
	if status, screen := term.end(t); status != 0 || !strings.Contains(screen, "added mistyped to") {
		t.Errorf("status %d, screen %q", status, screen)
	}
	// Where there is no Service yet, its SID is typed.
	empty := h.serve(t, "--state", ":memory:", "--seed", "empty")
	server.BaseURL = empty.BaseURL
	term = add("sixth")
	term.answer(t, "The auth token of", simulator.DefaultAuthToken+enter)
	term.answer(t, "The Verify Service SID", "\x03")
	if status, screen := term.end(t); status != 130 || !strings.Contains(screen, "the account has no Verify Service") {
		t.Errorf("status %d, screen %q", status, screen)
	}
}
