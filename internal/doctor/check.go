// Package doctor tells whether the environments of a company are fit to log users in by push: it plans what has to be
// read, reads each thing once, and lets a table of checks judge what was read. It writes nothing, except when asked to
// make one of a few small changes ([Change]).
//
// A check is a value of [Catalogue]: what it is called, what must have been read for it, and a pure function from a
// snapshot to an answer. Adding a check is adding one value.
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

// The severities. A broken rule of severityInfo passes with a note.
const (
	severityFail Severity = "fail"
	severityWarn Severity = "warn"
	severityInfo Severity = "info"
)

// Certainty says where a check's answer comes from, and so how far to trust it.
type Certainty string

const (
	certain   Certainty = "certain"   // the API alone tells
	declared  Certainty = "declared"  // the API and what the environment file declares
	measured  Certainty = "measured"  // measured now; may differ tomorrow
	heuristic Certainty = "heuristic" // likely, not proved
	attested  Certainty = "attested"  // no API shows; somebody's word in the environment file does
)

// Check is one rule.
type Check struct {
	ID         string
	Title      string // the rule, true when the check passes
	Severity   Severity
	Certainty  Certainty
	PerAccount bool                   // made once for all environments of an account
	Skip       func(*snapshot) string // why what is declared makes the rule not apply, "" when it does; may be nil
	Needs      []resource             // without any of them the answer is unknown
	Reads      []resource             // looked at too; the judge deals with their absence itself
	RestsOn    []*Declaration         // without any of them the answer is unknown, unless it is the same under each value
	Heeds      []*Declaration         // taken at their word where they are made; their absence changes nothing
	Remedy     string                 // what to do when it is broken, for the reference page
	Judge      func(*snapshot) answer
}

// Group gives the heading a check stands under, told by the first part of its id.
func (c Check) Group() string { return groupOf(c.ID) }

// answer is what a check says about one snapshot.
type answer struct {
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

	Undeclared string `json:"undeclared,omitempty"` // the declaration that would settle it

	leftOut bool        // skipped because something was not to be read, not because the rule does not apply
	cause   *failedRead // the read that failed; nil unless ReadFailed
	changes []Change    // safe writes that would fix it without anything having to be chosen
}

type failedRead struct {
	resource resource
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

// unless gives the reason to skip a check that is only for some environments.
func unless(applies func(*snapshot) bool, why string) func(*snapshot) string {
	return func(snap *snapshot) string {
		if applies(snap) {
			return ""
		}
		return why
	}
}

func answerf(status Status, format string, args []any) answer {
	return answer{Status: status, Reason: fmt.Sprintf(format, args...)}
}

func pass(format string, args ...any) answer    { return answerf(Pass, format, args) }
func warn(format string, args ...any) answer    { return answerf(Warn, format, args) }
func fail(format string, args ...any) answer    { return answerf(Fail, format, args) }
func unknown(format string, args ...any) answer { return answerf(Unknown, format, args) }
func skip(format string, args ...any) answer    { return answerf(Skipped, format, args) }

func note(format string, args ...any) answer {
	a := answerf(Pass, format, args)
	a.Note = true
	return a
}

func (a answer) fix(format string, args ...any) answer {
	a.Fix = fmt.Sprintf(format, args...)
	return a
}

func (a answer) run(commands ...string) answer {
	a.Commands = append(a.Commands, commands...)
	return a
}

// cannot is the answer when something that was needed could not be read.
func cannot(what resource, err error) answer {
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

func (c Check) judge(snap *snapshot) answer {
	seen := c.view(snap)
	if c.Skip != nil {
		if why := c.Skip(seen); why != "" {
			return skip("%s", why)
		}
	}
	for _, need := range c.Needs {
		if err := snap.problem(need); err != nil {
			return cannot(need, err)
		}
	}
	for _, d := range c.RestsOn {
		if !d.made(snap.Env) {
			return c.without(d, snap)
		}
	}
	return c.Judge(seen)
}

func (a answer) about(what string) answer {
	a.About = what
	return a
}

func (a answer) seen(facts ...string) answer {
	a.Seen = append(a.Seen, facts...)
	return a
}

func (a answer) sampled(sample string) answer {
	a.Sample = sample
	return a
}
