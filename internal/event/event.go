// Package event turns debugger events of any shape into one Event with the factor it is about and a verdict that is
// safe to act on. It reads bytes and gives values; it never does I/O beyond the reader it is given.
package event

import (
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Product is the Twilio product an event is about. The debugger stream is account-wide, so most are not ours.
type Product string

// The products that are told apart.
const (
	ProductVerifyPush Product = "verify_push"
	ProductVoice      Product = "voice"
	ProductNotify     Product = "notify"
	ProductOther      Product = "other"
	ProductUnknown    Product = "unknown"
)

// Verdict is what went wrong, in one word.
type Verdict string

// The verdicts.
const (
	TokenDead           Verdict = "token_dead"
	TokenInvalid        Verdict = "token_invalid"
	EnvironmentMismatch Verdict = "environment_mismatch"
	AppMismatch         Verdict = "app_mismatch"
	CredentialBroken    Verdict = "credential_broken"
	CredentialMissing   Verdict = "credential_missing"
	CredentialWrongType Verdict = "credential_wrong_type"
	Throttled           Verdict = "throttled"
	WebhookFailed       Verdict = "webhook_failed"
	NotPush             Verdict = "not_push"
	VerdictUnknown      Verdict = "unknown"
)

// Action is the next step for a person. Deleting is never the action of one event.
type Action string

// The actions.
const (
	refreshToken     Action = "refresh_token"
	fixCredential    Action = "fix_credential"
	checkEnvironment Action = "check_environment"
	checkApp         Action = "check_app"
	fixWebhook       Action = "fix_webhook"
	wait             Action = "wait"
	noAction         Action = "none"
	investigate      Action = "investigate"
)

// Evidence says how much an event counts towards pruning its factor. Only strong evidence may ever lead to a delete,
// and never by itself: a dead push token is not a dead factor.
type Evidence string

// The grades of evidence.
const (
	EvidenceStrong Evidence = "strong" // an exact, unambiguous, unmasked, unrepaired factor with 52103
	EvidenceWeak   Evidence = "weak"   // the same with 52141 or 52119
	EvidenceNone   Evidence = "none"
)

// Event is one debugger event, whatever shape it came in. The strings of SIDs are as the event had them: possibly
// masked, which [Event.Masked] says.
type Event struct {
	Source          string          `json:"source"`             // the shape it was read from: webhook, payload, more_info, alert, cloudevent, …
	Envelope        string          `json:"envelope,omitempty"` // where in another system's envelope it stood, such as Records[].body
	Environment     *string         `json:"environment"`
	EventSID        string          `json:"event_sid"`
	AccountSID      string          `json:"account_sid"`
	Timestamp       time.Time       `json:"timestamp,omitzero"`
	Level           string          `json:"level"` // lower case
	Product         Product         `json:"product"`
	ErrorCode       *int            `json:"error_code"`
	ErrorName       string          `json:"error_name"`
	ServiceSID      string          `json:"service_sid"`
	Identity        string          `json:"identity"`
	EntitySID       string          `json:"entity_sid"`
	FactorSID       string          `json:"factor_sid"`
	ChallengeSID    string          `json:"challenge_sid"`
	NotificationSID string          `json:"notification_sid"`
	CredentialSID   string          `json:"credential_sid"`
	Platform        verify.Platform `json:"platform"`
	Description     string          `json:"description"`
	Verdict         Verdict         `json:"verdict"`
	Action          Action          `json:"action"`
	PruneEvidence   Evidence        `json:"prune_evidence"`
	Reasons         []string        `json:"reasons"`
	Masked          bool            `json:"masked"`
	Ambiguous       bool            `json:"ambiguous"`
	Inferred        bool            `json:"inferred"` // a SID or the environment was inferred from another field: never evidence
	Repaired        bool            `json:"repaired"` // the text had to be repaired or salvaged: never evidence
	Candidates      []Candidate     `json:"candidates"`
	Next            string          `json:"next"` // the command to paste; "" when there is none

	Encoded []byte `json:"-"` // what [Options.Encode] made of it; only until the next event is asked for
}

// Candidate is one possible reading of an ambiguous event.
type Candidate struct {
	Identity     string `json:"identity"`
	FactorSID    string `json:"factor_sid"`
	ServiceSID   string `json:"service_sid"`
	ChallengeSID string `json:"challenge_sid"`
}
