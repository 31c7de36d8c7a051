package cli

import (
	"io"
	"os"

	"golang.org/x/term"
)

// terminal is where a command reads and writes, and what is known of it.
type terminal struct {
	in       io.Reader
	out, err io.Writer

	inTerminal, outTerminal, errTerminal bool

	width  int // of the output in cells, 0 when it is no terminal
	color  bool
	getenv func(string) string
}

// systemTerminal describes the streams this process was given.
func systemTerminal() terminal {
	t := terminal{
		in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv,
		inTerminal:  term.IsTerminal(int(os.Stdin.Fd())),
		outTerminal: term.IsTerminal(int(os.Stdout.Fd())),
		errTerminal: term.IsTerminal(int(os.Stderr.Fd())),
	}
	if t.outTerminal {
		if width, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil {
			t.width = width
		}
		t.color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	}
	return t
}

// canAsk tells whether a question can be put to a person: they see it on standard error and answer on standard input.
func (t terminal) canAsk() bool { return t.inTerminal && t.errTerminal }
