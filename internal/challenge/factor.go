package challenge

import (
	"fmt"
	"slices"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// FactorChoice is the cause of the error of [ChooseFactor]: the factors there were. With several in Usable a person can
// be asked which.
type FactorChoice struct {
	Usable []verify.Factor // verified push factors; none or several
	Others []verify.Factor // the identity's other factors: unverified, TOTP, passkeys
}

// Error lists the factors, one after the other.
func (c *FactorChoice) Error() string {
	var lines []string
	for _, f := range c.Usable {
		lines = append(lines, describeFactor(f))
	}
	for _, f := range c.Others {
		lines = append(lines, describeFactor(f)+", cannot be challenged")
	}
	return strings.Join(lines, "; ")
}

// ChooseFactor gives the identity's only verified push factor. Otherwise the error is a [verify.Error] whose cause is a
// [FactorChoice]: of the kind not found when there is no push factor, failed when none is verified, usage when there
// are several and one must be named.
func ChooseFactor(env verify.Environment, identity verify.Identity, factors []verify.Factor) (verify.Factor, error) {
	choice := sortFactors(factors)
	if len(choice.Usable) == 1 {
		return choice.Usable[0], nil
	}
	return verify.Factor{}, choice.err(env, identity)
}

// VerifiedPush gives all verified push factors, for a challenge to every device of an identity. With none of them the
// error is that of [ChooseFactor].
func VerifiedPush(env verify.Environment, identity verify.Identity, factors []verify.Factor) ([]verify.Factor, error) {
	choice := sortFactors(factors)
	if len(choice.Usable) == 0 {
		return nil, choice.err(env, identity)
	}
	return choice.Usable, nil
}

// CheckFactor says why a named factor cannot be challenged: it is no push factor, or it is not verified (Twilio would
// answer 60318). It gives nil when it can.
func CheckFactor(env verify.Environment, f verify.Factor) error {
	switch {
	case !f.IsPush():
		return (&verify.Error{Kind: verify.KindFailed,
			Message: fmt.Sprintf("factor %s is a %s factor and gets no push", f.SID, f.Type)}).
			WithHint("see the identity's push factors: %s", env.Command("factors", "list", string(f.Identity)))
	case f.Status != verify.FactorVerified:
		return (&verify.Error{Kind: verify.KindFailed,
			Message: fmt.Sprintf("factor %s is not verified, so it cannot be challenged", f.SID)}).
			WithHint("the app must finish the enrolment; Twilio removes unverified factors after 1 to 24 hours")
	}
	return nil
}

func sortFactors(factors []verify.Factor) *FactorChoice {
	var c FactorChoice
	for _, f := range factors {
		if f.CanBeChallenged() {
			c.Usable = append(c.Usable, f)
		} else {
			c.Others = append(c.Others, f)
		}
	}
	return &c
}

func (c *FactorChoice) err(env verify.Environment, identity verify.Identity) error {
	err := &verify.Error{Cause: c}
	switch {
	case len(c.Usable) > 1:
		err.Kind = verify.KindUsage
		err.Message = fmt.Sprintf("%s has %d verified push factors: %s", identity, len(c.Usable), c)
		return err.WithHint("name one with --factor %s, or challenge all of them with --all-factors", c.Usable[0].SID)
	case slices.ContainsFunc(c.Others, verify.Factor.IsPush):
		err.Kind = verify.KindFailed
		err.Message = fmt.Sprintf("%s has no verified push factor: %s", identity, c)
		return err.WithHint("the app must finish the enrolment; Twilio removes unverified factors after 1 to 24 hours")
	case len(c.Others) > 0:
		err.Kind = verify.KindNotFound
		err.Message = fmt.Sprintf("%s has no push factor: %s", identity, c)
	default:
		err.Kind = verify.KindNotFound
		err.Message = fmt.Sprintf("%s has no factor", identity)
	}
	return err.WithHint("see what there is: %s", env.Command("factors", "list", string(identity)))
}

// describeFactor names a factor as a person would know it: SID, device and platform.
func describeFactor(f verify.Factor) string {
	kind := string(f.Type)
	if f.IsPush() {
		kind = string(f.Config.Platform)
	}
	s := fmt.Sprintf("%s %q (%s", f.SID, f.FriendlyName, kind)
	if f.Status != verify.FactorVerified {
		s += ", " + string(f.Status)
	}
	return s + ")"
}
