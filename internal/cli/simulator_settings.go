package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/simulator"
)

var settingsResource = render.Resource[simulator.Settings]{Columns: []render.Column[simulator.Settings]{
	{Name: "alert_shape", Text: func(g simulator.Settings) string { return string(g.AlertShape) }},
	{Name: "debugger_webhook_url", Text: func(g simulator.Settings) string { return g.DebuggerWebhookURL }},
	{Name: "signature_fields", Text: func(g simulator.Settings) string { return strings.Join(g.SignatureFields, " ") }},
	{Name: "entity_rate", Text: func(g simulator.Settings) string { return numberOrNone(g.EntityRate) }},
}}

func newSimulatorSettingsCmd(o *simulatorOptions) *cobra.Command {
	var shape, webhook string
	cmd := &cobra.Command{
		Use: "settings", Short: "Show or change what only Twilio's Console sets",
		Long: `Show the settings of the simulated account, or change them: where the debugger's webhook goes, and how much the alerts of
failed pushes tell, because what Twilio's tell is not established.

` + exitHelp(0, 1),
		Example: `  verifyctl -e demo simulator settings
  verifyctl -e demo simulator settings --alert-shape bare`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withSimulator(cmd.Context(), o, settingsResource, func(ctx context.Context, sim *simulator.Simulator) (simulator.Settings, error) {
				return sim.ChangeSettings(ctx, func(g *simulator.Settings) {
					if cmd.Flags().Changed("alert-shape") {
						g.AlertShape = simulator.AlertShape(shape)
					}
					if cmd.Flags().Changed("debugger-webhook") {
						g.DebuggerWebhookURL = webhook
					}
				})
			})
		},
	}
	cmd.Flags().StringVar(&shape, "alert-shape", "", "what alerts of failed pushes tell: correlated, credential-only or bare")
	cmd.Flags().StringVar(&webhook, "debugger-webhook", "", "where every push alert is posted, signed; empty for nowhere")
	completeValues(cmd, "alert-shape", "correlated", "credential-only", "bare")
	return cmd
}
