package verify

import (
	"errors"
	"fmt"
	"time"
)

// Kind sorts errors by what the caller can do about them. The command line gives each kind one exit status.
type Kind int

// The kinds of error, one for each exit status.
const (
	KindFailed      Kind = iota // KindFailed is anything not named below: Twilio refused, or a check failed.
	KindUsage                   // KindUsage is wrong input; nothing was sent.
	KindAuth                    // KindAuth is missing, wrong or insufficient account keys.
	KindNotFound                // KindNotFound is a resource that is not there.
	KindRefused                 // KindRefused is our own refusal, for safety; nothing was sent.
	KindLimit                   // KindLimit is a rate or quota limit.
	KindPending                 // KindPending is a challenge still unanswered at the time-out.
	KindUnreachable             // KindUnreachable is Twilio not answering; nothing was changed.
	KindPartial                 // KindPartial is work partly done, or a request whose outcome is unknown.
	KindDenied                  // KindDenied is a challenge the user denied.
	KindExpired                 // KindExpired is a challenge past its expiration date.
	KindInterrupted             // KindInterrupted is Ctrl-C.
)

var kindNames = [...]string{"failed", "usage", "auth", "not_found", "refused", "limit", "pending", "unreachable",
	"partial", "denied", "expired", "interrupted"}

// String gives the kind's name as JSON errors show it, such as "not_found".
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", int(k))
}

// Error is what every package of verifyctl returns when something an operator should know about went wrong.
type Error struct {
	Kind    Kind
	Message string // what failed and why, one line, without a full stop
	Hint    string // the next step, best a command to paste; "" when there is none
	Excerpt string // for text that could not be read: the text and a caret under the mistake, two lines; else ""

	TwilioCode int           // Twilio's error code such as 60309; 0 when the answer had none
	HTTPStatus int           // 0 when there was no answer
	RequestID  string        // Twilio-Request-Id of the answer, RQ…
	RetryAfter time.Duration // how long Twilio asked to wait; 0 when it did not say
	Cause      error
}

// Error gives the message followed, where known, by Twilio's code and the request id.
func (e *Error) Error() string {
	s := e.Message
	if e.TwilioCode != 0 {
		s += fmt.Sprintf(" (Twilio error %d)", e.TwilioCode)
	}
	if e.RequestID != "" {
		s += fmt.Sprintf(" [request %s]", e.RequestID)
	}
	return s
}

// Unwrap gives the cause, for errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.Cause }

// KindOf gives the kind of the first [Error] in err's chain, and KindFailed when there is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return KindFailed
}

// CodeOf gives Twilio's code of the first [Error] in err's chain, and 0 when there is none.
func CodeOf(err error) int {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.TwilioCode
	}
	return 0
}

// Usagef makes an error about wrong input.
func Usagef(format string, args ...any) *Error { return errorf(KindUsage, format, args...) }

// Refusedf makes an error for something we decline to do for safety.
func Refusedf(format string, args ...any) *Error { return errorf(KindRefused, format, args...) }

// WithHint sets the hint and returns the same error.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

func errorf(kind Kind, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Kind: kind, Message: err.Error(), Cause: errors.Unwrap(err)}
}
