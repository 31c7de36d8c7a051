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

// WantedSandbox gives what the sandbox of an APNs credential must be for a build; unknown where the build does not say.
func (b IOSBuild) WantedSandbox() Sandbox {
	switch b {
	case IOSDebug:
		return SandboxTrue
	case IOSDistribution:
		return SandboxFalse
	}
	return SandboxUnknown
}

// CheckSandbox is the rule of which APNs credential a Service may get: one whose sandbox is known and is the one that the
// declared build needs. The error is a refusal that says why not; it is nil for an FCM credential.
func (e Environment) CheckSandbox(credentialType string, sandbox Sandbox) error {
	want := e.IOSBuild.WantedSandbox()
	switch {
	case strings.EqualFold(credentialType, CredentialFCM):
		return nil
	case !strings.EqualFold(credentialType, CredentialAPN):
		return Refusedf("it is of type %q, which serves neither APNs nor FCM", credentialType)
	case e.IOSBuild == IOSNone:
		return Refusedf("%s declares ios_build: none, so it needs no APNs credential", e.Name).
			WithHint("if it has an iOS app, declare how it is signed: %s, or debug", e.Config.Command("env", "set", e.Name, "ios_build=distribution"))
	case want == SandboxUnknown:
		return Refusedf("%s does not declare how its iOS app is signed, so which APNs credential would serve it is not known", e.Name).
			WithHint("declare it: %s, or distribution", e.Config.Command("env", "set", e.Name, "ios_build=debug"))
	case sandbox != want:
		return Refusedf("it has sandbox %s, but %s has %s builds: Apple would refuse every push", sandbox, e.Name, e.IOSBuild)
	}
	return nil
}

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

// CredentialWrite is what a push credential is made of, or changed to: empty fields are not sent (twilio_notify_v1.json,
// CreateCredential and UpdateCredential; only the first takes Type).
type CredentialWrite struct {
	Type         string
	FriendlyName string  // at most 64 characters
	Sandbox      Sandbox // of an APNs credential
	Certificate  string  // of an APNs credential, PEM
	PrivateKey   Secret  // of an APNs credential, PEM
	Secret       Secret  // of an FCM credential, the JSON of a service account
	ReadFrom     string  // the API that answers with credentials, as [Credential.ReadFrom]; "" for Notify
}

// CredentialFile is what the file of a push credential told before it was uploaded, which no API gives back. It never has
// the key.
type CredentialFile struct {
	CredentialSID CredentialSID // that was made of it; "" when that is not known
	Platform      Platform
	Fingerprint   string    // keyed hash of the certificate or the service account
	NotAfter      time.Time // of a certificate; zero for what does not expire
	Topics        []string  // bundle ids that a certificate is for
	Project       string    // of Firebase, as a service account names it
	KeyID         string    // of a service account
	At            time.Time // when it was uploaded or recorded
	Updated       time.Time // date_updated of the credential then, by Twilio's clock; zero when it is not known
}
