package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/fleet"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/twilio"
	"github.com/verifyctl/verifyctl/internal/verify"
)

func newFleetCmd(s *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "fleet",
		Short: "Know every factor of a Service: the index and questions to it",
		Long: `Twilio has no list of factors per Service and finds a factor only under its identity. "fleet sync" reads every entity once
and keeps an index on this machine; the other commands, "factors find" and every --where ask it without a request.`,
	}
	cmd.AddCommand(newFleetSyncCmd(s), newFleetStatsCmd(s), newFleetStaleCmd(s), newFleetDuplicatesCmd(s))
	return cmd
}

// --- fleet sync

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
given. --rps and --concurrency set other ceilings; a 429 slows it down in any case. --between 01:00-05:00 reads only at these
hours of the day, and waits for them.

--changed reads only identities that stored debugger events and webhooks name since the last full crawl, and entities never
read. Token refreshes leave no event, so it does not see them.

Metadata keys that the environment declares (metadata_keys) become columns, by which the index counts fast.

` + exitHelp(append(readStatuses, 6)...),
		Example: `  verifyctl -e demo fleet sync
  verifyctl -e demo fleet sync --changed
  verifyctl -e demo fleet sync --all --rps 50 --concurrency 8`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case o.limit < 0:
				return verify.Usagef("--limit %d is negative", o.limit)
			case o.changed && o.limit > 0:
				return verify.Usagef("--changed and --limit exclude each other")
			}
			if err := o.ceiling.set(s); err != nil {
				return err
			}
			return o.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.changed, "changed", false, "only what events name since the last full crawl, and entities never read")
	flags.IntVar(&o.limit, "limit", 0, "stop after this many entities; the same command goes on")
	flags.BoolVar(&o.all, "all", false, "read every entity, in production too")
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

func (o *fleetSyncOptions) run(ctx context.Context) error {
	if err := crawlResource.CheckColumns(o.shell.flags.columns); err != nil {
		return err
	}
	c, p, err := o.shell.startService(ctx)
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
	progress := o.shell.progress("reading entities", c.now)
	meter := &syncMeter{connection: c, began: time.Now()}
	crawl, done, err := fleet.Sync(ctx, c.client, memory, fleet.SyncOptions{
		Environment: c.env, Changed: o.changed, Limit: o.limit, All: o.all, Concurrency: o.ceiling.concurrency, Hours: o.hours, Clock: c.clock(),
		Cost:     func(cost fleet.SyncCost) { meter.announce(cost, o.ceiling.rps) },
		Progress: func(s fleet.SyncProgress) { progress.Set(int64(s.Read), meter.total(s), meter.note(s)) },
		Waiting:  func(until time.Time) { o.shell.note("waiting until %s", until.Format("15:04")) },
	})
	progress.Close()
	if o.changed && err == nil {
		o.shell.note("token refreshes leave no event: a push token may have changed without being read again")
	}
	if err != nil {
		o.shell.note("read %s this time; what was read is kept", counted(done.Read, "entity"))
		return err
	}
	requests, _ := o.shell.limiter(c.env).Counts()
	return render.One(p, crawlResource, crawlRow{Crawl: crawl, Read: done.Read, Gone: done.Gone, Failed: done.Failed, Requests: requests})
}

// syncMeter says what a crawl costs and how fast it is.
type syncMeter struct {
	*connection
	began    time.Time
	expected int
}

// announce tells the cost before the first factors are read.
func (m *syncMeter) announce(cost fleet.SyncCost, rps float64) {
	known, amount := cost.Entities, counted(cost.Entities, "entity")
	switch {
	case cost.AtLeast && cost.Entities > fleet.UnaskedEntities+1:
		amount = "about " + amount
	case cost.AtLeast:
		known, amount = 0, fmt.Sprintf("more than %d entities", fleet.UnaskedEntities)
	}
	m.expected = known
	text := amount + " to read, one request each"
	if rps == 0 && m.env.IsProduction() {
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

// --- fleet stats

type fleetStatsOptions struct {
	shell *shell

	by    []string
	where string
}

func newFleetStatsCmd(s *shell) *cobra.Command {
	o := fleetStatsOptions{shell: s}
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Count the factors of the index by platform, app, SDK version, metadata",
		Long: `Count the factors of the index by any fields, most first. Metadata keys that the environment declares (metadata_keys) are
