//go:build unix

package prompt

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	_ "github.com/verifyctl/verifyctl/internal/tmpdir" // for temporary folders
	"github.com/verifyctl/verifyctl/internal/verify"
)

// roleVariable makes this test binary play a program with questions, on the terminal it was given. Its answer is the only
// thing it writes to standard output.
const roleVariable = "PROMPT_TEST_ROLE"

func TestMain(m *testing.M) {
	role := os.Getenv(roleVariable)
	if role == "" {
		os.Exit(m.Run())
	}
	fmt.Print(play(role))
}

func play(role string) string {
	ctx := context.Background()
	p := New(os.Stdin, os.Stderr, true)
	switch role {
	case "nothing":
		return "done"
	case "environment":
		value, set := os.LookupEnv("CI")
		return fmt.Sprintf("CI=%q %v", value, set)
	case "confirm", "question":
		return outcome("yes", p.Confirm(ctx, "Delete it?"))
	case "type":
		return outcome("typed", p.TypeName(ctx, "Delete it?", "prod"))
	case "select":
		var options []Option[string]
		for i := range 30 {
			options = append(options, Option[string]{fmt.Sprintf("phone number %d", i), fmt.Sprint(i)})
		}
		return answer(Select(ctx, p, Question{Text: "Which phone?"}, options))
	case "secret":
		return answer(p.Secret(ctx, Question{Text: "The secret?"}))
	case "screen", "screen that ends":
		views := make(chan View)
		go func() {
			for n := range 3 {
				views <- func(width int) string {
					return fmt.Sprintf("view %d of %d cells\n", n, width) + strings.Repeat("row\n", 30*(n%2))
				}
			}
			if role != "screen" {
				close(views)
			}
		}()
		return outcome("left", p.Screen(ctx, views))
	case "screen, cancelled":
		ctx, cancel := context.WithCancel(ctx)
		views := make(chan View, 1)
		views <- func(int) string { time.AfterFunc(50*time.Millisecond, cancel); return "shown" }
		return outcome("left", p.Screen(ctx, views))
	case "cancel":
		ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		return outcome("yes", p.Confirm(ctx, "Delete it?"))
	}
	return "no such role"
}

func answer(got string, err error) string { return outcome(got, err) }

func outcome(got string, err error) string {
	if err != nil {
		return "error: " + verify.KindOf(err).String()
	}
	return got
}

// patience bounds the wait for a screen that never shows what it should.
const patience = 30 * time.Second

// session is a program on a terminal of ours.
type session struct {
	cmd    *exec.Cmd
	tty    *os.File
	stdout bytes.Buffer
	screen bytes.Buffer
	races  string // the folder in which the program reports data races
}

// start runs this test binary in a role on a terminal that answers nothing but what the test types. Standard output is
// the terminal too in the roles that tell what is written to it unasked.
func start(t *testing.T, role string, env ...string) *session {
	t.Helper()
	s := &session{cmd: exec.Command(os.Args[0]), races: t.TempDir()}
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if !slices.Contains([]string{"CI", "TERM", "ACCESSIBLE", "NO_COLOR", "STY", "TMUX"}, name) {
			s.cmd.Env = append(s.cmd.Env, kv)
		}
	}
	s.cmd.Env = append(s.cmd.Env, fmt.Sprintf("GORACE=atexit_sleep_ms=0 exitcode=0 log_path=%q", filepath.Join(s.races, "race")))
	s.cmd.Env = append(s.cmd.Env, append(env, roleVariable+"="+role)...)
	if role != "nothing" && role != "question" {
		s.cmd.Stdout = &s.stdout
	}
	tty, err := pty.StartWithSize(s.cmd, &pty.Winsize{Rows: 24, Cols: 80})
	if err != nil {
		t.Fatalf("no pseudo-terminal: %v", err)
	}
	s.tty = tty
	giveUp := time.AfterFunc(patience, func() { _ = s.cmd.Process.Kill() })
	t.Cleanup(func() {
		giveUp.Stop()
		_ = s.cmd.Process.Kill()
		_ = tty.Close()
	})
	return s
}

