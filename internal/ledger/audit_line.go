package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/verifyctl/verifyctl/internal/statedir"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// The audit file has one JSON object a line: one line before each write to Twilio and one after. Each line carries, as
// "prev", the hash of the line before it (of its bytes, without the newline), so a line that is changed, taken out or moved
// breaks the chain at the line behind it. The hash is keyed with the state directory's key, so that who cannot read the key
// cannot write a chain; lines of older versions carry a plain SHA-256. What is cut off at the end breaks no chain; therefore
// a second file, the head, keeps how far the audit file reached and the hash of its last line.
//
// Before lines are appended, the file is compared with the head. Lines behind it that continue the chain are adopted: the
// process that wrote them was killed before it wrote the head. Anything else is a break, and nothing is written to Twilio
// until somebody acknowledges it, which leaves a line of its own.
//
// A chain and erasure do not go together, so no line names an identity: it has a keyed hash in its place, and the names
// file beside it says whose hash that is. Erasing an identity takes it out of the names file only. The hash that stays is
// the tombstone: it still shows that somebody with this identity was written to, to who holds the machine's key and
// already knows the name, and to nobody else.
const (
	chainFile = "audit.jsonl"
	headFile  = "audit.head"
	namesFile = "audit-names.jsonl"
	lockFile  = "audit.lock"

	maxLine  = 64 << 10
	longLine = 4 << 10 // nearly all are shorter: more is read only where this has no whole one
	noPrev   = "0000000000000000000000000000000000000000000000000000000000000000"

	keyed = "hmac:" // begins the hash that a line carries of the one before it; older lines carry only the digits
)

// chainedEntry is an entry as it stands in the file.
type chainedEntry struct {
	Entry
	Torn int    `json:"torn,omitempty"` // bytes before this line of one that was cut off while it was written
	Prev string `json:"prev"`
}

// append puts lines on disk, behind what is there, under the lock: those that were to wait for it, and these. A broken chain is
// refused.
func (l *Ledger) append(ctx context.Context, entries ...Entry) error {
	return l.locked(ctx, func() error {
		for _, e := range entries {
			if e.Phase != phaseBefore || e.Who == "" {
				continue
			}
			if err := l.name(e.Who, e.Identity); err != nil {
				return err
			}
		}
		f, err := openAppend(filepath.Join(l.dir, chainFile))
		if err != nil {
			return err
		}
		defer f.Close()
		broken, err := l.broken(f)
		if err != nil {
			return err
		}
		if broken != "" {
			return verify.Refusedf("the audit file was changed: %s", broken).
				WithHint("see verifyctl audit verify; to go on, record it: verifyctl audit acknowledge --reason TEXT")
		}
		return l.late.with(func(late []Entry) error { return l.appendLines(f, append(late, entries...)) })
	})
}

func (l *Ledger) locked(ctx context.Context, do func() error) error {
	unlock, err := statedir.LockFile(ctx, filepath.Join(l.dir, lockFile))
	if err != nil {
		return err
	}
	defer unlock()
	return do()
}

// appendLines writes lines, each chained to the one before it, and where the file now ends.
func (l *Ledger) appendLines(f *os.File, entries []Entry) error {
	tail, err := readTail(f)
	if err != nil {
		return err
	}
	var content []byte
	if tail.open {
		content = []byte{'\n'}
	}
	for _, e := range entries {
		line := chainedEntry{Entry: e, Torn: len(tail.torn), Prev: keyed + link(l.key.Link, tail.last, tail.torn)}
		text, err := json.Marshal(line)
		if err != nil {
			return err
		}
		if len(text) > maxLine {
			return fmt.Errorf("the entry has %d bytes, at most %d are allowed", len(text), maxLine)
		}
		content = append(append(content, text...), '\n')
		tail.last, tail.torn = text, nil
	}
	if tail.size == 0 {
		if err := l.beginHead(); err != nil {
			return err
		}
	}
	if _, err := f.Write(content); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return l.writeHead(head{Size: tail.size + int64(len(content)), Last: keyed + l.key.Link(tail.last)})
}

// follows tells whether a hash is that of a line and of what was torn behind it, keyed or as older versions wrote it.
func (l *Ledger) follows(prev string, last, torn []byte) bool {
	if digits, ok := strings.CutPrefix(prev, keyed); ok {
		return digits == link(l.key.Link, last, torn)
	}
	return prev == link(hashLine, last, torn)
}

// link gives the hash of a line, and of what was torn behind it: neither can then be changed.
func link(hash func([]byte) string, last, torn []byte) string {
	switch {
	case len(torn) > 0:
		return hash(slices.Concat(last, []byte{'\n'}, torn))
	case last == nil:
		return noPrev
	}
	return hash(last)
}

// openAppend opens a file of the audit for appending, and makes it for the owner only.
func openAppend(path string) (*os.File, error) {
	return statedir.Open(path, os.O_RDWR|os.O_APPEND|os.O_CREATE)
}

// tail is the end of an audit file.
type tail struct {
	size int64
	last []byte // the last whole line without its newline, nil when there is none
	torn []byte // what stands behind it, with the newline that mends it
	open bool   // the file does not end with a newline
}

// hashLine gives the hash of a line as older versions wrote it.
func hashLine(line []byte) string {
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:])
}

// readTail reads an audit file backwards until it has met a whole line, so that the length of the file does not matter.
func readTail(f *os.File) (t tail, err error) {
	info, err := f.Stat()
	if err != nil {
		return t, err
	}
	t.size = info.Size()
	for window := int64(longLine); ; window *= 4 {
		from := max(0, t.size-window)
		text := make([]byte, t.size-from)
		if _, err := f.ReadAt(text, from); err != nil && err != io.EOF {
			return t, err
		}
		if from > 0 {
			// The first line of the window may have begun before it.
			_, text, _ = bytes.Cut(text, []byte{'\n'})
		}
		if t.split(text) || from == 0 {
			return t, nil
		}
	}
}

// split finds the last whole line in the end of a file, and tells whether there is one.
func (t *tail) split(text []byte) bool {
	if t.open = len(text) > 0 && text[len(text)-1] != '\n'; t.open {
		text = append(text, '\n')
	}
	for end := len(text); end > 0; {
		start := bytes.LastIndexByte(text[:end-1], '\n') + 1
		if _, ok := parseLine(text[start : end-1]); ok {
			t.last, t.torn = text[start:end-1], text[end:]
			return true
		}
		end = start
	}
	t.last, t.torn = nil, text
	return false
}

// parseLine reads a line of the audit file, and tells whether it is a whole one.
func parseLine(text []byte) (line chainedEntry, ok bool) {
	if err := json.Unmarshal(text, &line); err != nil {
		return chainedEntry{}, false
	}
	return line, len(strings.TrimPrefix(line.Prev, keyed)) == len(noPrev) && line.ID != ""
}
