package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"github.com/verifyctl/verifyctl/internal/statedir"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// RecordDeletion keeps a factor as it was last seen, before its delete is sent: when it returns without an error the
// record is on disk. The push token is kept as a keyed hash only. The id is for [Store.FinishDeletion].
func (s *Store) RecordDeletion(ctx context.Context, factor verify.Factor, by, reason string, at time.Time) (id int64, err error) {
	hash := s.HashToken(factor.Config.Token)
	factor.Config.Token = ""
	content, err := json.Marshal(factor)
	if err != nil {
		return 0, statedir.Failure("cannot record the deletion", err)
	}
	err = s.update(ctx, "cannot record the deletion", func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `INSERT INTO deletions (factor_sid, identity, factor, token_hash, by, reason, at)
			VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id`, factor.SID, factor.Identity, content, hash, by, reason, micros(at)).Scan(&id)
	})
	return id, err
}

// FinishDeletion records what became of a deletion. It does so even when ctx is cancelled, because the delete was sent.
func (s *Store) FinishDeletion(ctx context.Context, id int64, outcome string, at time.Time) error {
	ctx = context.WithoutCancel(ctx)
	return s.update(ctx, "cannot record what became of the deletion", func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE deletions SET outcome = ?, finished_at = ? WHERE id = ?`, outcome, micros(at), id)
		return mustChange(result, err, fmt.Sprintf("deletion %d", id))
	})
}

// mustChange makes an update that found nothing to change an error: the record it belongs to was purged.
func mustChange(result sql.Result, err error, what string) error {
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return fmt.Errorf("the record of %s is not there any more", what)
	}
	return nil
}

// Deletions gives the recorded deletions, newest first.
func (s *Store) Deletions(ctx context.Context, filter verify.DeletionFilter) iter.Seq2[verify.Deletion, error] {
	var where conditions
	where.addIf(filter.Identity != "", "identity = ?", filter.Identity)
	where.addIf(filter.FactorSID != "", "factor_sid = ?", filter.FactorSID)
	where.addIf(!filter.Since.IsZero(), "at >= ?", micros(filter.Since))
	where.addIf(!filter.Until.IsZero(), "at < ?", micros(filter.Until))
	query := `SELECT id, factor, token_hash, by, reason, at, outcome, finished_at FROM deletions` + where.sql +
		` ORDER BY at DESC, id DESC LIMIT ?`
	return rows(ctx, s, "cannot read the deletions", query, append(where.args, limitOf(filter.Limit)), scanDeletion)
}

func scanDeletion(row scanner) (d verify.Deletion, err error) {
	var factor []byte
	if err := row.Scan(&d.ID, &factor, &d.TokenHash, &d.By, &d.Reason, timeInto(&d.At), &d.Outcome, timeInto(&d.FinishedAt)); err != nil {
		return d, err
	}
	if err := json.Unmarshal(factor, &d.Factor); err != nil {
		return d, fmt.Errorf("deletion %d: %w", d.ID, err)
	}
	return d, nil
}
