package prompt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/term"

	"github.com/charmbracelet/huh"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// maxAttempts is how often a wrong answer is asked again.
const maxAttempts = 3

// errEnd is the end of input, which is never an answer.
var errEnd = &verify.Error{Kind: verify.KindInterrupted, Message: "the input ended before an answer was given; nothing was done"}

func (p *Prompter) confirmLine(ctx context.Context, question string) (bool, error) {
	answer, err := p.ask(ctx, plain(question)+" [y/N] ", false)
	if err != nil {
		return false, err
	}
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes", nil
}

func (p *Prompter) inputLine(ctx context.Context, q Question, hidden bool) (string, error) {
	if q.Help != "" {
		fmt.Fprintln(p.out, plain(q.Help))
	}
	label := plain(q.Text)
	if q.Default != "" {
		label += " [" + plain(q.Default) + "]"
	}
	for attempt := 1; ; attempt++ {
		answer, err := p.ask(ctx, label+" ", hidden)
		if err != nil {
			return "", err
		}
		problem := q.check(answer)
		if problem == nil || attempt == maxAttempts {
			return q.settle(answer)
		}
		fmt.Fprintln(p.out, plain(problem.Error()))
	}
}

func (p *Prompter) selectLine(ctx context.Context, q Question, options []huh.Option[int]) (int, error) {
	fmt.Fprintln(p.out, plain(q.Text))
	for i, option := range options {
		fmt.Fprintf(p.out, "%d. %s\n", i+1, option.Key)
	}
	var number int
	_, err := p.inputLine(ctx, Question{
		Text: fmt.Sprintf("A number from 1 to %d:", len(options)), Help: q.Help,
		Check: func(answer string) (err error) {
			number, err = strconv.Atoi(strings.TrimSpace(answer))
			if err != nil || number < 1 || number > len(options) {
				return fmt.Errorf("that is not a number from 1 to %d", len(options))
			}
			return nil
		},
	}, false)
	return number - 1, err
}

// ask reads a line. A cancelled context ends the wait and leaves the read behind, as the process is about to end.
func (p *Prompter) ask(ctx context.Context, label string, hidden bool) (string, error) {
	fmt.Fprint(p.out, label)
	type reply struct {
		line string
		err  error
	}
	done := make(chan reply, 1)
	restore := p.rememberTerminal()
	go func() {
		line, err := p.readLine(hidden)
		done <- reply{line, err}
	}()
	select {
	case r := <-done:
		return r.line, r.err
	case <-ctx.Done():
		restore()
		fmt.Fprintln(p.out)
		return "", interrupted()
	}
}

// rememberTerminal gives what puts the terminal back as it is now: an abandoned hidden read has switched its echo off.
func (p *Prompter) rememberTerminal() func() {
	f, ok := p.in.(*os.File)
	if !ok {
		return func() {}
	}
	state, err := term.GetState(int(f.Fd()))
	if err != nil {
		return func() {}
	}
	return func() { _ = term.Restore(int(f.Fd()), state) }
}

// readLine reads up to a line end and no byte more, so that what was typed ahead stays for the next question.
func (p *Prompter) readLine(hidden bool) (string, error) {
	if f, ok := p.in.(*os.File); ok && hidden {
		line, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(p.out)
		if err != nil {
			return "", errEnd
		}
		return string(line), nil
	}
	var line []byte
	one := make([]byte, 1)
	for {
		n, err := p.in.Read(one)
		switch {
		case n == 1 && one[0] == '\n':
			return strings.TrimSuffix(string(line), "\r"), nil
		case n == 1:
			line = append(line, one[0])
		case errors.Is(err, io.EOF):
			return "", errEnd
		case err != nil:
			return "", fmt.Errorf("the answer could not be read: %w", err)
		}
	}
}
