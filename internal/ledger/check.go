package ledger

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/statedir"
)

// Verdict says in a word how the audit file stands.
type Verdict string

// The verdicts.
const (
	Intact       Verdict = "intact"
	Acknowledged Verdict = "acknowledged" // it was broken, and somebody has recorded that
	Broken       Verdict = "broken"
)

// Report is what checking the audit file found.
type Report struct {
	Verdict Verdict `json:"verdict"`
	Lines   int     `json:"lines"`
	Plain   int     `json:"plain_lines"` // of older versions, whose hashes anybody can make who may write the file
	Bad     int     `json:"bad_line"`    // number of the first line that does not fit the one before it; 0 when all fit
	Problem string  `json:"problem"`     // what is wrong with it; "" when nothing is

	// Torn are the numbers of lines that were cut off while they were written, by a crash or a full disk: nothing is
	// known to have been changed.
	Torn []int `json:"torn_lines"`
	// Unfinished are the ids of writes with a line before and none after: what became of them is not known here.
	Unfinished []string `json:"unfinished"`
	// Breaks are the changes of the file that somebody has acknowledged.
	Breaks []Break `json:"breaks"`
}

// Break is a change of the file that somebody has acknowledged.
type Break struct {
	Line    int       `json:"line"` // that acknowledges it
	Time    time.Time `json:"time"`
	User    string    `json:"user"`
	Reason  string    `json:"reason"`
	Problem string    `json:"problem"`
}

// Verify walks the whole audit file and names the first line that was changed, taken out or moved and that nobody has
// acknowledged. It waits for writes in progress. An error means that the file could not be read.
func (l *Ledger) Verify(ctx context.Context) (report Report, err error) {
	err = l.locked(ctx, func() error {
		report, err = l.verify()
		return err
	})
	return report, err
}

func (l *Ledger) verify() (Report, error) {
	head, hasHead, err := l.readHead()
	if err != nil {
		return Report{}, statedir.Failure("cannot read "+filepath.Join(l.dir, headFile), err)
	}
	w := l.newWalk(head, hasHead)
	for line, err := range l.lines() {
		if err != nil {
			return Report{}, err
		}
		w.check(line)
	}
	return w.end(), nil
}

// Acknowledge records that the file was changed, for good, as a line of its own, and gives the problem; "" when there is
// none, and then nothing is written. Entry says who acknowledges it, when and why.
func (l *Ledger) Acknowledge(ctx context.Context, e Entry) (problem string, err error) {
	err = l.locked(ctx, func() error {
		report, err := l.verify()
		if err != nil {
			report.Problem = err.Error() // the head is damaged; its new value follows
		}
		f, err := openAppend(filepath.Join(l.dir, chainFile))
		if err != nil {
			return err
		}
		defer f.Close()
		broken, err := l.broken(f)
		if problem = cmp.Or(report.Problem, broken); err != nil || problem == "" {
			return err
		}
		e.ID, e.Phase, e.Problem = newID(), phaseBreak, problem
		return l.appendLines(f, []Entry{e})
	})
	return problem, err
}

// Export is the state of the audit file at a moment, to be kept where who can change the file cannot.
type Export struct {
	Lines  int       `json:"lines"`
	Bytes  int64     `json:"bytes"`
	SHA256 string    `json:"sha256"` // of the first Bytes bytes of the file, in hexadecimal
	Time   time.Time `json:"time"`
}

// Export writes the audit file as it stands and gives its length and hash.
func (l *Ledger) Export(ctx context.Context, to io.Writer, now time.Time) (export Export, err error) {
	export.Time = now.UTC()
	sum := sha256.New()
	err = l.locked(ctx, func() error {
		for line, err := range l.lines() {
			if err != nil {
				return err
			}
			text := line.text
			if !line.open {
				text = append(text, '\n')
			}
			sum.Write(text)
			if _, err := to.Write(text); err != nil {
				return err
			}
			export.Lines, export.Bytes = line.number, line.end
		}
		return nil
	})
	export.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return export, err
}

