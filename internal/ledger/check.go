package ledger

import (
	"context"
	"path/filepath"
	"slices"

	"github.com/verifyctl/verifyctl/internal/statedir"
)

// Report is what checking the audit file found.
type Report struct {
	Lines   int    `json:"lines"`
	Bad     int    `json:"bad_line"` // number of the first line that does not fit the one before it; 0 when all fit
	Problem string `json:"problem"`  // what is wrong with it; "" when nothing is

	// Torn are the numbers of lines that were cut off while they were written, by a crash or a full disk: nothing is
	// known to have been changed.
	Torn []int `json:"torn_lines"`
	// Unfinished are the ids of writes with a line before and none after: what became of them is not known here.
	Unfinished []string `json:"unfinished"`
}

// Verify walks the whole audit file and names the first line that was changed, taken out or moved. It waits for writes in
// progress. An error means that the file could not be read.
func (l *Ledger) Verify(ctx context.Context) (report Report, err error) {
	unlock, err := statedir.LockFile(ctx, filepath.Join(l.dir, lockFile))
	if err != nil {
		return report, err
	}
	defer unlock()
	head, hasHead, err := l.readHead()
	if err != nil {
		return report, statedir.Failure("cannot read "+filepath.Join(l.dir, headFile), err)
	}
	w := walk{begun: map[string]int{}, head: head, hasHead: hasHead, reached: head.Size == 0}
	for line, err := range l.lines() {
		if err != nil {
			return report, err
		}
		if bad, problem := w.check(line); problem != "" {
			return w.report(bad, problem), nil
		}
	}
	return w.end(), nil
}

// walk is what has to be remembered of the lines before.
type walk struct {
	lines     int
	last      []byte         // the last whole line
	torn      []byte         // what stands behind it
	tears     []int          // the lines in torn
	explained []int          // torn lines that a later line accounts for
	begun     map[string]int // the line at which a write without an end begins, by its id

	head    head
	hasHead bool
	reached bool // the line at which head was written
}

// check says which line is wrong, when this one does not fit what is before it.
func (w *walk) check(line rawLine) (bad int, problem string) {
	before := w.lines
	w.lines = line.number
	if problem := w.checkHead(line); problem != "" {
		return line.number, problem
	}
	parsed, ok := parseLine(line.text)
	if !ok {
		// It may have been torn. Then the next whole line accounts for its bytes, or it is the last one.
		w.torn = append(append(w.torn, line.text...), '\n')
		w.tears = append(w.tears, line.number)
		return 0, ""
	}
	switch {
	case parsed.Torn != len(w.torn) && len(w.tears) > 0:
		return w.tears[0], "it cannot be read, and the line behind it does not know of it: it was changed or put in"
	case parsed.Prev == tail{last: w.last, torn: w.torn}.hash() && parsed.Torn == len(w.torn):
	case w.last == nil:
		return line.number, "it is not the first line that was written: lines before it were taken out, or it was moved or changed"
	default:
		return before, "the line behind it does not follow it: it was changed, or lines after it were taken out, put in or moved"
	}
	if parsed.Phase == "before" {
		w.begun[parsed.ID] = line.number
	} else {
		delete(w.begun, parsed.ID)
	}
	w.explained = append(w.explained, w.tears...)
	w.last, w.torn, w.tears = line.text, nil, nil
	return 0, ""
}

// checkHead compares the line with the head when the walk comes to where the head was written.
func (w *walk) checkHead(line rawLine) (problem string) {
	end := line.end
	if line.open {
		end++ // a whole line that lost its newline is judged by its hash
	}
	if w.reached || end < w.head.Size {
		return ""
	}
	w.reached = true
	if end != w.head.Size || hashLine(line.text) != w.head.Last {
		return "it is not the line that was written here last: it was changed, or lines before it were taken out or put in"
	}
	return ""
}

func (w *walk) report(bad int, problem string) Report {
	r := Report{Lines: w.lines, Bad: bad, Problem: problem, Torn: append([]int{}, w.explained...), Unfinished: []string{}}
	for id := range w.begun {
		r.Unfinished = append(r.Unfinished, id)
	}
	slices.SortFunc(r.Unfinished, func(a, b string) int { return w.begun[a] - w.begun[b] })
	return r
}

func (w *walk) end() Report {
	switch {
	case w.lines > 0 && !w.hasHead:
		return w.report(w.lines, "the file "+headFile+" is missing, so nobody can tell whether lines behind this one were cut off")
	case !w.reached:
		return w.report(w.lines+1, "it was there and is not any more: lines were cut off at the end")
	}
	// What cannot be read at the very end, behind what head knows of, was torn.
	w.explained = append(w.explained, w.tears...)
	return w.report(0, "")
}
