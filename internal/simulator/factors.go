package simulator

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"unicode/utf8"
)

// What Twilio documents about factors: statuses, types and platforms (twilio_verify_v2.json, factor_enum_*) and limits
// (CreateNewFactor; errors 60315 and 60326).
const (
	unverified = "unverified"
	verified   = "verified"

	typePush = "push"
	typeTOTP = "totp"

	platformAPN  = "apn"
	platformFCM  = "fcm"
	platformNone = "none"

	maxPushFactors    = 20
	maxTOTPFactors    = 100
	maxFactorsPerDay  = 100
	maxFriendlyName   = 64
	maxAppID          = 100
	minToken          = 32
	maxToken          = 255
	maxFactorMetadata = 1024
)

// factor is a Factor as stored, with its Entity.
type factor struct {
	seq                     int64
	sid, name, status, kind string
	entityID                int64
	entity                  *entity // filled in by the code that reads it
	credential              string
	publicKey, secret       sql.NullString
	platform, token         sql.NullString
	appID, sdkVersion       sql.NullString
	totp, metadata          sql.NullString
	attempts                int
	tokenDead               bool
	created, updated        int64
}

type factorJSON struct {
	SID      string          `json:"sid"`
	Account  string          `json:"account_sid"`
	Service  string          `json:"service_sid"`
	Entity   string          `json:"entity_sid"`
	Identity string          `json:"identity"`
	Created  string          `json:"date_created"`
	Updated  string          `json:"date_updated"`
	Name     string          `json:"friendly_name"`
	Status   string          `json:"status"`
	Kind     string          `json:"factor_type"`
	Config   any             `json:"config"`
	Metadata json.RawMessage `json:"metadata"`
	URL      string          `json:"url"`
}

// newFactorJSON is a factor at its creation, the only time its binding is shown.
type newFactorJSON struct {
	factorJSON
	Binding any `json:"binding"`
	Options any `json:"options"`
}

type pushConfig struct {
	SDKVersion string  `json:"sdk_version"`
	AppID      string  `json:"app_id"`
	Platform   string  `json:"notification_platform"`
	Token      *string `json:"notification_token"`
	// Credential is not in the OpenAPI document, but Twilio's mobile SDKs refuse a factor without it and name it as the
	// key of their tokens.
	Credential string `json:"credential_sid,omitempty"`
}

type pushBinding struct {
	Alg       string `json:"alg"`
	PublicKey string `json:"public_key"`
}

func (c *call) factorJSON(f *factor) factorJSON {
	e := f.entity
	return factorJSON{
		SID: f.sid, Account: e.service.account, Service: e.service.sid, Entity: e.sid, Identity: e.identity,
		Created: iso(f.created), Updated: iso(f.updated), Name: f.name, Status: f.status, Kind: f.kind,
		Config: c.factorConfig(f), Metadata: rawOrNull(f.metadata),
		URL: c.link("v2", "Services", e.service.sid, "Entities", e.identity, "Factors", f.sid),
	}
}

func (c *call) factorConfig(f *factor) any {
	if f.kind == typeTOTP {
		return json.RawMessage(f.totp.String)
	}
	config := pushConfig{f.sdkVersion.String, f.appID.String, f.platform.String, orNull(f.token), f.credential}
	if c.s.opts.OmitCredentialSID {
		config.Credential = ""
	}
	return config
}

var factorTable = table[factor]{"factors", "seq, sid, entity_id, friendly_name, status, type, credential, public_key, secret, platform, token, " +
	"app_id, sdk_version, totp, metadata, attempts, token_dead, created, updated",
	func(f *factor) []any {
		return []any{&f.seq, &f.sid, &f.entityID, &f.name, &f.status, &f.kind, &f.credential, &f.publicKey, &f.secret, &f.platform, &f.token,
			&f.appID, &f.sdkVersion, &f.totp, &f.metadata, &f.attempts, &f.tokenDead, &f.created, &f.updated}
	}}

// factorOf reads a factor of an entity, nil when it has none with that SID.
func (t *tx) factorOf(e *entity, sid string) (*factor, error) {
	f, err := factorTable.find(t, "sid = ? AND entity_id = ?", sid, e.seq)
	if f != nil {
		f.entity = e
	}
	return f, err
}

// factorFor is factorOf for a request about something else: that there is none is the 404 of the factor's path.
func (t *tx) factorFor(e *entity, sid string) (*factor, error) {
	f, err := t.factorOf(e, sid)
	if err == nil && f == nil {
		err = notFound("/v2/Services/" + e.service.sid + "/Entities/" + e.identity + "/Factors/" + sid)
	}
	return f, err
}

