package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/verifyctl/verifyctl/internal/challenge"
	"github.com/verifyctl/verifyctl/internal/config"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/rotation"
	"github.com/verifyctl/verifyctl/internal/store"
	"github.com/verifyctl/verifyctl/internal/verify"
)

type credentialsRotateOptions struct {
	shell *shell
	write writeFlags
	files pushFileFlags

	canaryArg  string
	watch      time.Duration
	rollbackOn int
	inPlace    bool
	given      *pflag.FlagSet

	platform verify.Platform
	canary   *verify.Factor
}

func newCredentialsRotateCmd(s *shell) *cobra.Command {
	o := credentialsRotateOptions{shell: s, files: pushFileFlags{shell: s}, watch: 15 * time.Minute}
	cmd := &cobra.Command{
		Use:   "rotate apn|fcm",
		Short: "Replace the push credential of a Service, and watch the pushes",
		Long: `Replace the push credential that the environment's Service has for apn or fcm, as is due once a year for Apple.

The new file is checked first: key against certificate, dates, bundle ids against app_ids, the sandbox that ios_build needs.
Then a new credential is made beside the old one and attached, and the debugger events of the account are watched for --watch.
With --rollback-on-errors N the old credential is attached again as soon as N more pushes are refused than before.
Without it, the command that puts the old one back is printed. The old credential stays until "verifyctl credentials retire".

Twilio tells of refused pushes only. When nobody logged in during the watch, the outcome is unknown and the status 3: the
same command looks again. --canary IDENTITY asks one person, once, right after the exchange; their phone rings.

Nobody has documented whether factors enrolled with the old credential are pushed through the new one. A Service has one
credential for each platform, so it cannot be tried on one phone alone: --canary is the first to know.

--in-place replaces the contents of the credential that is attached instead. There is no way back from that.

An interrupted rotation goes on with the same command: nothing is made twice.

` + exitHelp(0, 1, 3, 4, 5, 6, 7, 9),
		Example: `  # service-account.json is from the Firebase console
  verifyctl -e demo credentials rotate fcm --file service-account.json --dry-run
  verifyctl -e demo credentials rotate fcm --file service-account.json --watch 30m --rollback-on-errors 5 --confirm demo`,
		Args:      argsBetween(1, 1),
		ValidArgs: []string{"apn", "fcm"},
		RunE:      parseThenRun(o.parse, o.run),
	}
	flags := cmd.Flags()
	o.given = flags
	o.files.register(flags)
	flags.Var((*verify.Period)(&o.watch), "watch", "how long pushes are watched after the exchange")
	flags.IntVar(&o.rollbackOn, "rollback-on-errors", 0, "put the old credential back when `N` more pushes are refused than before")
	flags.StringVar(&o.canaryArg, "canary", "", "ask this `IDENTITY` once, right after the exchange")
	flags.BoolVar(&o.inPlace, "in-place", false, "replace the contents of the attached credential; there is no way back")
	o.write.register(flags)
	complete(cmd, "canary", s.completeIdentity)
	return cmd
}

func (o *credentialsRotateOptions) parse(args []string) error {
	switch o.platform = verify.Platform(args[0]); {
	case o.platform != verify.PlatformAPN && o.platform != verify.PlatformFCM:
		return verify.Usagef("%q is not a platform with a push credential: it is apn or fcm", args[0])
	case o.rollbackOn < 0 || o.rollbackOn == 0 && o.given.Changed("rollback-on-errors"):
		return verify.Usagef("--rollback-on-errors takes a number from 1")
	case o.inPlace && o.rollbackOn > 0:
		return verify.Usagef("--in-place leaves nothing to put back, so --rollback-on-errors does not go with it")
	}
	return o.files.parse()
}