counted as fast as the other fields.

` + exitHelp(0, 1),
		Example: `  verifyctl -e demo fleet stats
  verifyctl -e demo fleet stats --by platform,sdk_version,metadata.app_version
  verifyctl -e demo fleet stats --by app_id --where 'status = verified and updated < now-60d'`,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&o.by, "by", []string{"platform", "app_id", "sdk_version", "status"}, "fields to count by, such as platform,metadata.app_version")
	flags.StringVar(&o.where, "where", "", whereHelp)
	return cmd
}

func (o *fleetStatsOptions) run(ctx context.Context) error {
	fields, err := fieldsOf("--by", o.by)
	if err != nil {
		return err
	}
	if len(fields) == 0 {
		return verify.Usagef("--by names no field")
	}
	r := statsResource(fields)
	if err := r.CheckColumns(o.shell.flags.columns); err != nil {
		return err
	}
	c, err := o.shell.connectOffline(ctx)
	if err != nil {
		return err
	}
	condition, err := where(o.where, c.now())
	if err != nil {
		return err
	}
	p, err := o.shell.printer(c.now)
	if err != nil {
		return err
	}
	index, err := c.index(ctx)
	if err != nil {
		return err
	}
	groups, err := index.FactorGroupsWhere(ctx, fields, condition)
	if err != nil {
		return err
	}
	_, err = render.List(p, r, each(groups))
	return err
}

// statsResource shows counts by fields.
func statsResource(fields []verify.FactorField) render.Resource[verify.FactorGroup] {
	r := render.Resource[verify.FactorGroup]{View: func(g verify.FactorGroup) any {
		view := map[string]any{"count": g.Count}
		for i, f := range fields {
			view[f.Name] = g.Values[i]
		}
		return view
	}}
	for i, f := range fields {
		r.Columns = append(r.Columns, render.Column[verify.FactorGroup]{Name: f.Name, Text: func(g verify.FactorGroup) string { return g.Values[i] }})
	}
	r.Columns = append(r.Columns, render.Column[verify.FactorGroup]{Name: "count", Text: func(g verify.FactorGroup) string { return fmt.Sprint(g.Count) }})
	return r
}

// --- fleet stale

func newFleetStaleCmd(s *shell) *cobra.Command {
	age := fleet.Period(60 * 24 * time.Hour)
	limit := 0
	cmd := &cobra.Command{
		Use:   "stale",
		Short: "List push factors whose token may have gone stale",
		Long: `List verified push factors of the index that have not changed for long. A push token is renewed by updating the factor, so
no token is younger than its factor's last update. Google calls tokens stale after a month without contact and drops them
after 270 days. A stale token is no dead factor: the phone may still answer by polling.

