package cli

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"github.com/verifyctl/verifyctl/internal/config"
	"github.com/verifyctl/verifyctl/internal/ledger"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/statedir"
	"github.com/verifyctl/verifyctl/internal/twilio"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// shell is what every command starts from: the streams, the global flags, and what was opened for this run.
type shell struct {
	terminal
	build     Build
	args      []string  // of the command line
	input     io.Reader // standard input for what is no answer to a question
	flags     globalFlags
	globalSet *pflag.FlagSet                             // the flags behind flags, for what was given and what was not
	command   string                                     // what runs, such as "factors delete"
	live      bool                                       // what runs goes on and prints as things happen
	names     *render.Names                              // what --mask shortens; nil without it
	results   io.Writer                                  // standard output unmasked, for printers, which mask each value
	sleep     func(context.Context, time.Duration) error // between the attempts of a request; nil waits for real
	clockOf   func(now func() time.Time) clock           // what commands wait by; nil waits for real

	// loaded or opened on first use; opening guards what may be opened by several goroutines
	opening sync.Mutex
	opened  resources
}

// resources are what a run has opened, so that each thing is opened once and closed at the end.
type resources struct {
	config   *config.Config
	byName   map[string]*connection
	limiters map[verify.AccountSID]*twilio.Limiter
	gate     twilio.ProxyGate
	ceiling  twilio.Limits // what flags such as --rps ask for; set before connecting
	demo     *localWorld
	ledger   *ledger.Ledger
	key      *statedir.Key
	closers  []io.Closer
}

// close closes what was opened, last first.
func (s *shell) close() error {
	var errs []error
	for i := len(s.opened.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.opened.closers[i].Close())
	}
	s.opened = resources{}
	return errors.Join(errs...)
}

// closeAtEnd closes something when the run ends; it may be called from several goroutines.
func (s *shell) closeAtEnd(c io.Closer) {
	s.opening.Lock()
	defer s.opening.Unlock()
	s.opened.closers = append(s.opened.closers, c)
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

// chosen gives the environment that [shell.begin] would reach, without asking for its keys.
func (s *shell) chosen() (*config.Target, error) {
	cfg, err := s.config()
	if err != nil {
		return nil, err
	}
	return cfg.Choose()
}

// named gives the environment of a name.
func (s *shell) named(name string) (*config.Target, error) {
	cfg, err := s.config()
	if err != nil {
		return nil, err
	}
	return cfg.Lookup(name)
}

// environments gives every environment that is configured, and the demo's.
func (s *shell) environments() ([]*config.Target, error) {
	cfg, err := s.config()
	if err != nil {
		return nil, err
	}
	return cfg.All()
}

// file is the environment file of this run, for commands to paste.
func (s *shell) file() verify.ConfigFile {
	cfg, err := s.config()
	if err != nil {
		return verify.ConfigFile(s.flags.config)
	}
	return cfg.File()
}

// sameCommand gives the command line of this run for pasting, with what it worked on named and more words behind it.
func (s *shell) sameCommand(env verify.Environment, more ...string) string {
	if s.globalSet.Changed("env") || s.globalSet.Changed("service") {
		env.Name, env.ServiceSID = "", ""
	}
	if s.globalSet.Changed("config") {
		env.Config = ""
	}
	return env.Command(append(slices.Clone(s.args), more...)...)
}

// typed gives a command on what the command line names, before anything is read and where the rest of it cannot be parsed.
func (s *shell) typed(words ...string) string {
	var typed globalFlags
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.ParseErrorsAllowlist.UnknownFlags = true
	typed.register(flags)
	_ = flags.Parse(s.args)
	return verify.Environment{Name: typed.env, ServiceSID: verify.ServiceSID(typed.service), Config: verify.ConfigFile(typed.config)}.Command(words...)
}

// stateDir is where this machine keeps what it remembers.
func (s *shell) stateDir() (string, error) { return statedir.Dir(s.getenv) }
