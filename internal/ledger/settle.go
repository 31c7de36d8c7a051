package ledger

import (
	"context"
	"time"
)

// Settle puts the line after behind each write of origin's environment, account and command that has none: a run that was
// killed left it, and no other is running. A create is known by naming no SID; how the last one ended was found out since:
// made is the SID of what it made, "" for nothing. Of other writes the outcome is unknown.
func (l *Ledger) Settle(ctx context.Context, origin Entry, made string, now time.Time) error {
	open := map[string]Entry{}
	var order []string
	for e, err := range l.Entries(Filter{Environment: origin.Environment, Command: origin.Command}) {
		switch {
		case err != nil:
			return err
		case e.Phase == phaseBefore && e.AccountSID == origin.AccountSID:
			open[e.ID] = e
			order = append(order, e.ID)
		case e.Phase == phaseAfter:
			delete(open, e.ID)
		}
	}
	for _, id := range order {
		e, isOpen := open[id]
		if !isOpen {
			continue
		}
		outcome := "unknown"
		switch {
		case len(e.SIDs) > 0:
		case made == "":
			outcome = "not done, as was found afterwards"
		default:
			outcome, e.SIDs = "done, as was found afterwards", []string{made}
		}
		if err := l.finish(ctx, e, now, outcome, ""); err != nil {
			return err
		}
	}
	return nil
}
