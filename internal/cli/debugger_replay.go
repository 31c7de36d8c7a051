package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/store"
	"github.com/verifyctl/verifyctl/internal/verify"
)

type debuggerReplayOptions struct {
	shell *shell

	filter eventFilter
	since  verify.Since
}

func newDebuggerReplayCmd(s *shell) *cobra.Command {
	o := debuggerReplayOptions{shell: s, filter: eventFilter{shell: s}}
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "Decode the events stored on this machine again",
		Long: `Decode what "debugger listen" and "debugger alerts --store" kept, as it came, with what this version knows. Nothing is
read from Twilio. Times are those of the events, oldest first.

` + exitHelp(0, 1, 6),
		Example: `  verifyctl -e demo debugger replay
  verifyctl -e demo debugger replay --since 7d --group-by code`,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	o.filter.register(cmd)
	cmd.Flags().Var(&o.since, "since", "only events of the last 24h, 7d and so on (default: all)")
	return cmd
}

func (o *debuggerReplayOptions) run(ctx context.Context) error {
	if err := o.filter.parse(); err != nil {
		return err
	}
	c, p, err := o.shell.begin(ctx, needsAccount)
	if err != nil {
		return err
	}
	filter := event.StoredFilter{}
	if filter.Since, err = o.since.Time(c.now()); err != nil {
		return err
	}
	memory, err := c.memory(ctx)
	if err != nil {
		return err
	}
	within := event.Span{}
	if !filter.Since.IsZero() {
		within = event.Span{From: filter.Since, Until: c.now()}
	}
	if err := o.shell.printEvents(p, o.filter.group, within, o.events(ctx, memory, filter)); err != nil {
		return err
	}
	o.filter.say()
	if o.filter.shown+o.filter.others+o.filter.skipped() == 0 {
		o.shell.note("no event of %s is stored here; keep them: %s, or %s", c.label(),
			c.env.Command("debugger", "listen"), c.env.Command("debugger", "alerts", "--store"))
	}
	return nil
}

func (o *debuggerReplayOptions) events(ctx context.Context, memory *store.Store, filter event.StoredFilter) rowsOf[event.Event] {
	attribution := o.shell.attribution()
	return flatten(memory.Events(ctx, filter), func(stored event.Stored) []event.Event {
		var wanted []event.Event
		for _, e := range event.Parse(stored.Body) {
			attribution.Apply(&e)
			if e.Timestamp.IsZero() {
				e.Timestamp = stored.At.UTC()
			}
			if o.filter.take(&e) {
				wanted = append(wanted, e)
			}
		}
		return wanted
	})
}
