package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/debugger"
	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

type debuggerAlertsOptions struct {
	shell *shell

	filter eventFilter
	since  verify.Since
	every  time.Duration
	follow bool
	store  bool
}

// shortestLook keeps following from starving logins: every look is a request of the account.
const shortestLook = 5 * time.Second

func newDebuggerAlertsCmd(s *shell) *cobra.Command {
	o := debuggerAlertsOptions{shell: s, filter: eventFilter{shell: s, verifyOnly: true}}
	cmd := &cobra.Command{
		Use:   "alerts",
		Short: "List the account's debugger alerts, decoded",
		Long: `Read the alerts that Twilio still has (30 days) and decode them. Alerts are account-wide: those of other products are
counted, not shown; --for narrows to a Service or environment. Where Twilio cuts a list off at 10,000 the rest is asked for
in smaller spans of time. An alert of a push that names no factor is read by itself as well, in case that one tells more.

--follow looks again every 15 seconds, 5 minutes back each time, because alerts can be late; Ctrl-C ends it. --store keeps
the push errors on this machine: Twilio forgets them after 30 days, and 52103 is reported only once.

--group-by counts; on a terminal with a bar of the share, and by code with a line of how the errors came and went.

Silence is no proof: Twilio does not promise an alert for every push.

` + exitHelp(readStatuses...),
		Example: `  verifyctl -e demo debugger alerts
  verifyctl -e demo debugger alerts --since 7d --group-by code
  verifyctl -e demo debugger alerts --for demo --code 52134 -o csv`,
		RunE: parseThenRun(o.parse, o.run),
	}
	o.filter.register(cmd)
	o.since = verify.Ago(verify.Period(24 * time.Hour))
	cmd.Flags().Var(&o.since, "since", "how far back, such as 90m, 24h, 7d or 2026-01-31; at most 30d")
	cmd.Flags().BoolVar(&o.follow, "follow", false, "go on with new alerts as they appear")
	o.every = 15 * time.Second
	cmd.Flags().Var((*verify.Period)(&o.every), "every", "how often --follow looks")
	cmd.Flags().BoolVar(&o.store, "store", false, "keep the push errors on this machine")
	return cmd
}

func (o *debuggerAlertsOptions) parse([]string) error {
	switch {
	case o.follow && o.filter.group != "":
		return verify.Usagef("--follow and --group-by cannot be combined: a count would never end")
	case o.every < shortestLook:
		return verify.Usagef("--every %s is too often: each poll counts against the account's rate limit; use at least %s", o.every, shortestLook)
	}
	if o.follow {
		if err := o.shell.goLive(); err != nil {
			return err
		}
	}
	return o.filter.parse()
}

func (o *debuggerAlertsOptions) run(ctx context.Context) error {
	c, p, err := o.shell.begin(ctx, needsAccount)
	if err != nil {
		return err
	}
	from, err := alertsSince(o.since, c.now(), c.env)
	if err != nil {
		return err
	}
	lister := debugger.AlertLister(c.client)
	var kept *debugger.Recorder
	if o.store {
		if kept, err = c.recorder(ctx); err != nil {
			return err
		}
		lister = kept
	}
	feed := debugger.NewFeed(lister, nil, c.now).FetchMissing(c.client)
	now := c.now()
	within := event.Span{From: from, Until: now}
	if err := o.shell.printEvents(p, o.filter.group, within, o.events(ctx, c, feed, within)); err != nil {
		return err
	}
	o.filter.say()
	if o.filter.shown+o.filter.others == 0 {
		o.shell.note("no push errors for %s since %s; this does not prove that all pushes arrived", c.label(), verify.Stamp(from))
	}
	return o.sayGaps(ctx, feed, within)
}

// events gives the alerts to show, each with its environment.
func (o *debuggerAlertsOptions) events(ctx context.Context, c *connection, feed *debugger.Feed, within event.Span) rowsOf[event.Event] {
	all := feed.Events(ctx, within)
	if o.follow {
		all = feed.Follow(ctx, within.From, o.every, c.clock(), func(err error) {
			o.shell.note("%v; looking again in %s", err, o.every)
		})
	}
	a := attributing{c: c, attribution: o.shell.attribution()}
	return func(yield func(event.Event, error) bool) {
		for e, err := range all {
			if err == nil {
				a.apply(ctx, &e)
			}
			if (err != nil || o.filter.take(&e)) && !yield(e, err) {
				return
			}
		}
	}
}

// sayGaps tells of which times not all alerts could be had.
func (o *debuggerAlertsOptions) sayGaps(ctx context.Context, feed *debugger.Feed, within event.Span) error {
	gaps, err := feed.Gaps(ctx, within)
	for _, gap := range gaps {
		o.shell.note("some alerts between %s and %s are missing: Twilio returns no more", verify.Stamp(gap.From), verify.Stamp(gap.Until))
	}
	return err
}

// attributing tells the environment of events. Which push credentials the account's Services use is read when the first
// event names a credential and no Service.
type attributing struct {
	c           *connection
	attribution *event.Attribution
	asked       bool
}

func (a *attributing) apply(ctx context.Context, e *event.Event) {
	if e.ServiceSID == "" && e.CredentialSID != "" && !a.asked {
		a.asked = true
		for service, err := range a.c.client.Services(ctx) {
			if err != nil {
				a.c.shell.note("events are not attributed by their push credential: %v", err)
				break
			}
			a.attribution.AddCredentials(service)
		}
	}
	a.attribution.Apply(e)
}
