package store

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/statedir"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// AuditFilter narrows a list of audit entries. Zero values do not narrow.
type AuditFilter struct {
	Environment string
	Identity    string // found even after it was erased, because its keyed hash stays
	SID         string // any of the entry's SIDs, or its account, Service or key
	Command     string // its beginning, such as "factors delete"
	User        string
	Since       time.Time
	Until       time.Time // exclusive
}

func (f AuditFilter) matches(e AuditEntry, who string) bool {
	sid := func(s string) bool { return verify.SameSID(s, f.SID) }
	switch {
	case f.Environment != "" && e.Environment != f.Environment,
		f.Identity != "" && e.Who != who,
		f.Command != "" && e.Command != f.Command && !strings.HasPrefix(e.Command, f.Command+" "),
		f.User != "" && e.User != f.User,
		!f.Since.IsZero() && e.Time.Before(f.Since),
		!f.Until.IsZero() && !e.Time.Before(f.Until):
		return false
	case f.SID == "":
		return true
	}
	return sid(string(e.AccountSID)) || sid(string(e.ServiceSID)) || sid(string(e.KeySID)) || slices.ContainsFunc(e.SIDs, sid)
}

// Entries gives the lines of the audit file in order. Lines that cannot be read are left out: [Audit.Verify] names them.
func (a *Audit) Entries(filter AuditFilter) iter.Seq2[AuditEntry, error] {
	return func(yield func(AuditEntry, error) bool) {
		names, err := a.names()
		if err != nil {
			yield(AuditEntry{}, err)
			return
		}
		who := a.key.Tombstone(filter.Identity)
		for line, err := range a.lines() {
			if err != nil {
				yield(AuditEntry{}, err)
				return
			}
			parsed, ok := parseLine(line.text)
			if !ok || !filter.matches(parsed.AuditEntry, who) {
				continue
			}
			parsed.Identity = names[parsed.Who]
			if !yield(parsed.AuditEntry, nil) {
				return
			}
		}
	}
}

// UnreadableLines tells how many lines [Audit.Entries] leaves out, whatever the filter.
func (a *Audit) UnreadableLines() (n int, err error) {
	for line, err := range a.lines() {
		if err != nil {
			return n, err
		}
		if _, ok := parseLine(line.text); !ok {
			n++
		}
	}
	return n, nil
}

// rawLine is a line of the audit file without its newline.
type rawLine struct {
	number int // from 1
	text   []byte
	end    int64 // where the next line begins
	open   bool  // it has no newline at its end
}

// lines streams the audit file. A file that is not there has no lines.
func (a *Audit) lines() iter.Seq2[rawLine, error] {
	return func(yield func(rawLine, error) bool) {
		f, err := os.Open(filepath.Join(a.dir, auditFile))
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		if err != nil {
			yield(rawLine{}, statedir.Failure("cannot read the audit file", err))
			return
		}
		defer f.Close()
		reader := bufio.NewReaderSize(f, maxAuditLine)
		var line rawLine
		for {
			text, err := reader.ReadBytes('\n')
			if err != nil && err != io.EOF {
				yield(rawLine{}, statedir.Failure("cannot read the audit file", err))
				return
			}
			if len(text) == 0 {
				return
			}
			line.number++
			line.end += int64(len(text))
			line.text, line.open = text, true
			if text[len(text)-1] == '\n' {
				line.text, line.open = text[:len(text)-1], false
			}
			if !yield(line, nil) || err == io.EOF {
				return
			}
		}
	}
}

// AuditReport is what checking the audit file found.
type AuditReport struct {
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
func (a *Audit) Verify(ctx context.Context) (report AuditReport, err error) {
	unlock, err := statedir.LockFile(ctx, filepath.Join(a.dir, auditLock))
	if err != nil {
		return report, err
	}
	defer unlock()
	head, hasHead, err := a.readHead()
	if err != nil {
		return report, statedir.Failure("cannot read "+filepath.Join(a.dir, auditHead), err)
	}
	w := auditWalk{begun: map[string]int{}, head: head, hasHead: hasHead, reached: head.Size == 0}
	for line, err := range a.lines() {
		if err != nil {
			return report, err
		}
		if bad, problem := w.check(line); problem != "" {
			return w.report(bad, problem), nil
		}
	}
	return w.end(), nil
}

// auditWalk is what has to be remembered of the lines before.
type auditWalk struct {
	lines  int
	last   []byte         // the last whole line
	torn   []byte         // what stands behind it
	tears  []int          // the lines in torn
	mended []int          // torn lines that a later line accounts for
	begun  map[string]int // the line at which a write without an end begins, by its id

	head    head
	hasHead bool
	reached bool // the line at which head was written
}

// check says which line is wrong, when this one does not fit what is before it.
func (w *auditWalk) check(line rawLine) (bad int, problem string) {
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
	w.mended = append(w.mended, w.tears...)
	w.last, w.torn, w.tears = line.text, nil, nil
	return 0, ""
}

// checkHead compares the line with the head when the walk comes to where the head was written.
func (w *auditWalk) checkHead(line rawLine) (problem string) {
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

func (w *auditWalk) report(bad int, problem string) AuditReport {
	r := AuditReport{Lines: w.lines, Bad: bad, Problem: problem, Torn: append([]int{}, w.mended...), Unfinished: []string{}}
	for id := range w.begun {
		r.Unfinished = append(r.Unfinished, id)
	}
	slices.SortFunc(r.Unfinished, func(a, b string) int { return w.begun[a] - w.begun[b] })
	return r
}

func (w *auditWalk) end() AuditReport {
	switch {
	case w.lines > 0 && !w.hasHead:
		return w.report(w.lines, "the file "+auditHead+" is missing, so nobody can tell whether lines behind this one were cut off")
	case !w.reached:
		return w.report(w.lines+1, "it was there and is not any more: lines were cut off at the end")
	}
	// What cannot be read at the very end, behind what head knows of, was torn.
	w.mended = append(w.mended, w.tears...)
	return w.report(0, "")
}
