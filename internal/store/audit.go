package store

import (
	"bytes"
	"context"
	"crypto/rand"
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
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/statedir"
	"github.com/verifyctl/verifyctl/internal/verify"
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
	auditFile  = "audit.jsonl"
	auditHead  = "audit.head"
	auditNames = "audit-names.jsonl"
	auditLock  = "audit.lock"

	maxAuditLine = 64 << 10
	noPrev       = "0000000000000000000000000000000000000000000000000000000000000000"
)

// AuditEntry is one write to Twilio, as the audit file has it. Identity and SIDs are as given on the command line or read
// before the write.
type AuditEntry struct {
	ID          string            `json:"id"`    // the same before and after the write
	Phase       string            `json:"phase"` // before or after
	Time        time.Time         `json:"time"`
	User        string            `json:"user,omitempty"` // of the operating system
	Host        string            `json:"host,omitempty"`
	KeySID      verify.APIKeySID  `json:"key_sid,omitempty"`
	Environment string            `json:"environment,omitempty"`
	AccountSID  verify.AccountSID `json:"account_sid,omitempty"`
	ServiceSID  verify.ServiceSID `json:"service_sid,omitempty"`
	Command     string            `json:"command,omitempty"` // its words, such as "factors delete", without arguments
	SIDs        []string          `json:"sids,omitempty"`
	Reason      string            `json:"reason,omitempty"`

	// Identity is kept in the names file only; in the line "who" stands for it. When it was erased it reads back as "".
	Identity string `json:"-"`
	Who      string `json:"who,omitempty"` // keyed hash of the identity

	// Only after the write.
	Outcome   string `json:"outcome,omitempty"`
	RequestID string `json:"request_id,omitempty"`
}

// auditLine is an entry as it stands in the file.
type auditLine struct {
	AuditEntry
	Torn int    `json:"torn,omitempty"` // bytes before this line of one that was cut off while it was written
	Prev string `json:"prev"`
}

// Audit is the record of what was written to Twilio from this machine. Its methods may be called from many goroutines
// and processes.
type Audit struct {
	dir string
	key *statedir.Key
}

// OpenAudit opens the audit file of a state directory. It makes the directory, but not the file.
func OpenAudit(ctx context.Context, dir string) (*Audit, error) {
	key, err := statedir.OpenKey(ctx, dir)
	if err != nil {
		return nil, err
	}
	return &Audit{dir: dir, key: key}, nil
}

// Pending is a write whose first line is on disk.
type Pending struct {
	audit *Audit
	entry AuditEntry
}

// Begin puts the line before a write on disk. When it fails nothing may be sent to Twilio. ID, Phase, Who and Outcome are
// set here; where Command, Reason or SIDs contain the identity, its keyed hash is put in its place.
func (a *Audit) Begin(ctx context.Context, e AuditEntry) (*Pending, error) {
	var id [8]byte
	rand.Read(id[:])
	e.ID, e.Phase, e.Outcome, e.RequestID, e.Who = hex.EncodeToString(id[:]), "before", "", "", ""
	if e.Identity != "" {
		e.Who = a.key.Tombstone(e.Identity)
		e.Command = replaceName(e.Command, e.Identity, e.Who)
		e.Reason = replaceName(e.Reason, e.Identity, e.Who)
		e.SIDs = append([]string(nil), e.SIDs...)
		for i := range e.SIDs {
			e.SIDs[i] = replaceName(e.SIDs[i], e.Identity, e.Who)
		}
	}
	if err := a.append(ctx, e); err != nil {
		return nil, auditFailure(err).WithHint("nothing was sent, because every write leaves a record; see that %s can be written",
			filepath.Join(a.dir, auditFile))
	}
	return &Pending{audit: a, entry: e}, nil
}

// Finish puts the line after the write on disk, with its outcome and Twilio's request id. It does so even when ctx is
// cancelled, because the write was sent.
func (p *Pending) Finish(ctx context.Context, now time.Time, outcome, requestID string) error {
	e := p.entry
	e.Phase, e.Time, e.Outcome, e.RequestID = "after", now, outcome, requestID
	if err := p.audit.append(context.WithoutCancel(ctx), e); err != nil {
		return auditFailure(err).WithHint("the write was sent; its outcome is %q and stands in no record", outcome)
	}
	return nil
}

func auditFailure(err error) *verify.Error {
	return &verify.Error{Kind: verify.KindFailed, Message: "cannot write the audit file: " + err.Error(), Cause: err}
}

// replaceName puts a keyed hash in the place of an identity that stands in a text as a word.
func replaceName(text, identity, who string) string {
	var out strings.Builder
	for {
		i := strings.Index(text, identity)
		if i < 0 {
			return out.String() + text
		}
		end := i + len(identity)
		out.WriteString(text[:i])
		partOfWord := i > 0 && isWord(text[i-1]) && text[i-1] != '-' || end < len(text) && isWord(text[end]) && text[end] != '-'
		if partOfWord {
			out.WriteString(identity)
		} else {
			out.WriteString(who)
		}
		text = text[end:]
	}
}

// append puts one line on disk, behind what is there, under the lock.
func (a *Audit) append(ctx context.Context, e AuditEntry) error {
	unlock, err := statedir.LockFile(ctx, filepath.Join(a.dir, auditLock))
	if err != nil {
		return err
	}
	defer unlock()
	if e.Phase == "before" && e.Who != "" {
		if err := a.appendName(e.Who, e.Identity); err != nil {
			return err
		}
	}
	f, err := openAppend(filepath.Join(a.dir, auditFile))
	if err != nil {
		return err
	}
	defer f.Close()
	return a.appendLine(f, e)
}

func (a *Audit) appendLine(f *os.File, e AuditEntry) error {
	tail, err := readTail(f)
	if err != nil {
		return err
	}
	line := auditLine{AuditEntry: e, Torn: len(tail.torn), Prev: tail.hash()}
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	if len(text) > maxAuditLine {
		return fmt.Errorf("the entry has %d bytes, at most %d are allowed", len(text), maxAuditLine)
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
	return a.writeHead(head{Size: tail.size + int64(len(content)), Last: hashLine(text)})
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
	for window := int64(2 * maxAuditLine); ; window *= 4 {
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
func parseLine(text []byte) (line auditLine, ok bool) {
	if err := json.Unmarshal(text, &line); err != nil {
		return auditLine{}, false
	}
	return line, len(line.Prev) == len(noPrev) && line.ID != ""
}

// head is how far the audit file reached when a line was last appended.
type head struct {
	Size int64  `json:"size"` // bytes
	Last string `json:"last"` // hash of the last line
}

func (a *Audit) writeHead(h head) error {
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	path := filepath.Join(a.dir, auditHead)
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
func (a *Audit) readHead() (h head, ok bool, err error) {
	text, err := os.ReadFile(filepath.Join(a.dir, auditHead))
	if errors.Is(err, fs.ErrNotExist) {
		return h, false, nil
	}
	if err == nil && json.Unmarshal(text, &h) != nil {
		err = errors.New("it is damaged, so nobody can tell whether lines were cut off at the end of the audit file")
	}
	return h, err == nil, err
}
