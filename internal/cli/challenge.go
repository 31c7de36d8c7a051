package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/challenge"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

func newChallengeCmd(s *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "challenge",
		Aliases: []string{"challenges"},
		Short:   "Create, list, show and resend challenges: the questions on phones",
		Long: `A challenge asks the user of one factor to approve or deny something. Creating it sends a push; Twilio answers 201
whether or not a push can arrive. A challenge can be neither cancelled nor answered from here: only the factor's own key
can do that.`,
	}
	cmd.AddCommand(newChallengeCreateCmd(s), newChallengeListCmd(s), newChallengeShowCmd(s), newChallengeResendCmd(s))
	return cmd
}

var challengeResource = render.Resource[verify.Challenge]{
	SID: func(v verify.Challenge) string { return string(v.SID) },
	Columns: []render.Column[verify.Challenge]{
		{Name: "sid", Text: func(v verify.Challenge) string { return string(v.SID) }},
		{Name: "status", Text: func(v verify.Challenge) string { return string(v.Status) }, Tone: challengeTone},
		{Name: "factor_sid", Text: func(v verify.Challenge) string { return string(v.FactorSID) }},
		{Name: "message", Text: func(v verify.Challenge) string { return v.Details.Message }, Flex: true, Named: true},
		{Name: "created", Time: func(v verify.Challenge) time.Time { return v.DateCreated }},
		{Name: "responded", Time: func(v verify.Challenge) time.Time { return v.DateResponded }, Wide: true},
		{Name: "expires", Time: func(v verify.Challenge) time.Time { return v.ExpirationDate }},
		{Name: "identity", Text: func(v verify.Challenge) string { return string(v.Identity) }, Wide: true, Named: true},
		{Name: "fields", Text: fieldsText, Flex: true, Wide: true, Named: true},
		{Name: "hidden_details", Text: func(v verify.Challenge) string { return keyValues(v.HiddenDetails) }, Flex: true, Wide: true, Named: true},
		{Name: "responded_reason", Text: func(v verify.Challenge) string { return v.RespondedReason }, Wide: true},
		{Name: "service_sid", Text: func(v verify.Challenge) string { return string(v.ServiceSID) }, Wide: true},
	},
}

func challengeTone(v verify.Challenge) render.Tone {
	switch v.Status {
	case verify.ChallengeApproved:
		return render.Good
	case verify.ChallengeDenied:
		return render.Bad
	case verify.ChallengePending:
		return render.Warn
	}
	return render.Faint
}

func fieldsText(v verify.Challenge) string {
	text := ""
	for i, f := range v.Details.Fields {
		if i > 0 {
			text += ", "
		}
		text += f.Label + ": " + f.Value
	}
	return text
}

// --- challenge create

type challengeCreateOptions struct {
	shell *shell
	write writeFlags

	identityArg string
	factorArg   string
	fields      []string
	hidden      []string

	request challenge.Request
	factor  verify.FactorSID
}

func newChallengeCreateCmd(s *shell) *cobra.Command {
	o := challengeCreateOptions{shell: s}
	cmd := &cobra.Command{
		Use:   "create IDENTITY --message TEXT",
		Short: "Ask a user to approve something: a push to their phone",
		Long: `Create a challenge on a factor of an identity. Twilio sends the push; that it accepted the challenge is no proof that a
phone rang.

Without --factor the identity's only verified push factor is used; with several one must be named. Every limit is checked
before anything is sent. In production the device that will ring and the text are shown, and must be confirmed.

` + exitHelp(writeStatuses...),
		Example: `  verifyctl -e demo challenge create user-1003-chloe --message 'Log in to Bank?'
  verifyctl -e demo challenge create user-1003-chloe --message 'Pay 20 EUR?' --field Amount='20 EUR' --expires 2m`,
		Args:              argsBetween(1, 1),
		ValidArgsFunction: s.completeIdentity,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.parse(args); err != nil {
				return err
			}
			return o.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.request.Message, "message", "", "what the phone shows, at most 256 characters")
	flags.StringVar(&o.factorArg, "factor", "", "the factor YF… to ask")
	flags.StringArrayVar(&o.fields, "field", nil, "a labelled line `Label=Value`, up to 20 times (36 and 128 characters)")
	flags.StringArrayVar(&o.hidden, "hidden", nil, "a hidden detail `key=value` for the app (1,024 characters of JSON in all)")
	flags.DurationVar(&o.request.Expires, "expires", verify.DefaultChallengeTTL, "how long it can be answered, at most 1h")
	o.write.register(flags)
	return cmd
}

