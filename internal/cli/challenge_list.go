package cli

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/challenge"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

type challengeListOptions struct {
	shell *shell

	identityArg string
	factorArg   string
	since       verify.Since
	duplicates  bool
	limit       int

	filter verify.ChallengeFilter
}

func newChallengeListCmd(s *shell) *cobra.Command {
	o := challengeListOptions{shell: s}
	cmd := &cobra.Command{
		Use:     "list IDENTITY",
		Aliases: []string{"ls"},
		Short:   "List the challenges of an identity, newest first",
		Long: `List the challenges of an identity, newest first, with how long the user took to answer. Twilio has no list of challenges
per Service. --status pending shows what the phone sees when its app is opened.

--duplicates shows only challenges that ask one factor about one action (the action_id of the hidden details) more than
once, those of an action together.

` + exitHelp(readStatuses...),
		Example: `  verifyctl -e demo challenge list user-1001-amara
  verifyctl -e demo challenge list user-1001-amara --status pending
  verifyctl -e demo challenge list user-1001-amara --since 24h --columns sid,status,answered_after,action_id`,
		Args:              argsBetween(0, 1),
		ValidArgsFunction: s.completeIdentity,
		RunE:              parseThenRun(o.parse, o.run),
	}
	flags := cmd.Flags()
	choose(cmd, &o.filter.Status, "status", "only pending, expired, approved or denied ones",
		verify.ChallengePending, verify.ChallengeExpired, verify.ChallengeApproved, verify.ChallengeDenied)
	flags.StringVar(&o.factorArg, "factor", "", "only those of the factor YF…")
	flags.Var(&o.since, "since", "only those created since, such as 24h, 7d or 2026-05-01")
	flags.BoolVar(&o.duplicates, "duplicates", false, "only those that ask a factor about one action more than once")
	flags.IntVar(&o.limit, "limit", 0, "stop after this many")
	complete(cmd, "factor", s.completeFactor)
	return cmd
}

func (o *challengeListOptions) parse(args []string) error {
	if len(args) > 0 {
		o.identityArg = args[0]
	} else if !o.shell.canAsk() {
		return verify.Usagef("challenge list needs an IDENTITY when there is no terminal to ask on")
	}
	o.filter.Newest = true
	var err error
	if o.factorArg != "" {
		o.filter.FactorSID, err = verify.ParseFactorSID(o.factorArg)
	}
	return err
}

func (o *challengeListOptions) run(ctx context.Context) error {
	c, p, err := o.shell.begin(ctx, needsService)
	if err != nil {
		return err
	}
	from, err := o.since.Time(c.now())
	if err != nil {
		return err
	}
	identity, err := c.identityOrAsk(ctx, o.identityArg)
	if err != nil {
		return err
	}
	rows := createdSince(from, c.client.Challenges(ctx, c.service(), identity, o.filter))
	if o.duplicates {
		rows = duplicates(rows)
	}
	n, err := render.List(p, challengeResource, limited(o.limit, rows))
	if err != nil {
		return err
	}
	if n == 0 {
		o.shell.note("%s has no such challenge", identity)
	}
	return nil
}

// createdSince ends a list that comes newest first at what is older.
func createdSince(from time.Time, rows rowsOf[verify.Challenge]) rowsOf[verify.Challenge] {
	return func(yield func(verify.Challenge, error) bool) {
		for ch, err := range rows {
			if err == nil && ch.DateCreated.Before(from) || !yield(ch, err) {
				return
			}
		}
	}
}

// duplicates gives only the challenges of one factor and action that are more than one, together.
func duplicates(rows rowsOf[verify.Challenge]) rowsOf[verify.Challenge] {
	list, err := collect(rows)
	if err != nil {
		return failed[verify.Challenge](err)
	}
	return each(slices.Concat(challenge.Duplicates(list)...))
}
