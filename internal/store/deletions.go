package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// RecordDeletions keeps factors as they were last seen, before their delete is sent, and what became of deletions before: when
// it returns without an error all of it is on disk. Push tokens are kept as keyed hashes only. The ids, in the order of the
// factors, are for [Store.FinishDeletions].
func (s *Store) RecordDeletions(ctx context.Context, factors []verify.Factor, by, reason string, at time.Time, before ...verify.DeletionEnd) (ids []int64, err error) {
	ids = make([]int64, len(factors))
	err = s.change(ctx, onBoth, "cannot record the deletion", func(tx session) error {
		if _, err := finishDeletions(ctx, tx, before); err != nil {
			return err
		}
		for i, factor := range factors {
			hash := s.HashToken(factor.Config.Token)
			factor.Config.Token = ""
			content, err := json.Marshal(factor)
			if err != nil {
				return err
			}
			err = tx.queryRow(ctx, `INSERT INTO deletions (factor_sid, identity, factor, token_hash, by, reason, at)
				VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id`, factor.SID, factor.Identity, content, hash, by, reason, at).Scan(&ids[i])
			if err != nil {
				return err
			}
		}
		return nil
	})
	return ids, err
}

// FinishDeletions records what became of deletions; the index forgets what is gone. It does so even when ctx is cancelled, because
// the deletes were sent. One whose record is not there any more is an error; the others are recorded.
func (s *Store) FinishDeletions(ctx context.Context, ends ...verify.DeletionEnd) error {
	if len(ends) == 0 {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	var missing error
	err := s.change(ctx, onBoth, "cannot record what became of the deletion", func(tx session) (err error) {
		missing, err = finishDeletions(ctx, tx, ends)
		return err
	})
	return errors.Join(err, s.engine.failure("cannot record what became of the deletion", missing))
}

// finishDeletions gives in missing whose record is not there any more.
func finishDeletions(ctx context.Context, tx session, ends []verify.DeletionEnd) (missing, err error) {
	for _, end := range ends {
		changed, err := tx.exec(ctx, `UPDATE deletions SET outcome = ?, finished_at = ? WHERE id = ?`, end.Outcome, end.At, end.ID)
		if err != nil {
			return nil, err
		}
		missing = errors.Join(missing, mustChange(changed, nil, fmt.Sprintf("deletion %d", end.ID)))
		if !end.Gone {
			continue
		}
		_, err = tx.exec(ctx, `DELETE FROM factors WHERE fold(sid) IN (SELECT fold(factor_sid) FROM deletions WHERE id = ?)`, end.ID)
		if err != nil {
			return nil, err
		}
	}
	return missing, nil
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
