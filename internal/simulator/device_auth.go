package simulator

import (
	"net/http"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// authenticateDevice lets a phone in: with an access token where a factor is made, elsewhere with a JWT that it signed
// with the factor's key. A phone sets its clock by the Date of a 401 and tries once more, so stale times are a 401 too.
func (c *call) authenticateDevice(r *route, password string) error {
	if !r.device {
		return errUnauthenticated
	}
	if r.name == "CreateNewFactor" {
		return c.authenticateEnrolment(password)
	}
	f, err := c.readDeviceJWT(password)
	if err != nil {
		return err
	}
	if f == nil {
		return errUnauthenticated
	}
	c.caller, c.account = f, f.entity.service.account
	if c.args[0] != f.entity.service.sid || len(c.args) > 1 && c.args[1] != f.entity.identity {
		return refuse(http.StatusForbidden, 20006, "Access Denied")
	}
	ownFactor := r.name == "UpdateFactor" || r.name == "DeleteFactor"
	if f.status != verified && !ownFactor {
		return refuse(http.StatusForbidden, 60318, "Factor is unverified")
	}
	return nil
}

func (c *call) authenticateEnrolment(token string) error {
	a, err := accessTokenTable.find(c.tx, "token = ? AND created + ttl * 1000 > ?", token, millis(c.now))
	if err != nil {
		return err
	}
	if a == nil {
		return errUnauthenticated
	}
	c.token = a
	_, err = c.row([]any{&c.account}, "SELECT account_sid FROM services WHERE seq = ?", a.serviceID)
	return err
}

// readDeviceJWT gives the factor whose device signed a JWT, nil when it did not. The header names the key by the
// factor's config.credential_sid, the payload holds sub (the account), nbf and exp.
func (c *call) readDeviceJWT(token string) (*factor, error) {
	parsed, _, err := jwt.NewParser().ParseUnverified(token, jwt.MapClaims{})
	if err != nil {
		return nil, nil // a bad token is no failure of ours
	}
	kid, _ := parsed.Header["kid"].(string)
	f, err := c.factorBy("credential", kid)
	if err != nil || f == nil {
		return nil, err
	}
	key, err := c.key(f)
	if err != nil {
		return nil, nil // a factor without a key, such as TOTP, signs nothing
	}
	claims, ok := verifyJWT(token, key)
	if !ok || claims["sub"] != f.entity.service.account || !c.isCurrent(claims) {
		return nil, nil
	}
	return f, nil
}

// clockTolerance is how far ahead a phone's clock may be before its tokens count as not yet valid.
const clockTolerance = 30 * time.Second

func (c *call) isCurrent(claims map[string]any) bool {
	notBefore, hasNBF := claims["nbf"].(float64)
	expires, hasEXP := claims["exp"].(float64)
	now := float64(c.now.Unix())
	return hasNBF && hasEXP && notBefore <= now+clockTolerance.Seconds() && now < expires
}
