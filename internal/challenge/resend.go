package challenge

import (
	"context"
	"fmt"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// CheckResend says why the push of a challenge cannot be sent again now, with the next command, and gives nil when it
// can: the challenge is answered or expired, the factor's platform is none (Twilio would answer 60307), or the factor is
// not verified (60318). Neither a zero factor nor a missing platform is held against it.
func CheckResend(env verify.Environment, c verify.Challenge, f verify.Factor, now time.Time) error {
	again := env.Command("challenge", "resend", string(c.SID), "--identity", string(c.Identity), "--or-recreate")
	switch {
	case isAnswered(c):
		return refusal(verify.KindFailed, "challenge %s was already %s%s", c.SID, c.Status, ago(c.DateResponded, now)).
			WithHint("a new question needs a new challenge: %s", env.Command("challenge", "create",
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
	case !GetsPush(f):
		return refusal(verify.KindFailed, "factor %s has the %s", f.SID, noPush).
			WithHint("ask the user to open the app; follow the challenge: %s",
				env.Command("challenge", "watch", string(c.SID), "--identity", string(c.Identity)))
	}
	return nil
}

// Expired tells whether a challenge can no longer be answered: Twilio says so, or its expiration date has passed while
// it was pending (when Twilio changes the status is not documented).
func Expired(c verify.Challenge, now time.Time) bool {
	return c.Status == verify.ChallengeExpired ||
		c.Status == verify.ChallengePending && !c.ExpirationDate.IsZero() && !now.Before(c.ExpirationDate)
}

// remaining gives the life a challenge has left, never below zero.
func remaining(c verify.Challenge, now time.Time) time.Duration {
	return max(0, c.ExpirationDate.Sub(now))
}

// ResendTTL gives how long the provider should try to deliver a resend: what was asked, else the challenge's remaining
// life, in whole seconds, at most verify.MaxNotificationTTL and never beyond the challenge's life, so that a phone that
// was off does not ring for a question nobody can answer any more. A nil asked is the default; zero is one attempt.
func ResendTTL(asked *time.Duration, c verify.Challenge, now time.Time) time.Duration {
	ttl := min(remaining(c, now), verify.MaxNotificationTTL)
	if asked != nil {
		ttl = min(ttl, max(0, *asked))
	}
	return ttl.Truncate(time.Second)
}

// Again gives the order that replaces an expired challenge: the same question with the same life, about the same action.
// A challenge without an action id gets one made from its SID, so that however often it is replaced there is one new
// challenge. Service, factor and commands are the caller's to fill in.
func Again(old verify.Challenge) Order {
	r := Request{Message: old.Details.Message, Fields: old.Details.Fields, Hidden: old.HiddenDetails,
		Expires: old.ExpirationDate.Sub(old.DateCreated).Round(time.Second)}
	if r.Expires < time.Second || r.Expires > verify.MaxChallengeTTL {
		r.Expires = verify.DefaultChallengeTTL
	}
	if r.Action() == "" {
		r.ActionID = "verifyctl-again-" + string(old.SID)
	}
	return Order{Request: r}
}

// notifier sends the push of a challenge again.
type notifier interface {
	CreateNotification(context.Context, verify.ServiceSID, verify.Identity, verify.ChallengeSID, time.Duration) (verify.Notification, error)
}

// resendLog counts the resends of a challenge from this machine, durably and across processes. Twilio does not tell: a
// notification can neither be listed nor read (twilio_verify_v2.json has no such operation).
type resendLog interface {
	// ReserveResend counts one more before it is sent; used is how many counted before. With limit or more of them it
	// takes nothing and the id is 0.
	ReserveResend(ctx context.Context, c verify.ChallengeSID, at time.Time, limit int) (id int64, used int, err error)
	// FinishResend says what became of it; a refused one counts no more.
	FinishResend(ctx context.Context, id int64, outcome verify.SendOutcome, n verify.NotificationSID) error
}

// Resender sends pushes again, and counts each before it goes.
type Resender struct {
	Env      verify.Environment // for the commands in hints
	Notifier notifier
	Log      resendLog
	Clock    clock
}

// Resent is one resend that Twilio accepted, which says nothing about delivery.
type Resent struct {
	Notification verify.Notification
	TTL          time.Duration
	Used         int   // resends of this challenge from this machine, this one and lost ones included
	Forgotten    error // it was sent, but this machine could not write that down: it counts as maybe sent; nil when it could
}

// Resend sends the push of a pending challenge again, once. An error of the kind partial means that it may have been
// sent: it counts as used and is not repeated. Of the kind limit are Twilio's own limit (60309), whoever used it up, and
// our count having reached it, when nothing is sent at all. After any other error it was not sent.
func (r Resender) Resend(ctx context.Context, c verify.Challenge, ttl time.Duration) (Resent, error) {
	id, used, err := r.Log.ReserveResend(ctx, c.SID, r.Clock.Now(), verify.MaxNotifications)
	switch {
	case err != nil:
		return Resent{}, fmt.Errorf("nothing was sent, because it could not be recorded first: %w", err)
	case id == 0:
		return Resent{Used: used}, r.limit(c, fmt.Sprintf("%d resends of challenge %s went out from here, Twilio allows %d", used,
			c.SID, verify.MaxNotifications), nil)
	}
	sent, err := r.Notifier.CreateNotification(ctx, c.ServiceSID, c.Identity, c.SID, ttl)
	switch {
	case err == nil:
		forgotten := r.Log.FinishResend(ctx, id, verify.SendDone, sent.SID)
		return Resent{Notification: sent, TTL: ttl, Used: used + 1, Forgotten: forgotten}, nil
	case outcomeUnknown(ctx, err): // which is what the log says since it was reserved
		return Resent{Used: used + 1}, r.maybeSent(ctx, c, used+1, err)
	}
	_ = r.Log.FinishResend(ctx, id, verify.SendRefused, "") // else one too many counts as used, which rings no phone
	if verify.CodeOf(err) == limitReached {
		return Resent{Used: used}, r.limit(c, fmt.Sprintf("Twilio allows %d resends of a challenge, and challenge %s has had them",
			verify.MaxNotifications, c.SID), err)
	}
	return Resent{Used: used}, err
}

// The codes that end all resends of a challenge (Twilio error dictionary, 60307 and 60309).
const (
	platformNone = 60307
	limitReached = 60309
)

func (r Resender) limit(c verify.Challenge, message string, cause error) error {
	err := &verify.Error{Kind: verify.KindLimit, Message: message, Cause: cause, TwilioCode: verify.CodeOf(cause)}
	return err.WithHint("it can still be answered in the app; once it has expired, replace it: %s", r.Env.Command("challenge", "resend", string(c.SID),
		"--identity", string(c.Identity), "--or-recreate"))
}

func (r Resender) maybeSent(ctx context.Context, c verify.Challenge, used int, cause error) error {
	err := &verify.Error{Kind: verify.KindPartial, Cause: cause, Message: fmt.Sprintf(
		"the push of challenge %s may have been sent again: no answer came. It counts as used, %d of %d from here, "+
			"and is not sent again by itself", c.SID, used, verify.MaxNotifications)}
	if ctx.Err() != nil {
		err.Kind = verify.KindInterrupted
	}
	return err.WithHint("see whether it gets answered: %s", r.Env.Command("challenge", "watch", string(c.SID),
		"--identity", string(c.Identity)))
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
