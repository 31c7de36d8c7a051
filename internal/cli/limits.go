package cli

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/spf13/pflag"

	"github.com/verifyctl/verifyctl/internal/config"
	"github.com/verifyctl/verifyctl/internal/twilio"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// ceilingFlags are the flags of bulk work that say how hard the account may be used.
type ceilingFlags struct {
	rps         float64
	concurrency int
}

func (c *ceilingFlags) register(flags *pflag.FlagSet) {
	flags.Float64Var(&c.rps, "rps", 0, "at most this many requests a second (default: no limit; 10 in production)")
	flags.IntVar(&c.concurrency, "concurrency", 0, "at most this many requests in flight (default: 32; 4 in production)")
}

// set makes the ceilings those of this run's clients; to be called before connecting.
func (c *ceilingFlags) set(s *shell) error {
	if c.rps < 0 || c.concurrency < 0 {
		return verify.Usagef("--rps and --concurrency cannot be negative")
	}
	s.opened.ceiling.PerSecond, s.opened.ceiling.MaxInFlight = c.rps, c.concurrency
	return nil
}

// words gives the flags again, for a command that goes on.
func (c *ceilingFlags) words() []string {
	var words []string
	if c.rps > 0 {
		words = append(words, "--rps", fmt.Sprint(c.rps))
	}
	if c.concurrency > 0 {
		words = append(words, "--concurrency", fmt.Sprint(c.concurrency))
	}
	return words
}

// limiter gives the one limiter of an account, as careful as its most careful environment.
func (s *shell) limiter(env verify.Environment) *twilio.Limiter {
	if s.opened.limiters == nil {
		s.opened.limiters = map[verify.AccountSID]*twilio.Limiter{}
	}
	if s.opened.limiters[env.AccountSID] == nil {
		limits := twilio.Limits{}
		if s.sharesProduction(env) {
			limits = twilio.ProductionLimits
		}
		limits.PerSecond = cmp.Or(s.opened.ceiling.PerSecond, limits.PerSecond)
		limits.MaxInFlight = cmp.Or(s.opened.ceiling.MaxInFlight, limits.MaxInFlight)
		s.opened.limiters[env.AccountSID] = twilio.NewLimiter(limits)
	}
	return s.opened.limiters[env.AccountSID]
}

// sharesProduction tells whether an environment is production, or has its account in common with one that is: users'
// logins share the account's limit. When the other environments cannot be read, one may be.
func (s *shell) sharesProduction(env verify.Environment) bool {
	switch {
	case env.IsProduction():
		return true
	case env.Demo || env.Name == "":
		return false
	}
	targets, err := s.environments()
	return err != nil || slices.ContainsFunc(targets, func(t *config.Target) bool {
		return t.Environment.IsProduction() && verify.SameSID(t.Environment.AccountSID, env.AccountSID)
	})
}
