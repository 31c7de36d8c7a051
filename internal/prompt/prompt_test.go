package prompt

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/verifyctl/verifyctl/internal/verify"
)

func wantKind(t *testing.T, err error, kind verify.Kind, words ...string) {
	t.Helper()
	var e *verify.Error
	if !errors.As(err, &e) || e.Kind != kind {
		t.Fatalf("got %v, want an error of kind %v", err, kind)
	}
	for _, word := range words {
		if !strings.Contains(e.Message+"\n"+e.Hint, word) {
			t.Errorf("%q (hint %q) does not say %q", e.Message, e.Hint, word)
		}
	}
}

func TestWithoutATerminalEveryQuestionNamesItsFlag(t *testing.T) {
	var out bytes.Buffer
	p := New(strings.NewReader("y\nprod\n1\n"), &out, false)
	ctx := context.Background()
	q := Question{Text: "Which key?", Instead: "--api-key SK…"}
	wantKind(t, p.Confirm(ctx, "Delete?"), verify.KindRefused, "no terminal", "--yes")
	wantKind(t, p.TypeName(ctx, "Delete?", "prod"), verify.KindRefused, "--confirm prod")
	_, err := p.Input(ctx, q)
	wantKind(t, err, verify.KindRefused, "--api-key SK…")
	_, err = p.Secret(ctx, q)
	wantKind(t, err, verify.KindRefused, "--api-key SK…")
	_, err = Select(ctx, p, q, []Option[int]{{"one", 1}})
	wantKind(t, err, verify.KindRefused, "--api-key SK…")
	if out.Len() > 0 {
		t.Errorf("wrote %q", out.String())
	}
}

// lines makes a prompter that asks line by line and is answered with input.
func lines(input string) (*Prompter, *bytes.Buffer) {
	var out bytes.Buffer
	return &Prompter{in: strings.NewReader(input), out: &out, canAsk: true, lines: true}, &out
}

func TestOnlyYesIsYes(t *testing.T) {
	for answer, want := range map[string]verify.Kind{
		"\n": verify.KindRefused, "n\n": verify.KindRefused, "yep\n": verify.KindRefused, "1\n": verify.KindRefused,
		"": verify.KindInterrupted, "y": verify.KindInterrupted, "yes": verify.KindInterrupted, // the input ended within the line
	} {
		p, _ := lines(answer)
		wantKind(t, p.Confirm(context.Background(), "Delete?"), want)
	}
	for _, answer := range []string{"y\n", "Y\n", "yes\n", " yes \r\n"} {
		p, out := lines(answer)
		if err := p.Confirm(context.Background(), "Delete?"); err != nil || out.String() != "Delete? [y/N] " {
			t.Errorf("%q: %v, shown %q", answer, err, out)
		}
	}
}

func TestANameIsTypedExactly(t *testing.T) {
	p, out := lines("Prod\nprod \nprod\n")
	if err := p.TypeName(context.Background(), "Delete 3 factors?", "prod"); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(out.String(), "that is not prod"); got != 2 {
		t.Errorf("complained %d times:\n%s", got, out)
	}
	for input, want := range map[string]verify.Kind{"": verify.KindInterrupted, "a\nb\n": verify.KindInterrupted, "a\nb\nc\nprod\n": verify.KindRefused} {
		p, _ := lines(input)
		wantKind(t, p.TypeName(context.Background(), "Delete?", "prod"), want)
	}
}

func TestInputTakesDefaultsAndChecks(t *testing.T) {
	ctx := context.Background()
	p, _ := lines("\n")
	if got, err := p.Input(ctx, Question{Text: "Kind?", Default: "production"}); err != nil || got != "production" {
		t.Errorf("%q, %v", got, err)
	}
	p, _ = lines("\n\n\n")
	_, err := p.Input(ctx, Question{Text: "Kind?"})
	wantKind(t, err, verify.KindRefused, "an answer is needed")
	p, _ = lines("first\nsecond\n")
	for _, want := range []string{"first", "second"} {
		if got, err := p.Input(ctx, Question{Text: "?"}); err != nil || got != want {
			t.Errorf("got %q, %v; want %q: a question must not read ahead", got, err, want)
		}
	}
}

func TestSelectByNumber(t *testing.T) {
	options := []Option[string]{{"Old\x1b[31m phone", "YF1"}, {"New phone", "YF2"}}
	p, out := lines("7\nx\n2\n")
	got, err := Select(context.Background(), p, Question{Text: "Which factor?"}, options)
	if err != nil || got != "YF2" {
		t.Errorf("%q, %v", got, err)
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Errorf("a control character reached the terminal: %q", out)
	}
	p, _ = lines("7\n")
	_, err = Select(context.Background(), p, Question{Text: "Which factor?"}, options)
	wantKind(t, err, verify.KindInterrupted)
	p, _ = lines("1\n")
	_, err = Select(context.Background(), p, Question{Text: "Which factor?"}, []Option[string]{})
	wantKind(t, err, verify.KindRefused, "nothing to choose")
}

func TestCancellingEndsAQuestion(t *testing.T) {
	silent, w := io.Pipe() // never answers
	defer w.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	p := &Prompter{in: silent, out: io.Discard, canAsk: true, lines: true}
	wantKind(t, p.Confirm(ctx, "Delete?"), verify.KindInterrupted)
}