func (o *challengeCreateOptions) parse(args []string) error {
	o.identityArg = args[0]
	var err error
	if o.request.Fields, err = challenge.ParseFields(o.fields); err != nil {
		return err
	}
	if o.request.Hidden, err = challenge.ParseDetails("--hidden", o.hidden); err != nil {
		return err
	}
	if o.factorArg != "" {
		if o.factor, err = verify.ParseFactorSID(o.factorArg); err != nil {
			return err
		}
	}
	return o.request.Check()
}

func (o *challengeCreateOptions) run(ctx context.Context) error {
	c, err := o.shell.connectService(ctx)
	if err != nil {
		return err
	}
	if c.env.TemplatesOnly {
		return verify.Refusedf("%s takes the text of challenges from templates only, not from --message", c.label())
	}
	p, err := o.shell.printer(c.now)
	if err != nil {
		return err
	}
	identity, err := c.identity(ctx, o.identityArg)
	if err != nil {
		return err
	}
	factor, err := o.chooseFactor(ctx, c, identity)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%q of %s will ring and show: %s", factor.FriendlyName, identity, o.request.Message)
	if o.write.dryRun {
		o.shell.note("dry run: %s", what)
		return nil
	}
	w, err := c.writer(ctx, o.write, what, harmless)
	if err != nil {
		return err
	}
	created, err := w.CreateChallenge(ctx, identity, o.request.For(factor.SID, c.now()))
	if err != nil {
		return err
	}
	if err := render.One(p, challengeResource, created); err != nil {
		return err
	}
	o.shell.note("accepted is not delivered: whether a phone rang cannot be known")
	o.shell.note("follow it: %s", verify.Command(c.env.Name, "challenge", "show", string(created.SID), "--identity", string(identity)))
	return nil
}

func (o *challengeCreateOptions) chooseFactor(ctx context.Context, c *connection, identity verify.Identity) (verify.Factor, error) {
	if o.factor != "" {
		factor, err := c.client.Factor(ctx, c.service(), identity, o.factor)
		if err != nil {
			return verify.Factor{}, c.explainIdentity(err, identity)
		}
		return factor, challenge.CheckFactor(c.env.Name, factor)
	}
	factors, err := collect(c.client.Factors(ctx, c.service(), identity))
	if err != nil {
		return verify.Factor{}, c.explainIdentity(err, identity)
	}
	return challenge.ChooseFactor(c.env.Name, identity, factors)
}

// --- challenge list

type challengeListOptions struct {
	shell *shell

	identityArg string
	status      string
	factorArg   string
	limit       int

	filter verify.ChallengeFilter
}

func newChallengeListCmd(s *shell) *cobra.Command {
	o := challengeListOptions{shell: s}
	cmd := &cobra.Command{
		Use:     "list IDENTITY",
		Aliases: []string{"ls"},
		Short:   "List the challenges of an identity, newest first",
		Long: `List the challenges of an identity, newest first. Twilio has no list of challenges per Service.

` + exitHelp(readStatuses...),
		Example: `  verifyctl -e demo challenge list user-1001-amara
  verifyctl -e demo challenge list user-1001-amara --status pending`,
		Args:              argsBetween(1, 1),
		ValidArgsFunction: s.completeIdentity,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.parse(args); err != nil {
				return err
			}
			return o.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.status, "status", "", "only pending, expired, approved or denied ones")
	flags.StringVar(&o.factorArg, "factor", "", "only those of the factor YF…")
	flags.IntVar(&o.limit, "limit", 0, "stop after this many")
	s.completeValues(cmd, "status", "pending", "expired", "approved", "denied")
	return cmd
}

func (o *challengeListOptions) parse(args []string) error {
	o.identityArg = args[0]
	o.filter.Newest = true
	var err error
	if o.factorArg != "" {
		if o.filter.FactorSID, err = verify.ParseFactorSID(o.factorArg); err != nil {
			return err
		}
	}
	o.filter.Status, err = oneOf("--status", o.status, verify.ChallengePending, verify.ChallengeExpired, verify.ChallengeApproved, verify.ChallengeDenied)
	if err != nil {
		return err
	}
	if o.limit < 0 {
		return verify.Usagef("--limit %d is negative", o.limit)
	}
	return challengeResource.CheckColumns(o.shell.flags.columns)
}

func (o *challengeListOptions) run(ctx context.Context) error {
	c, err := o.shell.connectService(ctx)
	if err != nil {
		return err
	}
	p, err := o.shell.printer(c.now)
	if err != nil {
		return err
	}
	identity, err := c.identity(ctx, o.identityArg)
	if err != nil {
		return err
	}
	n, err := render.List(p, challengeResource, limited(o.limit, c.client.Challenges(ctx, c.service(), identity, o.filter)))
	if err != nil {
		return c.explainIdentity(err, identity)
	}
	if n == 0 {
		o.shell.note("%s has no such challenge", identity)
	}
	return nil
}

