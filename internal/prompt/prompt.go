// Package prompt puts questions to the person at the terminal: on standard error, answered on standard input, never on
// standard output. Without a terminal every question is an error that names the flag to give instead. Doing nothing, the
// end of input and Ctrl-C never mean yes. It also shows screens that change. It is the
// only importer of huh and Bubble Tea.
package prompt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"github.com/charmbracelet/huh"
	"github.com/charmbracelet/lipgloss"

	"github.com/verifyctl/verifyctl/internal/prompt/quiet"
	"github.com/verifyctl/verifyctl/internal/verify"
)

func init() { quiet.Restore() }

// Prompter asks one person. The errors of its questions are [verify.Error]: KindRefused when nobody can be asked or the
// answer is no, KindInterrupted when the person or the context ended the question.
type Prompter struct {
	in     io.Reader
	out    io.Writer
	canAsk bool
	lines  bool // ask line by line, for screen readers and terminals that cannot redraw
}

// New makes a Prompter that reads answers from in and shows questions on out. canAsk says whether both are terminals.
// With the variable ACCESSIBLE set, or TERM=dumb, questions are plain lines.
func New(in io.Reader, out io.Writer, canAsk bool) *Prompter {
	return &Prompter{in: in, out: out, canAsk: canAsk, lines: os.Getenv("ACCESSIBLE") != "" || os.Getenv("TERM") == "dumb"}
}

// Question is something to ask.
type Question struct {
	Text    string             // what is asked, one line
	Help    string             // one line more, "" for none
	Default string             // what an empty answer means; "" for none
	Instead string             // what gives the answer without a terminal, such as "--api-key SK…"
	Check   func(string) error // what is wrong with an answer; nil takes any that is not empty

	before string // what stands before the answer once it is given, "" for a space
}

func (q Question) check(answer string) error {
	if answer == "" {
		answer = q.Default
	}
	if q.Check != nil {
		return q.Check(answer)
	}
	if answer == "" {
		return errors.New("an answer is needed")
	}
	return nil
}

// onItsOwnLine stands before the answer to a confirmation, whose question is long.
const onItsOwnLine = "\n> "

// Confirm asks a question that only yes answers; the answer offered first is no. Nil means yes.
func (p *Prompter) Confirm(ctx context.Context, question string) error {
	if err := p.able("--yes"); err != nil {
		return err
	}
	var yes bool
	var err error
	if p.lines {
		yes, err = p.confirmLine(ctx, question)
	} else {
		err = p.show(ctx, huh.NewConfirm().Title(plain(question)).Affirmative("Yes").Negative("No").Value(&yes))
		p.trace(err, question, onItsOwnLine, map[bool]string{true: "yes", false: "no"}[yes])
	}
	if err == nil && !yes {
		return verify.Refusedf("not confirmed; nothing was done")
	}
	return err
}

// TypeName asks the person to type a name, for what a key pressed by habit must not start. Nil means that it was typed.
func (p *Prompter) TypeName(ctx context.Context, question, name string) error {
	q := Question{
		Text: question, Help: fmt.Sprintf("Type %s to confirm.", name), Instead: "--confirm " + name, before: onItsOwnLine,
		Check: func(answer string) error {
			if answer != name {
				return fmt.Errorf("that is not %s", name)
			}
			return nil
		},
	}
	_, err := p.Input(ctx, q)
	return err
}

// Input asks for a line of text.
func (p *Prompter) Input(ctx context.Context, q Question) (string, error) {
	return p.input(ctx, q, huh.EchoModeNormal)
}

// Secret asks for a line of text that is not shown while it is typed.
func (p *Prompter) Secret(ctx context.Context, q Question) (string, error) {
	return p.input(ctx, q, huh.EchoModePassword)
}

func (p *Prompter) input(ctx context.Context, q Question, echo huh.EchoMode) (string, error) {
	if err := p.able(q.Instead); err != nil {
		return "", err
	}
	if p.lines {
		return p.inputLine(ctx, q, echo == huh.EchoModePassword)
	}
	var answer string
	field := huh.NewInput().Title(plain(q.Text)).Description(plain(q.Help)).Placeholder(plain(q.Default)).
		EchoMode(echo).Validate(q.check).Value(&answer)
	if err := p.show(ctx, field); err != nil {
		return "", err
	}
	settled, err := q.settle(answer)
	if echo == huh.EchoModeNormal {
		p.trace(err, q.Text, cmp.Or(q.before, " "), settled)
	}
	return settled, err
}

// settle checks an answer again after it was given: huh does not always apply a validation.
func (q Question) settle(answer string) (string, error) {
	if err := q.check(answer); err != nil {
		return "", verify.Refusedf("not answered: %w", err)
	}
	if answer == "" {
		return q.Default, nil
	}
	return answer, nil
}

// Option is one answer to choose.
type Option[T any] struct {
	Label string
	Value T
}

// selectRows is how many options are in sight at once.
const selectRows = 12

// Select asks for one of some options; typing after / narrows them. Its error without a terminal names what the
// question says to give instead.
func Select[T any](ctx context.Context, p *Prompter, q Question, options []Option[T]) (T, error) {
	var none T
	if err := p.able(q.Instead); err != nil {
		return none, err
	}
	if len(options) == 0 {
		return none, verify.Refusedf("there is nothing to choose from")
	}
	list := make([]huh.Option[int], len(options))
	for i, o := range options {
		list[i] = huh.NewOption(plain(o.Label), i)
	}
	if p.lines {
		i, err := p.selectLine(ctx, q, list)
		if err != nil {
			return none, err
		}
		return options[i].Value, nil
	}
	choice := -1
	field := huh.NewSelect[int]().Title(plain(q.Text)).Description(plain(q.Help)).Options(list...).Value(&choice)
	if len(options) > selectRows {
		field.Height(selectRows)
	}
	if err := p.show(ctx, field); err != nil {
		return none, err
	}
	if choice < 0 || choice >= len(options) {
		return none, verify.Refusedf("nothing was chosen")
	}
	p.trace(nil, q.Text, " ", options[choice].Label)
	return options[choice].Value, nil
}

// able tells whether somebody can be asked, or names what to give instead.
func (p *Prompter) able(instead string) error {
	if p.canAsk {
		return nil
	}
	err := verify.Refusedf("an answer is required, but there is no terminal to ask on")
	if instead != "" {
		return err.WithHint("give it on the command line: %s", instead)
	}
	return err
}

// show runs a question on the terminal. Bubble Tea's own program reports a cancelled context as a time-out.
func (p *Prompter) show(ctx context.Context, field huh.Field) error {
	lipgloss.SetHasDarkBackground(true) // said, so that nobody asks the terminal
	form := huh.NewForm(huh.NewGroup(field)).WithTheme(huh.ThemeBase16()).WithInput(p.in).WithOutput(p.out).WithShowHelp(true)
	err := form.RunWithContext(ctx)
	switch {
	case ctx.Err() != nil, errors.Is(err, huh.ErrUserAborted):
		return interrupted()
	case err != nil:
		return fmt.Errorf("the question could not be asked: %w", err)
	case form.State != huh.StateCompleted:
		return interrupted()
	}
	return nil
}

// trace leaves on the screen what was asked and answered, with what stands before the answer: huh clears its question away.
func (p *Prompter) trace(err error, question, before, answer string) {
	if err == nil {
		fmt.Fprintf(p.out, "%s%s%s\n", plain(question), before, plain(answer))
	}
}

func interrupted() error {
	return &verify.Error{Kind: verify.KindInterrupted, Message: "interrupted; nothing was done"}
}

// plain makes text safe for the terminal: names come from phones and from Twilio.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
