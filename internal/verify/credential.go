package verify

import (
	"strings"
	"time"
)

// Sandbox is what a push credential says about Apple's environments.
type Sandbox string

// The values of Sandbox. Anything that is not clearly true or false is unknown, and unknown is never healthy.
const (
	SandboxTrue    Sandbox = "true"    // SandboxTrue serves builds signed for debugging.
	SandboxFalse   Sandbox = "false"   // SandboxFalse serves TestFlight, Ad Hoc and store builds.
	SandboxUnknown Sandbox = "unknown" // SandboxUnknown is missing, null, empty or another word.
)

// ParseSandbox reads Twilio's sandbox value, a string spelled "True" or "False" in any case, or null
// (twilio_notify_v1.json, credential). Everything else is unknown.
func ParseSandbox(raw *string) Sandbox {
	switch {
	case raw == nil:
		return SandboxUnknown
	case strings.EqualFold(*raw, "true"):
		return SandboxTrue
	case strings.EqualFold(*raw, "false"):
		return SandboxFalse
	}
	return SandboxUnknown
}

// The credential types (twilio_notify_v1.json, PushService). "gcm" is Google's legacy service, shut down in 2024.
const (
	CredentialAPN = "apn"
	CredentialFCM = "fcm"
	CredentialGCM = "gcm"
)

// Credential is a push credential (twilio_notify_v1.json, notify.v1.credential). Certificates, keys, expiry dates and
// bundle ids are write-only: no API gives them back.
type Credential struct {
	SID          CredentialSID `json:"sid"`
	AccountSID   AccountSID    `json:"account_sid"`
	FriendlyName string        `json:"friendly_name"`
	Type         string        `json:"type"`
	Sandbox      Sandbox       `json:"sandbox"`
	SandboxText  *string       `json:"sandbox_text"` // exactly as Twilio sent it
	DateCreated  time.Time     `json:"date_created"`
	DateUpdated  time.Time     `json:"date_updated"`
	ReadFrom     string        `json:"read_from"` // notify or conversations: which API answered
}
