package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/verifyctl/verifyctl/internal/statedir"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// BeginCreation keeps what is about to be made: when it returns without an error that is on disk. The id is for
// [Store.FinishCreation].
func (s *Store) BeginCreation(ctx context.Context, c verify.Creation) (id int64, err error) {
	content, err := json.Marshal(c)
	if err != nil {
		return 0, statedir.Failure("cannot record what is about to be made", err)
	}
	err = s.change(ctx, onRecords, "cannot record what is about to be made", func(tx session) error {
		return tx.queryRow(ctx, `INSERT INTO creations (account_sid, creation, begun) VALUES (?, ?, ?) RETURNING id`,
			c.AccountSID, content, c.Begun).Scan(&id)
	})
	return id, err
}

// FinishCreation records what became of it, even when ctx is cancelled, because the request was sent.
func (s *Store) FinishCreation(ctx context.Context, id int64, outcome verify.CreationOutcome, sid string) error {
	ctx = context.WithoutCancel(ctx)
	return s.change(ctx, onRecords, "cannot record what became of a creation", func(tx session) error {
		changed, err := tx.exec(ctx, `UPDATE creations SET outcome = ?, sid = ? WHERE id = ?`, outcome, sid, id)
		return mustChange(changed, err, fmt.Sprintf("creation %d", id))
	})
}

// Creations gives what was begun in an account and is not finished: nobody knows how it ended, or its SID is in no file yet.
// The oldest comes first.
func (s *Store) Creations(ctx context.Context, account verify.AccountSID) ([]verify.Creation, error) {
	return all(ctx, s, "cannot read what was begun", `SELECT id, creation, outcome, sid FROM creations
		WHERE fold(account_sid) = fold(?) AND outcome IN (?, ?) ORDER BY id`, []any{account, verify.CreationUnknown, verify.CreationDone},
		func(row scanner) (c verify.Creation, err error) {
			var content []byte
			if err := row.Scan(&c.ID, &content, &c.Outcome, &c.SID); err != nil {
				return c, err
			}
			return c, json.Unmarshal(content, &c)
		})
}
