package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/config"
	"github.com/verifyctl/verifyctl/internal/doctor"
	"github.com/verifyctl/verifyctl/internal/environments"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

type envApplyOptions struct {
	setup
	write    writeFlags
	deletion deletionFlag

	args   []string
	sealed *environments.Sealed // the reviewed plan, nil without one
	repeat []string             // the words that go on, nil for those of env apply
}

func newEnvApplyCmd(s *shell) *cobra.Command {
	o := envApplyOptions{setup: setup{shell: s}}
	cmd := &cobra.Command{
		Use:   "apply [NAME… | PLAN]",
		Short: "Set Services up as declared: credentials, Service, webhooks",
		Long: `Plan as "env plan" does, and after confirmation make Twilio as declared: push credentials first, then the Service, then its
webhooks, then what is declared absent. Afterwards everything is read back, and "doctor" checks the result.

The SIDs of what was made go into the file that declares the environment. What is about to be made is noted on this machine
before each request: an apply that was cut off anywhere is finished by the same command, and makes nothing twice. A new push
credential is made beside the old one, which stays. A Service is never deleted.

A PLAN of "env plan --out" is applied only while exactly what was reviewed would be done. A production environment is named
on the command line, and confirmed by its name. A push credential is deleted only when no Verify Service uses it, and when its
name is typed or given by --confirm-delete: other products' use of it cannot be seen.

` + exitHelp(writeStatuses...),
		Example: `  verifyctl -e demo env export | verifyctl env apply --file - --dry-run
  verifyctl env apply staging production --dry-run`,
		ValidArgsFunction: s.completeEnvironment,
		Args:              argsBetween(0, -1),
		RunE:              parseThenRun(o.parse, o.run),
	}
	o.register(cmd.Flags())
	o.deletion.register(cmd.Flags())
	o.write.register(cmd.Flags())
	return cmd
}

// parse tells names from a plan: arguments that are all environments here are names.
func (o *envApplyOptions) parse(args []string) error {
	cfg, err := o.shell.config()
	if err != nil {
		return err
	}
	known, err := cfg.Names()
	if err != nil {
		return err
	}
	isName := func(arg string) bool { return slices.Contains(known, arg) }
	stranger := slices.IndexFunc(args, func(arg string) bool { return !isName(arg) })
	switch {
	case stranger < 0:
		o.names = args
		return nil
	case len(args) > 1 || config.CheckName(args[0]) == nil && !strings.Contains(args[0], "."):
		_, err := cfg.Lookup(args[stranger])
		return err
	}
	plan, err := readInput(o.shell, "the plan", args[0], environments.ReadSealed)
	if err != nil {
		return err
	}
	o.args, o.sealed, o.names = args, &plan, []string{plan.Header.Environment}
	if e := o.shell.flags.env; o.shell.globalSet.Changed("env") && e != plan.Header.Environment {
		return verify.Refusedf("the plan is for environment %s, not for %s", plan.Header.Environment, e)
	}
	return nil
}

func (o *envApplyOptions) run(ctx context.Context) error {
	targets, err := o.targets()
	if err != nil {
		return err
	}
	if err := o.nameProduction(targets); err != nil {
		return err
	}
	if o.write.dryRun {
		return o.apply(ctx, targets)
	}
	return o.shell.changing(ctx, targets, o.doing(targets), func(ctx context.Context) error { return o.apply(ctx, targets) })
}

// apply makes the environments as declared, while no other run does.
func (o *envApplyOptions) apply(ctx context.Context, targets []*config.Target) error {
	all, err := o.compared(ctx, targets)
	if err != nil {
		return err
	}
	if o.write.dryRun || o.report(all).Changes == 0 {
		return o.leave(all)
	}
	if err := o.show(all); err != nil {
		return err
	}
	writers, err := o.confirm(ctx, all)
	if err != nil {
		return err
	}
	if err := o.noteFound(all); err != nil {
		return err
	}
	changed, err := o.make(ctx, all, writers)
	if err != nil {
		return err
	}
	return o.examine(ctx, changed)
}

