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

// Alert is an entry of the account-wide debugger (twilio_monitor_v1.json, monitor.v1.alert). What matters of a push
// failure stands inside AlertText; package event decodes it.
type Alert struct {
	SID           AlertSID   `json:"sid"`
	AccountSID    AccountSID `json:"account_sid"`
	ServiceSID    string     `json:"service_sid"`
	ResourceSID   string     `json:"resource_sid"`
	LogLevel      string     `json:"log_level"`
	ErrorCode     string     `json:"error_code"` // a string in this API
	AlertText     string     `json:"alert_text"`
	MoreInfo      string     `json:"more_info"` // the URL of the code's page
	RequestMethod string     `json:"request_method"`
	RequestURL    string     `json:"request_url"`
	DateCreated   time.Time  `json:"date_created"`
	DateGenerated time.Time  `json:"date_generated"`
	DateUpdated   time.Time  `json:"date_updated"`

	// Only in a fetch of a single alert.
	RequestVariables string `json:"request_variables,omitempty"`
	ResponseHeaders  string `json:"response_headers,omitempty"`
	ResponseBody     string `json:"response_body,omitempty"`
}

// AlertFilter narrows a list of alerts. Zero values do not narrow. Twilio answers for the last 30 days only, with at
// most 10,000 alerts (https://www.twilio.com/docs/usage/monitor-alert).
type AlertFilter struct {
	Start, End time.Time // both included
	LogLevel   string    // error, warning, notice or debug
}
