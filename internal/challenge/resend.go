package challenge

import (
	"fmt"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// CheckResend says why the push of a challenge cannot be sent again now, with the next command, and gives nil when it
// can: the challenge is answered or expired, the factor's platform is none (Twilio would answer 60307), or the factor is
// not verified (60318). Neither a zero factor nor a missing platform is held against it.
func CheckResend(env string, c verify.Challenge, f verify.Factor, now time.Time) error {
	again := verify.Command(env, "challenge", "resend", string(c.SID), "--identity", string(c.Identity), "--or-recreate")
	switch {
	case c.Status == verify.ChallengeApproved || c.Status == verify.ChallengeDenied:
		return refusal(verify.KindFailed, "challenge %s was already %s%s", c.SID, c.Status, ago(c.DateResponded, now)).
			WithHint("a new question needs a new challenge: %s", verify.Command(env, "challenge", "create",
				string(c.Identity), "--factor", string(c.FactorSID), "--message", c.Details.Message))
	case Expired(c, now):
		return refusal(verify.KindExpired, "challenge %s expired%s, its push cannot be sent again", c.SID,
			ago(c.ExpirationDate, now)).
			WithHint("replace it by a new one of the same action: %s", again)
	case c.Status != verify.ChallengePending:
		return refusal(verify.KindFailed, "challenge %s has the status %q, only a pending one can be sent again", c.SID,
			c.Status)
	case f.SID != "" && f.Status != verify.FactorVerified:
		return CheckFactor(env, f)
	case f.Config.Platform == verify.PlatformNone:
		return refusal(verify.KindFailed, "factor %s has the platform none: it never gets a push, its app polls", f.SID).
			WithHint("ask the user to open the app; follow the challenge: %s",
				verify.Command(env, "challenge", "watch", string(c.SID), "--identity", string(c.Identity)))
	}
	return nil
}

// Expired tells whether a challenge can no longer be answered: Twilio says so, or its expiration date has passed while
// it was pending (when Twilio changes the status is not documented).
func Expired(c verify.Challenge, now time.Time) bool {
	return c.Status == verify.ChallengeExpired ||
		c.Status == verify.ChallengePending && !c.ExpirationDate.IsZero() && !now.Before(c.ExpirationDate)
}

// Remaining gives the life a challenge has left, never below zero.
func Remaining(c verify.Challenge, now time.Time) time.Duration {
	return max(0, c.ExpirationDate.Sub(now))
}

// ResendTTL gives how long the provider should try to deliver a resend: what was asked, else the challenge's remaining
// life, in whole seconds, at most verify.MaxNotificationTTL and never beyond the challenge's life, so that a phone that
// was off does not ring for a question nobody can answer any more. A nil asked is the default; zero is one attempt.
func ResendTTL(asked *time.Duration, c verify.Challenge, now time.Time) time.Duration {
	ttl := min(Remaining(c, now), verify.MaxNotificationTTL)
	if asked != nil {
		ttl = min(ttl, max(0, *asked))
	}
	return ttl.Truncate(time.Second)
}

func refusal(kind verify.Kind, format string, args ...any) *verify.Error {
	return &verify.Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// ago gives " 2m0s ago" for a known past time, and nothing otherwise.
func ago(then, now time.Time) string {
	if then.IsZero() || then.After(now) {
		return ""
	}
	return fmt.Sprintf(" %v ago", now.Sub(then).Truncate(time.Second))
}
