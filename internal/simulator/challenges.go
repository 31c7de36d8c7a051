package simulator

import (
	"crypto/ecdsa"
	"database/sql"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
)

// What Twilio documents about challenges (twilio_verify_v2.json, challenge_enum_* and CreateChallenge).
const (
	pending  = "pending"
	expired  = "expired"
	approved = "approved"
	denied   = "denied"

	defaultExpiry      = 5 * time.Minute
	maxExpiry          = 60 * time.Minute
	maxMessage         = 256
	maxFields          = 20
	maxLabel           = 36
	maxValue           = 128
	maxHiddenDetails   = 1024
	maxPushAuthPayload = 5456
)

// defaultSignatureFields are the keys a phone signs, as one public client of the real API does; Twilio does not publish
// the list.
var defaultSignatureFields = []string{"account_sid", "service_sid", "identity", "factor_sid", "sid", "date_created",
	"expiration_date", "details", "hidden_details"}

// challenge is a Challenge as stored, with its Entity.
type challenge struct {
	seq                       int64
	sid, factorSID, kind      string
	entityID                  int64
	entity                    *entity // filled in by the code that reads it
	status                    string
	details                   challengeDetails
	hidden, metadata          sql.NullString
	notifications             int
	created, updated, expires int64
	responded                 sql.NullInt64
}

type challengeDetails struct {
	Message string           `json:"message"`
	Fields  []challengeField `json:"fields"`
	// Date is left out unless the Service includes it: Twilio's Android SDK cannot read a null.
	Date string `json:"date,omitempty"`
}

type challengeField struct {
	Label string `json:"label"`
	Value string `json:"value"`
}

type challengeJSON struct {
	SID       string           `json:"sid"`
	Account   string           `json:"account_sid"`
	Service   string           `json:"service_sid"`
	Entity    string           `json:"entity_sid"`
	Identity  string           `json:"identity"`
	Factor    string           `json:"factor_sid"`
	Created   string           `json:"date_created"`
	Updated   string           `json:"date_updated"`
	Responded *string          `json:"date_responded"`
	Expires   string           `json:"expiration_date"`
	Status    string           `json:"status"`
	Reason    string           `json:"responded_reason"`
	Details   challengeDetails `json:"details"`
	Hidden    json.RawMessage  `json:"hidden_details"`
	Metadata  json.RawMessage  `json:"metadata"`
	Kind      string           `json:"factor_type"`
	URL       string           `json:"url"`
	Links     struct {
		Notifications string `json:"notifications"`
	} `json:"links"`
}

func (c *call) challengeJSON(ch *challenge) challengeJSON {
	e := ch.entity
	url := c.link("v2", "Services", e.service.sid, "Entities", e.identity, "Challenges", ch.sid)
	j := challengeJSON{
		SID: ch.sid, Account: e.service.account, Service: e.service.sid, Entity: e.sid, Identity: e.identity, Factor: ch.factorSID,
		Created: iso(ch.created), Updated: iso(ch.updated), Responded: isoOrNull(ch.responded), Expires: iso(ch.expires),
		Status: ch.status, Reason: "none", Details: ch.details, Hidden: rawOrNull(ch.hidden), Metadata: rawOrNull(ch.metadata),
		Kind: ch.kind, URL: url,
	}
	j.Links.Notifications = url + "/Notifications"
	return j
}

var challengeTable = table[challenge]{"challenges", "seq, sid, entity_id, factor_sid, factor_type, status, details, hidden_details, metadata, " +
	"notifications, created, updated, expires, responded",
	func(ch *challenge) []any {
		return []any{&ch.seq, &ch.sid, &ch.entityID, &ch.factorSID, &ch.kind, &ch.status, asJSON{&ch.details}, &ch.hidden, &ch.metadata,
			&ch.notifications, &ch.created, &ch.updated, &ch.expires, &ch.responded}
	}}

// asOfNow is a challenge that was read: one that nobody answered in time is expired since its end.
func (t *tx) asOfNow(ch *challenge, e *entity) *challenge {
	ch.entity = e
	if ch.status == pending && ch.expires <= millis(t.now) {
		ch.status, ch.updated = expired, ch.expires
	}
	return ch
}

// challenge is the challenge that the path names. A phone reaches those of its own factor only.
func (c *call) challenge() (*challenge, error) {
	e, err := c.entity()
	if err != nil {
		return nil, err
	}
	ch, err := challengeTable.named(c, "sid = ? AND entity_id = ?", c.args[2], e.seq)
	if err != nil {
		return nil, err
	}
	if c.caller != nil && c.caller.sid != ch.factorSID {
		return nil, c.notFound()
	}
	return c.asOfNow(ch, e), nil
}

