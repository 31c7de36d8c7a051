package cli

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/verifyctl/verifyctl/internal/config"
	"github.com/verifyctl/verifyctl/internal/environments"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
	"github.com/verifyctl/verifyctl/internal/where"
)

// maxDeclarations bounds a file of declarations, in bytes, as an environment file is bounded.
const maxDeclarations = 1 << 20

// setup is which environments a command compares with what they declare, and what is read of them.
type setup struct {
	shell *shell
	file  string // with declarations, "" for the environment file

	drift bool // only what is not as declared is asked

	names    []string
	accounts map[string]*environments.Account // by account and where it is
}

func (o *setup) register(flags *pflag.FlagSet) {
	flags.StringVar(&o.file, "file", "", "take the declarations from this `file`, or - for standard input")
}

func (o *setup) parse(names []string) error {
	o.names = names
	return nil
}

// fileWords are the words that name the declarations again in a command to paste.
func (o *setup) fileWords() []string {
	if o.file == "" {
		return nil
	}
	return []string{"--file", o.file}
}

// planned is one environment that is set up.
type planned struct {
	c     *connection
	env   *environments.Environment
	diff  *environments.Diff
	noted bool // it was said why SIDs are not written into its file
}

// targets gives the environments that are named, by arguments, -e or VERIFYCTL_ENV, else all that declare a service.
func (o *setup) targets() ([]*config.Target, error) {
	cfg, err := o.shell.config()
	if err != nil {
		return nil, err
	}
	names := o.named()
	if o.file != "" {
		return o.fromFile(cfg, names)
	}
	if len(names) == 0 {
		return declaring(cfg)
	}
	var targets []*config.Target
	for _, name := range names {
		target, err := cfg.Lookup(name)
		if err != nil {
			return nil, err
		}
		if target.Service == nil {
			return nil, verify.Usagef("%s declares no service, so there is nothing to compare%s", name, target.DeclaredAt()).
				WithHint("write what is there as its declaration: %s", cfg.Command("env", "export", name))
		}
		targets = append(targets, target)
	}
	return targets, nil
}

// named gives the names of arguments, each once, or else that of -e or VERIFYCTL_ENV. Arguments say what is meant where
// those only choose.
func (o *setup) named() (names []string) {
	for _, name := range o.names {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	chosen := o.shell.flags.env
	if !o.shell.globalSet.Changed("env") {
		chosen = o.shell.getenv("VERIFYCTL_ENV")
	}
	if len(names) == 0 && chosen != "" {
		return []string{chosen}
	}
	return names
}

// declaring gives the environments of the file that declare a service.
func declaring(cfg *config.Config) ([]*config.Target, error) {
	all, err := cfg.All()
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(t *config.Target) bool { return t.Service == nil })
	if len(all) == 0 {
		return nil, verify.Usagef("no environment declares a service, so there is nothing to compare").
			WithHint("write what one has as its declaration: %s", cfg.Command("env", "export", "NAME"))
	}
	return all, nil
}

// fromFile gives the environments of --file, or those of them that are named.
func (o *setup) fromFile(cfg *config.Config, names []string) ([]*config.Target, error) {
	text, err := readAll(o.shell, "the declarations", o.file, maxDeclarations)
	if err != nil {
		return nil, err
	}
	label, path := o.file, ""
	if o.file == "-" {
		label = "standard input"
	} else if path, err = filepath.Abs(o.file); err != nil {
		return nil, err
	}
	all, err := cfg.ReadDeclarations(label, path, text)
	if err != nil || len(names) == 0 {
		return all, err
	}
	var targets []*config.Target
	for _, name := range names {
		i := slices.IndexFunc(all, func(t *config.Target) bool { return t.Environment.Name == name })
		if i < 0 {
			return nil, verify.Usagef("%s does not declare %s", label, name)
		}
		targets = append(targets, all[i])
	}
	return targets, nil
}

// plan compares environments with what they declare.
func (o *setup) plan(ctx context.Context, targets []*config.Target) ([]planned, error) {
	all, err := o.prepare(ctx, targets)
	if err != nil {
		return nil, err
	}
	return all, o.compare(ctx, all)
}

