package store

import (
	"context"
	"fmt"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

func insertChallenge(ctx context.Context, tx session, c verify.CreatedChallenge) error {
	_, err := tx.exec(ctx, `INSERT INTO challenges (sid, service_sid, identity, factor_sid, action_id, created, expires)
		VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (fold(sid)) DO NOTHING`,
		c.SID, c.ServiceSID, c.Identity, c.FactorSID, c.ActionID, c.Created, c.Expires)
	return err
}

const selectChallenges = `SELECT sid, service_sid, identity, factor_sid, action_id, created, expires FROM challenges `

// CreatedChallenge gives a challenge that was created from this machine, and whether it was.
func (s *Store) CreatedChallenge(ctx context.Context, sid verify.ChallengeSID) (verify.CreatedChallenge, bool, error) {
	return one(ctx, s, "cannot look up the challenge", selectChallenges+`WHERE fold(sid) = fold(?)`, []any{sid}, scanChallenge)
}

// ChallengesSince gives the newest challenges that were created from here since a time, at most so many.
func (s *Store) ChallengesSince(ctx context.Context, since time.Time, most int) ([]verify.CreatedChallenge, error) {
	return all(ctx, s, "cannot read the challenges", selectChallenges+`WHERE created >= ? ORDER BY created DESC LIMIT ?`,
		[]any{since, most}, scanChallenge)
}

func scanChallenge(row scanner) (c verify.CreatedChallenge, err error) {
	err = row.Scan(&c.SID, &c.ServiceSID, &c.Identity, &c.FactorSID, &c.ActionID, timeInto(&c.Created), timeInto(&c.Expires))
	return c, err
}

// ReserveResend takes one of the limited resends of a challenge before it is sent, across all processes: from then on it
// counts as used, whatever happens. used is how many were taken before; when that is limit or more nothing is taken and
// the id is 0.
func (s *Store) ReserveResend(ctx context.Context, challenge verify.ChallengeSID, at time.Time, limit int) (id int64, used int, err error) {
	err = s.change(ctx, onRecords, "cannot record the resend", func(tx session) error {
		err := tx.queryRow(ctx, `SELECT count(*) FROM resends WHERE fold(challenge_sid) = fold(?) AND outcome <> ?`,
			challenge, verify.SendRefused).Scan(&used)
		if err != nil || used >= limit {
			return err
		}
		return tx.queryRow(ctx, `INSERT INTO resends (challenge_sid, at, outcome) VALUES (?, ?, ?) RETURNING id`,
			challenge, at, verify.SendUnknown).Scan(&id)
	})
	return id, used, err
}

// FinishResend records what became of a resend; one that Twilio refused counts no more. It does so even when ctx is
// cancelled, because the phone may have rung.
func (s *Store) FinishResend(ctx context.Context, id int64, outcome verify.SendOutcome, notification verify.NotificationSID) error {
	ctx = context.WithoutCancel(ctx)
	return s.change(ctx, onRecords, "cannot record what became of the resend", func(tx session) error {
		changed, err := tx.exec(ctx, `UPDATE resends SET outcome = ?, notification_sid = ? WHERE id = ?`,
			outcome, notification, id)
		return mustChange(changed, err, fmt.Sprintf("resend %d", id))
	})
}

// Resends gives the resends of a challenge from this machine, oldest first.
func (s *Store) Resends(ctx context.Context, challenge verify.ChallengeSID) ([]verify.Resend, error) {
	return all(ctx, s, "cannot look up resends",
		`SELECT id, challenge_sid, notification_sid, at, outcome FROM resends WHERE fold(challenge_sid) = fold(?) ORDER BY id`, []any{challenge},
		func(row scanner) (r verify.Resend, err error) {
			err = row.Scan(&r.ID, &r.ChallengeSID, &r.NotificationSID, timeInto(&r.At), &r.Outcome)
			return r, err
		})
}

// RecordReceipt keeps the word that a challenge arrived on the phone; the first of each source counts.
func (s *Store) RecordReceipt(ctx context.Context, r verify.Receipt) error {
	return s.exec(ctx, "cannot record the receipt", `INSERT INTO receipts (challenge_sid, source, at) VALUES (?, ?, ?)
		ON CONFLICT (fold(challenge_sid), source) DO NOTHING`, r.ChallengeSID, r.Source, r.At)
}

// Receipts gives the receipts of a challenge, oldest first.
func (s *Store) Receipts(ctx context.Context, challenge verify.ChallengeSID) ([]verify.Receipt, error) {
	return all(ctx, s, "cannot look up receipts",
		`SELECT challenge_sid, source, at FROM receipts WHERE fold(challenge_sid) = fold(?) ORDER BY at, source`, []any{challenge},
		func(row scanner) (r verify.Receipt, err error) {
			err = row.Scan(&r.ChallengeSID, &r.Source, timeInto(&r.At))
			return r, err
		})
}
