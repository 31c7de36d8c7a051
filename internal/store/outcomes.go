package store

import (
	"context"
	"iter"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// RecordOutcome keeps what became of one item of a plan, in the place of what was known of it before: when it returns
// without an error the record is on disk and the next request may be sent. It does so even when ctx is cancelled, because
// the request was sent.
func (s *Store) RecordOutcome(ctx context.Context, o verify.ItemOutcome) error {
	return s.exec(context.WithoutCancel(ctx), "cannot record what became of the item",
		`INSERT INTO outcomes (plan, item, sid, outcome, detail, at) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (plan, item) DO UPDATE SET sid = excluded.sid, outcome = excluded.outcome, detail = excluded.detail, at = excluded.at`,
		o.Plan, o.Item, o.SID, o.Outcome, o.Detail, o.At)
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