// compared finishes what an earlier apply left, and says what differs: with a reviewed plan, what was reviewed and nothing else.
func (o *envApplyOptions) compared(ctx context.Context, targets []*config.Target) ([]planned, error) {
	all, err := o.prepare(ctx, targets)
	if err != nil {
		return nil, err
	}
	if !o.write.dryRun {
		if err := o.settle(ctx, all); err != nil {
			return nil, err
		}
	}
	if err := o.compare(ctx, all); err != nil || o.sealed == nil {
		return all, err
	}
	return all, cmp.Or(o.sealed.CheckTarget(all[0].current(), all[0].c.now()), o.sealed.Moved(all[0].diff))
}

// leave shows what differs, and changes nothing on Twilio.
func (o *envApplyOptions) leave(all []planned) error {
	if err := o.print(all); err != nil {
		return err
	}
	if o.write.dryRun {
		o.shell.note("dry run: nothing was changed")
		return nil
	}
	o.shell.note("nothing to change")
	return o.noteFound(all)
}

// noteFound writes the SID of each Service that was found by its name into the file, so that every other command knows it.
func (o *envApplyOptions) noteFound(all []planned) error {
	for i := range all {
		p := &all[i]
		if p.env.ServiceSID != "" || p.diff.ServiceSID == "" {
			continue
		}
		p.env.ServiceSID = p.diff.ServiceSID
		if err := o.noteSID(p, environments.KindService, "", "", string(p.diff.ServiceSID)); err != nil {
			return err
		}
	}
	return nil
}

// nameProduction refuses a production environment that the command line does not name, with the command that does.
func (o *envApplyOptions) nameProduction(targets []*config.Target) error {
	if len(o.names) > 0 && o.sealed == nil || o.shell.globalSet.Changed("env") || o.write.dryRun {
		return nil
	}
	var names []string
	production := ""
	for _, target := range targets {
		names = append(names, target.Environment.Name)
		if target.Environment.GuardsAsProduction() {
			production = cmp.Or(production, target.Environment.Name)
		}
	}
	if production == "" {
		return nil
	}
	words, env := append([]string{"env", "apply"}, names...), verify.Environment{Config: o.shell.file()}
	if o.sealed != nil {
		words, env.Name = append([]string{"env", "apply"}, o.args...), production
	}
	return verify.Refusedf("%s is production, and a write there names it on the command line", production).
		WithHint("see what would be done: %s", env.Command(append(append(words, o.fileWords()...), "--dry-run")...))
}

// doing is the command that others are told of meanwhile.
func (o *envApplyOptions) doing(targets []*config.Target) string {
	words := o.repeat
	if words == nil {
		words = []string{"env", "apply"}
		for _, target := range targets {
			words = append(words, target.Environment.Name)
		}
	}
	return o.shell.file().Command(words...)
}

// current is the environment with the Service that it has by now.
func (p *planned) current() verify.Environment {
	env := p.env.Environment
	if env.ServiceSID == "" {
		env.ServiceSID = p.diff.ServiceSID
	}
	return env
}

// applier makes one environment as declared, once it has a writer.
func (o *envApplyOptions) applier(ctx context.Context, p *planned) (*environments.Applier, error) {
	account, err := o.account(ctx, p.c)
	if err != nil {
		return nil, err
	}
	memory, err := p.c.memory(ctx)
	if err != nil {
		return nil, err
	}
	return &environments.Applier{
		Env: p.env, Account: account, Journal: memory, Now: p.c.now,
		Note: func(kind environments.Kind, platform verify.Platform, name, sid string) error {
			return o.noteSID(p, kind, platform, name, sid)
		},
		Did: func(c environments.Change) {
			o.shell.note("%s: %s %s", p.env.Name, c.Action.Past(), c)
		},
	}, nil
}

