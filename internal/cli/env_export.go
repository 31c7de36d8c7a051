package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/config"
	"github.com/verifyctl/verifyctl/internal/environments"
)

type envExportOptions struct {
	setup
}

func newEnvExportCmd(s *shell) *cobra.Command {
	o := envExportOptions{setup{shell: s}}
	cmd := &cobra.Command{
		Use:   "export [NAME…]",
		Short: "Write how a Service is set up as YAML for the environment file",
		Long: `Write how Twilio has the Services of environments set up: names, settings, push credentials and webhooks, as the service block
that declares them. "env plan" finds no change in it.

Certificates and service accounts cannot be read back. A placeholder stands in the place of each file; nothing can be made
or replaced from it. A push credential that does not fit the declared ios_build is left out, with a comment.

` + exitHelp(readStatuses...),
		Example: `  verifyctl -e demo env export
  verifyctl -e demo env export | verifyctl env plan --file -`,
		ValidArgsFunction: s.completeEnvironment,
		Args:              argsBetween(0, -1),
		RunE:              parseThenRun(o.parse, o.run),
	}
	return cmd
}

func (o *envExportOptions) run(ctx context.Context) error {
	targets, err := o.chosen()
	if err != nil {
		return err
	}
	var exported []environments.Live
	for _, target := range targets {
		if target.Environment.ServiceSID == "" {
			return noService(target.Environment)
		}
		c, err := o.shell.connect(ctx, target)
		if err != nil {
			return err
		}
		account, err := o.account(ctx, c)
		if err != nil {
			return err
		}
		exported = append(exported, environments.Live{Env: target.Environment, Account: account})
	}
	text, err := environments.Export(ctx, exported)
	if err != nil {
		return err
	}
	_, err = o.shell.out.Write(text)
	return err
}

// chosen gives the environments to write, by default the chosen one.
func (o *envExportOptions) chosen() ([]*config.Target, error) {
	names := o.named()
	if len(names) == 0 {
		target, err := o.shell.chosen()
		return []*config.Target{target}, err
	}
	var targets []*config.Target
	for _, name := range names {
		target, err := o.shell.named(name)
		if err != nil {
			return nil, err
		}
		targets = append(targets, target)
	}
	return targets, nil
}
