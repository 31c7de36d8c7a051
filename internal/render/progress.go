package render

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// Progress shows how far a long job is: a bar on a terminal, otherwise at most one line a minute. Its methods may be
// called from several goroutines.
type Progress struct {
	label string
	now   func() time.Time
	out   io.Writer

	bars *mpb.Progress // nil when out is no terminal
	bar  *mpb.Bar

	mu       sync.Mutex
	done     int64
	total    int64
	note     string
	lastLine time.Time
}

// logInterval is the time between two lines of progress in a log.
const logInterval = time.Minute

// NewProgress starts to show the progress of a job, such as "reading entities", on out, which is standard error.
// Call Close when the job ends, however it ends.
func NewProgress(out io.Writer, terminal bool, label string, now func() time.Time) *Progress {
	p := &Progress{label: label, now: now, out: out, lastLine: now()}
	if terminal {
		p.bars = mpb.New(mpb.WithOutput(out), mpb.WithWidth(24), mpb.WithAutoRefresh())
		p.bar = p.bars.New(0, mpb.BarStyle().Lbound("[").Filler("=").Tip(">").Padding(" ").Rbound("]"),
			mpb.BarFillerMiddleware(withoutEmptyBar),
			mpb.BarRemoveOnComplete(),
			mpb.PrependDecorators(decor.Name(label+" "), decor.CurrentNoUnit("%d")),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return p.currentNote() })))
	}
	return p
}

// withoutEmptyBar leaves the bar out when nobody knows how much there is: it would stay empty.
func withoutEmptyBar(bar mpb.BarFiller) mpb.BarFiller {
	return mpb.BarFillerFunc(func(w io.Writer, s decor.Statistics) error {
		if s.Total <= 0 {
			return nil
		}
		return bar.Fill(w, s)
	})
}

// Set says how much is done of how much; a total of 0 is unknown. The note stands behind the bar, such as "12/s, 3 × 429".
func (p *Progress) Set(done, total int64, note string) {
	p.mu.Lock()
	p.done, p.total, p.note = done, total, note
	due := p.bars == nil && p.now().Sub(p.lastLine) >= logInterval
	if due {
		p.lastLine = p.now()
		fmt.Fprintln(p.out, p.line())
	}
	p.mu.Unlock()
	if p.bar != nil {
		p.bar.SetTotal(total, false)
		p.bar.SetCurrent(done)
	}
}

func (p *Progress) currentNote() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return " " + Sanitize(p.note)
}

func (p *Progress) line() string {
	line := fmt.Sprintf("verifyctl: %s: %d", p.label, p.done)
	if p.total > 0 {
		line += fmt.Sprintf(" of %d", p.total)
	}
	if p.note != "" {
		line += ", " + Sanitize(p.note)
	}
	return line
}

// Close takes the bar off the terminal.
func (p *Progress) Close() {
	if p.bars == nil {
		return
	}
	p.bar.Abort(true)
	p.bars.Wait()
}
