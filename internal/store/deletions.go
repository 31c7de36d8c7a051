package store

import (
	"context"
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
	err = s.change(ctx, onRecords, "cannot record the deletion", func(tx session) error {
		return tx.queryRow(ctx, `INSERT INTO deletions (factor_sid, identity, factor, token_hash, by, reason, at)
			VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id`, factor.SID, factor.Identity, content, hash, by, reason, at).Scan(&id)
	})
	return id, err
}

// FinishDeletion records what became of a deletion. It does so even when ctx is cancelled, because the delete was sent.
func (s *Store) FinishDeletion(ctx context.Context, id int64, outcome string, at time.Time) error {
	ctx = context.WithoutCancel(ctx)
	return s.change(ctx, onRecords, "cannot record what became of the deletion", func(tx session) error {
		changed, err := tx.exec(ctx, `UPDATE deletions SET outcome = ?, finished_at = ? WHERE id = ?`, outcome, at, id)
		return mustChange(changed, err, fmt.Sprintf("deletion %d", id))
	})
}

// mustChange makes an update that found nothing to change an error: the record it belongs to was purged.
func mustChange(changed int, err error, what string) error {
	if err == nil && changed == 0 {
		return fmt.Errorf("the record of %s is not there any more", what)
	}
	return err
}

// Deletions gives the recorded deletions, newest first.
func (s *Store) Deletions(ctx context.Context, filter verify.DeletionFilter) iter.Seq2[verify.Deletion, error] {
	var where conditions
	where.addIf(filter.Identity != "", "identity = ?", filter.Identity)
	where.addIf(filter.FactorSID != "", "fold(factor_sid) = fold(?)", filter.FactorSID)
	where.addIf(!filter.Since.IsZero(), "at >= ?", filter.Since)
	where.addIf(!filter.Until.IsZero(), "at < ?", filter.Until)
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