// --- challenge show

type challengeShowOptions struct {
	shell *shell

	identityArg string

	challenge verify.ChallengeSID
}

func newChallengeShowCmd(s *shell) *cobra.Command {
	o := challengeShowOptions{shell: s}
	cmd := &cobra.Command{
		Use:     "show YC… [--identity IDENTITY]",
		Aliases: []string{"get"},
		Short:   "Show one challenge",
		Long: `Show one challenge. Twilio finds it only under its identity; --identity may be left out for challenges created from this
machine.

` + exitHelp(readStatuses...),
		Example: "  verifyctl -e demo challenge show YC52bcb3c787af8cbe9af2a9a70f3c0fd6 --identity user-1001-amara",
		Args:    argsBetween(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if o.challenge, err = verify.ParseChallengeSID(args[0]); err != nil {
				return err
			}
			return o.run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&o.identityArg, "identity", "", "the identity it was created for")
	s.completeFlagIdentity(cmd, "identity")
	return cmd
}

func (o *challengeShowOptions) run(ctx context.Context) error {
	c, err := o.shell.connectService(ctx)
	if err != nil {
		return err
	}
	p, err := o.shell.printer(c.now)
	if err != nil {
		return err
	}
	found, err := c.challenge(ctx, o.challenge, o.identityArg)
	if err != nil {
		return err
	}
	return render.One(p, challengeResource, found)
}

// --- challenge resend

type challengeResendOptions struct {
	shell *shell
	write writeFlags

	identityArg string
	ttl         time.Duration
	ttlGiven    bool

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
for each challenge, whoever sends them.

The challenge is read first; what cannot work is refused with the reason. --identity may be left out for challenges created
from this machine.

` + exitHelp(append(writeStatuses, 11)...),
		Example: "  verifyctl -e demo challenge resend YC52bcb3c787af8cbe9af2a9a70f3c0fd6 --identity user-1001-amara",
		Args:    argsBetween(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.ttlGiven = cmd.Flags().Changed("ttl")
			if err := o.parse(args); err != nil {
				return err
			}
			return o.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.identityArg, "identity", "", "the identity it was created for")
	flags.DurationVar(&o.ttl, "ttl", 0, "how long the provider tries to deliver, at most 5m (default: the challenge's remaining life)")
	o.write.register(flags)
	s.completeFlagIdentity(cmd, "identity")
	return cmd
}

func (o *challengeResendOptions) parse(args []string) error {
	var err error
	if o.challenge, err = verify.ParseChallengeSID(args[0]); err != nil {
		return err
	}
	if o.ttl < 0 || o.ttl > verify.MaxNotificationTTL {
		return verify.Usagef("--ttl %v is not between 0s and %v", o.ttl, verify.MaxNotificationTTL)
	}
	return nil
}

func (o *challengeResendOptions) run(ctx context.Context) error {
	c, err := o.shell.connectService(ctx)
	if err != nil {
		return err
	}
	p, err := o.shell.printer(c.now)
	if err != nil {
		return err
	}
	found, err := c.challenge(ctx, o.challenge, o.identityArg)
	if err != nil {
		return err
	}
	factor, err := c.client.Factor(ctx, c.service(), found.Identity, found.FactorSID)
	if err != nil && verify.KindOf(err) != verify.KindNotFound {
		return err
	}
	if err := challenge.CheckResend(c.env.Name, found, factor, c.now()); err != nil {
		return err
	}
	asked := &o.ttl
	if !o.ttlGiven {
		asked = nil
	}
	ttl := challenge.ResendTTL(asked, found, c.now())
	what := fmt.Sprintf("%q of %s will ring again and show: %s", factor.FriendlyName, found.Identity, found.Details.Message)
	if o.write.dryRun {
		o.shell.note("dry run: %s", what)
		return nil
	}
	w, err := c.writer(ctx, o.write, what, harmless)
	if err != nil {
		return err
	}
	sent, err := w.CreateNotification(ctx, found, ttl)
	if err != nil {
		return err
	}
	if err := render.One(p, notificationResource, sent); err != nil {
		return err
	}
	o.shell.note("accepted is not delivered: whether a phone rang cannot be known")
	o.shell.note("%s of this challenge sent from here (a backend may have sent more; Twilio allows %d); it expires %s",
		counted(w.resends(ctx, found.SID), "resend"), verify.MaxNotifications, render.Age(found.ExpirationDate, c.now()))
	return nil
}
