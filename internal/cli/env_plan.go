package cli

import (
	"context"

	"github.com/spf13/cobra"
)

type envPlanOptions struct {
	setup
}

func newEnvPlanCmd(s *shell) *cobra.Command {
	o := envPlanOptions{setup{shell: s}}
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
  verifyctl env plan staging production -o json`,
		ValidArgsFunction: s.completeEnvironment,
		Args:              argsBetween(0, -1),
		RunE: parseThenRun(func(args []string) error {
			o.names = args
			return nil
		}, o.run),
	}
	o.register(cmd.Flags())
	return cmd
}

func (o *envPlanOptions) run(ctx context.Context) error {
	targets, err := o.targets()
	if err != nil {
		return err
	}
	all, err := o.plan(ctx, targets)
	if err != nil {
		return err
	}
	return o.print(all)
}
