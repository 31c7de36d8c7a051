package cli

import (
	"fmt"
	"time"

	"github.com/verifyctl/verifyctl/internal/render"
)

// note says something to the person at the terminal or to the log, never on standard output.
func (s *shell) note(format string, args ...any) {
	fmt.Fprintf(s.err, "verifyctl: %s\n", render.Sanitize(fmt.Sprintf(format, args...)))
}

// showOnErr prints something for the person who is about to confirm: a table on standard error.
func (s *shell) showOnErr(now func() time.Time, show func(*render.Printer) error) error {
	p, err := render.New(s.err, render.Options{Format: render.Table, Names: s.names, Terminal: true, Width: s.width, Now: now})
	if err != nil {
		return err
	}
	return show(p)
}

// progress shows how far a long read is, on standard error.
func (s *shell) progress(label string, now func() time.Time) *render.Progress {
	return render.NewProgress(s.err, s.errTerminal, label, now)
}
