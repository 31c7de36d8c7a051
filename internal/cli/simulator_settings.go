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
	var rate int
	cmd := &cobra.Command{
		Use: "settings", Short: "Show or change what only Twilio's Console sets",
		Long: `Show the settings of the simulated account, or change them: where the debugger's webhook goes, how fast entities may be
created, and how much the alerts of failed pushes tell, because what Twilio's tell is not established.

` + exitHelp(0, 1),
		Example: `  verifyctl -e demo simulator settings
  verifyctl -e demo simulator settings --alert-shape bare`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withSimulator(cmd.Context(), o, settingsResource, func(ctx context.Context, sim *simulator.Control) (simulator.Settings, error) {
				change := map[string]any{}
				for flag, setting := range map[string]struct {
					name  string
					value any
				}{"alert-shape": {"alert_shape", shape}, "debugger-webhook": {"debugger_webhook_url", webhook}, "entity-rate": {"entity_rate", rate}} {
					if cmd.Flags().Changed(flag) {
						change[setting.name] = setting.value
					}
				}
				return sim.ChangeSettings(ctx, change)
			})
		},
	}
	cmd.Flags().StringVar(&shape, "alert-shape", "", "what alerts of failed pushes tell: correlated, credential-only or bare")
	cmd.Flags().StringVar(&webhook, "debugger-webhook", "", "where every push alert is posted, signed; empty for nowhere")
	cmd.Flags().IntVar(&rate, "entity-rate", 0, "entities the account may create per second: 0 is Twilio's limit of 40 (not applied while the clock is frozen), -1 is no limit")
	completeValues(cmd, "alert-shape", "correlated", "credential-only", "bare")
	return cmd
}
