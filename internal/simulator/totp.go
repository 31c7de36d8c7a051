package simulator

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha1" // RFC 6238 names it
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash"
	"net/http"
	"net/url"
	"strings"
)

// totpConfig is how the codes of a TOTP factor are made (RFC 6238).
type totpConfig struct {
	Alg        string `json:"alg"`
	Skew       int    `json:"skew"`
	CodeLength int    `json:"code_length"`
	TimeStep   int    `json:"time_step"`
}

type totpBinding struct {
	Secret string `json:"secret"`
	URI    string `json:"uri"`
}

// maxTOTPAttempts is after how many wrong codes a factor cannot be verified any more (error 60310).
const maxTOTPAttempts = 5

var totpHashes = map[string]func() hash.Hash{"sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New}

// readTOTPFactor takes over the config that was sent; a new factor begins with its Service's.
func (c *call) readTOTPFactor(f *factor, s *service) error {
	defaults := s.settings.TOTP
	config := totpConfig{Alg: "sha1", Skew: defaults.Skew, CodeLength: defaults.CodeLength, TimeStep: defaults.TimeStep}
	if f.totp.Valid {
		if err := json.Unmarshal([]byte(f.totp.String), &config); err != nil {
			return err
		}
	}
	if alg, sent := c.form.get("Config.Alg"); sent {
		if totpHashes[alg] == nil {
			return invalid(60370, "Invalid factor config: Config.Alg is '%s', not sha1, sha256 or sha512", alg)
		}
		config.Alg = alg
	}
	p := params{form: c.form, code: 60370}
	p.int("Config.Skew", &config.Skew, 0, 2)
	p.int("Config.CodeLength", &config.CodeLength, 3, 8)
	p.int("Config.TimeStep", &config.TimeStep, 20, 60)
	if err := p.err(); err != nil {
		return err
	}
	f.totp = valid(string(encode(config)))
	if secret, sent := c.form.get("Binding.Secret"); sent && !f.secret.Valid {
		if _, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.TrimRight(secret, "=")); err != nil || secret == "" {
			return invalid(60314, "Invalid Binding.Secret: it is not Base32")
		}
		f.secret = valid(secret)
	}
	return nil
}

// bindTOTP makes the secret of a factor that brought none, and gives what an authenticator app scans.
func (c *call) bindTOTP(f *factor) totpBinding {
	if !f.secret.Valid {
		sum := derive("totp", c.world.seed, f.sid)
		f.secret = valid(base32.StdEncoding.EncodeToString(sum[:20]))
	}
	issuer := cmp.Or(f.entity.service.settings.TOTP.Issuer, f.entity.service.name)
	config := f.totpConfig()
	return totpBinding{f.secret.String, fmt.Sprintf("otpauth://totp/%s:%s?secret=%s&issuer=%s&algorithm=%s&digits=%d&period=%d",
		url.PathEscape(issuer), url.PathEscape(f.name), f.secret.String, url.QueryEscape(issuer),
		strings.ToUpper(config.Alg), config.CodeLength, config.TimeStep)}
}

func (f *factor) totpConfig() totpConfig {
	var config totpConfig
	if err := json.Unmarshal([]byte(f.totp.String), &config); err != nil {
		return totpConfig{Alg: "sha1", CodeLength: 6, TimeStep: 30}
	}
	return config
}

// verifyTOTP tells whether a code verifies a factor, and counts wrong ones.
func (c *call) verifyTOTP(f *factor, code string) (bool, error) {
	if f.attempts >= maxTOTPAttempts {
		return false, refuse(http.StatusTooManyRequests, 60310, "Factor verification attempts reached")
	}
	if c.matchesTOTP(f, code) {
		return true, nil
	}
	_, err := c.exec("UPDATE factors SET attempts = attempts + 1 WHERE seq = ?", f.seq)
	return false, err
}

func (c *call) matchesTOTP(f *factor, code string) bool {
	config := f.totpConfig()
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.TrimRight(f.secret.String, "="))
	if err != nil {
		return false
	}
	step := c.now.Unix() / int64(config.TimeStep)
	for drift := -int64(config.Skew); drift <= int64(config.Skew); drift++ {
		if subtle.ConstantTimeCompare([]byte(totpCode(config, secret, step+drift)), []byte(code)) == 1 {
			return true
		}
	}
	return false
}

func totpCode(config totpConfig, secret []byte, step int64) string {
	mac := hmac.New(totpHashes[config.Alg], secret)
	binary.Write(mac, binary.BigEndian, step) // a hash never fails
	sum := mac.Sum(nil)
	offset := sum[len(sum)-1] & 0x0f
	number := uint64(binary.BigEndian.Uint32(sum[offset:]) & 0x7fffffff)
	modulus := uint64(1)
	for range config.CodeLength {
		modulus *= 10
	}
	return fmt.Sprintf("%0*d", config.CodeLength, number%modulus)
}
