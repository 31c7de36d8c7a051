package verify

import (
	"context"
	"fmt"
	"time"
)

// Creation is something that was about to be made on Twilio: it is kept before the request is sent, so that a run that was
// killed does not make it twice.
type Creation struct {
	ID         int64           `json:"-"`
	AccountSID AccountSID      `json:"account_sid"`
	Kind       string          `json:"kind"` // credential, service or webhook
	Platform   Platform        `json:"platform,omitempty"`
	Name       string          `json:"name"`
	Within     string          `json:"within,omitempty"` // the Service of a webhook
	Beside     []string        `json:"beside,omitempty"` // the SIDs that were there before
	File       *CredentialFile `json:"file,omitempty"`   // of a credential, what its file told
	Begun      time.Time       `json:"begun"`

	Outcome CreationOutcome `json:"-"`
	SID     string          `json:"-"` // of what was made, once it is known
}

// CreationOutcome is what became of a [Creation].
type CreationOutcome string

// The outcomes.
const (
	CreationUnknown CreationOutcome = ""      // begun, and nobody knows how it ended
	CreationDone    CreationOutcome = "done"  // made, and its SID not yet in the environment's file
	CreationNoted   CreationOutcome = "noted" // made, and its SID is in the file or was told
	CreationNot     CreationOutcome = "not"   // it was not made
)

// Intent names a creation in the audit file, which is that of all environments.
func (c Creation) Intent() string { return fmt.Sprintf("creation-%d-%d", c.ID, c.Begun.UnixMicro()) }

type intentKey struct{}

// WithIntent says what the writes of a context are for, so that how a killed one ended can be told to the audit file later.
func WithIntent(ctx context.Context, intent string) context.Context {
	return context.WithValue(ctx, intentKey{}, intent)
}

// IntentOf gives what [WithIntent] said, "" for nothing.
func IntentOf(ctx context.Context) string {
	intent, _ := ctx.Value(intentKey{}).(string)
	return intent
}