// noteSID writes the SID of what was made into the file.
func (o *envApplyOptions) noteSID(p *planned, kind environments.Kind, platform verify.Platform, name, sid string) error {
	var sids config.NotedSIDs
	switch kind {
	case environments.KindService:
		sids.Service = verify.ServiceSID(sid)
		p.c.env.ServiceSID, p.c.target.Environment.ServiceSID = sids.Service, sids.Service
	case environments.KindCredential:
		sids.Credentials = map[verify.Platform]verify.CredentialSID{platform: verify.CredentialSID(sid)}
	default:
		sids.Webhooks = map[string]verify.WebhookSID{name: verify.WebhookSID(sid)}
	}
	noted, err := o.shell.noteSIDs(p.c.target, sids, !p.noted)
	p.noted = p.noted || !noted
	return err
}

// noteSIDs writes SIDs into the file that declares an environment, and tells whether it did. Where that cannot be, the lines
// to add are told, and why where that is wanted: what was made is made.
func (s *shell) noteSIDs(target *config.Target, sids config.NotedSIDs, why bool) (noted bool, err error) {
	cfg, err := s.config()
	if err != nil {
		return false, err
	}
	if _, err = cfg.NoteSIDs(target, sids); err == nil {
		return true, nil
	}
	if why {
		s.note("%v", err)
	}
	if known, ok := errors.AsType[*verify.Error](err); ok {
		s.note("%s", known.Hint)
	}
	return false, nil
}

// settle finishes what an earlier apply had begun when it was cut off. It sends nothing but reads.
func (o *envApplyOptions) settle(ctx context.Context, all []planned) error {
	for i := range all {
		p := &all[i]
		applier, err := o.applier(ctx, p)
		if err != nil {
			return err
		}
		audit, err := o.shell.ledger(ctx)
		if err != nil {
			return err
		}
		applier.Settled = func(c verify.Creation, made string) error {
			if made != "" {
				o.shell.note("%s: %s was made by an earlier apply, which did not see the reply: %s", p.env.Name, c.Name, made)
			}
			return audit.SettleCreate(ctx, c.Intent(), made, time.Now())
		}
		settled, err := applier.Settle(ctx)
		if err != nil {
			return err
		}
		if err := p.c.settleAudit(ctx); err != nil {
			return err
		}
		if settled > 0 {
			o.accounts = nil // what was found is in the list that is read next
		}
	}
	return nil
}

// show writes what is about to be done on standard error, where the question follows.
func (o *envApplyOptions) show(all []planned) error {
	p, err := render.New(o.shell.err, render.Options{Names: o.shell.names, Terminal: o.shell.errTerminal, Width: o.shell.width, Color: o.shell.color})
	if err != nil {
		return err
	}
	var page strings.Builder
	environments.WriteText(&page, o.report(all).Environments, func(a environments.Action, text string) string { return p.Paint(text, actionTone(a)) })
	return p.WritePage(page.String())
}

// confirm has the changes of every environment confirmed before the first is made.
func (o *envApplyOptions) confirm(ctx context.Context, all []planned) ([]*writer, error) {
	writers := make([]*writer, len(all))
	for i := range all {
		p := &all[i]
		if len(p.diff.Changes) == 0 {
			continue
		}
		p.c.named = slices.Contains(o.names, p.env.Name) && o.sealed == nil
		deleted := p.diff.DeletedCredentials()
		if len(deleted) > 0 { // their other users are of the whole account
			p.c.rules = o.shell.strictestOfAccount(p.c.target)
		}
		w, err := p.c.writer(ctx, o.write, fmt.Sprintf("Apply to %s: %s?", p.env.Name, environments.Count([]*environments.Diff{p.diff})), destructive)
		if err != nil {
			return nil, err
		}
		for _, credential := range deleted {
			if err := o.deletion.confirm(ctx, o.shell, credential); err != nil {
				return nil, err
			}
		}
		writers[i] = w
	}
	return writers, nil
}

