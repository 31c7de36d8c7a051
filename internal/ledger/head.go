package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/verifyctl/verifyctl/internal/statedir"
)

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
	f, err := statedir.Open(filepath.Join(l.dir, headFile), os.O_WRONLY|os.O_CREATE)
	if err != nil {
		return err
	}
	// One short write in place, always of the same length, so that it is never seen half written.
	_, err = f.WriteAt(fmt.Appendf(nil, "%-127s\n", text), 0)
	return errors.Join(err, f.Close())
}

// beginHead writes the head of a file that is still empty, before its first line: where the process is killed between that and the
// next head, the line is one behind a head. A head that is there, or that is damaged, stays: it tells that the file was not empty.
func (l *Ledger) beginHead() error {
	if _, ok, err := l.readHead(); ok || err != nil {
		return nil
	}
	return l.writeHead(head{Last: keyed + l.key.Link(nil)})
}

// isOf tells whether the head was written behind this line; nil stands for an empty file. Only who has the key can make one.
func (h head) isOf(last []byte, l *Ledger) bool {
	if last == nil {
		return h.Last == keyed+l.key.Link(nil)
	}
	return l.follows(h.Last, last, nil)
}

// readHead gives the head; ok is false when there is none.
func (l *Ledger) readHead() (h head, ok bool, err error) {
	text, err := statedir.ReadFile(filepath.Join(l.dir, headFile))
	if errors.Is(err, fs.ErrNotExist) {
		return h, false, nil
	}
	if err == nil && json.Unmarshal(text, &h) != nil {
		err = errors.New("it is damaged, so lines at the end of the audit file may have been cut off")
	}
	return h, err == nil, err
}

// broken compares the file with the head and says what is wrong; "" is nothing.
func (l *Ledger) broken(f *os.File) (string, error) {
	head, ok, err := l.readHead()
	if err != nil {
		return headFile + " is damaged", nil
	}
	if !ok {
		tail, err := readTail(f)
		if tail.last != nil {
			return headFile + " is missing, so lines may have been cut off", err
		}
		return "", err
	}
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if info.Size() < head.Size {
		return fmt.Sprintf("it has %d bytes and had %d: lines were cut off", info.Size(), head.Size), nil
	}
	last, err := lineBefore(f, head.Size)
	if err != nil {
		return "", err
	}
	if !head.isOf(last, l) {
		return "its last line is not the one that was written last", nil
	}
	return l.brokenBehind(f, head.Size, last)
}

// brokenBehind looks at what stands behind the head: the lines whose writer was killed before it wrote the head, and what was
// torn. Anybody can make one that follows the head; behind that, only who has the key.
func (l *Ledger) brokenBehind(f *os.File, from int64, last []byte) (string, error) {
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		return "", err
	}
	behind, err := io.ReadAll(io.LimitReader(f, 64*maxLine))
	if err != nil {
		return "", err
	}
	var torn []byte
	whole := 0
	for line := range bytes.Lines(behind) {
		text := bytes.TrimSuffix(line, []byte("\n"))
		parsed, ok := parseLine(text)
		if !ok {
			torn = append(append(torn, text...), '\n')
			continue
		}
		first := whole == 0 || strings.HasPrefix(parsed.Prev, keyed)
		if whole++; !first || parsed.Torn != len(torn) || !l.follows(parsed.Prev, last, torn) {
			return "there are lines after the one that was written last", nil
		}
		last, torn = text, nil
	}
	return "", nil
}

// lineBefore gives the line that ends where a place in the file is, without its newline; nil at the beginning.
func lineBefore(f *os.File, place int64) ([]byte, error) {
	if place == 0 {
		return nil, nil
	}
	for window := int64(longLine); ; window *= 4 {
		from := max(0, place-window)
		text := make([]byte, place-from)
		if _, err := f.ReadAt(text, from); err != nil && err != io.EOF {
			return nil, err
		}
		text = bytes.TrimSuffix(text, []byte("\n"))
		if begin := bytes.LastIndexByte(text, '\n') + 1; begin > 0 || from == 0 || window > maxLine {
			return text[begin:], nil
		}
	}
}
