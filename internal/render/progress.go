package render

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Progress shows how far a long job is: a bar on a terminal, otherwise at most one line a minute. Its methods may be
// called from several goroutines.
type Progress struct {
	label    string
	now      func() time.Time
	out      io.Writer
	terminal bool
	interval time.Duration

	mu    sync.Mutex
	shown time.Time
	drawn bool // there is a bar on the terminal
}

// How often progress is shown: on a terminal, and in a log.
const (
	barInterval = 120 * time.Millisecond
	logInterval = time.Minute
)

// barWidth is how many columns a full bar has.
const barWidth = 22

// NewProgress starts to show the progress of a job, such as "reading entities", on out, which is standard error.
// Call Close when the job ends, however it ends.
func NewProgress(out io.Writer, terminal bool, label string, now func() time.Time) *Progress {
	p := &Progress{label: label, now: now, out: out, terminal: terminal, interval: logInterval, shown: now()}
	if terminal {
		p.interval = barInterval
	}
	return p
}

// Set says how much is done of how much; a total of 0 is unknown. The note stands behind the bar, such as "12/s, 3 × 429".
func (p *Progress) Set(done, total int64, note string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if now.Sub(p.shown) < p.interval {
		return
	}
	p.shown = now
	if !p.terminal {
		fmt.Fprintln(p.out, p.line(done, total, note))
		return
	}
	// Without wrapping the terminal cuts off what is too wide, so that the next bar replaces all of this one.
	p.drawn = true
	fmt.Fprint(p.out, "\r\x1b[?7l", p.bar(done, total, note), "\x1b[K\x1b[?7h")
}

// bar leaves the bar itself out when nobody knows how much there is: it would stay empty.
func (p *Progress) bar(done, total int64, note string) string {
	text := fmt.Sprintf("%s %d", p.label, done)
	if total > 0 {
		full := int(barWidth * min(done, total) / total)
		text += " [" + strings.Repeat("=", full) + strings.Repeat(" ", barWidth-full) + "]"
	}
	return text + " " + Sanitize(note)
}

func (p *Progress) line(done, total int64, note string) string {
	line := fmt.Sprintf("verifyctl: %s: %d", p.label, done)
	if total > 0 {
		line += fmt.Sprintf(" of %d", total)
	}
	if note != "" {
		line += ", " + Sanitize(note)
	}
	return line
}

// Close takes the bar off the terminal.
func (p *Progress) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drawn {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.drawn = false
	}
}