// waitFor reads the screen until it shows a text.
func (s *session) waitFor(t *testing.T, text string) {
	t.Helper()
	buf := make([]byte, 1024)
	for !strings.Contains(s.screen.String(), text) {
		n, err := s.tty.Read(buf)
		s.screen.Write(buf[:n])
		if err != nil {
			t.Fatalf("the terminal ended before it showed %q:\n%q", text, s.screen.String())
		}
	}
}

func (s *session) typeKeys(t *testing.T, keys string) {
	t.Helper()
	if _, err := io.WriteString(s.tty, keys); err != nil {
		t.Fatal(err)
	}
}

// end waits for the program and gives what it answered. The terminal gives an error once the program has gone.
func (s *session) end(t *testing.T) string {
	t.Helper()
	_, _ = io.Copy(&s.screen, s.tty)
	if err := s.cmd.Wait(); err != nil {
		t.Fatalf("%v; screen %q", err, s.screen.String())
	}
	s.reportRaces(t)
	return s.stdout.String()
}

// reportRaces fails for every data race but the one that bubbletea has when a program is interrupted: it closes the
// terminal without waiting for cancelreader, which still reads from it.
func (s *session) reportRaces(t *testing.T) {
	t.Helper()
	reports, err := filepath.Glob(filepath.Join(s.races, "race.*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, report := range reports {
		text, err := os.ReadFile(report)
		if err != nil {
			t.Fatal(err)
		}
		for race := range strings.SplitSeq(string(text), "==================\n") {
			if strings.Contains(race, "DATA RACE") && !strings.Contains(race, "cancelreader.(*epollCancelReader).Close") {
				t.Errorf("%s", race)
			}
		}
	}
}

// TestStartingAsksTheTerminalNothing guards package quiet: without it this program writes ESC ] 11 ; ? to the terminal
// and waits five seconds for an answer. This is the one place where a bound on time is the behaviour.
func TestStartingAsksTheTerminalNothing(t *testing.T) {
	for _, term := range []string{"xterm-256color", "linux", ""} {
		started := time.Now()
		s := start(t, "nothing", "TERM="+term)
		s.end(t)
		if got := s.screen.String(); got != "done" {
			t.Errorf("TERM=%s: wrote %q to the terminal, want only what it was told to", term, got)
		}
		if took := time.Since(started); took > 3*time.Second {
			t.Errorf("TERM=%s: took %s", term, took)
		}
	}
}

func TestAQuestionAsksTheTerminalNothingElse(t *testing.T) {
	s := start(t, "question", "TERM=xterm-256color")
	s.waitFor(t, "Delete it?")
	s.typeKeys(t, "y")
	s.end(t)
	for _, query := range []string{"\x1b]11;?", "\x1b]10;?", "\x1b[6n", "\x1b[c"} {
		if strings.Contains(s.screen.String(), query) {
			t.Errorf("the terminal was asked %q", query)
		}
	}
}

func TestTheVariableCIIsPutBack(t *testing.T) {
	for want, env := range map[string][]string{
		`CI="" false`: nil, `CI="" true`: {"CI="}, `CI="yes" true`: {"CI=yes"},
	} {
		s := start(t, "environment", env...)
		if got := s.end(t); got != want {
			t.Errorf("given %v: %s, want %s", env, got, want)
		}
	}
}

// step is what the screen shows and what is typed then.
type step struct{ waitFor, keys string }

func TestQuestionsOnATerminal(t *testing.T) {
	const enter, ctrlC, down = "\r", "\x03", "\x1b[B"
	for _, tc := range []struct {
		name, role string
		steps      []step
		want       string
	}{
		{"enter alone is no", "confirm", []step{{"Delete it?", enter}}, "error: refused"},
		{"y is yes", "confirm", []step{{"Delete it?", "y"}}, "yes"},
		{"n is no", "confirm", []step{{"Delete it?", "n"}}, "error: refused"},
		{"ctrl-c", "confirm", []step{{"Delete it?", ctrlC}}, "error: interrupted"},
		{"the name", "type", []step{{"Type prod", "prod"}, {"prod", enter}}, "typed"},
		{"another name, then ctrl-c", "type", []step{{"Type prod", "Prod" + enter}, {"that is not prod", ctrlC}}, "error: interrupted"},
		{"first option", "select", []step{{"> phone number 0", enter}}, "0"},
		{"third option", "select", []step{{"> phone number 0", down}, {"> phone number 1 ", down}, {"> phone number 2 ", enter}}, "2"},
		{"search", "select", []step{{"/ filter", "/"}, {"esc set filter", "27"}, {"> phone number 27", enter}}, "27"},
		{"select and ctrl-c", "select", []step{{"> phone number 0", ctrlC}}, "error: interrupted"},
		{"secret", "secret", []step{{"The secret?", "hunter2" + enter}}, "hunter2"},
		{"cancelled", "cancel", nil, "error: interrupted"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, tc.role, "TERM=xterm-256color")
			for _, step := range tc.steps {
				s.waitFor(t, step.waitFor)
				s.typeKeys(t, step.keys)
			}
			if got := s.end(t); got != tc.want {
				t.Errorf("got %q, want %q; screen %q", got, tc.want, s.screen.String())
			}
			if strings.Contains(s.screen.String(), "hunter2") {
				t.Error("the secret was shown")
			}
		})
	}
}

