package cli

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/config"
	"github.com/verifyctl/verifyctl/internal/debugger"
	"github.com/verifyctl/verifyctl/internal/doctor"
	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/pushfile"
	"github.com/verifyctl/verifyctl/internal/twilio"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// plannedInFlight is how many of doctor's own reads may be under way at once in an account.
const plannedInFlight = 16

// pace lets the reads of a run without a sample go together, in production too: they are some ten for an account and four
// for each environment, and no bulk read. A 429 slows them for the rest of the run. A sample is a bulk read: it goes as
// slowly as any, and what it costs in production is told first.
func (e *examination) pace(chosen []*config.Target) {
	if e.paced { // the clients of an earlier look have their limiters
		return
	}
	e.paced = true
	if e.sample > 0 {
		for _, target := range chosen {
			if target.Environment.IsProduction() {
				e.shell.note("%s is production: looking at %s takes up to %d requests, ten a second", target.Environment.Name, verify.Count(e.sample, "user"), 2*e.sample+1)
			}
		}
		return
	}
	limiters := map[verify.AccountSID]*twilio.Limiter{}
	for _, target := range chosen {
		account := target.Environment.AccountSID
		if limiters[account] == nil {
			limiters[account] = twilio.NewLimiter(twilio.Limits{InFlight: plannedInFlight, Sticky: true})
		}
	}
	e.shell.opened.limiters = limiters
}

// environments gives what to check, and every environment there is to compare with. A change is made in one environment:
// then -e demo is that one, and not the demo's three.
func (e *examination) environments(toChange bool) (chosen []*config.Target, declared []verify.Environment, err error) {
	cfg, err := e.shell.config()
	if err != nil {
		return nil, nil, err
	}
	own, ownErr := ownEnvironments(cfg)
	if e.narrowed() == "" && !e.shell.globalSet.Changed("service") && !e.shell.globalSet.Changed("env") && (ownErr != nil || len(own) > 0) {
		return own, environmentsOf(own), ownErr
	}
	target, err := cfg.Choose()
	if err != nil {
		return nil, nil, err
	}
	chosen = []*config.Target{target}
	switch {
	case target.Environment.Demo && target.Environment.Name == "demo" && !toChange:
		chosen, err = demoTargets(cfg)
		return chosen, demoEnvironments(), err
	case target.Environment.Demo:
		return chosen, demoEnvironments(), nil
	case target.Environment.ServiceSID == "" && target.Environment.Name != "":
		return nil, nil, noService(target.Environment)
	case target.Environment.ServiceSID == "":
		return nil, nil, verify.Usagef("which Verify Service? Name it with --service VA…")
	case len(own) == 0: // or the file is wrong elsewhere, which keeps this one from being compared and not from being checked
		own = chosen
	}
	return chosen, environmentsOf(own), nil
}

// ownEnvironments gives the environments of the file.
func ownEnvironments(cfg *config.Config) ([]*config.Target, error) {
	all, err := cfg.All()
	return slices.DeleteFunc(all, func(t *config.Target) bool { return t.Environment.Demo }), err
}

func demoTargets(cfg *config.Config) (targets []*config.Target, err error) {
	for _, env := range demoEnvironments() {
		target, err := cfg.Lookup(env.Name)
		if err != nil {
			return nil, err
		}
		targets = append(targets, target)
	}
	return targets, nil
}

func environmentsOf(targets []*config.Target) []verify.Environment {
	envs := make([]verify.Environment, len(targets))
	for i, target := range targets {
		envs[i] = target.Environment
	}
	return envs
}

// target prepares one environment. One that cannot be reached for want of keys is reported beside the others.
func (e *examination) target(ctx context.Context, from *config.Target) (doctor.Target, error) {
	t := doctor.Target{Env: from.Environment, Now: time.Now()}
	if file, line, ok := strings.Cut(from.Declared, ":"); ok && from.Declared != "" {
		t.File = file
		t.Line, _ = strconv.Atoi(line)
	}
	t.Connection = doctor.Connection{KeySID: from.Username, Region: from.Region, Edge: from.Edge, BaseURL: from.BaseURL, CAFile: from.CAFile}
	if from.Environment.ServiceSID == "" {
		t.Err = noService(from.Environment)
		return t, nil
	}
	c, err := e.shell.connect(ctx, from)
	if verify.KindOf(err) == verify.KindAuth && err != nil {
		t.Err = err
		return t, nil
	}
	if err != nil {
		return t, err
	}
	t.Now = c.now()
	t.Connection.Hosts = []string{c.client.Host()}
	if c.env.Demo {
		t.Connection.KeySID = string(c.env.AccountSID)
	} else {
		t.Connection.Proxy = proxyFor(c.client.Host())
	}
	t.Twilio, t.Feed, t.Memory = c.client, feedSince{c}, remembered{c}
	return t, nil
}

// proxyFor gives the proxy that requests to a host take, without its password, and "" for none.
func proxyFor(host string) string {
	proxy, err := twilio.Proxy(&url.URL{Scheme: "https", Host: host})
	if err != nil || proxy == nil {
		return ""
	}
	proxy.User = nil
	return proxy.String()
}

// remembered tells what this machine has of the environment's events and of the files of its push credentials.
type remembered struct{ c *connection }

func (r remembered) CredentialFiles(ctx context.Context) iter.Seq2[verify.CredentialFile, error] {
	memory, err := r.c.memory(ctx)
	if err != nil {
		return failed[verify.CredentialFile](err)
	}
	return func(yield func(verify.CredentialFile, error) bool) {
		remembers := false
		for file, err := range memory.CredentialFiles(ctx) {
			remembers = true
			if !yield(file, err) {
				return
			}
		}
		file, ok, err := declaredCertificate(ctx, r.c.target, r.c.now())
		if ok || err != nil && !remembers { // a pass phrase that is not at hand does not hide what is remembered
			yield(file, err)
		}
	}
}

// declaredCertificate gives what the APNs certificate says that an environment declares, where it is on this machine.
func declaredCertificate(ctx context.Context, target *config.Target, now time.Time) (verify.CredentialFile, bool, error) {
	if target.Service == nil || target.Service.Push[verify.PlatformAPN].Contents != verify.ContentsDeclared {
		return verify.CredentialFile{}, false, nil
	}
	file, err := target.PushFile(ctx, verify.PlatformAPN)
	if errors.Is(err, fs.ErrNotExist) {
		return verify.CredentialFile{}, false, nil
	}
	if err != nil {
		return verify.CredentialFile{}, false, err
	}
	lint, err := pushfile.LintDeclared(file, pushfile.Options{Now: now, Config: target.Environment.Config})
	if err != nil {
		return verify.CredentialFile{}, false, err
	}
	if lint.File.Platform != verify.PlatformAPN {
		return verify.CredentialFile{}, false, verify.Usagef("%s: %s holds no APNs certificate that can be read", file.At, target.Service.Push[verify.PlatformAPN].Description)
	}
	declared := lint.File
	declared.At = time.Time{} // nothing tells that it was uploaded
	return declared, true, nil
}

func (r remembered) Capture(ctx context.Context) (doctor.Capture, error) {
	memory, err := r.c.memory(ctx)
	if err != nil {
		return doctor.Capture{}, err
	}
	events, _, last, err := memory.EventSpan(ctx)
	if err != nil {
		return doctor.Capture{}, err
	}
	now := r.c.now()
	covered, err := memory.Coverage(ctx, event.Span{From: now.Add(-2 * debugger.AlertsKept), Until: now.Add(time.Second)})
	return doctor.Capture{Events: events, Last: last, Covered: covered}, err
}