// StartsWith tells whether the file still begins with what was exported.
func (l *Ledger) StartsWith(export Export) (bool, error) {
	f, err := statedir.Open(filepath.Join(l.dir, chainFile), os.O_RDONLY)
	if os.IsNotExist(err) {
		return export.Bytes == 0, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	sum := sha256.New()
	n, err := io.CopyN(sum, f, export.Bytes)
	if err != nil && err != io.EOF {
		return false, err
	}
	return n == export.Bytes && hex.EncodeToString(sum.Sum(nil)) == export.SHA256, nil
}

// walk is what has to be remembered of the lines before.
type walk struct {
	ledger *Ledger
	report Report
	last   []byte         // the last whole line
	torn   []byte         // what stands behind it
	tears  []int          // the lines in torn
	isKey  bool           // the last whole line is keyed
	begun  map[string]int // the line at which a write without an end begins, by its id

	head    head
	hasHead bool
	reached bool // the line at which head was written
}

func (l *Ledger) newWalk(head head, hasHead bool) *walk {
	w := &walk{ledger: l, begun: map[string]int{}, head: head, hasHead: hasHead, reached: head.Size == 0,
		report: Report{Torn: []int{}, Unfinished: []string{}, Breaks: []Break{}}}
	if hasHead && w.reached && !head.isOf(nil, l) {
		w.found(1, "the file "+headFile+" was changed, so lines at the end may have been cut off")
	}
	return w
}

// found remembers the first problem that nobody has acknowledged yet.
func (w *walk) found(line int, problem string) {
	if w.report.Problem == "" {
		w.report.Bad, w.report.Problem = line, problem
	}
}

// check takes the next line, and remembers what is wrong when it does not fit what is before it.
func (w *walk) check(line rawLine) {
	before := w.report.Lines
	w.report.Lines = line.number
	w.checkHead(line)
	parsed, ok := parseLine(line.text)
	if !ok {
		// It may have been torn. Then the next whole line accounts for its bytes, or it is the last one.
		w.torn = append(append(w.torn, line.text...), '\n')
		w.tears = append(w.tears, line.number)
		return
	}
	isKey := strings.HasPrefix(parsed.Prev, keyed)
	fits := parsed.Torn == len(w.torn) && w.ledger.follows(parsed.Prev, w.last, w.torn)
	switch {
	case parsed.Torn != len(w.torn) && len(w.tears) > 0:
		w.found(w.tears[0], "it cannot be read, and the line behind it does not know of it: it was changed or put in")
	case w.isKey && !isKey:
		w.found(line.number, "it is of an older kind than the line before it: it was put in, or both were changed")
	case fits:
	case w.last == nil:
		w.found(line.number, "it is not the first line that was written: lines before it were taken out, or it was moved or changed")
	default:
		w.found(before, "the line behind it does not follow it: it was changed, or lines after it were taken out, put in or moved")
	}
	if parsed.Phase == phaseBreak && fits && isKey {
		w.acknowledge(line.number, parsed.Entry)
	}
	if !isKey {
		w.report.Plain++
	}
	switch parsed.Phase {
	case phaseBefore:
		w.begun[parsed.ID] = line.number
	case phaseAfter:
		delete(w.begun, parsed.ID)
	}
	w.report.Torn = append(w.report.Torn, w.tears...)
	w.last, w.torn, w.tears, w.isKey = line.text, nil, nil, isKey
}

// acknowledge takes what was found as told by a line that says so.
func (w *walk) acknowledge(line int, e Entry) {
	w.report.Breaks = append(w.report.Breaks, Break{Line: line, Time: e.Time, User: e.User, Reason: e.Reason, Problem: e.Problem})
	w.report.Bad, w.report.Problem = 0, ""
}

// checkHead compares the line with the head when the walk comes to where the head was written.
func (w *walk) checkHead(line rawLine) {
	end := line.end
	if line.open {
		end++ // a whole line that lost its newline is judged by its hash
	}
	if w.reached || end < w.head.Size {
		return
	}
	w.reached = true
	if end != w.head.Size || !w.head.isOf(line.text, w.ledger) {
		w.found(line.number, "it is not the line that was written here last: it was changed, or lines before it were taken out or put in")
	}
}

func (w *walk) end() Report {
	r := &w.report
	switch {
	case r.Lines > 0 && !w.hasHead:
		w.found(r.Lines, "the file "+headFile+" is missing, so lines after this one may have been cut off")
	case !w.reached:
		w.found(r.Lines+1, "it is gone: lines were cut off at the end")
	case r.Problem == "":
		// What cannot be read at the very end, behind what head knows of, was torn.
		r.Torn = append(r.Torn, w.tears...)
	}
	r.Unfinished = slices.AppendSeq(r.Unfinished, maps.Keys(w.begun))
	slices.SortFunc(r.Unfinished, func(a, b string) int { return w.begun[a] - w.begun[b] })
	switch {
	case r.Problem != "":
		r.Verdict = Broken
	case len(r.Breaks) > 0:
		r.Verdict = Acknowledged
	default:
		r.Verdict = Intact
	}
	return *r
}
