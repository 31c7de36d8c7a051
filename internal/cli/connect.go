package cli

import (
	"context"
	"slices"
	"time"

	"github.com/verifyctl/verifyctl/internal/config"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/store"
	"github.com/verifyctl/verifyctl/internal/twilio"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// connection is one environment and what reaches it.
type connection struct {
	shell    *shell
	env      verify.Environment
	target   *config.Target
	client   *twilio.Client
	now      func() time.Time // the environment's clock
	remember *store.Store     // nil until memory is asked for
}

// needs says what a command needs of the environment it works on.
type needs int

const (
	needsAccount needs = iota // account keys
	needsService              // account keys, and the environment's Verify Service
	needsMemory               // what this machine remembers of the Service: no keys, and the connection has no client
)

// begin is how a command on the chosen environment begins: -e, VERIFYCTL_ENV, the current one of the environment file, or
// TWILIO_*. It gives the connection, and the printer for the results.
func (s *shell) begin(ctx context.Context, need needs) (*connection, *render.Printer, error) {
	target, err := s.chosen()
	if err != nil {
		return nil, nil, err
	}
	var c *connection
	if need == needsMemory && !target.Environment.Demo { // the demo's clock is that of its world
		c = &connection{shell: s, env: target.Environment, target: target, now: time.Now}
	} else if c, err = s.connect(ctx, target); err != nil {
		return nil, nil, err
	}
	p, err := s.printer(c.now)
	if err == nil && need != needsAccount && c.env.ServiceSID == "" {
		err = verify.Usagef("no Verify Service is named").
			WithHint("give --service VA…, or add an environment: verifyctl env add")
	}
	return c, p, err
}

// connect reaches an environment with its account keys; commands on several environments begin with it.
func (s *shell) connect(ctx context.Context, target *config.Target) (*connection, error) {
	if c := s.opened.byName[target.Environment.Name]; c != nil {
		return c, nil
	}
	opts := twilio.Options{
		Timeout: s.flags.timeout, UserAgent: "verifyctl/" + s.build.complete().Version, Limiter: s.limiter(target.Environment),
	}
	if s.flags.debug {
		opts.Debug = s.err
	}
	now := time.Now
	if target.Environment.Demo {
		world, err := s.demo(ctx)
		if err != nil {
			return nil, err
		}
		now = world.now
		world.reach(&opts)
	} else {
		keys, err := target.Keys(ctx)
		if err != nil {
			return nil, err
		}
		opts.Username, opts.Password, opts.KeySource = keys.Username, keys.Secret.Reveal(), keys.Source
		opts.Account = target.Environment.AccountSID
		// Where keys may go was checked when the target was made.
		opts.BaseURL, opts.AllowBaseURL, opts.CAFile = target.BaseURL, true, target.CAFile
		opts.Region, opts.Edge = target.Region, target.Edge
	}
	client, err := twilio.New(opts)
	if err != nil {
		return nil, err
	}
	c := &connection{shell: s, env: target.Environment, target: target, client: client, now: now}
	if s.opened.byName == nil {
		s.opened.byName = map[string]*connection{}
	}
	s.opened.byName[c.env.Name] = c
	s.closeAtEnd(client)
	return c, nil
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
		if s.opened.ceiling.PerSecond > 0 {
			limits.PerSecond = s.opened.ceiling.PerSecond
		}
		if s.opened.ceiling.MaxInFlight > 0 {
			limits.MaxInFlight = s.opened.ceiling.MaxInFlight
		}
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
