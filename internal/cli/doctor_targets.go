package cli

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/config"
	"github.com/verifyctl/verifyctl/internal/debugger"
	"github.com/verifyctl/verifyctl/internal/doctor"
	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/twilio"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// plannedInFlight is how many of doctor's own reads may be under way at once in an account.
const plannedInFlight = 16

// pace lets the reads of a run without a sample go together, in production too: they are some ten for an account and four
// for each environment, and no bulk read. A 429 slows them for the rest of the run. A sample is a bulk read: it goes as
// slowly as any, and what it costs in production is told first.
func (o *doctorOptions) pace(chosen []*config.Target) {
	if o.sample > 0 {
		for _, target := range chosen {
			if target.Environment.IsProduction() {
				o.shell.note("%s is production: looking at %s takes up to %d requests, ten a second", target.Environment.Name, counted(o.sample, "user"), 2*o.sample+1)
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
	o.shell.opened.limiters = limiters
}

// environments gives what to check, and every environment there is to compare with.
func (o *doctorOptions) environments() (chosen []*config.Target, declared []verify.Environment, err error) {
	cfg, err := o.shell.config()
	if err != nil {
		return nil, nil, err
	}
	name := o.narrowed()
	if name == "" && !o.shell.globalSet.Changed("service") && !o.shell.globalSet.Changed("env") {
		all, err := cfg.All()
		if err != nil {
			return nil, nil, err
		}
		for _, target := range all {
			if !target.Environment.Demo {
				chosen, declared = append(chosen, target), append(declared, target.Environment)
			}
		}
		if len(chosen) > 0 {
			return chosen, declared, nil
		}
	}
	target, err := cfg.Choose()
	if err != nil {
		return nil, nil, err
	}
	if !target.Environment.Demo {
		if target.Environment.ServiceSID == "" {
			return nil, nil, verify.Usagef("which Service? Name it with --service VA…")
		}
		return []*config.Target{target}, o.declaredBeside(cfg, target), nil
	}
	for _, env := range demoEnvironments() {
		declared = append(declared, env)
		if env.Name == name || name == "demo" && !o.fix && o.undo == "" {
			demo, err := cfg.Lookup(env.Name)
			if err != nil {
				return nil, nil, err
			}
			chosen = append(chosen, demo)
		}
	}
	return chosen, declared, nil
}

// declaredBeside gives the environments to compare one with; a file that is wrong elsewhere does not keep one from being
// checked.
func (o *doctorOptions) declaredBeside(cfg *config.Config, target *config.Target) []verify.Environment {
	declared := []verify.Environment{}
	all, err := cfg.All()
	for _, other := range all {
		if !other.Environment.Demo {
			declared = append(declared, other.Environment)
		}
	}
	if err != nil || len(declared) == 0 {
		return []verify.Environment{target.Environment}
	}
	return declared
}

// target prepares one environment. One that cannot be reached for want of keys is reported beside the others.
func (o *doctorOptions) target(ctx context.Context, from *config.Target) (doctor.Target, error) {
	t := doctor.Target{Env: from.Environment, Now: time.Now()}
	if file, line, ok := strings.Cut(from.Declared, ":"); ok && from.Declared != "" {
		t.File = file
		t.Line, _ = strconv.Atoi(line)
	}
	t.Connection = doctor.Connection{KeySID: from.Username, Region: from.Region, Edge: from.Edge, BaseURL: from.BaseURL, CAFile: from.CAFile}
	c, err := o.shell.connect(ctx, from)
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
	t.Twilio, t.Feed, t.Capture = c.client, feedSince{c}, captured{c}
	return t, nil
}

// proxyFor gives the proxy that requests to a host take, without its password, and "" for none.
func proxyFor(host string) string {
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: &url.URL{Scheme: "https", Host: host}})
	if err != nil || proxy == nil {
		return ""
	}
	proxy.User = nil
	return proxy.String()
}

// captured tells what this machine has of the environment's events.
type captured struct{ c *connection }

func (r captured) Capture(ctx context.Context) (doctor.Capture, error) {
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
