package cli

import (
	"cmp"
	"fmt"

	"github.com/spf13/pflag"

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
		if _, careful := s.production(env); careful {
			limits = twilio.ProductionLimits
		}
		limits.PerSecond = cmp.Or(s.opened.ceiling.PerSecond, limits.PerSecond)
		limits.MaxInFlight = cmp.Or(s.opened.ceiling.MaxInFlight, limits.MaxInFlight)
		s.opened.limiters[env.AccountSID] = twilio.NewLimiter(limits)
	}
	return s.opened.limiters[env.AccountSID]
}

// production names the environment for which the account of env is read carefully: env itself when it is production, else
// one that shares its account, because users' logins share the account's limit. When the other environments cannot be read,
// one may be, and the name is "".
func (s *shell) production(env verify.Environment) (name string, careful bool) {
	switch {
	case env.IsProduction():
		return env.Name, true
	case env.Demo || env.Name == "":
		return "", false
	}
	targets, err := s.environments()
	for _, t := range targets {
		if t.Environment.IsProduction() && verify.SameSID(t.Environment.AccountSID, env.AccountSID) {
			return t.Environment.Name, true
		}
	}
	return "", err != nil
}
