package ledger

import (
	"context"
	"time"
)

// The outcomes of writes whose run was killed.
const (
	outcomeUnknown = "unknown"
	outcomeDone    = "done, as was found afterwards"
	outcomeNotDone = "not done, as was found afterwards"
)

// Settle puts the line after behind each write of origin's environment, account and command that has none: a run that was
// killed left it, and no other is running. Nobody found out how those ended.
func (l *Ledger) Settle(ctx context.Context, origin Entry, now time.Time) error {
	return l.close(ctx, Filter{Environment: origin.Environment, Command: origin.Command}, func(e *Entry) bool {
		e.Outcome = outcomeUnknown
		return e.AccountSID == origin.AccountSID
	}, now)
}

// SettleCreate is [Ledger.Settle] for the create of one intent, of which has been found out what it made; "" for nothing.
func (l *Ledger) SettleCreate(ctx context.Context, intent, made string, now time.Time) error {
	return l.close(ctx, Filter{}, func(e *Entry) bool {
		if e.Outcome = outcomeNotDone; made != "" {
			e.Outcome, e.SIDs = outcomeDone, []string{made}
		}
		return e.Intent == intent
	}, now)
}

// close puts the line after behind writes that have none, in their order. Ends tells which, and says how they ended.
func (l *Ledger) close(ctx context.Context, among Filter, ends func(*Entry) bool, now time.Time) error {
	open := map[string]Entry{}
	var order []string
	for e, err := range l.Entries(among) {
		switch {
		case err != nil:
			return err
		case e.Phase == phaseBefore:
			open[e.ID] = e
			order = append(order, e.ID)
		case e.Phase == phaseAfter:
			delete(open, e.ID)
		}
	}
	for _, id := range order {
		e, isOpen := open[id]
		if !isOpen || !ends(&e) {
			continue
		}
		if err := l.finish(ctx, e, now, e.Outcome, ""); err != nil {
			return err
		}
	}
	return nil
}