func (o *credentialsRotateOptions) run(ctx context.Context) error {
	target, err := o.shell.chosen()
	if err != nil {
		return err
	}
	lint, err := o.files.lint(ctx, target, o.platform) // before any request
	if err != nil {
		return err
	}
	write, err := lint.Upload(target.Environment, o.platform)
	if err != nil {
		return err
	}
	c, p, err := o.shell.begin(ctx, needsService)
	if err != nil {
		return err
	}
	memory, err := c.memory(ctx)
	if err != nil {
		return err
	}
	file := lint.File
	file.Fingerprint = memory.HashCredential(lint.Contents())
	if err := checkProject(ctx, memory, c.env, file); err != nil {
		return err
	}
	if target.Service != nil {
		write.FriendlyName = target.Service.Push[o.platform].Name
	}
	job := rotation.Job{Environment: c.env, Platform: o.platform, Write: write, File: file, InPlace: o.inPlace, Watch: o.watch, RollbackOn: o.rollbackOn}
	exchange := func(ctx context.Context) error { return o.exchange(ctx, c, p, job, lint.Contents()) }
	if o.write.dryRun {
		return exchange(ctx)
	}
	return o.shell.changing(ctx, []*config.Target{c.target}, c.env.Command("credentials", "rotate", string(o.platform)), exchange)
}

// exchange does the rotation, while no other run changes the account: a plan that was made before would not know what that one did.
func (o *credentialsRotateOptions) exchange(ctx context.Context, c *connection, p *render.Printer, job rotation.Job, contents []byte) error {
	memory, err := c.memory(ctx)
	if err != nil {
		return err
	}
	rotator := &rotation.Rotator{Twilio: c.client, Memory: memory, Feed: c.feed(memory), Clock: c.clock(), Notice: func(format string, args ...any) { o.shell.note(format, args...) }, Answered: c.answeredSince(memory)}
	plan, err := rotator.Prepare(ctx, job)
	if err != nil {
		return err
	}
	if plan.Done {
		o.shell.note("nothing to do: push credential %s was made of this file and is attached", plan.Old.SID)
		if o.write.dryRun {
			return nil
		}
		return o.noteAttached(ctx, c, plan.Old.SID, contents)
	}
	if err := o.chooseCanary(ctx, c); err != nil {
		return err
	}
	o.tell(c, plan)
	if o.write.dryRun {
		o.shell.note("dry run: nothing was sent")
		return nil
	}
	report, err := o.rotate(ctx, c, rotator, plan)
	if report.New == "" {
		return err
	}
	return errors.Join(render.One(p, rotationResource, report), err, o.noteReport(ctx, c, report, contents))
}

func (o *credentialsRotateOptions) rotate(ctx context.Context, c *connection, rotator *rotation.Rotator, plan rotation.Plan) (report rotation.Report, err error) {
	w, err := c.writer(ctx, o.write, o.question(c, plan), destructive)
	if err != nil {
		return report, err
	}
	if err := settleRotation(ctx, c, plan); err != nil {
		return report, err
	}
	rotator.Writer = w
	if o.canary != nil {
		rotator.Canary = func(ctx context.Context, credential verify.CredentialSID) (func(context.Context) (verify.ChallengeStatus, error), error) {
			return o.ask(ctx, w, credential)
		}
	}
	return rotator.Run(ctx, plan)
}

// settleRotation tells the audit file how the writes of a run ended that was killed.
func settleRotation(ctx context.Context, c *connection, plan rotation.Plan) error {
	if plan.Looked {
		audit, err := c.shell.ledger(ctx)
		if err != nil {
			return err
		}
		made := ""
		if plan.Found != nil {
			made = string(plan.Found.SID)
		}
		if err := audit.SettleCreate(ctx, plan.State.Intent(), made, time.Now()); err != nil {
			return err
		}
	}
	return c.settleAudit(ctx)
}

// noteReport notes which credential is attached by the end of a rotation.
func (o *credentialsRotateOptions) noteReport(ctx context.Context, c *connection, report rotation.Report, contents []byte) error {
	switch {
	case report.Attached.IsZero():
		return nil
	case report.Outcome == verify.RotationRolledBack:
		return o.noteAttached(ctx, c, report.Old, nil)
	}
	return o.noteAttached(ctx, c, report.New, contents)
}

