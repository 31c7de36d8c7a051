package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/fleet"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/twilio"
	"github.com/verifyctl/verifyctl/internal/verify"
)

type fleetSyncOptions struct {
	shell *shell

	changed bool
	limit   int
	all     bool
	hours   fleet.Hours
	ceiling ceilingFlags
}

func newFleetSyncCmd(s *shell) *cobra.Command {
	o := fleetSyncOptions{shell: s}
	cmd := &cobra.Command{
		Use:   "sync",
		Short: "Read all factors of the Service into the index",
		Long: `Read every entity and its factors into the index of this machine. It costs one request for each entity and one for each
1,000. A run that is cut off, by Ctrl-C or worse, goes on where it was when the same command is given again.

In production it begins at 10 requests a second with 4 in flight, and stops at 1,000 entities unless --limit or --all is
given. An environment in the same account as a production one keeps to the same rate, and says which one that is. --rps and
--concurrency set other ceilings; a 429 always slows it down. --between 01:00-05:00 reads only at these hours of the day, and
waits for them.

--changed reads only identities that stored debugger events and webhooks name since the last full crawl, and entities never
read. Token refreshes leave no event, so it does not see them.

Metadata keys that the environment declares (metadata_keys) become columns, by which the index counts fast.

` + exitHelp(append(readStatuses, 3)...),
		Example: `  verifyctl -e demo fleet sync
  verifyctl -e demo fleet sync --changed
  verifyctl -e demo fleet sync --all --rps 50 --concurrency 8`,
		RunE: parseThenRun(o.parse, o.run),
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.changed, "changed", false, "only what events name since the last full crawl, and entities never read")
	flags.IntVar(&o.limit, "limit", 0, "stop after this many entities; the same command goes on")
	flags.BoolVar(&o.all, "all", false, "read every entity, even in production")
	o.ceiling.register(flags)
	flags.Var(&o.hours, "between", "read only in these hours of the day, in this machine's time zone")
	return cmd
}

// crawlRow is the result of a crawl.
type crawlRow struct {
	verify.Crawl
	Read     int `json:"read"` // in this run
	Gone     int `json:"gone"`
	Failed   int `json:"failed"`
	Requests int `json:"requests"`
}

var crawlResource = render.Resource[crawlRow]{Columns: []render.Column[crawlRow]{
	{Name: "service_sid", Text: func(r crawlRow) string { return string(r.ServiceSID) }},
	{Name: "kind", Text: func(r crawlRow) string { return string(r.Kind) }},
	{Name: "entities", Text: func(r crawlRow) string { return fmt.Sprint(r.Entities) }},
	{Name: "factors", Text: func(r crawlRow) string { return fmt.Sprint(r.Factors) }},
	{Name: "read", Text: func(r crawlRow) string { return fmt.Sprint(r.Read) }},
	{Name: "gone", Text: func(r crawlRow) string { return fmt.Sprint(r.Gone) }},
	{Name: "requests", Text: func(r crawlRow) string { return fmt.Sprint(r.Requests) }},
	{Name: "started", Time: func(r crawlRow) time.Time { return r.Started }},
	{Name: "finished", Time: func(r crawlRow) time.Time { return r.Finished }},
}}

func (o *fleetSyncOptions) parse([]string) error {
	if o.changed && o.limit > 0 {
		return verify.Usagef("--changed and --limit cannot be combined")
	}
	return o.ceiling.set(o.shell)
}

