package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/verifyctl/verifyctl/internal/config"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/simulator"
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

// connections holds what a run has opened, so that each thing is opened once and closed at the end.
type connections struct {
	config   *config.Config
	byName   map[string]*connection
	limiters map[verify.AccountSID]*twilio.Limiter
	ceiling  twilio.Limits // what flags such as --rps ask for; set before connecting
	demo     *demoWorld
	trail    *store.Audit
	key      *store.Key
	closers  []io.Closer
}

// close closes what was opened, last first.
func (s *shell) close() error {
	var errs []error
	for i := len(s.opened.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.opened.closers[i].Close())
	}
	s.opened = connections{}
	return errors.Join(errs...)
}

// connect reaches the environment that was chosen: -e, VERIFYCTL_ENV, the current one of the environment file, or TWILIO_*.
func (s *shell) connect(ctx context.Context) (*connection, error) {
	cfg, err := s.config()
	if err != nil {
		return nil, err
	}
	target, err := cfg.Choose()
	if err != nil {
		return nil, err
	}
	return s.connectTarget(ctx, target)
}

// connectService is [shell.connect] for commands that work on the environment's Service.
func (s *shell) connectService(ctx context.Context) (*connection, error) {
	c, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	return c, c.needService()
}

// connectOffline gives the chosen environment for questions to this machine's memory: it needs no account keys and has no
// client.
func (s *shell) connectOffline(ctx context.Context) (*connection, error) {
	cfg, err := s.config()
	if err != nil {
		return nil, err
	}
	target, err := cfg.Choose()
	if err != nil {
		return nil, err
	}
	if target.Environment.Demo {
		return s.connectDemo(ctx, target) // whose clock is the demo world's
	}
	c := &connection{shell: s, env: target.Environment, target: target, now: time.Now}
	return c, c.needService()
}

// start reaches the environment that was chosen and makes the printer for its results, which most commands begin with.
func (s *shell) start(ctx context.Context) (*connection, *render.Printer, error) {
	c, err := s.connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	p, err := s.printer(c.now)
	return c, p, err
}

// startService is [shell.start] for commands that work on the environment's Service.
func (s *shell) startService(ctx context.Context) (*connection, *render.Printer, error) {
	c, p, err := s.start(ctx)
	if err != nil {
		return nil, nil, err
	}
	return c, p, c.needService()
}

// connectTo reaches an environment by its name.
func (s *shell) connectTo(ctx context.Context, name string) (*connection, error) {
	cfg, err := s.config()
	if err != nil {
		return nil, err
	}
	target, err := cfg.Lookup(name)
	if err != nil {
		return nil, err
	}
	return s.connectTarget(ctx, target)
}

// config prepares the configuration on first use; it reads the environment file only when asked for something in it.
func (s *shell) config() (*config.Config, error) {
	if s.opened.config != nil {
		return s.opened.config, nil
	}
	cfg, err := config.Open(config.Options{Flags: s.globalSet, BuiltIn: demoEnvironments(), Stderr: s.err})
	s.opened.config = cfg
	return cfg, err
}

func (s *shell) connectTarget(ctx context.Context, target *config.Target) (*connection, error) {
	if c := s.opened.byName[target.Environment.Name]; c != nil {
		return c, nil
	}
	if target.Environment.Demo {
		return s.connectDemo(ctx, target)
	}
	keys, err := target.Keys(ctx)
	if err != nil {
		return nil, err
	}
	opts := s.clientOptions()
	opts.Username, opts.Password, opts.KeySource = keys.Username, keys.Secret.Reveal(), keys.Source
	opts.Account, opts.Limiter = target.Environment.AccountSID, s.limiter(target.Environment)
	// Where keys may go was checked when the target was made.
	opts.BaseURL, opts.AllowBaseURL, opts.CAFile = target.BaseURL, true, target.CAFile
	opts.Region, opts.Edge = target.Region, target.Edge
	client, err := twilio.New(opts)
	if err != nil {
		return nil, err
	}
	return s.keep(&connection{shell: s, env: target.Environment, target: target, client: client, now: time.Now}), nil
}

// clientOptions are those of every client: what the global flags say.
func (s *shell) clientOptions() twilio.Options {
	opts := twilio.Options{Timeout: s.flags.timeout, UserAgent: "verifyctl/" + s.build.complete().Version}
	if s.flags.debug {
		opts.Debug = s.err
	}
	return opts
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
	cfg, err := s.config()
	if err != nil {
		return true
	}
	targets, err := cfg.All()
	return err != nil || slices.ContainsFunc(targets, func(t *config.Target) bool {
		return t.Environment.IsProduction() && verify.SameSID(t.Environment.AccountSID, env.AccountSID)
	})
}

func (s *shell) keep(c *connection) *connection {
	if s.opened.byName == nil {
		s.opened.byName = map[string]*connection{}
	}
	s.opened.byName[c.env.Name] = c
	s.opened.closers = append(s.opened.closers, c.client)
	return c
}

// demoWorld is the embedded simulator: it serves a network inside this process, without a port.
type demoWorld struct {
	sim     *simulator.Simulator
	network *simulator.PipeListener
}

// openDemo starts the embedded simulator on its state file, or on a fresh copy in memory.
func openDemo(ctx context.Context, state string) (*demoWorld, error) {
	sim, err := simulator.Open(ctx, simulator.Options{State: state, Seed: simulator.SeedDemo})
	if err != nil {
		return nil, &verify.Error{Kind: verify.KindFailed, Message: "cannot open the demo world: " + err.Error(), Cause: err,
			Hint: "start it anew: verifyctl demo reset"}
	}
	w := &demoWorld{sim: sim, network: simulator.NewPipeListener()}
	go sim.Serve(w.network) // ends when the network is closed
	return w, nil
}

// now gives the demo world's time, which runs only while a command runs.
func (w *demoWorld) now() time.Time {
	t, err := w.sim.Now(context.Background())
	if err != nil {
		return simulator.DemoInstant // the state cannot be read, which every request will say
	}
	return t
}

// Close stores the demo world's clock.
func (w *demoWorld) Close() error { return errors.Join(w.network.Close(), w.sim.Close()) }

// demo gives the embedded simulator of this run.
func (s *shell) demo(ctx context.Context) (*demoWorld, error) {
	if s.opened.demo == nil {
		dir, err := s.stateDir()
		if err != nil {
			return nil, err
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, verify.Usagef("cannot make the state directory: %w", err).WithHint("set VERIFYCTL_STATE_DIR to a directory you can write to")
		}
		world, err := openDemo(ctx, filepath.Join(dir, demoState))
		if err != nil {
			return nil, err
		}
		s.opened.demo = world
		s.opened.closers = append(s.opened.closers, world)
	}
	return s.opened.demo, nil
}

// demoState is the file in the state directory that holds the demo world.
const demoState = "demo-world.sqlite"

// connectDemo reaches one of the environments that always exist.
func (s *shell) connectDemo(ctx context.Context, target *config.Target) (*connection, error) {
	world, err := s.demo(ctx)
	if err != nil {
		return nil, err
	}
	opts := s.clientOptions()
	opts.Username, opts.Password = simulator.DefaultAccountSID, simulator.DefaultAuthToken
	opts.Account, opts.KeySource, opts.Limiter = simulator.DefaultAccountSID, "the demo", s.limiter(target.Environment)
	opts.BaseURL, opts.Dial, opts.Now = "http://simulator", world.network.DialContext, world.now
	client, err := twilio.New(opts)
	if err != nil {
		return nil, err
	}
	return s.keep(&connection{shell: s, env: target.Environment, target: target, client: client, now: world.now}), nil
}