// noteAttached writes into the environment file which credential is attached now, where the file declares one. It says so when the
// file that is declared has other contents than those that were uploaded, nil for what was there before.
func (o *credentialsRotateOptions) noteAttached(ctx context.Context, c *connection, attached verify.CredentialSID, contents []byte) error {
	if c.target.Service == nil {
		return nil
	}
	declared, is := c.target.Service.Push[o.platform]
	if !is {
		return nil
	}
	if _, err := o.shell.noteSIDs(c.target, config.NotedSIDs{Credentials: map[verify.Platform]verify.CredentialSID{o.platform: attached}}, true); err != nil {
		return err
	}
	if contents == nil || len(o.files.files) == 0 || declared.Contents != verify.ContentsDeclared {
		return nil
	}
	lint, err := (&pushFileFlags{shell: o.shell}).lint(ctx, c.target, o.platform)
	if err != nil || !bytes.Equal(lint.Contents(), contents) {
		o.shell.note("%s still names the file of before: put the new one in its place, or the next env apply takes the old one again", declared.ContentsAt)
	}
	return nil
}

// tell says what is about to happen.
func (o *credentialsRotateOptions) tell(c *connection, plan rotation.Plan) {
	phones := map[verify.Platform]string{verify.PlatformAPN: "iPhones", verify.PlatformFCM: "Android phones"}[o.platform]
	switch {
	case plan.State.Outcome == verify.RotationReturning:
		o.shell.note("the rotation that began %s was cut off while it put push credential %s back", verify.Stamp(plan.State.Began), plan.State.Old)
		return
	case plan.Resumed:
		o.shell.note("going on with the rotation that began %s", verify.Stamp(plan.State.Began))
	case plan.Old == nil:
		o.shell.note("the Service %s has no %s credential yet", plan.Service.SID, o.platform)
	default:
		o.shell.note("the Service %s has push credential %s (%s), last changed %s", plan.Service.SID, plan.Old.SID, plan.Old.FriendlyName, verify.Stamp(plan.Old.DateUpdated))
	}
	if plan.Superseded != nil && plan.Superseded.New != "" {
		o.shell.note("an unfinished rotation made %s of another file; delete it when nothing needs it: %s", plan.Superseded.New,
			c.env.Command("credentials", "retire", string(plan.Superseded.New)))
	}
	if file := plan.File; !file.NotAfter.IsZero() {
		o.shell.note("the new certificate is for %s and expires on %s", strings.Join(file.Topics, ", "), file.NotAfter.UTC().Format(time.DateOnly))
	} else if file.Project != "" {
		o.shell.note("the new service account is of the Firebase project %s", file.Project)
	}
	if o.inPlace {
		o.shell.note("the %s of the Service will be pushed through the new contents; there is no way back", phones)
		return
	}
	o.shell.note("the %s of the Service will be pushed through the new credential; whether factors that exist follow it, Twilio does not document", phones)
}

func (o *credentialsRotateOptions) question(c *connection, plan rotation.Plan) string {
	what := fmt.Sprintf("Exchange the %s push credential of %s", o.platform, c.label())
	if plan.State.Outcome == verify.RotationReturning {
		return fmt.Sprintf("Put push credential %s back in %s?", plan.State.Old, c.label())
	}
	if o.inPlace {
		what = fmt.Sprintf("Replace the contents of push credential %s in %s, for which there is no way back", plan.Old.SID, c.label())
	}
	if o.canary != nil {
		what += fmt.Sprintf(", and ask %s", o.canary.Identity)
	}
	return what + "?"
}

// chooseCanary finds the one factor that --canary asks, before anything is sent.
func (o *credentialsRotateOptions) chooseCanary(ctx context.Context, c *connection) error {
	if o.canaryArg == "" {
		return nil
	}
	if c.env.TemplatesOnly {
		return verify.Refusedf("%s takes the text of challenges from its messages file only, so --canary has no text to ask with", c.label()).
			WithHint("ask someone yourself after the exchange: %s", c.env.Command("challenge", "create", o.canaryArg, "--text", "NAME"))
	}
	identity, err := c.identityOrAsk(ctx, o.canaryArg)
	if err != nil {
		return err
	}
	factors, err := collect(c.client.Factors(ctx, c.service(), identity))
	if err != nil {
		return err
	}
	var onPlatform []verify.Factor
	for _, f := range factors {
		if f.Config.Platform == o.platform {
			onPlatform = append(onPlatform, f)
		}
	}
	factor, err := challenge.ChooseFactor(c.env, identity, onPlatform)
	o.canary = &factor
	return err
}

