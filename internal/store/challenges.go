package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

func insertChallenge(ctx context.Context, tx *sql.Tx, c verify.CreatedChallenge) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO challenges (sid, service_sid, identity, factor_sid, action_id, created, expires)
		VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (sid) DO NOTHING`,
		c.SID, c.ServiceSID, c.Identity, c.FactorSID, c.ActionID, micros(c.Created), micros(c.Expires))
	return err
}

const selectChallenges = `SELECT sid, service_sid, identity, factor_sid, action_id, created, expires FROM challenges `

// CreatedChallenge gives a challenge that was created from this machine, and whether it was.
func (s *Store) CreatedChallenge(ctx context.Context, sid verify.ChallengeSID) (verify.CreatedChallenge, bool, error) {
	return one(ctx, s, "cannot look up the challenge", selectChallenges+`WHERE sid = ?`, []any{sid}, scanChallenge)
}

// ChallengesSince gives the newest challenges that were created from this machine since a time, at most so many.
func (s *Store) ChallengesSince(ctx context.Context, since time.Time, most int) (all []verify.CreatedChallenge, err error) {
	for c, err := range rows(ctx, s, "cannot read the challenges", selectChallenges+`WHERE created >= ? ORDER BY created DESC LIMIT ?`, []any{micros(since), most}, scanChallenge) {
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

func scanChallenge(row scanner) (c verify.CreatedChallenge, err error) {
	err = row.Scan(&c.SID, &c.ServiceSID, &c.Identity, &c.FactorSID, &c.ActionID, timeInto(&c.Created), timeInto(&c.Expires))
	return c, err
}

// ReserveResend takes one of the limited resends of a challenge before it is sent, across all processes: from then on it
// counts as used, whatever happens. used is how many were taken before; when that is limit or more nothing is taken and
// the id is 0.
func (s *Store) ReserveResend(ctx context.Context, challenge verify.ChallengeSID, at time.Time, limit int) (id int64, used int, err error) {
	err = s.update(ctx, "cannot record the resend", func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `SELECT count(*) FROM resends WHERE challenge_sid = ? AND outcome <> ?`,
			challenge, verify.SendRefused).Scan(&used)
		if err != nil || used >= limit {
			return err
		}
		return tx.QueryRowContext(ctx, `INSERT INTO resends (challenge_sid, at, outcome) VALUES (?, ?, ?) RETURNING id`,
			challenge, micros(at), verify.SendUnknown).Scan(&id)
	})
	return id, used, err
}

// FinishResend records what became of a resend; one that Twilio refused counts no more. It does so even when ctx is
// cancelled, because the phone may have rung.
func (s *Store) FinishResend(ctx context.Context, id int64, outcome verify.SendOutcome, notification verify.NotificationSID) error {
	ctx = context.WithoutCancel(ctx)
	return s.update(ctx, "cannot record what became of the resend", func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE resends SET outcome = ?, notification_sid = ? WHERE id = ?`,
			outcome, notification, id)
		return mustChange(result, err, fmt.Sprintf("resend %d", id))
	})
}

// Resends gives the resends of a challenge from this machine, oldest first.
func (s *Store) Resends(ctx context.Context, challenge verify.ChallengeSID) ([]verify.Resend, error) {
	return all(ctx, s, "cannot look up resends",
		`SELECT id, challenge_sid, notification_sid, at, outcome FROM resends WHERE challenge_sid = ? ORDER BY id`, []any{challenge},
		func(row scanner) (r verify.Resend, err error) {
			err = row.Scan(&r.ID, &r.ChallengeSID, &r.NotificationSID, timeInto(&r.At), &r.Outcome)
			return r, err
		})
}

// RecordReceipt keeps the word that a challenge arrived on the phone; the first of each source counts.
func (s *Store) RecordReceipt(ctx context.Context, r verify.Receipt) error {
	return s.exec(ctx, "cannot record the receipt", `INSERT INTO receipts (challenge_sid, source, at) VALUES (?, ?, ?)
		ON CONFLICT DO NOTHING`, r.ChallengeSID, r.Source, micros(r.At))
}

// Receipts gives the receipts of a challenge, oldest first.
func (s *Store) Receipts(ctx context.Context, challenge verify.ChallengeSID) ([]verify.Receipt, error) {
	return all(ctx, s, "cannot look up receipts",
		`SELECT challenge_sid, source, at FROM receipts WHERE challenge_sid = ? ORDER BY at, source`, []any{challenge},
		func(row scanner) (r verify.Receipt, err error) {
			err = row.Scan(&r.ChallengeSID, &r.Source, timeInto(&r.At))
			return r, err
		})
}