func listChallenges(c *call, e *entity) (reply, error) {
	l := listing[challenge, challengeJSON]{
		key: "challenges", from: challengeTable, where: "entity_id = ?", args: []any{e.seq},
		show: func(ch *challenge) challengeJSON { return c.challengeJSON(c.asOfNow(ch, e)) },
	}
	if sid, sent := c.query.get("FactorSid"); sent && !isSID("YF", sid) {
		return reply{}, invalid(60362, "Invalid factor SID: '%s'", sid)
	}
	l.filter(c, "FactorSid", "factor_sid")
	if c.caller != nil {
		l.and("factor_sid = ?", c.caller.sid)
	}
	l.filters = append(l.filters, "Status", "Order")
	if status, sent := c.query.get("Status"); sent {
		if status != pending && status != expired && status != approved && status != denied {
			return reply{}, invalid(60306, "Invalid Status: '%s'", status)
		}
		l.and("CASE WHEN status = 'pending' AND expires <= ? THEN 'expired' ELSE status END = ?", millis(c.now), status)
	}
	switch order, sent := c.query.get("Order"); {
	case !sent || order == "asc":
	case order == "desc":
		l.newest = true
	default:
		return reply{}, invalid(60306, "Invalid Order: '%s'", order)
	}
	return l.page(c)
}

// fetchChallenge tells a phone, while the challenge is pending, which keys of the reply it has to sign.
func fetchChallenge(c *call, ch *challenge) (reply, error) {
	answer := ok(c.challengeJSON(ch))
	if ch.kind == typePush && ch.status == pending {
		answer.header = http.Header{"Twilio-Verify-Signature-Fields": {strings.Join(c.signatureFields(), ",")}}
	}
	return answer, nil
}

func (t *tx) signatureFields() []string {
	if len(t.world.settings.SignatureFields) > 0 {
		return t.world.settings.SignatureFields
	}
	return defaultSignatureFields
}

func createChallenge(c *call, e *entity) (reply, error) {
	sid, sent := c.form.get("FactorSid")
	switch {
	case !sent:
		return reply{}, missing("FactorSid")
	case !isSID("YF", sid):
		return reply{}, invalid(60362, "Invalid factor SID: '%s'", sid)
	}
	f, err := c.factorFor(e, sid)
	if err != nil {
		return reply{}, err
	}
	ch, err := c.readChallenge(f)
	if err != nil {
		return reply{}, err
	}
	if f.status != verified {
		return reply{}, refuse(http.StatusForbidden, 60318, "Factor is unverified")
	}
	ch.sid = c.newSID("YC")
	if err := c.insertChallenge(ch); err != nil {
		return reply{}, err
	}
	switch {
	case f.kind == typePush:
		err = c.push(f, ch, c.newSID("NT"))
	case ch.status == approved:
		err = c.announce(f, ch, "challenge.approved")
	}
	return created(c.challengeJSON(ch)), err
}

func (t *tx) insertChallenge(ch *challenge) error {
	ch.entityID = ch.entity.seq
	return challengeTable.insert(t, ch)
}

// readChallenge takes a challenge out of the form (twilio_verify_v2.json, CreateChallenge).
func (c *call) readChallenge(f *factor) (*challenge, error) {
	now := millis(c.now)
	ch := &challenge{entity: f.entity, factorSID: f.sid, kind: f.kind, status: pending, created: now, updated: now}
	var err error
	if ch.expires, err = c.readExpiry(); err != nil {
		return nil, err
	}
	if ch.details, err = c.readDetails(f); err != nil {
		return nil, err
	}
	if ch.hidden, err = c.stringMap("HiddenDetails", maxHiddenDetails); err != nil {
		return nil, err
	}
	if f.kind == typeTOTP {
		code, sent := c.form.get("AuthPayload")
		switch {
		case sent && (len(code) < 3 || len(code) > 8):
			return nil, invalid(60306, "Invalid AuthPayload: it must have 3 to 8 characters")
		case sent && c.matchesTOTP(f, code):
			ch.status, ch.responded = approved, sql.NullInt64{Int64: now, Valid: true}
		}
	}
	return ch, nil
}

func (c *call) readExpiry() (int64, error) {
	text, sent := c.form.get("ExpirationDate")
	if !sent || text == "" {
		return millis(c.now.Add(defaultExpiry)), nil
	}
	expires, err := time.Parse(time.RFC3339, text)
	switch {
	case err != nil:
		return 0, invalid(60306, "Invalid ExpirationDate: '%s' is not an ISO 8601 date", text)
	case !expires.After(c.now):
		return 0, invalid(60306, "Invalid ExpirationDate: it is not in the future")
	case expires.After(c.now.Add(maxExpiry)):
		return 0, invalid(60306, "Invalid ExpirationDate: it is more than %d minutes ahead", maxExpiry/time.Minute)
	}
	return millis(expires), nil
}

