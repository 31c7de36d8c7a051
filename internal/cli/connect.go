package cli

import (
	"context"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/config"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/store"
	"github.com/verifyctl/verifyctl/internal/twilio"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// connection is one environment and what reaches it.
type connection struct {
	shell  *shell
	env    verify.Environment // with the rules of the strictest environment on its Service
	rules  strictness
	target *config.Target
	client *twilio.Client
	now    func() time.Time // the environment's clock
	store  *store.Store     // nil until memory is asked for
	seen   seen
	named  bool // an argument of the command line names the environment
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
		c = &connection{shell: s, target: target, now: time.Now}
		c.env, c.rules = s.strictest(target)
	} else if c, err = s.connect(ctx, target); err != nil {
		return nil, nil, err
	}
	if need != needsAccount && c.env.ServiceSID == "" {
		return nil, nil, noService(c.env)
	}
	return c, s.printer(c.now), nil
}

// noService says what to do where an environment has no Verify Service: a declared one may not have been made yet.
func noService(env verify.Environment) *verify.Error {
	if env.Name == "" {
		return verify.Usagef("no Verify Service was given").
			WithHint("give --service VA…, or add an environment: %s", env.Config.Command("env", "add"))
	}
	return verify.Usagef("the environment %s has no Service yet: it is declared, and not made", env.Name).
		WithHint("make it: %s", env.Config.Command("env", "apply", env.Name))
}

// connect reaches an environment with its account keys; commands on several environments begin with it.
func (s *shell) connect(ctx context.Context, target *config.Target) (*connection, error) {
	if c := s.opened.byName[target.Environment.Name]; c != nil {
		return c, nil
	}
	opts := twilio.Options{
		Timeout: s.flags.timeout, UserAgent: "verifyctl/" + s.build.complete().Version, Limiter: s.limiter(target.Environment), Gate: &s.opened.gate, Sleep: s.sleep,
	}
	if s.flags.debug {
		opts.Debug = s.err
	}
	if s.names != nil {
		opts.Heard = s.learnReply
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
	c := &connection{shell: s, target: target, now: now}
	opts.Met = c.seen.add
	client, err := twilio.New(opts)
	if err != nil {
		return nil, err
	}
	c.client = client
	c.env, c.rules = s.strictest(target)
	if s.opened.byName == nil {
		s.opened.byName = map[string]*connection{}
	}
	s.opened.byName[c.env.Name] = c
	s.closeAtEnd(client)
	return c, nil
}

// connectTo reaches the environment of a name.
func (s *shell) connectTo(ctx context.Context, name string) (*connection, error) {
	target, err := s.named(name)
	if err != nil {
		return nil, err
	}
	return s.connect(ctx, target)
}

// listFrom is a whole command that prints a list. Of an empty one standard error says none, in which ENV stands for the
// environment; that is no error.
func listFrom[T any](ctx context.Context, s *shell, need needs, r render.Resource[T], none string, rows func(context.Context, *connection) rowsOf[T]) error {
	c, p, err := s.begin(ctx, need)
	if err != nil {
		return err
	}
	n, err := render.List(p, r, rows(ctx, c))
	if err == nil && n == 0 && none != "" {
		s.note("%s", strings.ReplaceAll(none, "ENV", c.label()))
	}
	return err
}

// showFrom is a whole command that prints one value.
func showFrom[T any](ctx context.Context, s *shell, need needs, r render.Resource[T], fetch func(context.Context, *connection) (T, error)) error {
	c, p, err := s.begin(ctx, need)
	if err != nil {
		return err
	}
	value, err := fetch(ctx, c)
	if err != nil {
		return err
	}
	return render.One(p, r, value)
}

// service gives the environment's Service.
func (c *connection) service() verify.ServiceSID { return c.env.ServiceSID }

// label names the environment in messages.
func (c *connection) label() string {
	if c.env.Name == "" {
		return "the account of the TWILIO_* variables"
	}
	return c.env.Name
}

// account names the environment's account in messages.
func (c *connection) account() string {
	if c.env.Name == "" {
		return c.label()
	}
	return "the account of " + c.env.Name
}
