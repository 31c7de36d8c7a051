// Package verify is the vocabulary of verifyctl: the resources of Twilio Verify Push, the SIDs that name them, the
// environments they live in and the errors that concern them. It does nothing by itself and imports only the standard
// library, so every other package can speak it.
package verify

import "time"

// Service is a Verify Service (twilio_verify_v2.json, verify.v2.service): one environment's users and push set-up.
type Service struct {
	SID          ServiceSID  `json:"sid"`
	AccountSID   AccountSID  `json:"account_sid"`
	FriendlyName string      `json:"friendly_name"`
	Push         *PushConfig `json:"push"` // nil when the reply had none
	TOTP         bool        `json:"totp_configured"`
	Passkeys     bool        `json:"passkeys_configured"`
	DateCreated  time.Time   `json:"date_created"`
	DateUpdated  time.Time   `json:"date_updated"`

	Settings ServiceSettings `json:"-"` // as the reply had them; one that it lacked is not known
}

// ServiceSettings are settings of a Service by their names in [ServiceSettingNames], as text: true, 6, a,b. An empty text is
// null.
type ServiceSettings map[string]string

// ServiceSettingNames are the settings of a Service that can be declared, by the path of each in Twilio's replies, and
// Twilio's parameter for it (twilio_verify_v2.json, CreateService and UpdateService).
var ServiceSettingNames = []struct{ Name, Param string }{
	{"friendly_name", "FriendlyName"},
	{"push.apn_credential_sid", "Push.ApnCredentialSid"},
	{"push.fcm_credential_sid", "Push.FcmCredentialSid"},
	{"code_length", "CodeLength"},
	{"lookup_enabled", "LookupEnabled"},
	{"totp.issuer", "Totp.Issuer"},
	{"totp.time_step", "Totp.TimeStep"},
	{"totp.code_length", "Totp.CodeLength"},
	{"totp.skew", "Totp.Skew"},
	{"passkeys.relying_party.id", "Passkeys.RelyingParty.Id"},
	{"passkeys.relying_party.name", "Passkeys.RelyingParty.Name"},
	{"passkeys.relying_party.origins", "Passkeys.RelyingParty.Origins"},
	{"passkeys.authenticator_attachment", "Passkeys.AuthenticatorAttachment"},
	{"passkeys.discoverable_credentials", "Passkeys.DiscoverableCredentials"},
	{"passkeys.user_verification", "Passkeys.UserVerification"},
	{"verify_event_subscription_enabled", "VerifyEventSubscriptionEnabled"},
}

// PushConfig is a Service's push object: exactly one credential for each platform (twilio_verify_v2.json, push).
type PushConfig struct {
	IncludeDate      bool          `json:"include_date"` // deprecated by Twilio since 2022-05
	APNCredentialSID CredentialSID `json:"apn_credential_sid"`
	FCMCredentialSID CredentialSID `json:"fcm_credential_sid"`
}

// CredentialSID gives the credential the Service uses for a platform, "" when it has none.
func (s Service) CredentialSID(p Platform) CredentialSID {
	switch {
	case s.Push == nil:
		return ""
	case p == PlatformAPN:
		return s.Push.APNCredentialSID
	case p == PlatformFCM:
		return s.Push.FCMCredentialSID
	}
	return ""
}

// Webhook is a Verify webhook of a Service: where factor and challenge events are posted (verify.v2.service.webhook).
type Webhook struct {
	SID          WebhookSID `json:"sid"`
	ServiceSID   ServiceSID `json:"service_sid"`
	AccountSID   AccountSID `json:"account_sid"`
	FriendlyName string     `json:"friendly_name"`
	EventTypes   []string   `json:"event_types"`
	Status       string     `json:"status"`  // enabled or disabled
	Version      string     `json:"version"` // v1 or v2
	URL          string     `json:"webhook_url"`
	Method       string     `json:"webhook_method"`
	DateCreated  time.Time  `json:"date_created"`
	DateUpdated  time.Time  `json:"date_updated"`
}

// Account is what api.twilio.com tells of an account (2010-04-01/Accounts/{AC}.json).
type Account struct {
	SID             AccountSID `json:"sid"`
	OwnerAccountSID AccountSID `json:"owner_account_sid"` // its own SID for a main account
	FriendlyName    string     `json:"friendly_name"`
	Status          string     `json:"status"` // active, suspended or closed
	Type            string     `json:"type"`   // Trial or Full
}
