package simulator

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"unicode"
)

// The kinds of API key. A main key has the power of the auth token; a standard one may not read accounts or keys; a
// restricted one may do what its policy lists (twilio.com/docs/iam/api-keys).
const (
	keyMain       = "main"
	keyStandard   = "standard"
	keyRestricted = "restricted"
)

var errUnauthenticated = &apiError{
	status: http.StatusUnauthorized, code: 20003, message: "Authenticate",
	header: http.Header{"Www-Authenticate": {`Basic realm="Twilio API"`}},
}

// authenticate finds out who calls and refuses what they may not do.
func (c *call) authenticate(r *route) error {
	user, password, sent := c.req.BasicAuth()
	switch {
	case !sent:
		return errUnauthenticated
	case user == "token":
		return c.authenticateDevice(r, password)
	case strings.HasPrefix(user, "SK"):
		return c.authenticateKey(r, user, password)
	}
	return c.authenticateAccount(user, password)
}

func (c *call) authenticateAccount(sid, token string) error {
	a, err := accountTable.find(c.tx, "sid = ?", sid)
	if err != nil {
		return err
	}
	if a == nil || !equal(a.AuthToken, token) {
		return errUnauthenticated
	}
	c.account = sid
	return a.check()
}

func (c *call) authenticateKey(r *route, sid, secret string) error {
	k, err := keyTable.find(c.tx, "sid = ?", sid)
	if err != nil {
		return err
	}
	if k == nil || !equal(k.secret, secret) {
		return errUnauthenticated
	}
	a, err := accountTable.find(c.tx, "sid = ?", k.account)
	if err != nil {
		return err
	}
	if a == nil {
		return errUnauthenticated
	}
	c.account = a.SID
	if err := a.check(); err != nil {
		return err
	}
	switch {
	case k.kind == keyStandard && (r.product == iam || r.product == accounts && !strings.Contains(r.name, "Usage")):
		return errUnauthenticated
	case k.kind == keyRestricted && !permits(k.policy.String, r):
		return refuse(http.StatusForbidden, 20006, "Access Denied")
	}
	return nil
}

// check refuses accounts that cannot be used. Test credentials look like live ones and are refused by every
// resource served here (twilio.com/docs/iam/test-credentials, error 20008).
func (a Account) check() error {
	switch {
	case a.Test:
		return refuse(http.StatusForbidden, 20008, "Resource not accessible with Test Account Credentials")
	case a.Status == "suspended":
		return refuse(http.StatusForbidden, 20005, "Account not active")
	case a.Status == "closed":
		return refuse(http.StatusForbidden, 20403, "Forbidden")
	}
	return nil
}

func equal(want, got string) bool { return subtle.ConstantTimeCompare([]byte(want), []byte(got)) == 1 }

// permits tells whether a restricted key's policy, {"allow": ["/twilio/verify/factors/list", …]}, lists an operation. An
// entry that ends in * covers all that begin so. No permission for push credentials is published, so none covers them.
func permits(policy string, r *route) bool {
	var p struct {
		Allow []string `json:"allow"`
	}
	if json.Unmarshal([]byte(policy), &p) != nil || strings.Contains(r.name, "Credential") {
		return false
	}
	wanted := r.permission()
	return slices.ContainsFunc(p.Allow, func(allowed string) bool {
		prefix, wildcard := strings.CutSuffix(allowed, "*")
		return allowed == wanted || wildcard && strings.HasPrefix(wanted, prefix)
	})
}

// permission names an operation as policies do: /twilio/<product>/<resource>/<action>.
func (r *route) permission() string {
	literals := slices.DeleteFunc(slices.Clone(r.path), func(s string) bool { return strings.HasPrefix(s, "{}") })
	resource := strings.ToLower(literals[len(literals)-1])
	return "/twilio/" + r.product + "/" + strings.TrimSuffix(resource, ".json") + "/" + firstWord(r.name)
}

// firstWord gives "fetch" of "FetchService".
func firstWord(name string) string {
	if end := strings.IndexFunc(name[1:], unicode.IsUpper); end >= 0 {
		name = name[:1+end]
	}
	return strings.ToLower(name)
}
