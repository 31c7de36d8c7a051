package cli

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/simulator"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// clockReading is the simulated time.
type clockReading struct {
	Now    time.Time `json:"now"`
	Frozen bool      `json:"frozen"`
}

var clockResource = render.Resource[clockReading]{Columns: []render.Column[clockReading]{
	{Name: "now", Text: func(c clockReading) string { return c.Now.UTC().Format(time.RFC3339) }},
	{Name: "frozen", Text: func(c clockReading) string { return strconv.FormatBool(c.Frozen) }},
}}

func newSimulatorClockCmd(o *simulatorOptions) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "clock",
		Short: "Show, advance, freeze and resume the simulated time",
		Long:  `Challenges expire, tokens run out and late alerts arrive by this clock, not by the machine's.`,
	}
	change := func(use, short, example string, args cobra.PositionalArgs, do func(context.Context, *simulator.Simulator, []string) error) *cobra.Command {
		return &cobra.Command{
			Use: use, Short: short, Long: short + ".\n\n" + exitHelp(0, 1), Example: example, Args: args,
			RunE: func(cmd *cobra.Command, args []string) error {
				return withSimulator(cmd.Context(), o, clockResource, func(ctx context.Context, sim *simulator.Simulator) (clockReading, error) {
					if err := do(ctx, sim, args); err != nil {
						return clockReading{}, err
					}
					return readClock(ctx, sim)
				})
			},
		}
	}
	cmd.AddCommand(
		change("show", "Show the simulated time", "  verifyctl -e demo simulator clock show", noArgs,
			func(context.Context, *simulator.Simulator, []string) error { return nil }),
		change("advance DURATION", "Move the clock forward", "  verifyctl -e demo simulator clock advance 6m", argsBetween(1, 1),
			func(ctx context.Context, sim *simulator.Simulator, args []string) error {
				d, err := verify.ParsePeriod(args[0])
				if err != nil {
					return err
				}
				return sim.Advance(ctx, time.Duration(d))
			}),
		change("freeze", "Stop the clock where it is", "  verifyctl -e demo simulator clock freeze", noArgs,
			func(ctx context.Context, sim *simulator.Simulator, _ []string) error { return sim.Freeze(ctx) }),
		change("resume", "Let a stopped clock go on", "  verifyctl -e demo simulator clock resume", noArgs,
			func(ctx context.Context, sim *simulator.Simulator, _ []string) error { return sim.Resume(ctx) }),
	)
	return cmd
}

func readClock(ctx context.Context, sim *simulator.Simulator) (clockReading, error) {
	now, err := sim.Now(ctx)
	if err != nil {
		return clockReading{}, err
	}
	frozen, err := sim.Frozen(ctx)
	return clockReading{now, frozen}, err
}
