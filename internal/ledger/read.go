package ledger

import (
	"bufio"
	"bytes"
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

// Filter narrows a list of audit entries. Zero values do not narrow.
type Filter struct {
	Environment string
	Identity    string // found even after it was erased, because its keyed hash stays
	SID         string // any of the entry's SIDs, or its account, Service or key
	Command     string // its beginning, such as "factors delete"
	Since       time.Time
}

func (f Filter) matches(e Entry, who string) bool {
	sid := func(s string) bool { return verify.SameSID(s, f.SID) }
	switch {
	case f.Environment != "" && e.Environment != f.Environment,
		f.Identity != "" && e.Who != who,
		f.Command != "" && e.Command != f.Command && !strings.HasPrefix(e.Command, f.Command+" "),
		e.Time.Before(f.Since):
		return false
	case f.SID == "":
		return true
	}
	return sid(string(e.AccountSID)) || sid(string(e.ServiceSID)) || sid(string(e.KeySID)) || slices.ContainsFunc(e.SIDs, sid)
}

// Entries gives the lines of the audit file in order. Lines that cannot be read are left out: [Ledger.Verify] names them.
func (l *Ledger) Entries(filter Filter) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		names, err := l.names()
		if err != nil {
			yield(Entry{}, err)
			return
		}
		who := l.key.Tombstone(filter.Identity)
		for line, err := range l.lines() {
			if err != nil {
				yield(Entry{}, err)
				return
			}
			parsed, ok := parseLine(line.text)
			if !ok || !filter.matches(parsed.Entry, who) {
				continue
			}
			parsed.Identity = names[parsed.Who]
			if !yield(parsed.Entry, nil) {
				return
			}
		}
	}
}

// UnreadableLines tells how many lines [Ledger.Entries] leaves out, whatever the filter.
func (l *Ledger) UnreadableLines() (n int, err error) {
	for line, err := range l.lines() {
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
func (l *Ledger) lines() iter.Seq2[rawLine, error] {
	return func(yield func(rawLine, error) bool) {
		f, err := statedir.Open(filepath.Join(l.dir, chainFile), os.O_RDONLY)
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		if err != nil {
			yield(rawLine{}, statedir.Failure("cannot read the audit file", err))
			return
		}
		defer f.Close()
		linesOf(f)(yield)
	}
}

// linesOf streams the lines of an audit file.
func linesOf(file io.Reader) iter.Seq2[rawLine, error] {
	return func(yield func(rawLine, error) bool) {
		reader := bufio.NewReaderSize(file, maxLine)
		var line rawLine
		for {
			text, err := reader.ReadBytes('\n')
			switch {
			case err != nil && err != io.EOF:
				yield(rawLine{}, statedir.Failure("cannot read the audit file", err))
				return
			case len(text) == 0:
				return
			}
			line.number++
			line.end += int64(len(text))
			var closed bool
			line.text, closed = bytes.CutSuffix(text, []byte{'\n'})
			line.open = !closed
			if !yield(line, nil) {
				return
			}
		}
	}
}
