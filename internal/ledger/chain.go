package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/verifyctl/verifyctl/internal/statedir"
)

// The audit file has one JSON object a line: one line before each write to Twilio and one after. Each line carries, as
// "prev", the SHA-256 of the line before it (of its bytes, without the newline), so a line that is changed, taken out or
// moved breaks the chain at the line behind it. What is cut off at the end breaks no chain; therefore a second file keeps
// how far the audit file reached and the hash of its last line.
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

	maxLine = 64 << 10
	noPrev  = "0000000000000000000000000000000000000000000000000000000000000000"
)

// chainedEntry is an entry as it stands in the file.
type chainedEntry struct {
	Entry
	Torn int    `json:"torn,omitempty"` // bytes before this line of one that was cut off while it was written
	Prev string `json:"prev"`
}

// append puts one line on disk, behind what is there, under the lock.
func (l *Ledger) append(ctx context.Context, e Entry) error {
	unlock, err := statedir.LockFile(ctx, filepath.Join(l.dir, lockFile))
	if err != nil {
		return err
	}
	defer unlock()
	if e.Phase == "before" && e.Who != "" {
		if err := l.appendName(e.Who, e.Identity); err != nil {
			return err
		}
	}
	f, err := openAppend(filepath.Join(l.dir, chainFile))
	if err != nil {
		return err
	}
	defer f.Close()
	return l.appendLine(f, e)
}

func (l *Ledger) appendLine(f *os.File, e Entry) error {
	tail, err := readTail(f)
	if err != nil {
		return err
	}
	line := chainedEntry{Entry: e, Torn: len(tail.torn), Prev: tail.hash()}
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	if len(text) > maxLine {
		return fmt.Errorf("the entry has %d bytes, at most %d are allowed", len(text), maxLine)
	}
	content := append(text, '\n')
	if tail.open {
		content = append([]byte{'\n'}, content...)
	}
	if _, err := f.Write(content); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return l.writeHead(head{Size: tail.size + int64(len(content)), Last: hashLine(text)})
}

// openAppend opens a file of the audit for appending, and makes it for the owner only.
func openAppend(path string) (*os.File, error) {
	if err := statedir.CheckFile(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
}

// tail is the end of an audit file.
type tail struct {
	size int64
	last []byte // the last whole line without its newline, nil when there is none
	torn []byte // what stands behind it, with the newline that mends it
	open bool   // the file does not end with a newline
}

// hash gives the prev of the next line. What was torn is hashed together with the whole line before it, so that neither
// can be changed.
func (t tail) hash() string {
	switch {
	case len(t.torn) > 0:
		return hashLine(slices.Concat(t.last, []byte{'\n'}, t.torn))
	case t.last == nil:
		return noPrev
	}
	return hashLine(t.last)
}

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
	for window := int64(2 * maxLine); ; window *= 4 {
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
	return line, len(line.Prev) == len(noPrev) && line.ID != ""
}

// head is how far the audit file reached when a line was last appended.
type head struct {
	Size int64  `json:"size"` // bytes
	Last string `json:"last"` // hash of the last line
}

func (l *Ledger) writeHead(h head) error {
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	path := filepath.Join(l.dir, headFile)
	if err := statedir.CheckFile(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	// One short write in place, always of the same length, so that it is never seen half written.
	_, err = f.WriteAt(fmt.Appendf(nil, "%-127s\n", text), 0)
	return errors.Join(err, f.Close())
}

// readHead gives the head; ok is false when there is none.
func (l *Ledger) readHead() (h head, ok bool, err error) {
	text, err := os.ReadFile(filepath.Join(l.dir, headFile))
	if errors.Is(err, fs.ErrNotExist) {
		return h, false, nil
	}
	if err == nil && json.Unmarshal(text, &h) != nil {
		err = errors.New("it is damaged, so nobody can tell whether lines were cut off at the end of the audit file")
	}
	return h, err == nil, err
}
