package cli

import (
	"cmp"
	"io"
	"os"
	"runtime"
	"strings"

	"golang.org/x/term"

	"github.com/verifyctl/verifyctl/internal/render"
)

// terminal is where a command reads and writes, and what is known of it.
type terminal struct {
	in       io.Reader
	out, err io.Writer
	screen   io.Writer // standard error as it is, for what draws over the whole terminal and masks by itself

	inTerminal, outTerminal, errTerminal bool

	width  int // of the output in cells, 0 when it is no terminal
	color  bool
	ascii  bool // it shows no other characters
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
	t.ascii = os.Getenv("TERM") == "dumb" || !localeIsUTF8(runtime.GOOS, os.Getenv)
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

// localeIsUTF8 tells whether the locale is one of UTF-8, by the variables of POSIX in their order. Windows has none of them.
func localeIsUTF8(system string, getenv func(string) string) bool {
	locale := strings.ToLower(cmp.Or(getenv("LC_ALL"), getenv("LC_CTYPE"), getenv("LANG")))
	return strings.Contains(locale, "utf-8") || strings.Contains(locale, "utf8") || locale == "" && system == "windows"
}

// plot gives what draws plots for whoever looks at the terminal; nobody does with -o or with a screen reader.
func (s *shell) plot() *render.Plot {
	if s.flags.output != "" || s.getenv("ACCESSIBLE") != "" {
		return nil
	}
	return &render.Plot{ASCII: s.ascii, Width: s.width}
}
