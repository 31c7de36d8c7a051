package challenge

import (
	"cmp"
	"fmt"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

func describeChallenge(c verify.Challenge, now time.Time) string {
	switch {
	case isAnswered(c):
		return fmt.Sprintf("%s%s, %v after it was created", c.Status, ago(c.DateResponded, now),
			c.DateResponded.Sub(c.DateCreated).Truncate(time.Second))
	case Expired(c, now):
		return fmt.Sprintf("expired%s, unanswered", ago(c.ExpirationDate, now))
	case c.Status == verify.ChallengePending:
		return fmt.Sprintf("pending, %v left", remaining(c, now).Truncate(time.Second))
	}
	return string(c.Status)
}

func describeService(s verify.Service) string {
	return fmt.Sprintf("%q, push credentials: apn %s, fcm %s", s.FriendlyName, cmp.Or(s.CredentialSID(verify.PlatformAPN), "none"),
		cmp.Or(s.CredentialSID(verify.PlatformFCM), "none"))
}

func describeCredential(c verify.Credential) string {
	if c.Type == verify.CredentialAPN {
		return fmt.Sprintf("%q, type %s, sandbox %s", c.FriendlyName, c.Type, c.Sandbox)
	}
	return fmt.Sprintf("%q, type %s", c.FriendlyName, c.Type)
}

// describeEvent gives an event as evidence.
func describeEvent(e event.Event) string {
	code := codeText(e)
	if e.ErrorCode != nil && e.ErrorName != "" {
		code += " " + e.ErrorName
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
