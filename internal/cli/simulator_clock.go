package cli

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/simulator"
	"github.com/verifyctl/verifyctl/internal/verify"
)

var clockResource = render.Resource[simulator.ClockReading]{Columns: []render.Column[simulator.ClockReading]{
	{Name: "now", Text: func(c simulator.ClockReading) string { return verify.Stamp(c.Now) }},
	{Name: "frozen", Text: func(c simulator.ClockReading) string { return strconv.FormatBool(c.Frozen) }},
}}

func newSimulatorClockCmd(o *simulatorOptions) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "clock",
		Short: "Show, advance, freeze and resume the simulated time",
		Long:  `Challenges expire, tokens run out and late alerts arrive by this clock, not by the machine's.`,
	}
	change := func(use, short, example string, args cobra.PositionalArgs, parse func([]string) (simulator.ClockChange, error)) *cobra.Command {
		return &cobra.Command{
			Use: use, Short: short, Long: short + ".\n\n" + exitHelp(0, 1), Example: example, Args: args,
			RunE: func(cmd *cobra.Command, args []string) error {
				change, err := parse(args)
				if err != nil {
					return err
				}
				return withSimulator(cmd.Context(), o, clockResource, func(ctx context.Context, sim *simulator.Control) (simulator.ClockReading, error) {
					return sim.ChangeClock(ctx, change)
				})
			},
		}
	}
	set := func(change simulator.ClockChange) func([]string) (simulator.ClockChange, error) {
		return func([]string) (simulator.ClockChange, error) { return change, nil }
	}
	cmd.AddCommand(
		change("show", "Show the simulated time", "  verifyctl -e demo simulator clock show", noArgs, set(simulator.ClockChange{})),
		change("advance DURATION", "Move the clock forward", "  verifyctl -e demo simulator clock advance 6m", argsBetween(1, 1),
			func(args []string) (simulator.ClockChange, error) {
				d, err := verify.ParsePeriod(args[0])
				return simulator.ClockChange{Advance: simulator.Duration(d)}, err
			}),
		change("freeze", "Stop the clock where it is", "  verifyctl -e demo simulator clock freeze", noArgs, set(simulator.ClockChange{Frozen: new(true)})),
		change("resume", "Let a stopped clock go on", "  verifyctl -e demo simulator clock resume", noArgs, set(simulator.ClockChange{Frozen: new(false)})),
	)
	return cmd
}
