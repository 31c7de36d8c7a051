// Package ledger is the audit file of what was written to Twilio from this machine, and the only way to write: a line before,
// the request, a line after. When the first line cannot be written nothing is sent.
package ledger

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/verifyctl/verifyctl/internal/statedir"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// The phases of an entry.
const (
	phaseBefore = "before"
	phaseAfter  = "after"
	phaseBreak  = "break" // somebody acknowledged that the file was changed
)

// Entry is one write to Twilio, as the audit file has it. Identity and SIDs are as given on the command line or read
// before the write.
type Entry struct {
	ID          string            `json:"id"`    // the same before and after the write
	Phase       string            `json:"phase"` // before, after, or break
	Time        time.Time         `json:"time"`
	User        string            `json:"user,omitempty"` // of the operating system
	Host        string            `json:"host,omitempty"`
	KeySID      verify.APIKeySID  `json:"key_sid,omitempty"`
	Environment string            `json:"environment,omitempty"`
	AccountSID  verify.AccountSID `json:"account_sid,omitempty"`
	ServiceSID  verify.ServiceSID `json:"service_sid,omitempty"`
	Command     string            `json:"command,omitempty"` // its words, such as "factors delete", without arguments
	Purpose     string            `json:"purpose,omitempty"` // of the plan that was applied, such as "prune"
	SIDs        []string          `json:"sids,omitempty"`
	Reason      string            `json:"reason,omitempty"`
	Intent      string            `json:"intent,omitempty"` // which creation it is the request of; see [verify.WithIntent]

	// Identity is kept in the names file only; in the line "who" stands for it. When it was erased it reads back as "".
	Identity string `json:"-"`
	Who      string `json:"who,omitempty"` // keyed hash of the identity

	// Problem is what was wrong with the file, in a line that acknowledges it.
	Problem string `json:"problem,omitempty"`

	// Only after the write.
	Outcome   string `json:"outcome,omitempty"`
	RequestID string `json:"request_id,omitempty"`
}

// Ledger is the record of what was written to Twilio from this machine. Its methods may be called from many goroutines
// and processes.
type Ledger struct {
	dir string
	key *statedir.Key

	late waiting[Entry] // lines after writes, until there is a next line

	mu    sync.Mutex
	named map[string]bool // the hashes whose names this process has written down, so that each is written once
}

// Open opens the audit file of a state directory. It makes the directory, but not the file.
func Open(ctx context.Context, dir string) (*Ledger, error) {
	key, err := statedir.OpenKey(ctx, dir)
	if err != nil {
		return nil, err
	}
	return &Ledger{dir: dir, key: key, named: map[string]bool{}}, nil
}

// OpenWithoutKey is [Open] for acknowledging that the key of the state directory was lost: it makes a new one.
func OpenWithoutKey(ctx context.Context, dir string) (*Ledger, error) {
	key, err := statedir.ReplaceLostKey(ctx, dir)
	if err != nil {
		return nil, err
	}
	return &Ledger{dir: dir, key: key, named: map[string]bool{}}, nil
}

// Close writes the lines that waited, and tells what the file lacks of the writes that were sent: a line after one of them that
// could not be written.
func (l *Ledger) Close() error {
	if err := l.flush(context.Background()); err != nil {
		return cannotWrite(err).WithHint("what it lacks was sent: its outcome could not be recorded")
	}
	return nil
}

// flush puts the lines that waited on disk. It does so even when ctx is cancelled, because their writes were sent.
func (l *Ledger) flush(ctx context.Context) error {
	if l.late.none() {
		return nil
	}
	return l.append(context.WithoutCancel(ctx))
}

// begin puts the line before a write on disk, and gives it. When it fails nothing may be sent to Twilio. ID, Phase, Who and
// Outcome are set here; where Command, Reason or SIDs contain the identity, its keyed hash is put in its place.
func (l *Ledger) begin(ctx context.Context, e Entry) (Entry, error) {
	e.ID, e.Phase, e.Outcome, e.RequestID, e.Who = newID(), phaseBefore, "", "", ""
	if e.Identity != "" {
		e.Who = l.key.Tombstone(e.Identity)
		e.Command = replaceName(e.Command, e.Identity, e.Who)
		e.Reason = replaceName(e.Reason, e.Identity, e.Who)
		e.SIDs = slices.Clone(e.SIDs)
		for i := range e.SIDs {
			e.SIDs[i] = replaceName(e.SIDs[i], e.Identity, e.Who)
		}
	}
	if err := l.append(ctx, e); err != nil {
		failed := cannotWrite(err)
		if failed.Hint == "" {
			failed.Hint = fmt.Sprintf("nothing was sent, because every write leaves a record; see that %s can be written", filepath.Join(l.dir, chainFile))
			if statedir.IsFull(err) {
				failed.Hint = "nothing was sent, because every write leaves a record; make room on the disk of " + l.dir
			}
		}
		return Entry{}, failed
	}
	return e, nil
}

func newID() string {
	var id [8]byte
	rand.Read(id[:])
	return hex.EncodeToString(id[:])
}

// finish puts the line after a write on disk, with its outcome and Twilio's request id. It does so even when ctx is
// cancelled, because the write was sent.
func (l *Ledger) finish(ctx context.Context, e Entry, now time.Time, outcome, requestID string) error {
	if err := l.append(context.WithoutCancel(ctx), ended(e, now, outcome, requestID)); err != nil {
		return cannotWrite(err).WithHint("the write was sent; its outcome is %q and could not be recorded", outcome)
	}
	return nil
}

// finishLater is [Ledger.finish] together with the next line, or with [Ledger.flush]. Where the process is killed meanwhile, the
// write is one without an end, as if it had been killed before the answer.
func (l *Ledger) finishLater(e Entry, now time.Time, outcome, requestID string) {
	l.late.add(ended(e, now, outcome, requestID))
}

// ended gives the line after a write.
func ended(e Entry, now time.Time, outcome, requestID string) Entry {
	e.Phase, e.Time, e.Outcome, e.RequestID = phaseAfter, now, outcome, requestID
	return e
}

func cannotWrite(err error) *verify.Error {
	if told, ok := errors.AsType[*verify.Error](err); ok && told.Kind == verify.KindRefused {
		return told
	}
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
		if i > 0 && isAlphanumeric(text[i-1]) || end < len(text) && isAlphanumeric(text[end]) { // part of another word
			out.WriteString(identity)
		} else {
			out.WriteString(who)
		}
		text = text[end:]
	}
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