` + exitHelp(0, 1),
		Example: `  verifyctl -e demo fleet stale
  verifyctl -e demo fleet stale --token-age 270d -o csv`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			condition := func(now time.Time) (verify.Condition, error) {
				return fleet.ParseWhere(fmt.Sprintf("factor_type = push and status = verified and platform in (apn, fcm) and updated < %q",
					now.Add(-time.Duration(age)).UTC().Format(time.RFC3339)), now)
			}
			return s.listIndexed(cmd.Context(), limit, condition)
		},
	}
	cmd.Flags().Var(&age, "token-age", "how long ago the factor was updated at the latest")
	cmd.Flags().IntVar(&limit, "limit", 0, "stop after this many factors")
	return cmd
}

// listIndexed lists the factors of the index that fit a condition.
func (s *shell) listIndexed(ctx context.Context, limit int, condition func(now time.Time) (verify.Condition, error)) error {
	if limit < 0 {
		return verify.Usagef("--limit %d is negative", limit)
	}
	r := indexedResource()
	if err := r.CheckColumns(s.flags.columns); err != nil {
		return err
	}
	c, err := s.connectOffline(ctx)
	if err != nil {
		return err
	}
	fits, err := condition(c.now())
	if err != nil {
		return err
	}
	p, err := s.printer(c.now)
	if err != nil {
		return err
	}
	index, err := c.index(ctx)
	if err != nil {
		return err
	}
	n, err := render.List(p, r, limited(limit, index.FactorsWhere(ctx, fits)))
	if err == nil && n == 0 {
		s.note("no factor fits")
	}
	if limit > 0 && n == limit {
		s.note("stopped at --limit %d; there may be more", limit)
	}
	return err
}

// --- fleet duplicates

// duplicate is one factor that is there more than once, and what it has in common with the others of its group.
type duplicate struct {
	verify.IndexedFactor
	Group int
	Same  string // token or name
	Note  string
}

func duplicateResource() render.Resource[duplicate] {
	base := indexedResource()
	r := render.Resource[duplicate]{
		SID: func(d duplicate) string { return string(d.SID) },
		View: func(d duplicate) any {
			return struct {
				Group int    `json:"group"`
				Same  string `json:"same"`
				Note  string `json:"note"`
				indexedView
			}{d.Group, d.Same, d.Note, base.View(d.IndexedFactor).(indexedView)}
		},
		Columns: []render.Column[duplicate]{
			{Name: "group", Text: func(d duplicate) string { return fmt.Sprint(d.Group) }},
			{Name: "same", Text: func(d duplicate) string { return d.Same }},
			{Name: "note", Text: func(d duplicate) string { return d.Note }, Flex: true},
		},
	}
	for _, name := range []string{"sid", "identity", "friendly_name", "platform", "created", "updated", "token_hash", "read_at"} {
		c := base.Columns[slices.IndexFunc(base.Columns, func(c render.Column[verify.IndexedFactor]) bool { return c.Name == name })]
		column := render.Column[duplicate]{Name: c.Name, Flex: c.Flex, Wide: c.Wide && name != "updated", Named: c.Named}
		if c.Time != nil {
			column.Time = func(d duplicate) time.Time { return c.Time(d.IndexedFactor) }
		} else {
			column.Text = func(d duplicate) string { return c.Text(d.IndexedFactor) }
		}
		r.Columns = append(r.Columns, column)
	}
	return r
}

func newFleetDuplicatesCmd(s *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "duplicates",
		Short: "List factors that look like the same phone enrolled again",
		Long: `List factors of the index that share a push token with another, and older push factors with the friendly name of a newer
one of the same identity. A token that two identities share means that one phone gets the pushes of both.

It is a hint, not proof: nothing is deleted by it. Which of them still answers, "factors prune" finds out.

` + exitHelp(0, 1),
		Example: "  verifyctl -e demo fleet duplicates",
		RunE:    func(cmd *cobra.Command, _ []string) error { return s.listDuplicates(cmd.Context()) },
	}
}

func (s *shell) listDuplicates(ctx context.Context) error {
	r := duplicateResource()
	if err := r.CheckColumns(s.flags.columns); err != nil {
		return err
	}
	c, err := s.connectOffline(ctx)
	if err != nil {
		return err
	}
	p, err := s.printer(c.now)
	if err != nil {
		return err
	}
	index, err := c.index(ctx)
	if err != nil {
		return err
	}
	rows := func(yield func(duplicate, error) bool) {
		group := 0
		for factors, err := range index.SameToken(ctx) {
			group++
			if err != nil || !giveGroup(group, "token", factors, sameTokenNote, yield) {
				yieldError(err, yield)
				return
			}
		}
		for factors, err := range index.SameName(ctx) {
			group++
			if err != nil || !giveGroup(group, "name", factors, sameNameNote, yield) {
				yieldError(err, yield)
				return
			}
		}
	}
	n, err := render.List(p, r, rows)
	if err == nil && n == 0 {
		s.note("no two factors share a token or a name")
	}
	return err
}

func yieldError(err error, yield func(duplicate, error) bool) {
	if err != nil {
		yield(duplicate{}, err)
	}
}

func giveGroup(group int, same string, factors []verify.IndexedFactor, note func([]verify.IndexedFactor, int) string, yield func(duplicate, error) bool) bool {
	for i, f := range factors {
		if !yield(duplicate{f, group, same, note(factors, i)}, nil) {
			return false
		}
	}
	return true
}

func sameTokenNote(factors []verify.IndexedFactor, i int) string {
	for _, f := range factors {
		if f.Identity != factors[i].Identity {
			return "two identities: pushes of one reach the other's phone"
		}
	}
	return sameNameNote(factors, i)
}

func sameNameNote(factors []verify.IndexedFactor, i int) string {
	if i == len(factors)-1 {
		return "newest"
	}
	return "older than " + string(factors[len(factors)-1].SID)
}
