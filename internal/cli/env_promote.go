package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/config"
	"github.com/verifyctl/verifyctl/internal/environments"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

type envPromoteOptions struct {
	envApplyOptions
}

func newEnvPromoteCmd(s *shell) *cobra.Command {
	o := envPromoteOptions{envApplyOptions{setup: setup{shell: s}}}
	cmd := &cobra.Command{
		Use:   "promote FROM TO",
		Short: "Give a Service the settings that were tried in another environment",
		Long: `Give the Service of TO the settings that the Service of FROM has now, and show each of them: in FROM now, in TO now, in TO
then. The settings are those that say how long codes are and how strict factors are: code_length, lookup_enabled,
verify_event_subscription_enabled, of totp time_step, code_length and skew, and of passkeys authenticator_attachment,
discoverable_credentials and user_verification. Names, push credentials, webhooks and relying parties stay as they are.

A setting that TO's file declares with another value is refused, with the line to change: else the next "env drift" would
find it. A production environment is confirmed by its name.

` + exitHelp(writeStatuses...),
		Example:           "  verifyctl env promote demo-staging demo --dry-run\n  verifyctl env promote demo-staging demo --confirm demo",
		ValidArgsFunction: s.completeEnvironments(2),
		Args:              argsBetween(2, 2),
		RunE:              parseThenRun(o.parse, o.run),
	}
	o.write.register(cmd.Flags())
	return cmd
}

func (o *envPromoteOptions) parse(args []string) error {
	o.args, o.names, o.repeat = args, args[1:], append([]string{"env", "promote"}, args...)
	if e := o.shell.flags.env; o.shell.globalSet.Changed("env") && e != args[1] {
		return verify.Usagef("-e names %s, and what is changed is %s", e, args[1])
	}
	return promotionResource(args[0], args[1]).CheckColumns(o.shell.flags.columns)
}

func (o *envPromoteOptions) run(ctx context.Context) error {
	target, err := o.shell.named(o.args[1])
	if err != nil {
		return err
	}
	if o.write.dryRun {
		return o.promoteTo(ctx, target)
	}
	targets := []*config.Target{target}
	return o.shell.changing(ctx, targets, o.doing(targets), func(ctx context.Context) error { return o.promoteTo(ctx, target) })
}

// promoteTo shows the settings and, unless nothing is to be sent, gives them to the target.
func (o *envPromoteOptions) promoteTo(ctx context.Context, target *config.Target) error {
	rows, declares, err := o.settings(ctx, target)
	if err != nil {
		return err
	}
	if err := o.settlePromotion(ctx, target); err != nil {
		return err
	}
	if err := listAll(o.shell.printer(time.Now), promotionResource(o.args[0], o.args[1]), rows); err != nil {
		return err
	}
	if o.write.dryRun || len(declares.Settings) == 0 {
		o.shell.note("%s", map[bool]string{true: "dry run: nothing was changed", false: "nothing to change"}[o.write.dryRun])
		return nil
	}
	return o.promote(ctx, target, declares)
}

// settlePromotion tells the audit file of a promotion that was killed.
func (o *envPromoteOptions) settlePromotion(ctx context.Context, target *config.Target) error {
	if o.write.dryRun {
		return nil
	}
	c, err := o.shell.connect(ctx, target)
	if err != nil {
		return err
	}
	return c.settleAudit(ctx)
}

// settings compares the two Services.
func (o *envPromoteOptions) settings(ctx context.Context, target *config.Target) (rows []environments.Promotion, then verify.ServiceDeclaration, err error) {
	source, err := o.shell.named(o.args[0])
	switch {
	case err != nil:
		return nil, then, err
	case source.Environment.ServiceSID == "":
		return nil, then, noService(source.Environment)
	case target.Environment.ServiceSID == "":
		return nil, then, noService(target.Environment)
	case verify.SameSID(source.Environment.ServiceSID, target.Environment.ServiceSID):
		return nil, then, verify.Usagef("%s and %s have one Service, %s", o.args[0], o.args[1], source.Environment.ServiceSID)
	}
	from, err := o.live(ctx, source)
	if err != nil {
		return nil, then, err
	}
	to, err := o.live(ctx, target)
	if err != nil {
		return nil, then, err
	}
	return environments.Promote(from, to)
}

// live reads the account of an environment.
func (o *envPromoteOptions) live(ctx context.Context, target *config.Target) (environments.Live, error) {
	c, err := o.shell.connect(ctx, target)
	if err != nil {
		return environments.Live{}, err
	}
	account, err := o.account(ctx, c)
	return environments.Live{Env: target.Environment, Declares: target.Service, Account: account}, err
}

// promote applies the settings as "env apply" does what a file declares.
func (o *envPromoteOptions) promote(ctx context.Context, target *config.Target, declares verify.ServiceDeclaration) error {
	declaring := *target
	declaring.Service = &declares
	all, err := o.plan(ctx, []*config.Target{&declaring})
	if err != nil {
		return err
	}
	var changes []string
	for _, change := range all[0].diff.Changes {
		for _, field := range change.Fields {
			changes = append(changes, field.String())
		}
	}
	all[0].c.named = true
	w, err := all[0].c.writer(ctx, o.write, fmt.Sprintf("Change the Service of %s: %s?", all[0].env.Name, strings.Join(changes, ", ")), destructive)
	if err != nil {
		return err
	}
	_, err = o.make(ctx, all, []*writer{w})
	return err
}

func promotionResource(from, to string) render.Resource[environments.Promotion] {
	return render.Resource[environments.Promotion]{
		SID: func(r environments.Promotion) string { return r.Setting },
		Columns: []render.Column[environments.Promotion]{
			{Name: "setting", Text: func(r environments.Promotion) string { return r.Setting }},
			{Name: from + "_now", Text: func(r environments.Promotion) string { return r.From }},
			{Name: to + "_now", Text: func(r environments.Promotion) string { return r.To }},
			{Name: to + "_then", Text: func(r environments.Promotion) string { return r.Then }, Tone: promotionTone},
			{Name: "changes", Text: func(r environments.Promotion) string { return yesOrNothing(r.Changes) }},
			{Name: "note", Text: func(r environments.Promotion) string { return r.Note }, Flex: true},
		},
	}
}

func promotionTone(r environments.Promotion) render.Tone {
	if r.Changes {
		return render.Warn
	}
	return render.Plain
}
