package store

import (
	"context"
	"iter"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// RecordOutcome keeps what became of one item of a plan, in the place of what was known of it before. It survives the end of the
// process at once, and a power loss from the next [Store.RecordDeletions] on. It does so even when ctx is cancelled, because the
// request was sent.
func (s *Store) RecordOutcome(ctx context.Context, o verify.ItemOutcome) error {
	ctx = context.WithoutCancel(ctx)
	return s.change(ctx, onMinor, "cannot record what became of the item", func(tx session) error {
		_, err := tx.exec(ctx, `INSERT INTO outcomes (plan, item, sid, outcome, detail, at) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (plan, item) DO UPDATE SET sid = excluded.sid, outcome = excluded.outcome, detail = excluded.detail, at = excluded.at`,
			o.Plan, o.Item, o.SID, o.Outcome, o.Detail, o.At)
		return err
	})
}

// Outcomes gives what became of the items of a plan so far, in the plan's order.
func (s *Store) Outcomes(ctx context.Context, plan string) iter.Seq2[verify.ItemOutcome, error] {
	return rows(ctx, s, "cannot read the plan's outcomes",
		`SELECT plan, item, sid, outcome, detail, at FROM outcomes WHERE plan = ? ORDER BY item`, []any{plan},
		func(row scanner) (o verify.ItemOutcome, err error) {
			err = row.Scan(&o.Plan, &o.Item, &o.SID, &o.Outcome, &o.Detail, timeInto(&o.At))
			return o, err
		})
}
