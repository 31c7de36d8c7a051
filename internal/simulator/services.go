package simulator

import (
	"database/sql"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"
)

// service is a Verify Service as stored.
type service struct {
	seq              int64
	sid, account     string
	name             string
	apn, fcm         sql.NullString
	includeDate      bool
	settings         serviceSettings
	created, updated int64
}

// serviceSettings are the parts that have nothing to do with push; they are kept and given back.
type serviceSettings struct {
	codeSettings
	channelSettings
	IOSBuild Build `json:"ios_build,omitempty"` // of the app that enrols there; no API shows it
}

type codeSettings struct {
	CodeLength int     `json:"code_length"`
	Lookup     bool    `json:"lookup_enabled"`
	PSD2       bool    `json:"psd2_enabled"`
	SkipSMS    bool    `json:"skip_sms_to_landlines"`
	DTMF       bool    `json:"dtmf_input_required"`
	TTSName    *string `json:"tts_name"`
	DoNotShare bool    `json:"do_not_share_warning_enabled"`
	CustomCode bool    `json:"custom_code_enabled"`
}

type channelSettings struct {
	TOTP            serviceTOTP     `json:"totp"`
	DefaultTemplate *string         `json:"default_template_sid"`
	WhatsApp        serviceWhatsApp `json:"whatsapp"`
	Passkeys        servicePasskeys `json:"passkeys"`
	VerifyEvents    bool            `json:"verify_event_subscription_enabled"`
}

type serviceTOTP struct {
	Issuer     string `json:"issuer"`
	TimeStep   int    `json:"time_step"`
	CodeLength int    `json:"code_length"`
	Skew       int    `json:"skew"`
}

type serviceWhatsApp struct {
	MessagingService *string `json:"msg_service_sid"`
	From             *string `json:"from"`
}

type servicePasskeys struct {
	RelyingParty     relyingParty `json:"relying_party"`
	Attachment       *string      `json:"authenticator_attachment"`
	Discoverable     *string      `json:"discoverable_credentials"`
	UserVerification *string      `json:"user_verification"`
}

type relyingParty struct {
	ID      *string  `json:"id"`
	Name    *string  `json:"name"`
	Origins []string `json:"origins"`
}

// newServiceSettings are the documented defaults (twilio_verify_v2.json, CreateService).
func newServiceSettings() serviceSettings {
	return serviceSettings{
		codeSettings:    codeSettings{CodeLength: 6, DTMF: true},
		channelSettings: channelSettings{TOTP: serviceTOTP{TimeStep: 30, CodeLength: 6, Skew: 1}},
	}
}

type serviceJSON struct {
	SID     string `json:"sid"`
	Account string `json:"account_sid"`
	Name    string `json:"friendly_name"`
	codeSettings
	Push servicePush `json:"push"`
	channelSettings
	Created string       `json:"date_created"`
	Updated string       `json:"date_updated"`
	URL     string       `json:"url"`
	Links   serviceLinks `json:"links"`
}

type servicePush struct {
	IncludeDate bool    `json:"include_date"`
	APN         *string `json:"apn_credential_sid"`
	FCM         *string `json:"fcm_credential_sid"`
}

type serviceLinks struct {
	Checks         string `json:"verification_checks"`
	Verifications  string `json:"verifications"`
	RateLimits     string `json:"rate_limits"`
	Configurations string `json:"messaging_configurations"`
	Entities       string `json:"entities"`
	Webhooks       string `json:"webhooks"`
	AccessTokens   string `json:"access_tokens"`
}

func (c *call) serviceJSON(s *service) serviceJSON {
	link := func(last string) string { return c.link("v2", "Services", s.sid, last) }
	return serviceJSON{
		SID: s.sid, Account: s.account, Name: s.name, codeSettings: s.settings.codeSettings,
		Push: servicePush{s.includeDate, orNull(s.apn), orNull(s.fcm)}, channelSettings: s.settings.channelSettings,
		Created: iso(s.created), Updated: iso(s.updated), URL: c.link("v2", "Services", s.sid),
		Links: serviceLinks{link("VerificationCheck"), link("Verifications"), link("RateLimits"),
			link("MessagingConfigurations"), link("Entities"), link("Webhooks"), link("AccessTokens")},
	}
}

var serviceTable = table[service]{"services", "seq, sid, account_sid, friendly_name, apn_credential, fcm_credential, include_date, settings, created, updated",
	func(s *service) []any {
		return []any{&s.seq, &s.sid, &s.account, &s.name, &s.apn, &s.fcm, &s.includeDate, asJSON{&s.settings}, &s.created, &s.updated}
	}}

// serviceBySID reads a Service, whoever's it is; nil when there is none.
func (t *tx) serviceBySID(sid string) (*service, error) { return serviceTable.find(t, "sid = ?", sid) }

// service is the Service that the path names, which must be the caller's.
func (c *call) service() (*service, error) {
	return serviceTable.named(c, "sid = ? AND account_sid = ?", c.args[0], c.account)
}

func listServices(c *call) (reply, error) {
	return listing[service, serviceJSON]{
		key: "services", from: serviceTable, where: "account_sid = ?", args: []any{c.account}, show: c.serviceJSON,
	}.page(c)
}

func createService(c *call) (reply, error) {
	if err := c.require("FriendlyName"); err != nil {
		return reply{}, err
	}
	s := &service{account: c.account, settings: newServiceSettings(), created: millis(c.now), updated: millis(c.now)}
	if err := c.readService(s); err != nil {
		return reply{}, err
	}
	s.sid = c.newSID("VA")
	if err := serviceTable.insert(c.tx, s); err != nil {
		return reply{}, err
	}
	after := c.serviceJSON(s)
	return created(after), c.record(auditedService, s.sid, nil, after)
}

