package simulator

import (
	"database/sql"
	"unicode/utf8"
)

// accessToken lets one device enrol one identity for a short time.
type accessToken struct {
	seq           int64
	sid, identity string
	serviceID     int64
	service       *service // filled in by the code that shows it
	name          sql.NullString
	token         string
	ttl           int
	created       int64
}

type accessTokenJSON struct {
	SID      string  `json:"sid"`
	Account  string  `json:"account_sid"`
	Service  string  `json:"service_sid"`
	Identity string  `json:"entity_identity"`
	Kind     string  `json:"factor_type"`
	Name     *string `json:"factor_friendly_name"`
	Token    string  `json:"token"`
	URL      string  `json:"url"`
	TTL      int     `json:"ttl"`
	Created  string  `json:"date_created"`
}

var accessTokenTable = table[accessToken]{"access_tokens", "seq, sid, service_id, identity, friendly_name, token, ttl, created",
	func(a *accessToken) []any {
		return []any{&a.seq, &a.sid, &a.serviceID, &a.identity, &a.name, &a.token, &a.ttl, &a.created}
	}}

func (c *call) accessTokenJSON(a *accessToken) accessTokenJSON {
	s := a.service
	return accessTokenJSON{a.sid, s.account, s.sid, a.identity, typePush, orNull(a.name), a.token,
		c.link("v2", "Services", s.sid, "AccessTokens", a.sid), a.ttl, iso(a.created)}
}

// createAccessToken makes an opaque token of five parts, like Twilio's encrypted JWT (twilio_verify_v2.json,
// CreateAccessToken; error 60305).
func createAccessToken(c *call, s *service) (reply, error) {
	if err := c.require("Identity", "FactorType"); err != nil {
		return reply{}, err
	}
	a := &accessToken{sid: c.newSID("YK"), identity: c.form.text("Identity"), serviceID: s.seq, service: s, ttl: 60, created: millis(c.now)}
	name, named := c.form.get("FactorFriendlyName")
	a.name = sql.NullString{String: name, Valid: named}
	switch {
	case checkIdentity(a.identity) != nil:
		return reply{}, invalid(60305, "Access Token parameters are invalid: Identity")
	case c.form.text("FactorType") != typePush:
		return reply{}, invalid(60305, "Access Token parameters are invalid: FactorType")
	case utf8.RuneCountInString(name) > maxFriendlyName:
		return reply{}, invalid(60305, "Access Token parameters are invalid: FactorFriendlyName")
	}
	p := params{form: c.form, code: 60305}
	p.int("Ttl", &a.ttl, 60, 300)
	if err := p.err(); err != nil {
		return reply{}, err
	}
	a.token = "eyJ6aXAiOiJERUYiLCJraWQiOiJTQVNfUzNfX19LTVNfdjEiLCJjdHkiOiJ0d2lsaW8tZnBhO3Y9MSIsImVuYyI6IkEyNTZHQ00iLCJhbGciOiJkaXIifQ.." +
		c.newText(16) + "." + c.newText(320) + "." + c.newText(22)
	return created(c.accessTokenJSON(a)), accessTokenTable.insert(c.tx, a)
}

// accessToken is the token that the path names, while it is valid; later it cannot be addressed.
func (c *call) accessToken() (*accessToken, error) {
	s, err := c.service()
	if err != nil {
		return nil, err
	}
	a, err := accessTokenTable.named(c, "sid = ? AND service_id = ? AND created + ttl * 1000 > ?", c.args[1], s.seq, millis(c.now))
	if err != nil {
		return nil, err
	}
	a.service = s
	return a, nil
}
