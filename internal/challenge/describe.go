package challenge

import (
	"fmt"
	"iter"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// names gives the identities and device names that stand in texts.
func (f *facts) names() []string {
	names := []string{string(f.identity), string(f.knownIdentity), f.factor.value.FriendlyName}
	for _, factor := range f.factors.value {
		names = append(names, factor.FriendlyName)
	}
	if f.challenge.ok() {
		names = append(names, f.challenge.value.Details.Message)
	}
	return names
}

func describeChallenge(c verify.Challenge, now time.Time) string {
	switch {
	case isAnswered(c):
		return fmt.Sprintf("%s%s, %v after it was created", c.Status, ago(c.DateResponded, now),
			c.DateResponded.Sub(c.DateCreated).Truncate(time.Second))
	case Expired(c, now):
		return fmt.Sprintf("expired%s, unanswered", ago(c.ExpirationDate, now))
	case c.Status == verify.ChallengePending:
		return fmt.Sprintf("pending, %v left", Remaining(c, now).Truncate(time.Second))
	}
	return string(c.Status)
}

func describeService(s verify.Service) string {
	return fmt.Sprintf("%q, push credentials: apn %s, fcm %s", s.FriendlyName, orNone(s.CredentialSID(verify.PlatformAPN)),
		orNone(s.CredentialSID(verify.PlatformFCM)))
}

func orNone(sid verify.CredentialSID) string {
	if sid == "" {
		return "none"
	}
	return string(sid)
}

func describeCredential(c verify.Credential) string {
	if c.Type == verify.CredentialAPN {
		return fmt.Sprintf("%q, type %s, sandbox %s", c.FriendlyName, c.Type, c.Sandbox)
	}
	return fmt.Sprintf("%q, type %s", c.FriendlyName, c.Type)
}

// describeEvent gives an event as evidence.
func describeEvent(e event.Event) string {
	code := "an error without a code"
	if e.ErrorCode != nil {
		code = fmt.Sprintf("%d", *e.ErrorCode)
		if e.ErrorName != "" {
			code += " " + e.ErrorName
		}
	}
	name := "the event"
	if e.EventSID != "" {
		name = "alert " + e.EventSID
	}
	if !e.Timestamp.IsZero() {
		name += " at " + verify.Stamp(e.Timestamp)
	}
	if e.Description != "" {
		code += fmt.Sprintf(" (%q)", cut(e.Description, 100))
	}
	return name + ": " + code
}

func collect[T any](rows iter.Seq2[T, error]) ([]T, error) {
	var list []T
	for row, err := range rows {
		if err != nil {
			return list, err
		}
		list = append(list, row)
	}
	return list, nil
}
