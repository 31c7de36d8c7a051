package doctor

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Painter colours a word as a status deserves.
type Painter func(Status, string) string

// WriteText writes the report for people in a hurry: what keeps pushes from arriving, then what could not be read, then
// each environment's problems with what to do under each. What passed is folded into a count, or with all listed too.
func WriteText(w io.Writer, r Report, all bool, paint Painter) error {
	t := &text{all: all, paint: paint}
	t.evidence(r.Evidence)
	t.unreadable(r.Unreadable)
	for _, place := range r.places() {
		t.section(place)
	}
	t.line("%s", r.Summary.sentence(len(r.Environments)))
	if !r.Evidence.LookedAt {
		t.line("Push errors were not looked at (%s).", r.Evidence.Why)
	}
	_, err := io.WriteString(w, t.out.String())
	return err
}

type text struct {
	out   strings.Builder
	all   bool
	paint Painter
	told  []string // how to declare what is missing, each once in a section
}

func (t *text) line(format string, args ...any) { fmt.Fprintf(&t.out, format+"\n", args...) }

func (t *text) evidence(e evidence) {
	if !e.LookedAt || len(e.Causes) == 0 {
		return
	}
	t.line("PUSH ERRORS since %s", clock(e.Since, e.Until))
	for _, c := range e.Causes {
		mark := t.paint(Fail, "!")
		if c.Past != "" {
			mark = "·"
		}
		t.line("  %s %s: %s", mark, plain(strings.Join(c.Environments, ", ")), plain(c.Headline))
		for _, command := range c.Commands {
			t.line("      %s", plain(command))
		}
	}
	t.line("")
}

func (t *text) unreadable(list []unreadable) {
	if len(list) == 0 {
		return
	}
	t.line("COULD NOT BE READ")
	for _, u := range list {
		t.line("  %s %s: %s", t.paint(Unknown, "?"), u.what(), u.Error)
		if u.Permission != "" {
			t.line("      the key lacks: %s", u.Permission)
		}
		t.line("      unknown for it: %s", u.checks())
	}
	t.line("")
}

// section writes the problems of one environment or account, the worst first, then how much is not listed.
func (t *text) section(p place) {
	if len(p.results) == 0 {
		return
	}
	t.line("%s", p.title)
	t.told = nil
	shown := problems(p.results)
	folded := 0
	for _, r := range p.results {
		switch {
		case t.all && (r.cause != nil || r.Status == Pass && !r.Note || r.Status == Skipped):
			shown = append(shown, r)
		case r.cause != nil:
			folded++
		}
	}
	for _, r := range shown {
		t.result(r)
	}
	t.line("  %s", summarise(p.results).folded(folded))
	t.line("")
}

// words are the statuses as people see them, all of one width.
var words = map[Status]string{Fail: "FAIL   ", Warn: "WARN   ", Unknown: "UNKNOWN", Pass: "ok     ", Skipped: "skipped"}

func (t *text) result(r Result) {
	word := words[r.Status]
	if r.Note {
		word = "note   "
	}
	says := r.reason()
	if r.Status == Skipped || r.Status == Pass && !r.Note {
		says = r.Title + ": " + says // the reason alone would not say what is in order
	}
	t.line("  %s %-11s  %s", t.paint(r.Status, word), r.Check, says)
	for _, line := range r.advice() {
		if r.Undeclared != "" && !slices.Contains(r.Seen, line) {
			if slices.Contains(t.told, line) {
				continue
			}
			t.told = append(t.told, line)
		}
		t.line("          %s", line)
	}
}

// folded says what is not listed one by one.
func (s summary) folded(unread int) string {
	parts := []string{fmt.Sprintf("%d passed", s.Pass)}
	if s.Skipped > 0 {
		parts = append(parts, fmt.Sprintf("%d skipped", s.Skipped))
	}
	if unread > 0 {
		parts = append(parts, fmt.Sprintf("%d unknown for what could not be read", unread))
	}
	return strings.Join(parts, ", ")
}

func (s summary) sentence(environments int) string {
	text := fmt.Sprintf("%d failed, %s, %d unknown, %d passed, %d skipped in %s.", s.Fail, verify.Count(s.Warn, "warning"),
		s.Unknown, s.Pass, s.Skipped, verify.Count(environments, "environment"))
	if s.Known > 0 {
		text += fmt.Sprintf(" %d of them known from the baseline.", s.Known)
	}
	return text
}