func updateService(c *call, s *service) (reply, error) {
	before := c.serviceJSON(s)
	if err := c.readService(s); err != nil {
		return reply{}, err
	}
	s.updated = millis(c.now)
	if err := serviceTable.update(c.tx, s); err != nil {
		return reply{}, err
	}
	after := c.serviceJSON(s)
	return ok(after), c.record(auditedService, s.sid, before, after)
}

func deleteService(c *call, s *service) (reply, error) {
	for _, statement := range []string{
		"DELETE FROM devices WHERE factor_sid IN (SELECT f.sid FROM factors f JOIN entities e ON e.seq = f.entity_id WHERE e.service_id = ?)",
		"DELETE FROM challenges WHERE entity_id IN (SELECT seq FROM entities WHERE service_id = ?)",
		"DELETE FROM factors WHERE entity_id IN (SELECT seq FROM entities WHERE service_id = ?)",
		"DELETE FROM entities WHERE service_id = ?",
		"DELETE FROM webhooks WHERE service_id = ?",
		"DELETE FROM access_tokens WHERE service_id = ?",
		"DELETE FROM services WHERE seq = ?",
	} {
		if _, err := c.exec(statement, s.seq); err != nil {
			return reply{}, err
		}
	}
	return noContent(), c.record(auditedService, s.sid, c.serviceJSON(s), nil)
}

// readService takes over the parameters that were sent (twilio_verify_v2.json, CreateService and UpdateService).
func (c *call) readService(s *service) error {
	p := params{form: c.form, code: 60200}
	if name, sent := c.form.get("FriendlyName"); sent {
		p.check("FriendlyName", serviceNameProblem(name))
		s.name = name
	}
	p.credential("Push.ApnCredentialSid", &s.apn)
	p.credential("Push.FcmCredentialSid", &s.fcm)
	p.bool("Push.IncludeDate", &s.includeDate)
	g := &s.settings
	p.int("CodeLength", &g.CodeLength, 4, 10)
	p.bool("LookupEnabled", &g.Lookup)
	p.bool("SkipSmsToLandlines", &g.SkipSMS)
	p.bool("DtmfInputRequired", &g.DTMF)
	p.bool("Psd2Enabled", &g.PSD2)
	p.bool("DoNotShareWarningEnabled", &g.DoNotShare)
	p.bool("CustomCodeEnabled", &g.CustomCode)
	p.bool("VerifyEventSubscriptionEnabled", &g.VerifyEvents)
	p.text("TtsName", &g.TTSName)
	p.sid("DefaultTemplateSid", "HJ", &g.DefaultTemplate)
	if issuer, sent := c.form.get("Totp.Issuer"); sent {
		g.TOTP.Issuer = issuer
	}
	p.int("Totp.TimeStep", &g.TOTP.TimeStep, 20, 60)
	p.int("Totp.CodeLength", &g.TOTP.CodeLength, 3, 8)
	p.int("Totp.Skew", &g.TOTP.Skew, 0, 2)
	p.sid("Whatsapp.MsgServiceSid", "MG", &g.WhatsApp.MessagingService)
	p.text("Whatsapp.From", &g.WhatsApp.From)
	p.text("Passkeys.RelyingParty.Id", &g.Passkeys.RelyingParty.ID)
	p.text("Passkeys.RelyingParty.Name", &g.Passkeys.RelyingParty.Name)
	if origins, sent := c.form.get("Passkeys.RelyingParty.Origins"); sent {
		g.Passkeys.RelyingParty.Origins = strings.Split(origins, ",")
	}
	p.text("Passkeys.AuthenticatorAttachment", &g.Passkeys.Attachment)
	p.text("Passkeys.DiscoverableCredentials", &g.Passkeys.Discoverable)
	p.text("Passkeys.UserVerification", &g.Passkeys.UserVerification)
	return p.err()
}

// maxServiceName is what the parameter's text allows; the reply's text says 30 (twilio_verify_v2.json, FriendlyName).
const maxServiceName = 32

func serviceNameProblem(name string) string {
	digits := 0
	for _, r := range name {
		switch {
		case unicode.IsDigit(r):
			digits++
		case unicode.IsLetter(r) || r == ' ' || r == '-' || r == '_':
		default:
			return "only letters, digits, spaces, dashes and underscores are allowed"
		}
	}
	switch {
	case name == "":
		return "it is empty"
	case utf8.RuneCountInString(name) > maxServiceName:
		return "it is longer than 32 characters"
	case digits > 4:
		return "it has more than 4 digits"
	}
	return ""
}

// emptyOf lists what a Service has none of here: the parts of Verify that have nothing to do with push.
func emptyOf(key string) func(*call, *service) (reply, error) {
	return func(c *call, _ *service) (reply, error) {
		return listing[service, serviceJSON]{key: key, from: serviceTable, where: "0 = 1", show: c.serviceJSON}.page(c)
	}
}

// createVerification refuses to send a code: every channel but push is off here (error 60223).
func createVerification(c *call, _ *service) (reply, error) {
	if err := c.require("Channel"); err != nil {
		return reply{}, err
	}
	return reply{}, refuse(http.StatusForbidden, 60223, "Delivery channel disabled: %s", c.form.text("Channel"))
}

// checkVerification finds no code to check, as none was sent.
func checkVerification(c *call) (reply, error) { return reply{}, c.notFound() }
