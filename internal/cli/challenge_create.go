package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/challenge"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

type challengeCreateOptions struct {
	shell *shell
	write writeFlags
	text  textFlags
	watch watchFlags

	identityArg string
	factorArg   string
	fields      []string
	hidden      []string
	all         bool
	anew        bool
	takeOver    bool
	follow      bool

	request challenge.Request
	factor  verify.FactorSID
	fresh   bool // the action id is made for this run
}

func newChallengeCreateCmd(s *shell) *cobra.Command {
	o := challengeCreateOptions{shell: s, text: textFlags{shell: s}, watch: watchFlags{shell: s}}
	cmd := &cobra.Command{
		Use:   "create IDENTITY --message TEXT",
		Short: "Ask a user to approve something, once: a push to their phone",
		Long: `Create a challenge on a factor of an identity. Twilio sends the push; that it accepted the challenge is no proof that a
phone rang. Every limit is checked before anything is sent. In production it
shows who will be asked what, on which devices, and asks you to confirm.

Without --factor the identity's only verified push factor is used. If there are several, it asks on a terminal; elsewhere it
fails and lists them. --all-factors asks every one of them, and the first answer counts.

Each action gets one challenge: if the --action-id is already pending on the factor, that challenge is returned and nothing
is sent. If Twilio's reply is lost, the factor's challenges are looked up and nothing is sent again; running the same command
again is safe. An action that was approved or denied is asked again only with --new. Without --action-id, one is generated
and shown.

Where a team shares a store that holds for all its machines. A run on another machine that is creating the challenge is waited
for, however long it takes. When that machine is lost, --take-over goes on in its place, after looking for what it may have
sent.

` + exitHelp(append(writeStatuses, 8, 10, 11)...),
		Example: `  verifyctl -e demo challenge create user-1013-mateo --message 'Log in to Bank?' --confirm demo
  verifyctl -e demo challenge create user-1013-mateo --message 'Pay 20 EUR?' --field Amount='20 EUR' --expires 2m --action-id payment-4711 --confirm demo`,
		Args:              argsBetween(0, 1),
		ValidArgsFunction: s.completeIdentity,
		RunE:              parseThenRun(o.parse, o.run),
	}
	flags := cmd.Flags()
	flags.StringVar(&o.request.Message, "message", "", "what the phone shows, at most 256 characters")
	flags.StringVar(&o.factorArg, "factor", "", "the factor YF… to ask")
	flags.BoolVar(&o.all, "all-factors", false, "ask every verified push factor of the identity; the first answer counts")
	flags.StringArrayVar(&o.fields, "field", nil, "a labelled line `Label=Value`, up to 20 times (36 and 128 characters)")
	flags.StringArrayVar(&o.hidden, "hidden", nil, "a hidden detail `key=value` for the app (1,024 characters of JSON in all)")
	o.request.Expires = verify.DefaultChallengeTTL
	flags.Var((*verify.Period)(&o.request.Expires), "expires", "how long it can be answered, at most 1h")
	flags.StringVar(&o.request.ActionID, "action-id", "", "your `id` for what is being approved; makes the command safe to repeat")
	flags.BoolVar(&o.anew, "new", false, "ask again, although the action was approved or denied")
	flags.BoolVar(&o.takeOver, "take-over", false, "go on for a run on another machine, which is lost; looks for its challenge first")
	flags.BoolVar(&o.follow, "watch", false, "wait for the answer, as challenge watch does")
	o.text.register(cmd)
	o.watch.register(flags)
	o.write.register(flags)
	complete(cmd, "factor", s.completeFactor)
	return cmd
}