// canaryText is what the canary's phone shows.
const canaryText = "Test of push notifications: please approve"

// ask asks the canary, once for each new credential, and gives what reads how the challenge stands.
func (o *credentialsRotateOptions) ask(ctx context.Context, w *writer, credential verify.CredentialSID) (func(context.Context) (verify.ChallengeStatus, error), error) {
	request := challenge.Request{Message: canaryText, Expires: verify.DefaultChallengeTTL, ActionID: "rotation-" + string(credential)}
	again := o.shell.sameCommand(w.c.env)
	made, err := w.once().Create(ctx, challenge.Order{Service: w.c.service(), Factor: *o.canary, Request: request, Repeat: again, AskNew: again})
	if err != nil {
		return nil, err
	}
	o.shell.note("%s was %s", o.canary.Identity, challenge.Asked(canaryText, *o.canary))
	return func(ctx context.Context) (verify.ChallengeStatus, error) {
		ch, err := w.c.client.Challenge(ctx, w.c.service(), o.canary.Identity, made.Challenge.SID)
		return ch.Status, err
	}, nil
}

// checkProject refuses a service account of another Firebase project than the one before, where that is remembered: tokens
// are good in their project only (52104).
func checkProject(ctx context.Context, memory *store.Store, env verify.Environment, file verify.CredentialFile) error {
	if file.Project == "" {
		return nil
	}
	for known, err := range memory.CredentialFiles(ctx) {
		if err != nil {
			return err
		}
		if known.Platform != file.Platform || known.Project == "" {
			continue
		}
		if known.Project != file.Project {
			return verify.Refusedf("the service account is of the Firebase project %s, and the factors of %s were enrolled in %s: Google would refuse every push (52104)", file.Project, env.Name, known.Project).
				WithHint("take a service account of %s; if the app has moved to another project, forget the old one first: %s", known.Project, env.Command("state", "purge", "--kind", "credentials"))
		}
		return nil
	}
	return nil
}

// mostRead is how many challenges are looked at for an answer.
const mostRead = 20

// answeredSince counts the challenges that this machine has created since a time, of the last few, that were answered.
func (c *connection) answeredSince(memory *store.Store) func(context.Context, time.Time) (int, error) {
	return func(ctx context.Context, since time.Time) (answered int, err error) {
		created, err := memory.ChallengesSince(ctx, since, mostRead)
		if err != nil {
			return 0, err
		}
		for _, made := range created {
			ch, err := c.client.Challenge(ctx, made.ServiceSID, made.Identity, made.SID)
			if err != nil {
				return answered, err
			}
			if ch.Status == verify.ChallengeApproved || ch.Status == verify.ChallengeDenied {
				answered++
			}
		}
		return answered, nil
	}
}

var rotationResource = render.Resource[rotation.Report]{
	SID: func(r rotation.Report) string { return string(r.New) },
	Columns: []render.Column[rotation.Report]{
		{Name: "platform", Text: func(r rotation.Report) string { return string(r.Platform) }},
		{Name: "old", Text: func(r rotation.Report) string { return string(r.Old) }},
		{Name: "new", Text: func(r rotation.Report) string { return string(r.New) }},
		{Name: "outcome", Text: func(r rotation.Report) string { return string(r.Outcome) }, Tone: rotationTone},
		{Name: "attached", Time: func(r rotation.Report) time.Time { return r.Attached }},
		{Name: "watched", Text: func(r rotation.Report) string { return r.Watched.String() }},
		{Name: "refused", Text: func(r rotation.Report) string { return fmt.Sprint(r.Refused + r.Unnamed) }},
		{Name: "before", Text: func(r rotation.Report) string { return fmt.Sprint(r.Before) }},
		{Name: "accepted", Text: func(r rotation.Report) string { return fmt.Sprint(r.Accepted) }},
		{Name: "answered", Text: func(r rotation.Report) string { return fmt.Sprint(r.Answered) }},
	},
}

func rotationTone(r rotation.Report) render.Tone {
	switch r.Outcome {
	case verify.RotationKept:
		return render.Good
	case verify.RotationFailing, verify.RotationRolledBack:
		return render.Bad
	}
	return render.Warn
}
