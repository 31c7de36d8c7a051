package cli

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/verifyctl/verifyctl/internal/challenge"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

type challengeResendOptions struct {
	shell *shell
	write writeFlags

	identityArg string
	ttl         time.Duration
	given       *pflag.FlagSet
	recreate    bool

	challenge verify.ChallengeSID
}

var notificationResource = render.Resource[verify.Notification]{
	SID: func(v verify.Notification) string { return string(v.SID) },
	Columns: []render.Column[verify.Notification]{
		{Name: "sid", Text: func(v verify.Notification) string { return string(v.SID) }},
		{Name: "challenge_sid", Text: func(v verify.Notification) string { return string(v.ChallengeSID) }},
		{Name: "identity", Text: func(v verify.Notification) string { return string(v.Identity) }, Named: true},
		{Name: "ttl", Text: func(v verify.Notification) string { return fmt.Sprint(v.TTL) }},
		{Name: "created", Time: func(v verify.Notification) time.Time { return v.DateCreated }},
	},
}

func newChallengeResendCmd(s *shell) *cobra.Command {
	o := challengeResendOptions{shell: s}
	cmd := &cobra.Command{
		Use:   "resend YC… [--identity IDENTITY]",
		Short: "Send the push of a pending challenge again",
		Long: `Create a Notification for a pending challenge: the push is sent again, the challenge stays the same. Twilio allows three
for each challenge, whoever sends them. A request whose answer is lost may have been sent: it counts as used, is not sent
again by itself, and ends with status 3.

The challenge is read first; what cannot work is refused with the reason. --identity may be left out for challenges this
machine has met. With --or-recreate an expired challenge is replaced by one new challenge of the same action.

` + exitHelp(append(writeStatuses, 11)...),
		Example: `  verifyctl -e demo challenge resend YC52bcb3c787af8cbe9af2a9a70f3c0fd6 --identity user-1001-amara --confirm demo
  verifyctl -e demo challenge resend YC1c9f73e5b73c36ee409298d703cbf13c --identity user-1001-amara --or-recreate --confirm demo`,
		Args:              argsBetween(0, 1),
		ValidArgsFunction: s.completeChallenge,
		RunE:              parseThenRun(o.parse, o.run),
	}
	flags := cmd.Flags()
	o.given = flags
	flags.StringVar(&o.identityArg, "identity", "", "the identity it was created for")
	flags.Var((*verify.Period)(&o.ttl), "ttl", "how long the provider tries to deliver, at most 5m (default: the challenge's remaining life)")
	flags.BoolVar(&o.recreate, "or-recreate", false, "replace an expired challenge by a new one of the same action")
	o.write.register(flags)
	complete(cmd, "identity", s.completeIdentity)
	return cmd
}

func (o *challengeResendOptions) parse(args []string) error {
	var err error
	if o.challenge, err = o.shell.challengeArg("challenge resend", args); err != nil {
		return err
	}
	if o.ttl < 0 || o.ttl > verify.MaxNotificationTTL {
		return verify.Usagef("--ttl %v is not between 0s and %v", o.ttl, verify.MaxNotificationTTL)
	}
	return nil
}

func (o *challengeResendOptions) run(ctx context.Context) error {
	c, p, err := o.shell.begin(ctx, needsService)
	if err != nil {
		return err
	}
	found, err := c.challengeOrAsk(ctx, o.challenge, o.identityArg)
	if err != nil {
		return err
	}
	factor, err := c.client.Factor(ctx, c.service(), found.Identity, found.FactorSID)
	if err != nil && verify.KindOf(err) != verify.KindNotFound {
		return err
	}
	gone := err != nil
	if o.recreate && challenge.Expired(found, c.now()) {
		if gone {
			return err
		}
		return o.again(ctx, c, p, found, factor)
	}
	if err := challenge.CheckResend(c.env, found, factor, c.now()); err != nil {
		return err
	}
	factor.FriendlyName = cmp.Or(factor.FriendlyName, string(found.FactorSID)) // which may be gone
	what := fmt.Sprintf("%s will again be %s", found.Identity, challenge.Asked(found.Details.Message, factor))
	if o.write.dryRun {
		o.shell.note("dry run: %s", what)
		return nil
	}
	w, err := c.writer(ctx, o.write, what, harmless)
	if err != nil {
		return err
	}
	return o.send(ctx, w, p, found)
}

func (o *challengeResendOptions) send(ctx context.Context, w *writer, p *render.Printer, found verify.Challenge) error {
	var asked *time.Duration
	if o.given.Changed("ttl") {
		asked = &o.ttl
	}
	ttl := challenge.ResendTTL(asked, found, w.c.now())
	resent, err := w.resender().Resend(ctx, found, ttl)
	if err != nil {
		return err
	}
	if err := render.One(p, notificationResource, resent.Notification); err != nil {
		return err
	}
	if asked != nil && ttl < o.ttl {
		o.shell.note("the push lives %v and not %v, no longer than the challenge", ttl, o.ttl)
	}
	o.shell.note("Twilio accepted it; whether a phone rang cannot be known")
	o.shell.note("%s of this challenge sent from here (a backend may have sent more; Twilio allows %d); it expires %s",
		verify.Count(resent.Used, "resend"), verify.MaxNotifications, render.Age(found.ExpirationDate, w.c.now()))
	if resent.Forgotten != nil {
		o.shell.note("this machine could not note how it ended, so it counts as maybe sent: %v", resent.Forgotten)
	}
	return nil
}

// again replaces an expired challenge by a new one of the same action, once however often this is asked.
func (o *challengeResendOptions) again(ctx context.Context, c *connection, p *render.Printer, old verify.Challenge, factor verify.Factor) error {
	if err := challenge.CheckFactor(c.env, factor); err != nil {
		return err
	}
	order := challenge.Again(old)
	order.Service, order.Factor = c.service(), factor
	order.Repeat = o.shell.sameCommand(c.env)
	order.AskNew = c.env.Command("challenge", "create", string(old.Identity), "--factor", string(factor.SID),
		"--message", old.Details.Message, "--action-id", order.Request.Action(), "--new")
	order.AskOver = order.AskNew + " --take-over"
	what := fmt.Sprintf("%s will be %s", old.Identity, challenge.Asked(old.Details.Message, factor))
	if o.write.dryRun {
		o.shell.note("dry run: %s expired; a new challenge would be created, and %s", old.SID, what)
		return nil
	}
	w, err := c.writer(ctx, o.write, what, harmless)
	if err != nil {
		return err
	}
	created, err := w.once().Create(ctx, order)
	if err != nil {
		return err
	}
	if err := render.One(p, challengeResource, created.Challenge); err != nil {
		return err
	}
	if created.Existing {
		o.shell.note("%s expired; %s asks about the same action %s and is still pending, so nothing was sent", old.SID, created.Challenge.SID, created.ActionID)
	} else {
		o.shell.note("%s expired and was not sent again: the new challenge %s replaces it, for the same action %s", old.SID, created.Challenge.SID, created.ActionID)
	}
	return nil
}
