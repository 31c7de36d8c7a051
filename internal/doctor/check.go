// Package doctor tells whether the environments of a company are fit to log users in by push: it plans what has to be
// read, reads each thing once, and lets a table of checks judge what was read. It writes nothing, except when asked to
// make one of a few small changes ([Change]).
//
// A check is a value of [Catalogue]: what it is called, what must have been read for it, and a pure function from a
// [Snapshot] to an [Answer]. Adding a check is adding one value.
package doctor

import (
	"errors"
	"fmt"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Status is how a check ended. Unknown is never healthy: the check could not be made. Skipped means that the rule does
// not apply.
type Status string

// The statuses.
const (
	Pass    Status = "pass"
	Warn    Status = "warn"
	Fail    Status = "fail"
	Unknown Status = "unknown"
	Skipped Status = "skipped"
)

// Severity is how bad it is when a check's rule is broken.
type Severity string

// The severities. A broken rule of SeverityInfo passes with a note.
const (
	SeverityFail Severity = "fail"
	SeverityWarn Severity = "warn"
	SeverityInfo Severity = "info"
)

// Certainty says where a check's answer comes from, and so how far to trust it.
type Certainty string

// The certainties.
const (
	Certain   Certainty = "certain"   // the API alone tells
	Declared  Certainty = "declared"  // the API and what the environment file declares
	Measured  Certainty = "measured"  // measured now; may differ tomorrow
	Heuristic Certainty = "heuristic" // likely, not proved
	Attested  Certainty = "attested"  // no API tells; somebody's word in the environment file does
)

// Scope says what a check is made for.
type Scope string

// The scopes.
const (
	PerEnvironment Scope = "environment"
	PerAccount     Scope = "account"
)

// Check is one rule.
type Check struct {
	ID        string
	Title     string // the rule, true when the check passes
	Severity  Severity
	Certainty Certainty
	Scope     Scope                  // PerEnvironment when empty
	Skip      func(*Snapshot) string // why what is declared makes the rule not apply, "" when it does; may be nil
	Needs     []Resource             // without any of them the answer is unknown
	Reads     []Resource             // looked at too; the judge deals with their absence itself
	Remedy    string                 // what to do when it is broken, for the reference page
	Judge     func(*Snapshot) Answer
}

// Group gives the heading a check stands under, told by the first part of its id.
func (c Check) Group() string { return groupOf(c.ID) }

// Answer is what a check says about one snapshot.
type Answer struct {
	Status   Status   `json:"status"`
	Note     bool     `json:"note,omitempty"` // passed, but there is something to know
	Reason   string   `json:"reason"`
	Fix      string   `json:"fix,omitempty"`      // what to do, in words
	Commands []string `json:"commands,omitempty"` // verifyctl commands to paste
	Seen     []string `json:"seen,omitempty"`     // the facts the answer rests on
	About    string   `json:"about,omitempty"`    // the SID or name the answer is about; part of its fingerprint
	Sample   string   `json:"sample,omitempty"`   // "n of N" when only a sample was looked at
	By       string   `json:"attested_by,omitempty"`
	Until    string   `json:"attested_until,omitempty"` // YYYY-MM-DD

	// ReadFailed is set on an unknown answer whose cause is a read that failed, not missing intent or attestation.
	ReadFailed bool `json:"read_failed,omitempty"`

	leftOut bool        // skipped because something was not to be read, not because the rule does not apply
	cause   *failedRead // the read that failed; nil unless ReadFailed
	changes []Change    // safe writes that would fix it without anything having to be chosen
}

// failedRead is why a check could not be made.
type failedRead struct {
	resource Resource
	err      error
}

// key puts together what failed for the same reason: request ids differ where the cause does not.
func (f *failedRead) key() string {
	var e *verify.Error
	if errors.As(f.err, &e) {
		return fmt.Sprint(e.Kind, e.HTTPStatus, e.TwilioCode)
	}
	return f.err.Error()
}

func answer(status Status, format string, args []any) Answer {
	return Answer{Status: status, Reason: fmt.Sprintf(format, args...)}
}

func pass(format string, args ...any) Answer    { return answer(Pass, format, args) }
func warn(format string, args ...any) Answer    { return answer(Warn, format, args) }
func fail(format string, args ...any) Answer    { return answer(Fail, format, args) }
func unknown(format string, args ...any) Answer { return answer(Unknown, format, args) }
func skip(format string, args ...any) Answer    { return answer(Skipped, format, args) }

// note is a pass with something to know.
func note(format string, args ...any) Answer {
	a := answer(Pass, format, args)
	a.Note = true
	return a
}

// fix adds what to do in words.
func (a Answer) fix(format string, args ...any) Answer {
	a.Fix = fmt.Sprintf(format, args...)
	return a
}

// run adds commands to paste.
func (a Answer) run(commands ...string) Answer {
	a.Commands = append(a.Commands, commands...)
	return a
}

// cannot is the answer when something that was needed could not be read.
func cannot(what Resource, err error) Answer {
	if isSkip(err) {
		a := skip("%s", err)
		a.leftOut = true
		return a
	}
	var because *causedBy
	if errors.As(err, &because) {
		what, err = because.resource, because.err
	}
	a := unknown("%s could not be read: %s", what, describe(err))
	if !errors.Is(err, errNotAsked) {
		a.ReadFailed, a.cause = true, &failedRead{what, err}
	}
	return a
}

// judge makes the check in one snapshot.
func (c Check) judge(snap *Snapshot) Answer {
	if c.Skip != nil {
		if why := c.Skip(snap); why != "" {
			return skip("%s", why)
		}
	}
	for _, need := range c.Needs {
		if err := snap.problem(need); err != nil {
			return cannot(need, err)
		}
	}
	return c.Judge(snap)
}

// about names what the answer is about.
func (a Answer) about(what string) Answer {
	a.About = what
	return a
}

// seen adds facts.
func (a Answer) seen(facts ...string) Answer {
	a.Seen = append(a.Seen, facts...)
	return a
}

// sampled says how many of how many were looked at.
func (a Answer) sampled(sample string) Answer {
	a.Sample = sample
	return a
}
