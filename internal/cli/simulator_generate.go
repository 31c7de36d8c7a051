package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/simulator"
)

var generatedResource = render.Resource[simulator.Generated]{
	SID: func(g simulator.Generated) string { return g.Service },
	Columns: []render.Column[simulator.Generated]{
		{Name: "service_sid", Text: func(g simulator.Generated) string { return g.Service }},
		{Name: "entities", Text: func(g simulator.Generated) string { return fmt.Sprint(g.Entities) }},
		{Name: "factors", Text: func(g simulator.Generated) string { return fmt.Sprint(g.Factors) }},
	},
}

func newSimulatorGenerateCmd(o *simulatorOptions) *cobra.Command {
	var fleet simulator.Fleet
	cmd := &cobra.Command{
		Use: "generate", Short: "Fill a Service with many users and phones",
		Long: `Fill a Service with entities and factors, the same ones every time for one world and number. A million factors fit.

` + exitHelp(0, 1),
		Example: "  verifyctl simulator generate --state fleet.sqlite --entities 1000 --factors 2",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withSimulator(cmd.Context(), o, generatedResource, func(ctx context.Context, sim *simulator.Control) (simulator.Generated, error) {
				return sim.Generate(ctx, fleet)
			})
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&fleet.Entities, "entities", 1000, "how many entities")
	flags.IntVar(&fleet.Factors, "factors", 1, "how many factors each, at most 20")
	flags.StringVar(&fleet.Service, "into", "", "an existing Service VA… (default: a new one)")
	return cmd
}