// factorBy reads a factor with its entity and Service by a column of its own, nil when there is none.
func (t *tx) factorBy(column, value string) (*factor, error) {
	f, err := factorTable.find(t, column+" = ?", value)
	if err != nil || f == nil {
		return nil, err
	}
	if f.entity, err = entityTable.find(t, "seq = ?", f.entityID); err != nil {
		return nil, err
	}
	f.entity.service, err = serviceTable.find(t, "seq = ?", f.entity.serviceID)
	return f, err
}

// factor is the factor that the path names. A phone reaches its own only.
func (c *call) factor() (*factor, error) {
	e, err := c.entity()
	if err != nil {
		return nil, err
	}
	f, err := c.factorOf(e, c.args[2])
	if err != nil {
		return nil, err
	}
	if f == nil || c.caller != nil && c.caller.sid != f.sid {
		return nil, c.notFound()
	}
	return f, nil
}

func listFactors(c *call, e *entity) (reply, error) {
	return listing[factor, factorJSON]{
		key: "factors", from: factorTable, where: "entity_id = ?", args: []any{e.seq},
		show: func(f *factor) factorJSON {
			f.entity = e
			return c.factorJSON(f)
		},
	}.page(c)
}

func createFactor(c *call, s *service) (reply, error) {
	identity := c.args[1]
	if err := checkIdentity(identity); err != nil {
		return reply{}, err
	}
	if c.token != nil && (c.token.serviceID != s.seq || c.token.identity != identity) {
		return reply{}, refuse(http.StatusForbidden, 60313, "Unauthorized factor creation")
	}
	f, binding, err := c.readNewFactor(s)
	if err != nil {
		return reply{}, err
	}
	if f.entity, err = c.entityOf(s, identity); err != nil {
		return reply{}, err
	}
	if f.entity == nil {
		if f.entity, err = c.newEntity(s, identity); err != nil {
			return reply{}, err
		}
	}
	if err := c.checkFactorLimits(f); err != nil {
		return reply{}, err
	}
	f.sid, f.credential = c.newSID("YF"), c.newSID("CR")
	if f.kind == typeTOTP {
		binding = c.bindTOTP(f)
	}
	if err := c.insertFactor(f); err != nil {
		return reply{}, err
	}
	if err := c.installed(f); err != nil {
		return reply{}, err
	}
	return created(newFactorJSON{c.factorJSON(f), binding, nil}), c.announce(f, nil, "factor.created")
}

func (t *tx) insertFactor(f *factor) error {
	f.entityID = f.entity.seq
	return factorTable.insert(t, f)
}

// readNewFactor takes a factor out of the form (twilio_verify_v2.json, CreateNewFactor).
func (c *call) readNewFactor(s *service) (*factor, any, error) {
	if err := c.require("FriendlyName", "FactorType"); err != nil {
		return nil, nil, err
	}
	f := &factor{name: c.form.text("FriendlyName"), kind: c.form.text("FactorType"), status: unverified, created: millis(c.now), updated: millis(c.now)}
	err := checkFriendlyName(f.name)
	if err != nil {
		return nil, nil, err
	}
	if f.metadata, err = c.stringMap("Metadata", maxFactorMetadata); err != nil {
		return nil, nil, err
	}
	switch f.kind {
	case typePush:
		binding, err := c.readPushFactor(f)
		return f, binding, err
	case typeTOTP:
		return f, nil, c.readTOTPFactor(f, s)
	}
	return nil, nil, invalid(60369, "Invalid factor type: '%s'", f.kind)
}

func checkFriendlyName(name string) error {
	if n := utf8.RuneCountInString(name); n == 0 || n > maxFriendlyName {
		return invalid(60306, "Invalid FriendlyName: it must have 1 to %d characters", maxFriendlyName)
	}
	return nil
}

func (c *call) readPushFactor(f *factor) (pushBinding, error) {
	binding := pushBinding{c.form.text("Binding.Alg"), c.form.text("Binding.PublicKey")}
	if binding.Alg != "ES256" {
		return binding, invalid(60314, "Invalid Binding.Alg: only ES256 is supported")
	}
	if _, err := parsePublicKey(binding.PublicKey); err != nil {
		return binding, invalid(60314, "Invalid Binding.PublicKey: %s", err)
	}
	f.publicKey = valid(binding.PublicKey)
	for _, name := range []string{"Config.AppId", "Config.NotificationPlatform", "Config.SdkVersion"} {
		if _, sent := c.form.get(name); !sent {
			return binding, invalid(60370, "Invalid factor config: %s is required", name)
		}
	}
	return binding, c.readPushConfig(f)
}

