package rotation

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// Tally is what is known of the pushes since the exchange. Twilio tells of refused pushes only, so that silence proves
// nothing.
type Tally struct {
	Refused  int  `json:"refused"`  // pushes refused because of the new credential
	Unnamed  int  `json:"unnamed"`  // refused, and the event names no credential
	Before   int  `json:"before"`   // refused in as long a time before the exchange
	Accepted int  `json:"accepted"` // pushes that Apple or Google judged by their token, and so took the credential
	Answered int  `json:"answered"` // challenges created since that were answered
	Canary   bool `json:"canary"`   // the person who was asked answered
}

// excess is how many pushes were refused that would not have been with the old credential.
func (t Tally) excess() int { return t.Refused + max(0, t.Unnamed-t.Before) }

// proves tells whether a push is known to have gone through the new credential.
func (t Tally) proves() bool { return t.Accepted > 0 || t.Answered > 0 || t.Canary }

// blames are the verdicts that put a refused push down to the credential.
var blames = []event.Verdict{event.CredentialBroken, event.CredentialMissing, event.CredentialWrongType, event.EnvironmentMismatch, event.AppMismatch}

// count goes through the events since the exchange, and through those of as long a time before it.
func (r *Rotator) count(ctx context.Context, p Plan, until time.Time) (Tally, error) {
	var t Tally
	attached := p.State.Attached
	for e, err := range r.Feed.Events(ctx, event.Span{From: attached.Add(-until.Sub(attached)), Until: until}) {
		if err != nil {
			return t, err
		}
		if !p.concerns(e) {
			continue
		}
		named, since := verify.CredentialSID(e.CredentialSID), !e.Timestamp.Before(attached)
		isNew := verify.SameSID(named, p.State.New) && (since || !p.InPlace)
		switch blamed := slices.Contains(blames, e.Verdict); {
		case blamed && isNew:
			t.Refused++
		case blamed && !since:
			t.Before++
		case blamed && named == "":
			t.Unnamed++
		case e.Verdict == event.TokenDead && isNew && !p.InPlace:
			t.Accepted++
		}
	}
	if r.Answered == nil {
		return t, nil
	}
	var err error
	t.Answered, err = r.Answered(ctx, attached.Truncate(time.Second).Add(time.Second)) // Twilio's times are whole seconds
	return t, err
}

// concerns tells whether an event is about a push of this Service and platform.
func (p Plan) concerns(e event.Event) bool {
	service := strings.EqualFold(e.ServiceSID, string(p.Service.SID)) ||
		e.ServiceSID == "" && (verify.SameSID(verify.CredentialSID(e.CredentialSID), p.State.New) || verify.SameSID(verify.CredentialSID(e.CredentialSID), p.State.Old))
	return service && (e.Platform == "" || e.Platform == p.Platform)
}