// make makes the changes and reads back. It gives the environments that were changed.
func (o *envApplyOptions) make(ctx context.Context, all []planned, writers []*writer) (changed []planned, err error) {
	for i := range all {
		p := &all[i]
		if writers[i] == nil {
			continue
		}
		applier, err := o.applier(ctx, p)
		if err != nil {
			return nil, err
		}
		applier.Writer = writers[i]
		if err := applier.Apply(ctx, p.diff); err != nil {
			return nil, o.goOn(p, err)
		}
		changed = append(changed, *p)
	}
	o.accounts = nil
	for i := range changed {
		done := len(changed[i].diff.Changes)
		if err := o.compare(ctx, changed[i:i+1]); err != nil {
			return nil, fmt.Errorf("%s: %s made, and reading back failed: %w", changed[i].env.Name, verify.Count(done, "change was", "changes were"), err)
		}
		if err := o.stillDiffers(&changed[i]); err != nil {
			return nil, err
		}
	}
	return changed, nil
}

func (o *envApplyOptions) stillDiffers(p *planned) error {
	if len(p.diff.Changes) == 0 {
		return nil
	}
	var still []string
	for _, c := range p.diff.Changes {
		still = append(still, c.String())
	}
	return (&verify.Error{Kind: verify.KindFailed, Message: fmt.Sprintf("%s still differs after it was changed: %s", p.env.Name, strings.Join(still, ", "))}).
		WithHint("see how: %s", o.again(p, "--dry-run"))
}

// goOn adds to an error the command that goes on.
func (o *envApplyOptions) goOn(p *planned, err error) error {
	problem, ok := errors.AsType[*verify.Error](err)
	if !ok || problem.Hint != "" && problem.Kind != verify.KindPartial {
		return err
	}
	return &verify.Error{Kind: problem.Kind, Message: err.Error(), Cause: err, Hint: "what was made stays; go on: " + o.again(p)}
}

// again gives the command that goes on with an environment, for pasting.
func (o *envApplyOptions) again(p *planned, more ...string) string {
	words := o.repeat
	if words == nil {
		words = append([]string{"env", "apply", p.env.Name}, o.fileWords()...)
	}
	return o.shell.file().Command(append(words, more...)...)
}

// applyReport is what an apply did, as JSON.
type applyReport struct {
	setupReport
	Doctor doctor.Report `json:"doctor"`
}

// examine has doctor check the environments that were changed. Push errors of before are history, and not looked at; that the
// Service was changed a moment ago is no news.
func (o *envApplyOptions) examine(ctx context.Context, changed []planned) error {
	report := applyReport{setupReport: o.report(changed)}
	all, err := o.shell.environments()
	if err != nil {
		return err
	}
	var targets []*config.Target
	var declared []verify.Environment
	for _, p := range changed {
		targets, declared = append(targets, p.c.target), append(declared, p.current()) // its Service may stand in no file
	}
	for _, other := range all {
		if !slices.ContainsFunc(changed, func(p planned) bool { return p.env.Name == other.Environment.Name }) {
			declared = append(declared, other.Environment)
		}
	}
	e := examination{shell: o.shell, noEvidence: true}
	if report.Doctor, err = e.examine(ctx, targets, doctor.Options{Declared: declared, Skip: []string{"SVC-07"}}); err != nil {
		return err
	}
	if err := o.printDone(report); err != nil {
		return err
	}
	return outcome(report.Doctor.Outcome(doctor.FailOnFail))
}

func (o *envApplyOptions) printDone(report applyReport) error {
	s := o.shell
	p := s.printer(func() time.Time { return report.Doctor.At })
	format := render.Format(s.flags.output)
	switch {
	case s.flags.jq != "" || s.flags.template != "" || format == render.JSON || format == render.YAML:
		return render.One(p, render.Resource[applyReport]{}, report)
	case !p.PageForm() || format == render.Markdown:
		return listAll(p, doctorResult, report.Doctor.Results)
	}
	var page strings.Builder
	if err := doctor.WriteText(&page, report.Doctor, false, paintStatus(p)); err != nil {
		return err
	}
	return p.WritePage(page.String())
}