func (o *challengeCreateOptions) parse(args []string) error {
	var errs []error
	if len(args) > 0 {
		o.identityArg = args[0]
	} else if !o.shell.canAsk() {
		errs = append(errs, verify.Usagef("challenge create needs an IDENTITY when there is no terminal to ask on"))
	}
	var err error
	o.request.Fields, err = challenge.ParseFields(o.fields)
	errs = append(errs, err)
	o.request.Hidden, err = challenge.ParseDetails("--hidden", o.hidden)
	errs = append(errs, err)
	if o.factorArg != "" {
		o.factor, err = verify.ParseFactorSID(o.factorArg)
		errs = append(errs, err)
	}
	switch {
	case o.takeOver && o.request.Action() == "":
		errs = append(errs, verify.Usagef("--take-over needs the --action-id of the run that is lost"))
	case o.all && o.factorArg != "":
		errs = append(errs, verify.Usagef("--factor and --all-factors cannot be combined"))
	case o.watch.isUsed() && !o.follow:
		errs = append(errs, verify.Usagef("--wait, --resend-after, --max-resends and --receipts go with --watch"))
	}
	errs = append(errs, o.watch.parse(), o.text.parse(o.request.Message != "" || len(o.fields) > 0), o.parseAction())
	if !o.text.isUsed() { // a text is checked when it is filled in
		errs = append(errs, o.request.Check())
	}
	return errors.Join(errs...)
}

// parseAction makes an action id unless one is given.
func (o *challengeCreateOptions) parseAction() (err error) {
	if o.request.Action() != "" {
		return nil
	}
	o.fresh = true
	o.request.ActionID, err = challenge.NewActionID(rand.Reader)
	return err
}

func (o *challengeCreateOptions) run(ctx context.Context) error {
	c, p, err := o.shell.begin(ctx, needsService)
	if err != nil {
		return err
	}
	if err := o.takeText(c); err != nil {
		return err
	}
	identity, err := c.identityOrAsk(ctx, o.identityArg)
	if err != nil {
		return err
	}
	factors, err := o.chooseFactors(ctx, c, identity)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%s will be %s", identity, challenge.Asked(o.request.Message, factors...))
	if o.follow && o.watch.resends() && slices.ContainsFunc(factors, challenge.GetsPush) {
		what += fmt.Sprintf("; the push is sent again at most %s while unanswered", times(o.watch.maxResends))
	}
	if o.write.dryRun {
		o.shell.note("dry run: %s", what)
		return nil
	}
	w, err := c.writer(ctx, o.write, what, harmless)
	if err != nil {
		return err
	}
	made, err := o.createAll(ctx, w, factors)
	if o.follow && len(made) > 0 {
		return errors.Join(err, o.followMade(ctx, w, p, made))
	}
	if printErr := o.print(p, made); printErr != nil {
		return errors.Join(err, printErr)
	}
	if err == nil {
		o.shell.note("follow it: %s", c.env.Command(watchWords(made)...))
	}
	return err
}

// takeText takes message and fields from the messages file when --text says so.
func (o *challengeCreateOptions) takeText(c *connection) error {
	if !o.text.isUsed() {
		if c.env.TemplatesOnly {
			return verify.Refusedf("%s takes the text of challenges from its messages file only, not from --message%s", c.label(), c.target.DeclaredAt()).
				WithHint("name a text: --text NAME; see %s", c.env.Command("challenge", "templates", "list"))
		}
		return nil
	}
	rendered, err := o.text.render(c.target.Texts)
	if err != nil {
		return err
	}
	o.request.Message, o.request.Fields = rendered.Message, rendered.Fields
	return o.request.Check()
}

// times says how often: "once", "2 times".
func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// chooseFactors gives the factors to ask: the named one, all, the only one, or the one that somebody picks.
func (o *challengeCreateOptions) chooseFactors(ctx context.Context, c *connection, identity verify.Identity) ([]verify.Factor, error) {
	if o.factor != "" {
		factor, err := c.client.Factor(ctx, c.service(), identity, o.factor)
		if err != nil {
			return nil, err
		}
		return []verify.Factor{factor}, challenge.CheckFactor(c.env, factor)
	}
	factors, err := collect(c.client.Factors(ctx, c.service(), identity))
	if err != nil {
		return nil, err
	}
	if o.all {
		return challenge.VerifiedPush(c.env, identity, factors)
	}
	factor, err := challenge.ChooseFactor(c.env, identity, factors)
	if err != nil && o.shell.canAsk() {
		factor, err = o.shell.pickFactor(ctx, err)
	}
	return []verify.Factor{factor}, err
}

