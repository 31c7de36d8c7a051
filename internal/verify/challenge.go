package verify

import "time"

// ChallengeStatus is the state of a challenge (twilio_verify_v2.json, ChallengeStatuses).
type ChallengeStatus string

// The challenge statuses. Only pending ones can still be answered.
const (
	ChallengePending  ChallengeStatus = "pending"
	ChallengeExpired  ChallengeStatus = "expired"
	ChallengeApproved ChallengeStatus = "approved"
	ChallengeDenied   ChallengeStatus = "denied"
)

// The limits of a challenge (twilio_verify_v2.json, CreateChallenge). Texts are counted in characters, not bytes.
const (
	MaxMessage          = 256
	MaxFields           = 20
	MaxFieldLabel       = 36
	MaxFieldValue       = 128
	MaxHiddenDetails    = 1024 // of the JSON text
	MaxNotifications    = 3    // resends of one challenge; error 60309 beyond
	MaxNotificationTTL  = 300 * time.Second
	DefaultChallengeTTL = 5 * time.Minute
	MaxChallengeTTL     = 60 * time.Minute
)

// Challenge asks the user of one factor to approve or deny something (verify.v2.service.entity.challenge). It can
// neither be deleted nor cancelled, and only the factor's own key can answer it.
type Challenge struct {
	SID             ChallengeSID      `json:"sid"`
	AccountSID      AccountSID        `json:"account_sid"`
	ServiceSID      ServiceSID        `json:"service_sid"`
	EntitySID       EntitySID         `json:"entity_sid"`
	Identity        Identity          `json:"identity"`
	FactorSID       FactorSID         `json:"factor_sid"`
	FactorType      FactorType        `json:"factor_type"`
	Status          ChallengeStatus   `json:"status"`
	RespondedReason string            `json:"responded_reason"` // none, not_needed, not_requested; "" when null
	Details         Details           `json:"details"`
	HiddenDetails   map[string]string `json:"hidden_details"`
	Metadata        map[string]any    `json:"metadata"`
	DateCreated     time.Time         `json:"date_created"`
	DateUpdated     time.Time         `json:"date_updated"`
	DateResponded   time.Time         `json:"date_responded,omitzero"`
	ExpirationDate  time.Time         `json:"expiration_date"`
}

// Details is what the phone shows.
type Details struct {
	Message string  `json:"message"`
	Fields  []Field `json:"fields"`
}

// Field is one labelled line of a challenge.
type Field struct {
	Label string `json:"label"`
	Value string `json:"value"`
}

// ActionID is the hidden detail by which backends mark the action a challenge approves, so that two challenges for one
// action can be told (Twilio's Verify Push best practices, "How do I de-duplicate challenges").
const ActionID = "action_id"

// NewChallenge is what creating a challenge takes. Limits are those of the Max constants.
type NewChallenge struct {
	FactorSID      FactorSID
	Message        string
	Fields         []Field
	HiddenDetails  map[string]string
	ExpirationDate time.Time // zero: Twilio's default of five minutes
}

// ChallengeFilter narrows a list of an identity's challenges. Zero values do not narrow.
type ChallengeFilter struct {
	FactorSID FactorSID
	Status    ChallengeStatus
	Newest    bool // newest first; Twilio's own default is oldest first
}

// Notification is one resend of a challenge's push (verify.v2.service.entity.challenge.notification). That Twilio
// accepted it says nothing about delivery, and it can never be fetched again.
type Notification struct {
	SID          NotificationSID `json:"sid"`
	AccountSID   AccountSID      `json:"account_sid"`
	ServiceSID   ServiceSID      `json:"service_sid"`
	EntitySID    EntitySID       `json:"entity_sid"`
	Identity     Identity        `json:"identity"`
	ChallengeSID ChallengeSID    `json:"challenge_sid"`
	Priority     string          `json:"priority"`
	TTL          int             `json:"ttl"` // seconds, 0 to 300
	DateCreated  time.Time       `json:"date_created"`
}
