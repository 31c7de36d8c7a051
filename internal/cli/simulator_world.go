package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/simulator"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// --- simulator clock

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
				d, err := time.ParseDuration(args[0])
				if err != nil {
					return verify.Usagef("%q is not a duration such as 90s, 6m or 24h", args[0])
				}
				return sim.Advance(ctx, d)
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

// --- simulator fault

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
	cmd := &cobra.Command{
		Use:     "fault",
		Aliases: []string{"faults"},
		Short:   "Make requests and pushes go wrong, by rules",
		Long: `A fault is a rule by which requests or pushes go wrong. Which of the matching ones it hits depends on the world's seed and
the order of requests alone, so a test sees the same every time.`,
	}
	cmd.AddCommand(newFaultAddCmd(o), newFaultListCmd(o), newFaultClearCmd(o))
	return cmd
}

func newFaultAddCmd(o *simulatorOptions) *cobra.Command {
	var f simulator.Fault
	var delay time.Duration
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
			f.Kind, f.Delay = simulator.FaultKind(args[0]), simulator.Duration(delay)
			return withSimulator(cmd.Context(), o, faultResource, func(ctx context.Context, sim *simulator.Simulator) (simulator.Fault, error) {
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
	flags.DurationVar(&delay, "delay", 0, "real time, at most 1m, of latency and slow-body")
	return cmd
}

func newFaultListCmd(o *simulatorOptions) *cobra.Command {
	return &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the faults, and how often they fired",
		Long: "List the faults of the world, and how often each matched and fired.\n\n" + exitHelp(0, 1), Example: "  verifyctl -e demo simulator fault list",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withSimulatorList(cmd.Context(), o, faultResource, "there are no faults", func(ctx context.Context, sim *simulator.Simulator) ([]simulator.Fault, error) {
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
			return withSimulatorList(cmd.Context(), o, faultResource, "there are no faults", func(ctx context.Context, sim *simulator.Simulator) ([]simulator.Fault, error) {
				if err := sim.RemoveFault(ctx, id); err != nil {
					return nil, err
				}
				return sim.Faults(ctx)
			})
		},
	}
}

// --- simulator pushes

var pushResource = render.Resource[simulator.Push]{
	SID: func(p simulator.Push) string { return p.Challenge },
	Columns: []render.Column[simulator.Push]{
		{Name: "at", Time: func(p simulator.Push) time.Time { return p.At }},
		{Name: "outcome", Text: func(p simulator.Push) string { return string(p.Outcome) }, Tone: pushTone},
		{Name: "error_code", Text: func(p simulator.Push) string { return numberOrNone(p.Code) }},
		{Name: "notification_platform", Text: func(p simulator.Push) string { return p.Platform }},
		{Name: "identity", Text: func(p simulator.Push) string { return p.Identity }, Named: true},
		{Name: "challenge_sid", Text: func(p simulator.Push) string { return p.Challenge }},
		{Name: "factor_sid", Text: func(p simulator.Push) string { return p.Factor }, Wide: true},
		{Name: "notification_sid", Text: func(p simulator.Push) string { return p.Notification }, Wide: true},
		{Name: "data", Text: func(p simulator.Push) string { return keyValues(p.Data) }, Wide: true, Flex: true},
	},
}

func pushTone(p simulator.Push) render.Tone {
	switch p.Outcome {
	case simulator.Delivered:
		return render.Good
	case simulator.Refused:
		return render.Bad
	}
	return render.Warn
}

func newSimulatorPushesCmd(o *simulatorOptions) *cobra.Command {
	var filter simulator.PushFilter
	cmd := &cobra.Command{
		Use: "pushes", Aliases: []string{"push"}, Short: "Show what became of each push, which Twilio never tells",
		Long: `Show every attempt to push, oldest first, with what became of it and, in JSON, the data that reaches the app. At Twilio
only a refused push leaves a trace, in the debugger.

` + exitHelp(0, 1),
		Example: "  verifyctl -e demo simulator pushes --identity user-1001-amara",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withSimulatorList(cmd.Context(), o, pushResource, "there are no such pushes", func(ctx context.Context, sim *simulator.Simulator) ([]simulator.Push, error) {
				return sim.Pushes(ctx, filter)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&filter.Identity, "identity", "", "only pushes for this identity")
	flags.StringVar(&filter.Challenge, "challenge", "", "only pushes of this challenge YC…")
	flags.StringVar(&filter.Factor, "factor", "", "only pushes to this factor YF…")
	flags.IntVar(&filter.Limit, "limit", 0, "only the newest ones")
	return cmd
}

// --- simulator settings

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

// --- simulator generate

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
			return withSimulator(cmd.Context(), o, generatedResource, func(ctx context.Context, sim *simulator.Simulator) (simulator.Generated, error) {
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
