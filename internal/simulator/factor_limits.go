package simulator

import "net/http"

// checkFactorLimits refuses a factor that would be one too many, or that exists already.
func (c *call) checkFactorLimits(f *factor) error {
	var count int
	if _, err := c.row([]any{&count}, "SELECT count(*) FROM factors WHERE entity_id = ? AND type = ?", f.entity.seq, f.kind); err != nil {
		return err
	}
	switch {
	case f.kind == typePush && count >= maxPushFactors:
		return invalid(60315, "Reached max limit of %d push Factors associated per Entity", maxPushFactors)
	case f.kind == typeTOTP && count >= maxTOTPFactors:
		return invalid(60315, "Reached max limit of %d totp Factors associated per Entity", maxTOTPFactors)
	}
	if f.publicKey.Valid {
		var same int
		_, err := c.row([]any{&same}, "SELECT count(*) FROM factors WHERE entity_id = ? AND public_key = ?", f.entity.seq, f.publicKey.String)
		if err != nil {
			return err
		}
		if same > 0 {
			return refuse(http.StatusConflict, 60317, "Factor already exists")
		}
	}
	return c.countFactor(f.entity)
}

// countFactor holds the limit of factors made for an entity per day, deleted ones included. Twilio does not say when
// its day begins; here it is the UTC day.
func (c *call) countFactor(e *entity) error {
	today := c.now.Unix() / 86400
	var day int64
	var made int
	if _, err := c.row([]any{&day, &made}, "SELECT factor_day, factors_made FROM entities WHERE seq = ?", e.seq); err != nil {
		return err
	}
	if day != today {
		made = 0
	}
	if made >= maxFactorsPerDay {
		return refuse(http.StatusTooManyRequests, 60326, "Too many requests to create factors for the entity")
	}
	_, err := c.exec("UPDATE entities SET factor_day = ?, factors_made = ? WHERE seq = ?", today, made+1, e.seq)
	return err
}
