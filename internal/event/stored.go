package event

import "time"

// Stored is an event as a machine keeps it: the bytes it came as, so that it can be decoded again with later knowledge.
// What was decoded when it was stored only serves to find it; it is never evidence.
type Stored struct {
	Key      string    // the event's SID in upper case, or "sha256:" and the hash of the body when it has none
	Source   string    // how it came here, such as webhook, stream or alerts
	Received time.Time // when it came here
	At       time.Time // when it happened; Received when it does not say
	Body     []byte
}

// StoredFilter narrows a list of stored events. Zero values do not narrow. SIDs are compared without regard to case.
type StoredFilter struct {
	Since         time.Time // by Stored.At
	Until         time.Time // exclusive
	ReceivedSince time.Time // by Stored.Received
	ServiceSID    string
	Identity      string
	FactorSID     string
	ChallengeSID  string
	CredentialSID string
	Code          int
}

// Span is a stretch of time, Until not included.
type Span struct {
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
}

// Including gives the span with a time in it; the zero time changes nothing, and the zero span is empty.
func (s Span) Including(t time.Time) Span {
	switch {
	case t.IsZero():
		return s
	case s.From.IsZero():
		return Span{From: t, Until: t}
	case t.Before(s.From):
		s.From = t
	case t.After(s.Until):
		s.Until = t
	}
	return s
}