// readPushConfig takes over the parts of a push factor's config that were sent.
func (c *call) readPushConfig(f *factor) error {
	if app, sent := c.form.get("Config.AppId"); sent && !f.appID.Valid {
		if utf8.RuneCountInString(app) > maxAppID {
			return invalid(60370, "Invalid factor config: Config.AppId has more than %d characters", maxAppID)
		}
		f.appID = valid(app)
	}
	if version, sent := c.form.get("Config.SdkVersion"); sent {
		f.sdkVersion = valid(version)
	}
	if platform, sent := c.form.get("Config.NotificationPlatform"); sent {
		if platform != platformAPN && platform != platformFCM && platform != platformNone {
			return invalid(60370, "Invalid factor config: Config.NotificationPlatform is '%s', not apn, fcm or none", platform)
		}
		f.platform = valid(platform)
	}
	token, sent := c.form.get("Config.NotificationToken")
	switch {
	case f.platform.String == platformNone:
		f.token = sql.NullString{}
	case sent && (utf8.RuneCountInString(token) < minToken || utf8.RuneCountInString(token) > maxToken):
		return invalid(60370, "Invalid factor config: Config.NotificationToken must have %d to %d characters", minToken, maxToken)
	case sent:
		f.tokenDead = f.tokenDead && f.token.String == token
		f.token = valid(token)
	case !f.token.Valid:
		return invalid(60370, "Invalid factor config: Config.NotificationToken is required for platform %s", f.platform.String)
	}
	return nil
}

// parsePublicKey reads a P-256 key as PKIX in standard Base64.
func parsePublicKey(text string) (*ecdsa.PublicKey, error) {
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errors.New("it is not standard Base64")
	}
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, errors.New("it is not a public key in PKIX form")
	}
	key, isECDSA := parsed.(*ecdsa.PublicKey)
	if !isECDSA || key.Curve != elliptic.P256() {
		return nil, errors.New("it is not a P-256 key")
	}
	return key, nil
}

// key is the factor's public key.
func (t *tx) key(f *factor) (*ecdsa.PublicKey, error) {
	if f.publicKey.Valid {
		return parsePublicKey(f.publicKey.String)
	}
	return &t.deviceKey(f.sid).PublicKey, nil
}

// updateFactor changes a factor's name or config, or, with an AuthPayload, verifies it.
func updateFactor(c *call, f *factor) (reply, error) {
	if payload, sent := c.form.get("AuthPayload"); sent {
		return c.verifyFactor(f, payload)
	}
	if name, sent := c.form.get("FriendlyName"); sent {
		if err := checkFriendlyName(name); err != nil {
			return reply{}, err
		}
		f.name = name
	}
	var err error
	if f.kind == typePush {
		err = c.readPushConfig(f)
	} else {
		err = c.readTOTPFactor(f, f.entity.service)
	}
	if err != nil {
		return reply{}, err
	}
	f.updated = millis(c.now)
	if err := factorTable.update(c.tx, f); err != nil {
		return reply{}, err
	}
	if _, sent := c.form.get("Config.NotificationToken"); sent && c.caller != nil {
		err = c.alive(f)
	}
	return ok(c.factorJSON(f)), err
}

// verifyFactor checks the proof of possession: for push the ASN.1 signature over the factor SID, in standard Base64, for
// TOTP a code. A wrong code leaves the factor unverified without an error (twilio.com/docs/api/errors/60311).
func (c *call) verifyFactor(f *factor, payload string) (reply, error) {
	proved, err := c.provesPossession(f, payload)
	if err != nil {
		return reply{}, err
	}
	if proved && f.status != verified {
		f.status, f.updated = verified, millis(c.now)
		if err := factorTable.update(c.tx, f); err != nil {
			return reply{}, err
		}
		err = c.announce(f, nil, "factor.verified")
	}
	answer := ok(c.factorJSON(f))
	answer.header = http.Header{"Twilio-Verify-Factor-Signature": {deriveText(86, c.world.seed, "signature", f.sid)}}
	return answer, err
}

func (c *call) provesPossession(f *factor, payload string) (bool, error) {
	if f.kind == typeTOTP {
		return c.verifyTOTP(f, payload)
	}
	key, err := c.key(f)
	if err != nil {
		return false, err
	}
	signature, err := base64.StdEncoding.DecodeString(payload)
	digest := sha256.Sum256([]byte(f.sid))
	if err != nil || !ecdsa.VerifyASN1(key, digest[:], signature) {
		return false, refuse(http.StatusForbidden, 60311, "Factor verification failed")
	}
	return true, nil
}

// deleteFactor removes a factor. Its challenges stay readable, which Twilio does not document.
func deleteFactor(c *call, f *factor) (reply, error) {
	if err := c.announce(f, nil, "factor.deleted"); err != nil {
		return reply{}, err
	}
	if _, err := c.exec("DELETE FROM devices WHERE factor_sid = ?", f.sid); err != nil {
		return reply{}, err
	}
	return noContent(), factorTable.delete(c.tx, f)
}
