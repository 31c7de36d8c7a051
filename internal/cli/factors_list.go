package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/fleet"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
	"github.com/verifyctl/verifyctl/internal/where"
)

type factorsListOptions struct {
	shell *shell

	identityArg string
	limit       int
	all         bool
	where       string

	filter fleet.Filter
}

func newFactorsListCmd(s *shell) *cobra.Command {
	o := factorsListOptions{shell: s}
	cmd := &cobra.Command{
		Use:     "list [IDENTITY]",
		Aliases: []string{"ls"},
		Short:   "List the factors of an identity, or of the whole Service",
		Long: `List factors with status, platform, app, SDK version and age.

With an IDENTITY (or user:NAME, mapped as the environment says, or - for standard input) it costs one request. Without,
every entity of the Service is read, which costs one request each: Twilio has no list of factors per Service. In
production that stops at 1,000 entities unless --limit or --all is given. With --where the index of this machine answers
("fleet sync" fills it), without a request.

` + exitHelp(append(readStatuses, 3)...),
		Example: `  verifyctl -e demo factors list
  verifyctl -e demo factors list user-1001-amara
  verifyctl -e demo factors list --platform apn --status verified -o csv`,
		Args:              argsBetween(0, 1),
		ValidArgsFunction: s.completeIdentity,
		RunE:              parseThenRun(o.parse, o.run),
	}
	flags := cmd.Flags()
	choose(cmd, &o.filter.Status, "status", "only verified or unverified factors", verify.FactorVerified, verify.FactorUnverified)
	choose(cmd, &o.filter.Platform, "platform", "only factors of apn, fcm or none", verify.PlatformAPN, verify.PlatformFCM, verify.PlatformNone)
	choose(cmd, &o.filter.Type, "type", "only factors of the type push, totp or passkeys", verify.FactorPush, verify.FactorTOTP, verify.FactorPasskeys)
	flags.StringVar(&o.filter.AppID, "app-id", "", "only factors of this app, such as com.example.app")
	flags.IntVar(&o.limit, "limit", 0, "stop after this many factors")
	flags.BoolVar(&o.all, "all", false, "read every entity, even in production")
	flags.StringVar(&o.where, "where", "", whereHelp)
	return cmd
}

func (o *factorsListOptions) parse(args []string) error {
	if len(args) > 0 {
		o.identityArg = args[0]
	}
	if o.where != "" && (o.identityArg != "" || o.filter != (fleet.Filter{}) || o.all) { // they would not be looked at
		return verify.Usagef("--where asks the index and says everything: it goes with --limit only").
			WithHint("such as --where 'identity = user-1001-amara and status = verified'")
	}
	if o.all && o.identityArg != "" {
		return verify.Usagef("--all reads every entity, so it takes no IDENTITY")
	}
	return nil
}

func (o *factorsListOptions) run(ctx context.Context) error {
	if o.where != "" {
		return o.shell.listIndexed(ctx, indexedResource(), o.limit, func(now time.Time) (where.Condition, error) { return parseWhere(o.where, now) })
	}
	c, p, err := o.shell.begin(ctx, needsService)
	if err != nil {
		return err
	}
	if o.identityArg == "" {
		return o.walk(ctx, c, p)
	}
	identity, err := c.identity(ctx, o.identityArg)
	if err != nil {
		return err
	}
	r := factorResource(o.shell.hashToken)
	if p.ForPeople() {
		r = r.Without("identity") // it is the same in every line
	}
	n, err := render.List(p, r, limited(o.limit, matching(c.client.Factors(ctx, c.service(), identity), o.filter.Match)))
	if err != nil {
		return err
	}
	switch {
	case n == 0:
		o.shell.note("%s has no factor%s", identity, forFilter(o.filter))
	case n > 1:
		o.shell.note("each phone's app shows only its own factor; showing all %d", n)
	}
	return nil
}

// walk lists the factors of every entity. Identities that could not be read are named, and make the result partial.
func (o *factorsListOptions) walk(ctx context.Context, c *connection, p *render.Printer) error {
	progress := o.shell.progress("reading entities", c.now)
	var seen fleet.WalkProgress
	walk := fleet.Walk(ctx, c.client, c.service(), o.filter, fleet.WalkOptions{
		Limit: o.limit, All: o.all, Production: c.env.IsProduction(),
		Progress: func(w fleet.WalkProgress) {
			seen = w
			progress.Set(int64(w.Entities), 0, fmt.Sprintf("%d factors", w.Factors))
		},
	})
	var failed []error
	n, err := render.List(p, factorResource(o.shell.hashToken), setAside(walk, &failed))
	progress.Close()
	if n == 0 && err == nil && len(failed) == 0 {
		o.shell.note("no factor%s in %s of %s", forFilter(o.filter), verify.Count(seen.Entities, "entity"), c.label())
	}
	if o.limit > 0 && n == o.limit {
		o.shell.note("stopped at --limit %d; there may be more", o.limit)
	}
	for _, e := range failed {
		o.shell.note("not read: %v", e)
	}
	if len(failed) > 0 && err == nil {
		return &verify.Error{Kind: verify.KindPartial,
			Message: fmt.Sprintf("%d of %s could not be read; their factors are missing above", len(failed), verify.Count(seen.Entities, "entity"))}
	}
	return err
}

// setAside gives the factors of a walk and keeps aside the errors that concern one identity only.
func setAside(walk rowsOf[verify.Factor], failed *[]error) rowsOf[verify.Factor] {
	return func(yield func(verify.Factor, error) bool) {
		for f, err := range walk {
			if err != nil && f.Identity != "" {
				*failed = append(*failed, fmt.Errorf("%s: %w", f.Identity, err))
				continue
			}
			if !yield(f, err) {
				return
			}
		}
	}
}

func forFilter(f fleet.Filter) string {
	if f == (fleet.Filter{}) {
		return ""
	}
	return " that fits"
}
