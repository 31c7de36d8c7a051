package simulator

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// The types of push credential (twilio_notify_v1.json, credential_enum_push_service).
const (
	typeAPN = "apn"
	typeFCM = "fcm"
	typeGCM = "gcm"
)

// credential is a push credential as stored.
type credential struct {
	seq                int64
	sid, account, name string
	kind               string
	sandbox            sql.NullString
	contents           CredentialContents
	created, updated   int64
}

// CredentialContents are what is in a push credential and what the providers think of it. Twilio never shows any of it:
// only failing pushes do. The zero value is a credential in order that fits every app.
type CredentialContents struct {
	Expires      time.Time `json:"expires,omitzero"`        // of an APNs certificate, zero for never
	Topic        string    `json:"topic,omitempty"`         // the bundle id of an APNs certificate, "" for any
	VoIP         bool      `json:"voip,omitempty"`          // an APNs certificate for VoIP only
	Project      string    `json:"project,omitempty"`       // of an FCM key, "" for any
	Legacy       bool      `json:"legacy,omitempty"`        // an FCM server key instead of a service account
	NoPermission bool      `json:"no_permission,omitempty"` // an FCM service account that may not send messages
	Revoked      bool      `json:"revoked,omitempty"`       // by Apple or Google
	KeyMismatch  bool      `json:"key_mismatch,omitempty"`  // an APNs certificate and private key that do not belong together
	Malformed    bool      `json:"malformed,omitempty"`     // cannot be parsed by the sender
	Empty        bool      `json:"empty,omitempty"`
	OmitSandbox  bool      `json:"omit_sandbox,omitempty"` // the API leaves the key sandbox out
}

type credentialJSON struct {
	SID     string          `json:"sid"`
	Account string          `json:"account_sid"`
	Name    string          `json:"friendly_name"`
	Kind    string          `json:"type"`
	Sandbox json.RawMessage `json:"sandbox,omitempty"` // "True", "False" or null, as Twilio writes it
	Created string          `json:"date_created"`
	Updated string          `json:"date_updated"`
	URL     string          `json:"url"`
}

func (c *call) credentialJSON(cr *credential) credentialJSON {
	version := "v1"
	if strings.Contains(c.req.URL.Path, "v2/Credentials") {
		version = "v2"
	}
	var sandbox json.RawMessage
	if !cr.contents.OmitSandbox {
		sandbox = encode(orNull(cr.sandbox))
	}
	return credentialJSON{cr.sid, cr.account, cr.name, cr.kind, sandbox, iso(cr.created), iso(cr.updated),
		c.link(version, "Credentials", cr.sid)}
}

var credentialTable = table[credential]{"credentials", "seq, sid, account_sid, friendly_name, type, sandbox, contents, created, updated",
	func(cr *credential) []any {
		return []any{&cr.seq, &cr.sid, &cr.account, &cr.name, &cr.kind, &cr.sandbox, asJSON{&cr.contents}, &cr.created, &cr.updated}
	}}

func (c *call) credential() (*credential, error) {
	return credentialTable.named(c, "sid = ? AND account_sid = ?", c.args[0], c.account)
}

func listCredentials(c *call) (reply, error) {
	l := listing[credential, credentialJSON]{
		key: "credentials", from: credentialTable, where: "account_sid = ?", args: []any{c.account}, show: c.credentialJSON,
	}
	if c.product == conversations {
		l.maxSize = 100
	}
	return l.page(c)
}

func createCredential(c *call) (reply, error) {
	if err := c.require("Type"); err != nil {
		return reply{}, err
	}
	cr := &credential{sid: c.newSID("CR"), account: c.account, kind: strings.ToLower(c.form.text("Type")), created: millis(c.now), updated: millis(c.now)}
	var required []string
	switch cr.kind {
	case typeAPN:
		required = []string{"Certificate", "PrivateKey"}
		cr.sandbox = valid("False")
	case typeFCM:
		required = []string{"Secret"}
	case typeGCM:
		required = []string{"ApiKey"}
	default:
		return reply{}, invalid(20001, "Cannot create credentials record. 'Type' must be gcm, apn or fcm")
	}
	for _, name := range required {
		if c.form.text(name) == "" {
			return reply{}, invalid(20001, "Cannot create credentials record. '%s' must be present", name)
		}
	}
	if err := c.readCredential(cr); err != nil {
		return reply{}, err
	}
	if err := credentialTable.insert(c.tx, cr); err != nil {
		return reply{}, err
	}
	after := c.credentialJSON(cr)
	return created(after), c.record(auditedCredential, cr.sid, nil, after)
}

