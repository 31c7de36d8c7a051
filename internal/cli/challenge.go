package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/challenge"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

func newChallengeCmd(s *shell) *cobra.Command {
	return group(&cobra.Command{
		Use:     "challenge",
		Aliases: []string{"challenges"},
		Short:   "Create, follow and resend challenges, and find out why one was not answered",
		Long: `A challenge asks the user of one factor to approve or deny something. Creating it sends a push; Twilio answers 201
whether or not a push can arrive. A challenge can be neither cancelled nor answered from here: only the factor's own key
can do that.`,
	}, newChallengeCreateCmd(s), newChallengeListCmd(s), newChallengeShowCmd(s), newChallengeWatchCmd(s),
		newChallengeResendCmd(s), newWhyCmd(s), newChallengeTemplatesCmd(s))
}

// challengeView is the JSON form of a challenge, with what is asked about most often as keys of their own.
type challengeView struct {
	verify.Challenge
	ActionID      string   `json:"action_id"`
	AnsweredAfter *float64 `json:"answered_after_seconds"` // null while nobody has answered
}

func newChallengeView(v verify.Challenge) any {
	view := challengeView{Challenge: v, ActionID: v.HiddenDetails[verify.ActionID]}
	if took, answered := challenge.AnswerTime(v); answered {
		seconds := took.Seconds()
		view.AnsweredAfter = &seconds
	}
	return view
}

func answeredAfter(v verify.Challenge) string {
	if took, answered := challenge.AnswerTime(v); answered {
		return took.Round(time.Second).String()
	}
	return ""
}

var challengeResource = render.Resource[verify.Challenge]{
	SID:  func(v verify.Challenge) string { return string(v.SID) },
	View: newChallengeView,
	Columns: []render.Column[verify.Challenge]{
		{Name: "sid", Text: func(v verify.Challenge) string { return string(v.SID) }},
		{Name: "status", Text: func(v verify.Challenge) string { return string(v.Status) }, Tone: challengeTone},
		{Name: "answered_after", Text: answeredAfter},
		{Name: "factor_sid", Text: func(v verify.Challenge) string { return string(v.FactorSID) }},
		{Name: "message", Text: func(v verify.Challenge) string { return v.Details.Message }, Flex: true, Named: true},
		{Name: "created", Time: func(v verify.Challenge) time.Time { return v.DateCreated }, Keep: 1},
		{Name: "responded", Time: func(v verify.Challenge) time.Time { return v.DateResponded }, Wide: true},
		{Name: "expires", Time: func(v verify.Challenge) time.Time { return v.ExpirationDate }},
		{Name: "identity", Text: func(v verify.Challenge) string { return string(v.Identity) }, Wide: true, Named: true},
		{Name: "action_id", Text: func(v verify.Challenge) string { return v.HiddenDetails[verify.ActionID] }, Wide: true},
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
	lines := make([]string, len(v.Details.Fields))
	for i, f := range v.Details.Fields {
		lines[i] = f.Label + ": " + f.Value
	}
	return strings.Join(lines, ", ")
}

func newChallengeShowCmd(s *shell) *cobra.Command {
	identityArg := ""
	cmd := &cobra.Command{
		Use:     "show YC… [--identity IDENTITY]",
		Aliases: []string{"get"},
		Short:   "Show one challenge",
		Long: `Show one challenge. Twilio finds it only under its identity; --identity may be left out for challenges this machine has
met.

` + exitHelp(readStatuses...),
		Example:           "  verifyctl -e demo challenge show YC52bcb3c787af8cbe9af2a9a70f3c0fd6 --identity user-1001-amara",
		Args:              argsBetween(1, 1),
		ValidArgsFunction: s.completeChallenge,
		RunE: func(cmd *cobra.Command, args []string) error {
			sid, err := verify.ParseChallengeSID(args[0])
			if err != nil {
				return err
			}
			return showFrom(cmd.Context(), s, needsService, challengeResource, func(ctx context.Context, c *connection) (verify.Challenge, error) {
				return c.challenge(ctx, sid, identityArg)
			})
		},
	}
	cmd.Flags().StringVar(&identityArg, "identity", "", "the identity it was created for")
	complete(cmd, "identity", s.completeIdentity)
	return cmd
}

// challenge fetches a challenge. Without an identity argument the one that this machine has seen it under is used.
func (c *connection) challenge(ctx context.Context, sid verify.ChallengeSID, identityArg string) (verify.Challenge, error) {
	identity, err := c.identityOfChallenge(ctx, sid, identityArg)
	if err != nil {
		return verify.Challenge{}, err
	}
	return c.client.Challenge(ctx, c.service(), identity, sid)
}

func (c *connection) identityOfChallenge(ctx context.Context, sid verify.ChallengeSID, arg string) (verify.Identity, error) {
	if arg != "" {
		return c.identity(ctx, arg)
	}
	memory, err := c.memory(ctx)
	if err != nil {
		return "", err
	}
	identity, known, err := memory.IdentityOf(ctx, string(sid))
	if err != nil {
		return "", err
	}
	if !known {
		return "", verify.Usagef("challenge %s is unknown here, and Twilio finds a challenge only under its identity", sid).
			WithHint("add --identity IDENTITY")
	}
	return identity, nil
}
