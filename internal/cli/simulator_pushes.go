package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/simulator"
	"github.com/verifyctl/verifyctl/internal/verify"
)

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
only a refused push leaves a trace, in the debugger. With -e they are those of the environment's Service.

` + exitHelp(0, 1),
		Example: "  verifyctl -e demo simulator pushes --identity user-1001-amara",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if filter.Service, err = o.service(); err != nil {
				return err
			}
			if cmd.Flags().Changed("limit") && filter.Limit < 1 {
				return verify.Usagef("--limit must be 1 or more, not %d", filter.Limit)
			}
			return withSimulatorList(cmd.Context(), o, pushResource, "no pushes match", func(ctx context.Context, sim *simulator.Control) ([]simulator.Push, error) {
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