// prepare makes sure that everything that can be wrong without asking Twilio is in order, before the first request.
func (o *setup) prepare(ctx context.Context, targets []*config.Target) ([]planned, error) {
	all := make([]planned, len(targets))
	var together []*environments.Environment
	for i, target := range targets {
		env, err := o.environment(ctx, target)
		if err != nil {
			return nil, err
		}
		warnings, err := env.Open(ctx)
		if err != nil {
			return nil, err
		}
		for _, warning := range warnings {
			o.shell.note("warning: %s", warning)
		}
		all[i].env, together = env, append(together, env)
	}
	if err := environments.CheckTogether(together); err != nil {
		return nil, err
	}
	for i, target := range targets {
		c, err := o.shell.connect(ctx, target)
		if err != nil {
			return nil, err
		}
		all[i].c = c
		if err := o.remember(ctx, &all[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// compare reads the accounts, each once, and says what differs.
func (o *setup) compare(ctx context.Context, all []planned) error {
	for i := range all {
		account, err := o.account(ctx, all[i].c)
		if err != nil {
			return err
		}
		if all[i].diff, err = environments.Compare(ctx, all[i].env, account); err != nil {
			return err
		}
	}
	return nil
}

// environment gives what a target declares, and the environments beside it.
func (o *setup) environment(ctx context.Context, target *config.Target) (*environments.Environment, error) {
	now := time.Now
	if target.Environment.Demo {
		world, err := o.shell.demo(ctx)
		if err != nil {
			return nil, err
		}
		now = world.now
	}
	env := &environments.Environment{Environment: target.Environment, Declares: *target.Service, Now: now(), File: target.PushFile, Drift: o.drift}
	others, err := o.shell.environments()
	if err != nil {
		return nil, err
	}
	for _, other := range others {
		if other.Environment.Demo == target.Environment.Demo && verify.SameSID(other.Environment.AccountSID, target.Environment.AccountSID) {
			env.Others = append(env.Others, other.Environment)
		}
	}
	return env, nil
}

// remember gives an environment what this machine knows of its uploads and its factors.
func (o *setup) remember(ctx context.Context, p *planned) error {
	memory, err := p.c.memory(ctx)
	if err != nil {
		return err
	}
	p.env.Memory = memory
	p.env.Factors = func(ctx context.Context, platform verify.Platform) (int, bool) {
		fresh, err := memory.Freshness(ctx)
		if err != nil || fresh.LastFull.ID == 0 || !verify.SameSID(fresh.ServiceSID, p.env.ServiceSID) {
			return 0, false
		}
		condition, err := where.Parse("status = verified and factor_type = push", p.env.Now)
		if err != nil {
			return 0, false
		}
		by, _ := where.FieldOf("platform")
		groups, err := memory.FactorGroupsWhere(ctx, []where.Field{by}, condition)
		for _, group := range groups {
			if group.Values[0] == string(platform) {
				return group.Count, err == nil
			}
		}
		return 0, err == nil
	}
	return nil
}

// account reads the account of a connection, once in a run.
func (o *setup) account(ctx context.Context, c *connection) (*environments.Account, error) {
	key := strings.ToUpper(string(c.env.AccountSID)) + " " + c.target.BaseURL
	if c.env.Demo {
		key = "demo"
	}
	if account := o.accounts[key]; account != nil {
		return account, nil
	}
	account, err := environments.ReadAccount(ctx, c.env.AccountSID, c.client)
	if err != nil {
		return nil, err
	}
	if o.accounts == nil {
		o.accounts = map[string]*environments.Account{}
	}
	o.accounts[key] = account
	return account, nil
}

// setupReport is what a plan is as JSON.
type setupReport struct {
	Changes int `json:"changes"`
	environments.Tally
	Requests     int                  `json:"requests"`
	Environments []*environments.Diff `json:"environments"`
}

func (o *setup) report(all []planned) setupReport {
	sent, _ := o.shell.requests()
	report := setupReport{Requests: sent, Environments: []*environments.Diff{}}
	for _, p := range all {
		report.Environments = append(report.Environments, p.diff)
	}
	report.Tally = environments.Count(report.Environments)
	report.Changes = report.Sum()
	return report
}

// requests counts what was sent in this run, and how much of it met a 429.
func (s *shell) requests() (sent, throttled int) {
	for _, limiter := range s.opened.limiters {
		n, refused := limiter.Counts()
		sent, throttled = sent+n, throttled+refused
	}
	return sent, throttled
}

// print writes what differs: a page for people, else one row for each property.
func (o *setup) print(all []planned) error {
	s := o.shell
	p := s.printer(time.Now)
	report := o.report(all)
	format := render.Format(s.flags.output)
	switch {
	case s.flags.jq != "" || s.flags.template != "" || format == render.JSON || format == render.YAML:
		return render.One(p, render.Resource[setupReport]{}, report)
	case !p.PageForm() || format == render.Markdown:
		return listAll(p, setupResource, setupRows(report.Environments))
	}
	var page strings.Builder
	environments.WriteText(&page, report.Environments, func(a environments.Action, text string) string { return p.Paint(text, actionTone(a)) })
	if err := p.WritePage(page.String()); err != nil {
		return err
	}
	s.note("it took %s", verify.Count(report.Requests, "request"))
	return nil
}

func actionTone(a environments.Action) render.Tone {
	switch a {
	case environments.Create, environments.Replace:
		return render.Good
	case environments.Delete:
		return render.Bad
	}
	return render.Warn
}

// setupRow is one property of a change.
type setupRow struct {
	Environment string `json:"environment"`
	environments.Change
	Field environments.Field `json:"field"`
}

// setupRows gives a row for each property that changes, and one for a change without any, such as a deletion.
func setupRows(diffs []*environments.Diff) (rows []setupRow) {
	for _, d := range diffs {
		for _, change := range d.Changes {
			if len(change.Fields) == 0 {
				rows = append(rows, setupRow{d.Environment, change, environments.Field{}})
			}
			for _, f := range change.Fields {
				rows = append(rows, setupRow{d.Environment, change, f})
			}
		}
	}
	return rows
}

var setupResource = render.Resource[setupRow]{
	SID: func(r setupRow) string { return r.SID },
	Columns: []render.Column[setupRow]{
		{Name: "environment", Text: func(r setupRow) string { return r.Environment }},
		{Name: "action", Text: func(r setupRow) string { return string(r.Action) }, Tone: func(r setupRow) render.Tone { return actionTone(r.Action) }},
		{Name: "kind", Text: func(r setupRow) string { return string(r.Kind) }},
		{Name: "name", Text: func(r setupRow) string { return r.Name }, Flex: true},
		{Name: "sid", Text: func(r setupRow) string { return r.SID }},
		{Name: "field", Text: func(r setupRow) string { return r.Field.Name }},
		{Name: "old", Text: func(r setupRow) string { return r.Field.Old }, Flex: true},
		{Name: "new", Text: func(r setupRow) string { return r.Field.New }, Flex: true},
		{Name: "declared", Text: func(r setupRow) string { return r.At.String() }, Wide: true},
	},
}