func TestPlainLinesOnATerminal(t *testing.T) {
	const end = "\x04"
	for _, tc := range []struct{ name, role, waitFor, keys, want string }{
		{"yes", "confirm", "[y/N]", "y\n", "yes"},
		{"end of input", "confirm", "[y/N]", end, "error: interrupted"},
		{"select", "select", "from 1 to 30", "28\n", "27"},
		{"select and end of input", "select", "from 1 to 30", "99\n" + end, "error: interrupted"},
		{"secret", "secret", "The secret?", "hunter2\n", "hunter2"},
		{"cancelled", "cancel", "[y/N]", "", "error: interrupted"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, tc.role, "TERM=dumb")
			s.waitFor(t, tc.waitFor)
			s.typeKeys(t, tc.keys)
			if got := s.end(t); got != tc.want {
				t.Errorf("got %q, want %q; screen %q", got, tc.want, s.screen.String())
			}
			if strings.Contains(s.screen.String(), "\x1b") {
				t.Errorf("escape codes on a dumb terminal: %q", s.screen.String())
			}
		})
	}
}

// A screen shows what comes, in the terminal's size, and is left by q; the terminal is then as it was.
func TestScreens(t *testing.T) {
	for _, tc := range []struct{ name, role, waitFor, keys, want string }{
		{"q", "screen", "view 2 of 80 cells", "q", "left"},
		{"other keys do nothing", "screen", "view 2 of 80 cells", "xyQ\r\x1b[Bq", "left"},
		{"ctrl-c", "screen", "view 2 of 80 cells", "\x03", "error: interrupted"},
		{"no more views", "screen that ends", "", "", "left"},
		{"cancelled", "screen, cancelled", "shown", "", "error: interrupted"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, tc.role, "TERM=xterm-256color")
			s.waitFor(t, tc.waitFor)
			s.typeKeys(t, tc.keys)
			if got := s.end(t); got != tc.want {
				t.Errorf("got %q, want %q; screen %q", got, tc.want, s.screen.String())
			}
			screen := s.screen.String()
			if strings.Count(screen, "\x1b[?1049h") != 1 || strings.Count(screen, "\x1b[?1049l") != 1 || strings.LastIndex(screen, "\x1b[?25h") < strings.LastIndex(screen, "\x1b[?25l") {
				t.Errorf("the terminal is not put back: %q", screen)
			}
		})
	}
}

// What does not fit is cut off below, and said to be.
func TestAScreenIsNoTallerThanTheTerminal(t *testing.T) {
	s := screen{width: 20, height: 4, view: func(int) string { return "1\n2\n3\n4\n5\n6\n" }}
	if got := s.View(); got != "1\n2\n3\n… 3 more lines on a taller terminal" {
		t.Errorf("%q", got)
	}
	if got := (screen{view: s.view}).View(); got != "" {
		t.Errorf("drawn before the size is known: %q", got)
	}
}
