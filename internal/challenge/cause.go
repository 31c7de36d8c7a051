package challenge

import (
	"cmp"
	"slices"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// CauseKind is why a push or an answer did not come, in one word. The verdicts of events are causes by the same words.
type CauseKind string

// The causes, in the order in which equally sure ones are told: what makes the others pointless comes first.
const (
	TwilioUnreachable   CauseKind = "twilio_unreachable"
	NeverExistedHere    CauseKind = "never_existed_here"
	Answered            CauseKind = "answered"
	FactorGone          CauseKind = "factor_gone"
	FactorUnverified    CauseKind = "factor_unverified"
	PlatformNone        CauseKind = "platform_none"
	CredentialMissing   CauseKind = CauseKind(event.CredentialMissing)
	CredentialWrongType CauseKind = CauseKind(event.CredentialWrongType)
	LegacyFCM           CauseKind = "legacy_fcm"
	CredentialBroken    CauseKind = CauseKind(event.CredentialBroken)
	EnvironmentMismatch CauseKind = CauseKind(event.EnvironmentMismatch)
	AppMismatch         CauseKind = CauseKind(event.AppMismatch)
	TokenDead           CauseKind = CauseKind(event.TokenDead)
	TokenInvalid        CauseKind = CauseKind(event.TokenInvalid)
	Throttled           CauseKind = CauseKind(event.Throttled)
	ResendLimit         CauseKind = "resend_limit"
	WebhookFailed       CauseKind = CauseKind(event.WebhookFailed)
	ExpiredUnanswered   CauseKind = "expired_unanswered"
)

var causeOrder = []CauseKind{TwilioUnreachable, NeverExistedHere, Answered, FactorGone, FactorUnverified, PlatformNone,
	CredentialMissing, CredentialWrongType, LegacyFCM, CredentialBroken, EnvironmentMismatch, AppMismatch, TokenDead,
	TokenInvalid, Throttled, ResendLimit, WebhookFailed, ExpiredUnanswered}

// Confidence says how sure a cause is.
type Confidence string

// The grades. Only certain and likely causes count as found.
const (
	Certain  Confidence = "certain"  // Twilio says so of this very challenge or factor, or the set-up cannot work
	Likely   Confidence = "likely"   // it is so for others of the same credential or Service, or contradicts what is declared
	Possible Confidence = "possible" // it happened around the time, and nothing says to whom
	History  Confidence = "history"  // it was so until what it complains of was changed
)

var confidenceOrder = []Confidence{Certain, Likely, Possible, History}

// The owners besides those of event codes: whose job the next step is.
const (
	OwnerUser     = "user"     // the person with the phone
	OwnerOperator = "operator" // whoever reads this
)

// Cause is one explanation, with what it rests on.
type Cause struct {
	Kind       CauseKind  `json:"cause"`
	Confidence Confidence `json:"confidence"`
	Owner      string     `json:"owner"`   // app, credential, provider, backend, twilio, user or operator
	Summary    string     `json:"summary"` // one sentence without a full stop
	Evidence   []string   `json:"evidence"`
	Next       string     `json:"next"`       // the command to paste; "" when there is none
	ErrorCode  int        `json:"error_code"` // Twilio's; 0 when no event says it
	Count      int        `json:"count"`      // events that say so; 0 when it does not rest on events
	Factors    int        `json:"factors"`    // different factors they name
	Since      time.Time  `json:"since,omitzero"`
	Last       time.Time  `json:"last,omitzero"`
	Until      time.Time  `json:"until,omitzero"` // of [History]: when what it complains of was changed

	direct bool                 // an event of this very challenge says so
	seen   map[string]bool      // events counted, by SID
	named  map[string]time.Time // factors the events name
}

// isFound tells whether the cause is sure enough to be called found.
func (c Cause) isFound() bool { return c.Confidence == Certain || c.Confidence == Likely }

// causes collects explanations, one of each kind.
type causes map[CauseKind]*Cause

// mostEvidence is how many lines of evidence a cause shows; its count tells of the rest.
const mostEvidence = 3

// add notes an explanation. One that is there already keeps the better confidence and gets the evidence of both.
func (cs causes) add(c Cause) *Cause {
	have := cs[c.Kind]
	if have == nil {
		cs[c.Kind] = &c
		return &c
	}
	if rank(confidenceOrder, c.Confidence) < rank(confidenceOrder, have.Confidence) {
		have.Confidence, have.Summary, have.Owner, have.Next, have.Until = c.Confidence, c.Summary, c.Owner, c.Next, c.Until
	}
	have.direct = have.direct || c.direct
	have.ErrorCode = cmp.Or(have.ErrorCode, c.ErrorCode)
	have.Next = cmp.Or(have.Next, c.Next)
	for _, e := range c.Evidence {
		if !slices.Contains(have.Evidence, e) && len(have.Evidence) < mostEvidence {
			have.Evidence = append(have.Evidence, e)
		}
	}
	return have
}

// count adds an event to what a cause rests on.
func (c *Cause) count(e event.Event) {
	if c.seen == nil {
		c.seen, c.named = map[string]bool{}, map[string]time.Time{}
	}
	key := cmp.Or(e.EventSID, e.Timestamp.String()+e.FactorSID)
	if c.seen[key] {
		return
	}
	c.seen[key] = true
	c.Count++
	if e.FactorSID != "" && !e.Masked && !e.Ambiguous {
		c.named[e.FactorSID] = e.Timestamp
	}
	c.Factors = len(c.named)
	if c.Since.IsZero() || e.Timestamp.Before(c.Since) {
		c.Since = e.Timestamp
	}
	if e.Timestamp.After(c.Last) {
		c.Last = e.Timestamp
	}
}

// ranked gives the causes, the surest first, and among equals those that an event of the very challenge names.
func (cs causes) ranked() []Cause {
	list := make([]Cause, 0, len(cs))
	for _, kind := range causeOrder {
		if c := cs[kind]; c != nil {
			list = append(list, *c)
		}
	}
	slices.SortStableFunc(list, func(a, b Cause) int {
		if n := rank(confidenceOrder, a.Confidence) - rank(confidenceOrder, b.Confidence); n != 0 {
			return n
		}
		return cmp.Or(closeness(a)-closeness(b), b.Factors-a.Factors)
	})
	return list
}

// closeness puts what makes every push pointless before what an event of the challenge says, and that before the rest.
func closeness(c Cause) int {
	switch {
	case rank(causeOrder, c.Kind) <= rank(causeOrder, PlatformNone):
		return 0
	case c.direct:
		return 1
	}
	return 2
}

func rank[T comparable](order []T, x T) int {
	if i := slices.Index(order, x); i >= 0 {
		return i
	}
	return len(order)
}

// kindOfEvent gives the cause that an event's verdict is, "" for none.
func kindOfEvent(e event.Event) CauseKind {
	if e.ErrorCode != nil && (*e.ErrorCode == 52116 || *e.ErrorCode == 52117) && e.Verdict == event.CredentialBroken {
		return LegacyFCM
	}
	switch e.Verdict {
	case event.TokenDead, event.TokenInvalid, event.EnvironmentMismatch, event.AppMismatch, event.CredentialBroken,
		event.CredentialMissing, event.CredentialWrongType, event.Throttled, event.WebhookFailed:
		return CauseKind(e.Verdict)
	}
	return ""
}

// sameSID compares SIDs of different types, case aside; two empty ones are not the same.
func sameSID[A, B ~string](a A, b B) bool {
	return a != "" && verify.SameSID(string(a), string(b))
}