// createAll creates the challenge of each factor under one action id. What failed does not keep the others from being
// asked, unless the run was interrupted.
func (o *challengeCreateOptions) createAll(ctx context.Context, w *writer, factors []verify.Factor) ([]verify.Challenge, error) {
	once := w.once()
	if o.fresh {
		o.shell.note("action id %s; with --action-id this can be repeated safely", o.request.ActionID)
	}
	var made []verify.Challenge
	var errs []error
	for _, f := range factors {
		created, err := once.Create(ctx, challenge.Order{Service: w.c.service(), Factor: f, Request: o.request,
			Fresh: o.fresh, New: o.anew, Repeat: o.again(w.c.env), TakeOver: o.takeOver,
			AskNew: o.again(w.c.env, "--new"), AskOver: o.again(w.c.env, "--take-over")})
		if err != nil {
			errs = append(errs, err)
			if ctx.Err() != nil {
				break
			}
			continue
		}
		made = append(made, created.Challenge)
		o.tell(created, f, w.c.now())
	}
	if len(errs) > 0 && len(made) > 0 {
		errs = append(errs, &verify.Error{Kind: verify.KindPartial, Message: fmt.Sprintf("%d of %d devices were asked", len(made), len(factors))})
	}
	return made, errors.Join(errs...)
}

// tell says what became of an order, beyond the challenge itself.
func (o *challengeCreateOptions) tell(created challenge.Created, f verify.Factor, now time.Time) {
	ch := created.Challenge
	switch {
	case created.Existing && created.LookedUp:
		o.shell.note("%s was created by an earlier request that got no answer; nothing was sent now", ch.SID)
	case created.Existing:
		o.shell.note("%s already exists, created %s for action %s; nothing was sent", ch.SID, render.Age(ch.DateCreated, now), created.ActionID)
	case created.LookedUp:
		o.shell.note("the answer was lost, but %s was created: it was found by its action id", ch.SID)
	case challenge.GetsPush(f):
		o.shell.note("%s was created: %s was %s; Twilio accepted it; whether a phone rang cannot be known", ch.SID, ch.Identity, challenge.Asked(ch.Details.Message, f))
	default:
		o.shell.note("%s was created: %s was %s", ch.SID, ch.Identity, challenge.Asked(ch.Details.Message, f))
	}
	if created.Forgotten != nil {
		o.shell.note("this machine could not remember it, so give --identity %s in later commands: %v", ch.Identity, created.Forgotten)
	}
}

// again is the command that repeats this one safely, with its action id.
func (o *challengeCreateOptions) again(env verify.Environment, more ...string) string {
	if o.fresh {
		more = append(more, "--action-id", o.request.ActionID)
	}
	return o.shell.sameCommand(env, more...)
}

func (o *challengeCreateOptions) print(p *render.Printer, made []verify.Challenge) error {
	switch {
	case o.all:
		return listAll(p, challengeResource, made)
	case len(made) == 1:
		return render.One(p, challengeResource, made[0])
	}
	return nil
}

// followMade waits for the first answer and prints the challenge that got it.
func (o *challengeCreateOptions) followMade(ctx context.Context, w *writer, p *render.Printer, made []verify.Challenge) error {
	last, err := o.watch.follow(ctx, w, made)
	if printErr := render.One(p, challengeResource, last); printErr != nil {
		return errors.Join(err, printErr)
	}
	if err == nil && len(made) > 1 {
		o.shell.note("the other challenges of the action cannot be cancelled; they expire by themselves")
	}
	return err
}

// watchWords are the words of the command that follows challenges of one identity.
func watchWords(made []verify.Challenge) []string {
	words := []string{"challenge", "watch"}
	for _, ch := range made {
		words = append(words, string(ch.SID))
	}
	return append(words, "--identity", string(made[0].Identity))
}
