package cli

import (
	"cmp"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/debugger"
	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

func newDebuggerCmd(s *shell) *cobra.Command {
	return group(&cobra.Command{
		Use:     "debugger",
		Aliases: []string{"debug"},
		Short:   "Decode, explain, list and receive debugger events",
		Long: `A push that cannot be delivered becomes an event of the account's debugger: Twilio's API said OK before. These commands
take such an event in any shape and say which factor it is about, what went wrong, and whose job it is.

A dead push token is not a dead factor: its phone may still answer by polling. No single event is a reason to delete.`,
	}, newDebuggerDecodeCmd(s), newDebuggerExplainCmd(s), newDebuggerAlertsCmd(s), newDebuggerListenCmd(s), newDebuggerReplayCmd(s))
}

// eventResource is how decoded events are shown, by every command that gives them.
var eventResource = render.Resource[event.Event]{
	SID: func(e event.Event) string { return e.FactorSID },
	View: func(e event.Event) any {
		if len(e.Encoded) > 0 {
			return render.Encoded(e.Encoded)
		}
		return e
	},
	Columns: []render.Column[event.Event]{
		{Name: "timestamp", Time: func(e event.Event) time.Time { return e.Timestamp }, Keep: 2},
		{Name: "environment", Text: environmentOf},
		{Name: "product", Text: func(e event.Event) string { return string(e.Product) }},
		{Name: "error_code", Text: errorCodeOf, Keep: 3, Own: true},
		{Name: "verdict", Text: func(e event.Event) string { return string(e.Verdict) }, Tone: verdictTone, Keep: 1},
		{Name: "action", Text: func(e event.Event) string { return string(e.Action) }},
		{Name: "factor_sid", Text: func(e event.Event) string { return e.FactorSID }},
		{Name: "identity", Text: func(e event.Event) string { return e.Identity }, Named: true, Keep: 2},
		{Name: "platform", Text: func(e event.Event) string { return string(e.Platform) }},
		{Name: "prune_evidence", Text: func(e event.Event) string { return string(e.PruneEvidence) }},
		{Name: "error_name", Text: func(e event.Event) string { return e.ErrorName }, Flex: true, Wide: true},
		{Name: "description", Text: func(e event.Event) string { return e.Description }, Flex: true, Wide: true},
		{Name: "service_sid", Text: func(e event.Event) string { return e.ServiceSID }, Wide: true},
		{Name: "challenge_sid", Text: func(e event.Event) string { return e.ChallengeSID }, Wide: true},
		{Name: "credential_sid", Text: func(e event.Event) string { return e.CredentialSID }, Wide: true},
		{Name: "notification_sid", Text: func(e event.Event) string { return e.NotificationSID }, Wide: true},
		{Name: "entity_sid", Text: func(e event.Event) string { return e.EntitySID }, Wide: true},
		{Name: "event_sid", Text: func(e event.Event) string { return e.EventSID }, Wide: true},
		{Name: "account_sid", Text: func(e event.Event) string { return e.AccountSID }, Wide: true},
		{Name: "level", Text: func(e event.Event) string { return e.Level }, Wide: true},
		{Name: "source", Text: func(e event.Event) string { return e.Source }, Wide: true},
		{Name: "masked", Text: func(e event.Event) string { return yesOrNothing(e.Masked) }, Wide: true},
		{Name: "ambiguous", Text: func(e event.Event) string { return yesOrNothing(e.Ambiguous) }, Wide: true},
		{Name: "inferred", Text: func(e event.Event) string { return yesOrNothing(e.Inferred) }, Wide: true},
		{Name: "repaired", Text: func(e event.Event) string { return yesOrNothing(e.Repaired) }, Wide: true},
		{Name: "candidates", Text: candidatesOf, Wide: true, Named: true},
		{Name: "reasons", Text: func(e event.Event) string { return strings.Join(e.Reasons, "; ") }, Flex: true, Wide: true},
		{Name: "next", Text: func(e event.Event) string { return e.Next }, Wide: true},
	},
}

func environmentOf(e event.Event) string {
	if e.Environment == nil {
		return ""
	}
	return *e.Environment
}

func errorCodeOf(e event.Event) string {
	if e.ErrorCode == nil {
		return ""
	}
	return fmt.Sprint(*e.ErrorCode)
}

func candidatesOf(e event.Event) string {
	readings := make([]string, len(e.Candidates))
	for i, c := range e.Candidates {
		readings[i] = c.Identity + " " + c.FactorSID
	}
	return strings.Join(readings, ", ")
}

func verdictTone(e event.Event) render.Tone {
	switch e.Verdict {
	case event.NotPush, event.Throttled:
		return render.Faint
	case event.TokenDead, event.TokenInvalid, event.VerdictUnknown:
		return render.Warn
	}
	return render.Bad
}

var eventGroupResource = render.Resource[debugger.Group]{
	SID: func(g debugger.Group) string { return g.Key },
	Columns: []render.Column[debugger.Group]{
		{Name: "key", Text: func(g debugger.Group) string { return g.Key }, Named: true},
		{Name: "events", Text: func(g debugger.Group) string { return fmt.Sprint(g.Events) }},
		{Name: "name", Text: func(g debugger.Group) string { return g.Name }, Flex: true},
		{Name: "first", Time: func(g debugger.Group) time.Time { return g.First }, Keep: -2}, // before a plot, which shows it
		{Name: "last", Time: func(g debugger.Group) time.Time { return g.Last }},
	},
}

// printEvents prints the events of a span of time, or their counts; the zero span is that of the events themselves. On a
// terminal a single event is shown with all its fields.
func (s *shell) printEvents(p *render.Printer, group debugger.Grouping, within event.Span, events rowsOf[event.Event]) error {
	if group != "" {
		tally := debugger.NewTally(group)
		var failed error
		for e, err := range events {
			if failed = err; err != nil {
				break
			}
			tally.Add(e)
		}
		groups := tally.Groups()
		if failed != nil && len(groups) == 0 {
			return failed // no output that looks like an empty list
		}
		err := listAll(p, groupsPlotted(p, group, within, groups), groups)
		return cmp.Or(failed, err)
	}
	if s.live || !p.ForPeople() {
		_, err := render.List(p, eventResource, events)
		return err
	}
	return printFirstAlone(p, events)
}

// groupsPlotted shows counts with a bar of their share; those by code, which is what comes and goes, with their course.
func groupsPlotted(p *render.Printer, by debugger.Grouping, within event.Span, groups []debugger.Group) render.Resource[debugger.Group] {
	whole, all := 0, event.Span{}
	for _, g := range groups {
		whole += g.Events
		all = all.Including(g.First).Including(g.Last)
	}
	if within.From.IsZero() {
		within = all
	}
	if by == debugger.ByCode && !within.From.IsZero() {
		over := verify.Period(within.Until.Sub(within.From).Round(time.Minute))
		return eventGroupResource.Plotted(p, "over "+over.String(), func(plot render.Plot, g debugger.Group) string { return plot.Spark(g.Trend(within)) })
	}
	return eventGroupResource.Plotted(p, "share", func(plot render.Plot, g debugger.Group) string { return plot.Share(g.Events, whole) })
}

// goLive prepares for output that has no end, which formats that are written at the end cannot have.
func (s *shell) goLive() error {
	s.live = true
	switch format := s.flags.format(nil); {
	case format == render.Markdown:
		return verify.Usagef("a Markdown table cannot be written for output that never ends")
	case (s.flags.jq != "" || s.flags.template != "") && format != render.NDJSON:
		return verify.Usagef("--jq and --template need the whole list, and this output never ends").WithHint("process one event at a time with -o ndjson")
	}
	return nil
}

// printFirstAlone shows an event that stays the only one with all its fields, and several as a list.
func printFirstAlone(p *render.Printer, events rowsOf[event.Event]) error {
	next, stop := iter.Pull2(events)
	defer stop()
	first, err, ok := next()
	if !ok || err != nil {
		return err
	}
	second, secondErr, more := next()
	if !more {
		return render.One(p, eventResource, first)
	}
	_, err = render.List(p, eventResource, func(yield func(event.Event, error) bool) {
		if !yield(first, nil) || !yield(second, secondErr) {
			return
		}
		for {
			e, err, ok := next()
			if !ok || !yield(e, err) {
				return
			}
		}
	})
	return err
}