func updateCredential(c *call, cr *credential) (reply, error) {
	before := c.credentialJSON(cr)
	if err := c.readCredential(cr); err != nil {
		return reply{}, err
	}
	cr.updated = millis(c.now)
	if err := credentialTable.update(c.tx, cr); err != nil {
		return reply{}, err
	}
	after := c.credentialJSON(cr)
	return ok(after), c.record(auditedCredential, cr.sid, before, after)
}

// deleteCredential removes a credential, in use or not; a Service that names it goes on naming it.
func deleteCredential(c *call, cr *credential) (reply, error) {
	if err := credentialTable.delete(c.tx, cr); err != nil {
		return reply{}, err
	}
	return noContent(), c.record(auditedCredential, cr.sid, c.credentialJSON(cr), nil)
}

// readCredential takes over the parameters that were sent (twilio_notify_v1.json, CreateCredential). What it learns
// from a certificate or a key decides how pushes with it fare.
func (c *call) readCredential(cr *credential) error {
	if name, sent := c.form.get("FriendlyName"); sent {
		if utf8.RuneCountInString(name) > maxFriendlyName {
			return invalid(20001, "'FriendlyName' must have at most %d characters", maxFriendlyName)
		}
		cr.name = name
	}
	if cr.kind != typeAPN {
		return c.readFCMKey(cr)
	}
	var sandbox bool
	if _, sent := c.form.get("Sandbox"); sent {
		p := params{form: c.form, code: 20001}
		p.bool("Sandbox", &sandbox)
		if err := p.err(); err != nil {
			return err
		}
		cr.sandbox = valid(map[bool]string{true: "True", false: "False"}[sandbox])
	}
	return c.readCertificate(cr)
}

func (c *call) readCertificate(cr *credential) error {
	text, sent := c.form.get("Certificate")
	if !sent {
		return nil
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" {
		return invalid(20001, "Could not parse certificate")
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return invalid(20001, "Could not parse certificate")
	}
	_, err = tls.X509KeyPair([]byte(text), []byte(c.form.text("PrivateKey")))
	cr.contents = CredentialContents{Expires: certificate.NotAfter.UTC(), Topic: topicOf(certificate), KeyMismatch: err != nil}
	return nil
}

// topicOf gives the bundle id of an APNs certificate: the user id of its subject.
func topicOf(certificate *x509.Certificate) string {
	userID := asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}
	for _, name := range certificate.Subject.Names {
		if value, isText := name.Value.(string); isText && name.Type.Equal(userID) {
			return value
		}
	}
	return ""
}

// readFCMKey tells a service account from a legacy server key: both go into the same parameter.
func (c *call) readFCMKey(cr *credential) error {
	secret, sent := c.form.get(map[bool]string{true: "ApiKey", false: "Secret"}[cr.kind == typeGCM])
	if !sent {
		return nil
	}
	var account struct {
		Type    string `json:"type"`
		Project string `json:"project_id"`
	}
	isJSON := json.Unmarshal([]byte(secret), &account) == nil
	cr.contents = CredentialContents{
		Legacy:    !strings.HasPrefix(strings.TrimSpace(secret), "{"),
		Malformed: strings.HasPrefix(strings.TrimSpace(secret), "{") && (!isJSON || account.Project == ""),
		Project:   account.Project,
	}
	return nil
}

// SetCredentialContents changes what is in a push credential and what the providers think of it. No reply shows it;
// the next pushes do.
func (s *Simulator) SetCredentialContents(ctx context.Context, sid string, contents CredentialContents) error {
	return s.update(ctx, func(t *tx) error {
		changed, err := t.exec("UPDATE credentials SET contents = ? WHERE sid = ?", string(encode(contents)), sid)
		if err == nil && changed == 0 {
			return fmt.Errorf("credential %s: %w", sid, ErrNotFound)
		}
		return err
	})
}
