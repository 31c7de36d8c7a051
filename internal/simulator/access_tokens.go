package simulator

import (
	"database/sql"
	"net/http"
	"unicode/utf8"
)

func accessTokenRoutes() []route {
	return []route{
		on(verify, http.MethodPost, "v2/Services/{}/AccessTokens", "CreateAccessToken", createAccessToken),
		on(verify, http.MethodGet, "v2/Services/{}/AccessTokens/{}", "FetchAccessToken", fetchAccessToken),
	}
}

// accessToken lets one device enrol one identity for a short time.
type accessToken struct {
	sid, identity string
	service       int64
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

func (c *call) accessTokenJSON(a *accessToken, s *service) accessTokenJSON {
	return accessTokenJSON{a.sid, s.account, s.sid, a.identity, typePush, orNull(a.name), a.token,
		c.link("v2", "Services", s.sid, "AccessTokens", a.sid), a.ttl, iso(a.created)}
}

// createAccessToken makes an opaque token of five parts, like Twilio's encrypted JWT (twilio_verify_v2.json,
// CreateAccessToken; error 60305).
func createAccessToken(c *call) (reply, error) {
	s, err := c.service()
	if err != nil {
		return reply{}, err
	}
	a := accessToken{sid: c.newSID("YK"), service: s.seq, ttl: 60, created: millis(c.now)}
	var sent bool
	if a.identity, sent = c.form.get("Identity"); !sent {
		return reply{}, missing("Identity")
	}
	kind, sent := c.form.get("FactorType")
	if !sent {
		return reply{}, missing("FactorType")
	}
	if checkIdentity(a.identity) != nil {
		return reply{}, invalid(60305, "Access Token parameters are invalid: Identity")
	}
	if kind != typePush {
		return reply{}, invalid(60305, "Access Token parameters are invalid: FactorType")
	}
	if name, sent := c.form.get("FactorFriendlyName"); sent {
		if utf8.RuneCountInString(name) > maxFriendlyName {
			return reply{}, invalid(60305, "Access Token parameters are invalid: FactorFriendlyName")
		}
		a.name = sql.NullString{String: name, Valid: true}
	}
	p := params{form: c.form, code: 60305}
	p.int("Ttl", &a.ttl, 60, 300)
	if err := p.err(); err != nil {
		return reply{}, err
	}
	a.token = "eyJ6aXAiOiJERUYiLCJraWQiOiJTQVNfUzNfX19LTVNfdjEiLCJjdHkiOiJ0d2lsaW8tZnBhO3Y9MSIsImVuYyI6IkEyNTZHQ00iLCJhbGciOiJkaXIifQ.." +
		c.newText(16) + "." + c.newText(320) + "." + c.newText(22)
	_, err = c.exec("INSERT INTO access_tokens (sid, service_id, identity, friendly_name, token, ttl, created) VALUES (?, ?, ?, ?, ?, ?, ?)",
		a.sid, a.service, a.identity, a.name, a.token, a.ttl, a.created)
	if err != nil {
		return reply{}, err
	}
	return created(c.accessTokenJSON(&a, s)), nil
}

// fetchAccessToken gives a token while it is valid; later it cannot be addressed.
func fetchAccessToken(c *call) (reply, error) {
	s, err := c.service()
	if err != nil {
		return reply{}, err
	}
	a, err := c.accessTokenBy("sid", c.args[1])
	if err != nil {
		return reply{}, err
	}
	if a == nil || a.service != s.seq {
		return reply{}, c.notFound()
	}
	return ok(c.accessTokenJSON(a, s)), nil
}

// accessTokenBy reads a token that is still valid, nil when there is none.
func (t *tx) accessTokenBy(column, value string) (*accessToken, error) {
	var a accessToken
	found, err := t.row([]any{&a.sid, &a.service, &a.identity, &a.name, &a.token, &a.ttl, &a.created},
		"SELECT sid, service_id, identity, friendly_name, token, ttl, created FROM access_tokens WHERE "+column+" = ? AND created + ttl * 1000 > ?",
		value, millis(t.now))
	if err != nil || !found {
		return nil, err
	}
	return &a, nil
}
