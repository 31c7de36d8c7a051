package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/environments"
	"github.com/verifyctl/verifyctl/internal/statedir"
	"github.com/verifyctl/verifyctl/internal/verify"
)

type envPlanOptions struct {
	setup
	out string
}

func newEnvPlanCmd(s *shell) *cobra.Command {
	o := envPlanOptions{setup: setup{shell: s}}
	cmd := &cobra.Command{
		Use:   "plan [NAME…]",
		Short: "Show what differs between the declared Services and Twilio's",
		Long: `Compare what environments declare of their Service, its push credentials and its webhooks with what Twilio has, and show each
property that differs. Nothing is sent but reads: each account's Services and push credentials once, and the webhooks of a
Service that declares some.

Without a NAME or -e, every environment with a service block is compared. Only what the block states counts. Nothing is deleted
because it is not declared: "ensure: absent" says so. What no API gives back, such as a certificate, is compared with what
was uploaded from this machine.

--file takes declarations from elsewhere, such as "env export", for environments that are known here; keys always come
from the configuration.

` + exitHelp(readStatuses...),
		Example: `  verifyctl -e demo env export | verifyctl env plan --file -
  verifyctl -e demo env export | verifyctl env plan --file - --out plan.ndjson
  verifyctl env plan staging production -o json`,
		ValidArgsFunction: s.completeEnvironment,
		Args:              argsBetween(0, -1),
		RunE:              parseThenRun(o.parse, o.run),
	}
	o.register(cmd.Flags())
	cmd.Flags().StringVar(&o.out, "out", "", "write the plan into this `file`, for \"env apply\"; of one environment")
	return cmd
}

func (o *envPlanOptions) run(ctx context.Context) error {
	targets, err := o.targets()
	if err != nil {
		return err
	}
	if o.out != "" && len(targets) != 1 {
		return verify.Usagef("--out writes the plan of one environment, and %d are compared", len(targets)).WithHint("name one: %s", o.shell.file().Command("env", "plan", targets[0].Environment.Name))
	}
	all, err := o.plan(ctx, targets)
	if err != nil {
		return err
	}
	if err := o.print(all); err != nil || o.out == "" {
		return err
	}
	return o.seal(&all[0])
}

// seal writes a plan for a person to review before it is applied.
func (o *envPlanOptions) seal(p *planned) error {
	sealed := environments.Seal(p.env.Environment, p.diff, p.c.now())
	var text strings.Builder
	if _, err := sealed.WriteTo(&text); err != nil {
		return err
	}
	if err := statedir.WriteFile(o.out, []byte(text.String()), 0o600); err != nil {
		return err
	}
	o.shell.note("the plan is in %s, SHA-256 %s, good until %s", o.out, sealed.ID, verify.Stamp(sealed.Header.Expires))
	if len(p.diff.Changes) > 0 {
		o.shell.note("review it, then: %s", p.env.Command(append([]string{"env", "apply", o.out}, o.fileWords()...)...))
	}
	return nil
}
