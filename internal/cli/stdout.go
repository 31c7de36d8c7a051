package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/verifyctl/verifyctl/internal/render"
)

// errReaderGone is a write to a standard output that nobody reads any more, such as that of a pipe to head. It ends a list
// quietly and is no failure; a broken pipe of the network is one, and only the writer of standard output tells them apart.
var errReaderGone = errors.New("the reader of standard output closed it")

// resultWriter is standard output. It keeps its first error, because not everything that prints tells of one: cobra's
// help and tablewriter's Markdown do not.
type resultWriter struct {
	to io.Writer

	mu  sync.Mutex
	err error
}

func (w *resultWriter) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	var inFile *fs.PathError
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, syscall.EPIPE), errors.Is(err, errReaderGone):
		err = errReaderGone
	case errors.As(err, &inFile):
		err = fmt.Errorf("cannot write to standard output: %w", inFile.Err)
	default:
		err = fmt.Errorf("cannot write to standard output: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
	return n, err
}

// outcome is how a command ended, given what it returned and what became of its output.
func (w *resultWriter) outcome(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	err = withoutReaderGone(err)
	if err == nil && w.err != nil && !errors.Is(w.err, errReaderGone) {
		return w.err
	}
	return err
}

// withoutReaderGone takes errReaderGone out of an error and leaves what else went wrong.
func withoutReaderGone(err error) error {
	joined, ok := err.(interface{ Unwrap() []error })
	switch {
	case !errors.Is(err, errReaderGone):
		return err
	case !ok:
		return nil
	}
	var rest []error
	for _, e := range joined.Unwrap() {
		rest = append(rest, withoutReaderGone(e))
	}
	return errors.Join(rest...)
}

// listAll prints all of a list.
func listAll[T any](p *render.Printer, r render.Resource[T], values []T) error {
	_, err := render.List(p, r, each(values))
	return err
}

// printer makes the printer that the global flags ask for; now is the environment's clock.
func (s *shell) printer(now func() time.Time) *render.Printer {
	p, err := render.New(s.results, s.printing(now))
	if err != nil {
		panic(err) // of flags that checkOutput has let pass
	}
	return p
}

// printedAs gives what print prints in another format than that of the flags, as it would go into a pipe.
func (s *shell) printedAs(format string, print func() error) (string, error) {
	terminal, flags, results := s.terminal, s.flags, s.results
	defer func() { s.terminal, s.flags, s.results = terminal, flags, results }()
	var text strings.Builder
	s.out, s.results, s.outTerminal, s.color = &text, &text, false, false
	s.flags.output, s.flags.jq, s.flags.template, s.flags.columns, s.flags.quiet, s.flags.noHeader = format, "", "", nil, false, false
	if s.names == nil {
		err := print()
		return text.String(), err
	}
	masked := s.names.Writer(&text, true)
	s.out = masked
	err := errors.Join(print(), masked.Close())
	return text.String(), err
}

func (s *shell) printing(now func() time.Time) render.Options {
	return render.Options{
		Format: render.Format(s.flags.output), JQ: s.flags.jq, Template: s.flags.template, Columns: s.flags.columns,
		NoHeader: s.flags.noHeader, Quiet: s.flags.quiet, Names: s.names,
		Terminal: s.outTerminal, Width: s.width, Color: s.color, Plot: s.plot(), Now: now, Live: s.live,
	}
}
