package verify

import "time"

// Entity is a user of a Service, addressed by its Identity (verify.v2.service.entity).
type Entity struct {
	SID         EntitySID  `json:"sid"`
	Identity    Identity   `json:"identity"`
	AccountSID  AccountSID `json:"account_sid"`
	ServiceSID  ServiceSID `json:"service_sid"`
	DateCreated time.Time  `json:"date_created"`
	DateUpdated time.Time  `json:"date_updated"`
}

// Platform is the way pushes reach a factor (twilio_verify_v2.json, NotificationPlatforms).
type Platform string

// The platforms. A factor of PlatformNone never gets a push; its app polls.
const (
	PlatformAPN  Platform = "apn"
	PlatformFCM  Platform = "fcm"
	PlatformNone Platform = "none"
)

// FactorStatus tells whether the device has proved that it holds the key (twilio_verify_v2.json, FactorStatuses).
type FactorStatus string

// The factor statuses. There is no "deleted" or "disabled".
const (
	FactorUnverified FactorStatus = "unverified"
	FactorVerified   FactorStatus = "verified"
)

// FactorType is the kind of factor (twilio_verify_v2.json, FactorTypes).
type FactorType string

// The factor types. verifyctl is about push; the others appear in lists.
const (
	FactorPush     FactorType = "push"
	FactorTOTP     FactorType = "totp"
	FactorPasskeys FactorType = "passkeys"
)

// Factor is one registered device of an entity (verify.v2.service.entity.factor). Deleting it cannot be undone: the
// public key is returned only on creation.
type Factor struct {
	SID          FactorSID         `json:"sid"`
	AccountSID   AccountSID        `json:"account_sid"`
	ServiceSID   ServiceSID        `json:"service_sid"`
	EntitySID    EntitySID         `json:"entity_sid"`
	Identity     Identity          `json:"identity"`
	FriendlyName string            `json:"friendly_name"`
	Status       FactorStatus      `json:"status"`
	Type         FactorType        `json:"factor_type"`
	Config       FactorConfig      `json:"config"`
	Metadata     map[string]string `json:"metadata"`
	DateCreated  time.Time         `json:"date_created"`
	DateUpdated  time.Time         `json:"date_updated"` // changes with any update, a push token refresh among them
}

// FactorConfig is the push part of a factor (twilio_verify_v2.json, factor config). All fields are empty for other types.
type FactorConfig struct {
	SDKVersion    string        `json:"sdk_version"` // of Twilio's SDK, not of the app
	AppID         string        `json:"app_id"`
	Platform      Platform      `json:"notification_platform"`
	Token         PushToken     `json:"notification_token"`
	CredentialSID CredentialSID `json:"credential_sid,omitempty"` // undocumented; the mobile SDKs read it
}

// IsPush tells whether the factor is a push factor.
func (f Factor) IsPush() bool { return f.Type == FactorPush }

// CanBeChallenged tells whether a push challenge can be created for the factor: it is a push factor and verified.
func (f Factor) CanBeChallenged() bool { return f.IsPush() && f.Status == FactorVerified }
