package cli

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/simulator"
	"github.com/verifyctl/verifyctl/internal/verify"
)

var faultResource = render.Resource[simulator.Fault]{Columns: []render.Column[simulator.Fault]{
	{Name: "id", Text: func(f simulator.Fault) string { return fmt.Sprint(f.ID) }},
	{Name: "kind", Text: func(f simulator.Fault) string { return string(f.Kind) }},
	{Name: "operation", Text: func(f simulator.Fault) string { return f.Operation }},
	{Name: "rate", Text: func(f simulator.Fault) string { return share(f.Rate) }},
	{Name: "skip", Text: func(f simulator.Fault) string { return numberOrNone(int(f.Skip)) }},
	{Name: "count", Text: func(f simulator.Fault) string { return numberOrNone(int(f.Count)) }},
	{Name: "matched", Text: func(f simulator.Fault) string { return fmt.Sprint(f.Matched) }},
	{Name: "fired", Text: func(f simulator.Fault) string { return fmt.Sprint(f.Fired) }},
}}

func share(rate float64) string {
	if rate == 0 {
		return "all"
	}
	return strconv.FormatFloat(rate, 'g', -1, 64)
}

func newSimulatorFaultCmd(o *simulatorOptions) *cobra.Command {
	return group(&cobra.Command{
		Use:     "fault",
		Aliases: []string{"faults"},
		Short:   "Make requests and pushes go wrong, by rules",
		Long: `A fault is a rule by which requests or pushes go wrong. Which of the matching ones it hits depends on the world's seed and
the order of requests alone, so a test sees the same every time.`,
	}, newFaultAddCmd(o), newFaultListCmd(o), newFaultClearCmd(o))
}

func newFaultAddCmd(o *simulatorOptions) *cobra.Command {
	var f simulator.Fault
	cmd := &cobra.Command{
		Use:   "add KIND",
		Short: "Add a fault",
		Long: `Add a fault of one of these kinds:

  rate-limit    429 with code 20429, not processed; --retry-after
  concurrency   the same, for requests beyond --limit at one time
  error         --status with an HTML page, not processed
  error-after   --status with an HTML page, processed
  reset-before  the connection breaks, not processed
  reset-after   the connection breaks without a reply, processed
  latency       processed after --delay
  slow-body     processed; the body takes --delay to arrive
  lose-push     a push that would have arrived gets lost

` + exitHelp(0, 1),
		Example: `  verifyctl -e demo simulator fault add rate-limit --operation 'List*' --rate 0.05 --retry-after 2
  verifyctl -e demo simulator fault add reset-after --operation CreateChallenge --count 1
  verifyctl -e demo simulator fault add lose-push`,
		Args: argsBetween(1, 1),
		ValidArgs: []string{"rate-limit", "concurrency", "error", "error-after", "reset-before", "reset-after", "latency",
			"slow-body", "lose-push"},
		RunE: func(cmd *cobra.Command, args []string) error {
			f.Kind = simulator.FaultKind(args[0])
			return withSimulator(cmd.Context(), o, faultResource, func(ctx context.Context, sim *simulator.Control) (simulator.Fault, error) {
				return sim.AddFault(ctx, f)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.Operation, "operation", "", "operationId of Twilio's OpenAPI documents or a pattern, such as CreateChallenge or 'List*'")
	flags.Float64Var(&f.Rate, "rate", 0, "share of matching requests that are hit, above 0 and up to 1 (default: all)")
	flags.Int64Var(&f.Skip, "skip", 0, "how many matching requests go well first")
	flags.Int64Var(&f.Count, "count", 0, "how many are hit at most (default: no end)")
	flags.IntVar(&f.Status, "status", 0, "HTTP status of the error kinds (default 502)")
	flags.IntVar(&f.RetryAfter, "retry-after", 0, "seconds to ask for with a 429")
	flags.Int64Var(&f.Limit, "limit", 0, "requests at one time, of concurrency")
	flags.Var((*verify.Period)(&f.Delay), "delay", "real time, at most 1m, of latency and slow-body")
	return cmd
}

func newFaultListCmd(o *simulatorOptions) *cobra.Command {
	return &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the faults, and how often they fired",
		Long: "List the faults of the world, and how often each matched and fired.\n\n" + exitHelp(0, 1), Example: "  verifyctl -e demo simulator fault list",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withSimulatorList(cmd.Context(), o, faultResource, "there are no faults", func(ctx context.Context, sim *simulator.Control) ([]simulator.Fault, error) {
				return sim.Faults(ctx)
			})
		},
	}
}

func newFaultClearCmd(o *simulatorOptions) *cobra.Command {
	return &cobra.Command{
		Use: "clear [ID]", Aliases: []string{"remove"}, Short: "Remove a fault, or all of them",
		Long: "Remove one fault by its number, or all of them.\n\n" + exitHelp(0, 1, 5), Example: "  verifyctl -e demo simulator fault clear",
		Args: argsBetween(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id := int64(0)
			if len(args) > 0 {
				n, err := strconv.ParseInt(args[0], 10, 64)
				if err != nil || n < 1 {
					return verify.Usagef("%q is not the number of a fault", args[0])
				}
				id = n
			}
			return withSimulatorList(cmd.Context(), o, faultResource, "there are no faults", func(ctx context.Context, sim *simulator.Control) ([]simulator.Fault, error) {
				if err := sim.RemoveFault(ctx, id); err != nil {
					return nil, err
				}
				return sim.Faults(ctx)
			})
		},
	}
}