func (o *fleetSyncOptions) run(ctx context.Context) error {
	c, p, err := o.shell.begin(ctx, needsService)
	if err != nil {
		return err
	}
	memory, err := c.memory(ctx)
	if err != nil {
		return err
	}
	if err := memory.DeclareMetadata(ctx, c.env.MetadataKeys); err != nil {
		return err
	}
	o.sayCare(c)
	progress := o.shell.progress("reading entities", c.now)
	meter := &syncMeter{connection: c, began: time.Now()}
	crawl, done, err := fleet.Sync(ctx, c.client, memory, fleet.SyncOptions{
		Environment: c.env, Changed: o.changed, Limit: o.limit, All: o.all, Concurrency: o.ceiling.concurrency, Hours: o.hours, Now: c.clock().Now, Sleep: c.clock().Sleep,
		Cost:     func(cost fleet.SyncCost) { meter.announce(cost, o.ceiling.rps) },
		Progress: func(s fleet.SyncProgress) { progress.Set(int64(s.Read), meter.total(s), meter.note(s)) },
		Waiting:  func(until time.Time) { o.shell.note("waiting until %s", until.Format("15:04")) },
	})
	progress.Close()
	if o.changed && err == nil {
		o.shell.note("token refreshes leave no event: a push token may have changed without being read again")
	}
	if err != nil {
		o.shell.note("read %s this time; what was read is kept", verify.Count(done.Read, "entity"))
		return err
	}
	requests, _ := o.shell.limiter(c.env).Counts()
	return render.One(p, crawlResource, crawlRow{Crawl: crawl, Read: done.Read, Gone: done.Gone, Failed: done.Failed, Requests: requests})
}

// sayCare says which other environment makes this one be read as carefully as production.
func (o *fleetSyncOptions) sayCare(c *connection) {
	env := c.target.Environment
	production, careful := o.shell.production(env)
	if !careful || env.IsProduction() {
		return
	}
	why := production + " is production and has the same account"
	switch live := c.rules.production; {
	case production == "":
		why = "the other environments cannot be read, and one of its account may be production"
	case live != nil && live.Environment.Name != env.Name:
		o.shell.note("%s is read as production is, because %s is production and has the same Service", env.Name, live.Environment.Name)
		return
	}
	if o.ceiling.rps == 0 {
		o.shell.note("at most %g requests a second, because %s; --rps sets another limit", twilio.ProductionLimits.PerSecond, why)
	}
}

// syncMeter says what a crawl costs and how fast it is.
type syncMeter struct {
	*connection
	began    time.Time
	expected int
}

// announce tells the cost before the first factors are read.
func (m *syncMeter) announce(cost fleet.SyncCost, rps float64) {
	known, amount := cost.Entities, verify.Count(cost.Entities, "entity")
	switch {
	case cost.AtLeast && cost.Entities > fleet.UnaskedEntities+1:
		amount = "about " + amount
	case cost.AtLeast:
		known, amount = 0, fmt.Sprintf("more than %d entities", fleet.UnaskedEntities)
	}
	m.expected = known
	text := amount + " to read, one request each"
	if _, careful := m.shell.production(m.target.Environment); rps == 0 && careful {
		rps = twilio.ProductionLimits.PerSecond
	}
	if rps > 0 && known > 0 {
		text += fmt.Sprintf("; at %g a second that takes %s", rps, roughly(float64(known)/rps))
	} else if rps > 0 {
		text += fmt.Sprintf("; at %g a second 1,000 take %s", rps, roughly(1000/rps))
	}
	m.shell.note("%s", text)
}

func (m *syncMeter) total(s fleet.SyncProgress) int64 {
	if s.AllSeen {
		return int64(s.Read + s.Left)
	}
	return int64(m.expected)
}

func (m *syncMeter) note(s fleet.SyncProgress) string {
	_, throttled := m.shell.limiter(m.env).Counts()
	took := time.Since(m.began)
	text := fmt.Sprintf("%d factors", s.Factors)
	if rate := float64(s.Read) / took.Seconds(); took > time.Second && rate > 0 {
		text += fmt.Sprintf(", %.0f/s", rate)
		if left := m.total(s) - int64(s.Read); left > 0 {
			text += ", " + roughly(float64(left)/rate) + " left"
		}
	}
	if throttled > 0 {
		text += fmt.Sprintf(", %d × 429", throttled)
	}
	return text
}

// roughly gives a number of seconds that is only estimated.
func roughly(seconds float64) string {
	switch {
	case seconds < 2*60:
		return fmt.Sprintf("about %.0f s", seconds)
	case seconds < 2*60*60:
		return fmt.Sprintf("about %.0f min", seconds/60)
	}
	return fmt.Sprintf("about %.0f h", seconds/60/60)
}
