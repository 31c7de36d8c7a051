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

// listOnErr lists what somebody is about to confirm, as a table on standard error.
func listOnErr[T any](s *shell, now func() time.Time, r render.Resource[T], rows []T) error {
	p, err := render.New(s.err, render.Options{Names: s.names, Terminal: true, Width: s.width, Now: now})
	if err != nil {
		return err
	}
	return listAll(p, r, rows)
}

// progress shows how far a long read is, on standard error.
func (s *shell) progress(label string, now func() time.Time) *render.Progress {
	return render.NewProgress(s.err, s.errTerminal, label, now)
}
