package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/verifyctl/verifyctl/internal/challenge"
	"github.com/verifyctl/verifyctl/internal/prompt"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// mostPicks is how many entries a list to pick from has at most; it can be searched by typing after /.
const mostPicks = 200

// identityOrAsk reads an IDENTITY argument; without one somebody at the terminal picks from the identities this machine
// has met, or types another.
func (c *connection) identityOrAsk(ctx context.Context, arg string) (verify.Identity, error) {
	if arg != "" {
		return c.identity(ctx, arg)
	}
	const instead = "the IDENTITY as an argument"
	var options []prompt.Option[verify.Identity]
	if memory, err := c.memory(ctx); err == nil {
		seen, err := memory.RecentIdentities(ctx, "", mostPicks)
		if err != nil {
			return "", err
		}
		options = optionsOf(seen, func(identity verify.Identity) string { return string(identity) })
	}
	p := c.shell.prompter()
	if len(options) > 0 {
		options = append(options, prompt.Option[verify.Identity]{Label: "another one…"})
		picked, err := prompt.Select(ctx, p, prompt.Question{Text: "Which identity?", Help: "Type / to search.", Instead: instead}, options)
		if err != nil || picked != "" {
			return picked, err
		}
	}
	typed, err := p.Input(ctx, prompt.Question{Text: "The identity:", Help: "8 to 64 letters, digits and dashes, or user:NAME.", Instead: instead})
	if err != nil {
		return "", err
	}
	return c.identity(ctx, typed)
}

// pickFactor lets somebody choose among the factors that the error of choosing one lists.
func (s *shell) pickFactor(ctx context.Context, several error) (verify.Factor, error) {
	var choice *challenge.FactorChoice
	if !errors.As(several, &choice) || len(choice.Usable) < 2 {
		return verify.Factor{}, several
	}
	options := optionsOf(choice.Usable, func(f verify.Factor) string {
		return fmt.Sprintf("%s, %s, %s", f.FriendlyName, f.Config.Platform, f.SID)
	})
	return prompt.Select(ctx, s.prompter(), prompt.Question{Text: "Which device should be asked?", Instead: "--factor YF…"}, options)
}

// challengeArg reads the YC… argument; without one it is picked later, on a terminal only.
func (s *shell) challengeArg(command string, args []string) (verify.ChallengeSID, error) {
	if len(args) > 0 {
		return verify.ParseChallengeSID(args[0])
	}
	if !s.canAsk() {
		return "", verify.Usagef("%s needs a YC… when there is no terminal to ask on", command)
	}
	return "", nil
}

// challengeOrAsk fetches a challenge, or lets somebody pick one of an identity's pending ones.
func (c *connection) challengeOrAsk(ctx context.Context, sid verify.ChallengeSID, identityArg string) (verify.Challenge, error) {
	if sid != "" {
		return c.challenge(ctx, sid, identityArg)
	}
	identity, err := c.identityOrAsk(ctx, identityArg)
	if err != nil {
		return verify.Challenge{}, err
	}
	list, err := collect(limited(mostPicks, c.client.Challenges(ctx, c.service(), identity,
		verify.ChallengeFilter{Status: verify.ChallengePending, Newest: true})))
	if err != nil {
		return verify.Challenge{}, err
	}
	if len(list) == 0 {
		return verify.Challenge{}, notFound("%s has no pending challenge", identity).
			WithHint("see what there is: %s", c.env.Command("challenge", "list", string(identity)))
	}
	now := c.now()
	options := optionsOf(list, func(ch verify.Challenge) string {
		return fmt.Sprintf("%s, created %s, expires %s, %s", ch.Details.Message, render.Age(ch.DateCreated, now), render.Age(ch.ExpirationDate, now), ch.SID)
	})
	return prompt.Select(ctx, c.shell.prompter(), prompt.Question{Text: "Which challenge?", Instead: "the YC… as an argument"}, options)
}

// optionsOf gives values to pick from, each with a label.
func optionsOf[T any](values []T, label func(T) string) []prompt.Option[T] {
	options := make([]prompt.Option[T], len(values))
	for i, v := range values {
		options[i] = prompt.Option[T]{Label: label(v), Value: v}
	}
	return options
}