// readDetails reads the message and the fields. An empty Details.Fields means none: Twilio's own function templates
// send it so.
func (c *call) readDetails(f *factor) (challengeDetails, error) {
	details := challengeDetails{Fields: []challengeField{}}
	if f.entity.service.includeDate {
		details.Date = iso(millis(c.now))
	}
	var sent bool
	details.Message, sent = c.form.get("Details.Message")
	switch {
	case f.kind == typePush && details.Message == "":
		return details, invalid(60368, "Invalid challenge details: Details.Message is required for push")
	case sent && utf8.RuneCountInString(details.Message) > maxMessage:
		return details, invalid(60368, "Invalid challenge details: Details.Message has more than %d characters", maxMessage)
	}
	for _, text := range c.form["Details.Fields"] {
		if text == "" {
			continue
		}
		field, problem := parseField(text)
		if problem != "" {
			return details, invalid(60368, "Invalid challenge details: Details.Fields: %s", problem)
		}
		details.Fields = append(details.Fields, field)
	}
	if len(details.Fields) > maxFields {
		return details, invalid(60368, "Invalid challenge details: there are more than %d fields", maxFields)
	}
	return details, nil
}

func parseField(text string) (challengeField, string) {
	var raw struct{ Label, Value *string }
	dec := json.NewDecoder(strings.NewReader(text))
	if err := dec.Decode(&raw); err != nil || dec.More() {
		return challengeField{}, "each must be one JSON object with a label and a value"
	}
	switch {
	case raw.Label == nil || raw.Value == nil:
		return challengeField{}, "label and value are required"
	case utf8.RuneCountInString(*raw.Label) > maxLabel:
		return challengeField{}, "a label has more than 36 characters"
	case utf8.RuneCountInString(*raw.Value) > maxValue:
		return challengeField{}, "a value has more than 128 characters"
	}
	return challengeField{*raw.Label, *raw.Value}, ""
}

// answerChallenge takes the signed answer of a phone, or a TOTP code. In which order Twilio checks is not known.
func answerChallenge(c *call, ch *challenge) (reply, error) {
	payload, sent := c.form.get("AuthPayload")
	if !sent || len(payload) > maxPushAuthPayload {
		return reply{}, invalid(60306, "Invalid AuthPayload: it is required and has at most %d characters", maxPushAuthPayload)
	}
	metadata, err := c.stringMap("Metadata", maxFactorMetadata)
	if err != nil {
		return reply{}, err
	}
	if err := checkOpen(ch); err != nil {
		return reply{}, err
	}
	f, err := c.factorFor(ch.entity, ch.factorSID)
	if err != nil {
		return reply{}, err
	}
	status := c.readAnswer(f, ch, payload)
	if status == "" {
		return reply{}, refuse(http.StatusForbidden, 60324, "Challenge verification failed")
	}
	if err := c.settle(f, ch, status, metadata); err != nil {
		return reply{}, err
	}
	answer := ok(c.challengeJSON(ch))
	answer.header = http.Header{"Twilio-Verify-Challenge-Signature": {deriveText(86, c.world.seed, "signature", ch.sid)}}
	return answer, nil
}

// settle stores the answer to a challenge.
func (c *call) settle(f *factor, ch *challenge, status string, metadata sql.NullString) error {
	now := millis(c.now)
	ch.status, ch.updated, ch.responded, ch.metadata = status, now, sql.NullInt64{Int64: now, Valid: true}, metadata
	if err := challengeTable.update(c.tx, ch); err != nil {
		return err
	}
	return c.announce(f, ch, "challenge."+status)
}

// checkOpen refuses a challenge that can no longer be answered or sent again.
func checkOpen(ch *challenge) error {
	switch ch.status {
	case expired:
		return refuse(http.StatusForbidden, 60323, "Challenge expired")
	case approved, denied:
		return refuse(http.StatusForbidden, 60322, "Challenge already responded")
	}
	return nil
}

// readAnswer gives the status that an AuthPayload proves, "" when it proves nothing: a compact ES256 JWT by the
// factor's key that holds every signature field as the challenge has it, and "status".
func (c *call) readAnswer(f *factor, ch *challenge, payload string) string {
	if f.kind == typeTOTP {
		if c.matchesTOTP(f, payload) {
			return approved
		}
		return ""
	}
	key, err := c.key(f)
	if err != nil {
		return ""
	}
	claims, ok := verifyJWT(payload, key)
	if !ok {
		return ""
	}
	var body map[string]any
	if json.Unmarshal(encode(c.challengeJSON(ch)), &body) != nil {
		return ""
	}
	for _, name := range c.signatureFields() {
		signed, present := claims[name]
		if name != "status" && (!present || !reflect.DeepEqual(signed, body[name])) {
			return ""
		}
	}
	if status := claims["status"]; status == approved || status == denied {
		return status.(string)
	}
	return ""
}

// verifyJWT checks the signature of a compact ES256 JWT and gives its payload. Times in it are not looked at.
func verifyJWT(token string, key *ecdsa.PublicKey) (map[string]any, bool) {
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"ES256"}), jwt.WithoutClaimsValidation())
	claims := jwt.MapClaims{}
	_, err := parser.ParseWithClaims(token, claims, func(*jwt.Token) (any, error) { return key, nil })
	return claims, err == nil
}
