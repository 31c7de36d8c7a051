package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"errors"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// A challenge is created once. Whoever wants to create it claims its key first; the row in claims is decided by the
// database, across processes and machines. A claim has no time limit, because no time is right for a process that was
// stopped: it lasts as long as its claimer lives, which a lock file tells. When the claimer dies the operating system lets
// go of the lock, and the next one on the machine gets the claim, with the duty to look first for what the dead one may
// have sent. What a machine took that is lost needs a person's word: [Store.TakeOverClaim].

// ClaimChallenge asks for the right to create the one challenge of a key. It answers at once:
//
//   - ClaimMade: it exists already. If it can be answered no more and a new one is wanted, see [Store.ReplaceClaim].
//   - ClaimElsewhere: another caller is at it; ask again after a pause.
//   - ClaimMine: the caller goes on, reads pending challenges first if LookFirst says so, and ends with
//     [Store.FulfilClaim] or [Store.AbandonClaim].
func (s *Store) ClaimChallenge(ctx context.Context, key verify.ClaimKey) (verify.Claim, error) {
	return s.ReplaceClaim(ctx, key, "")
}

// ReplaceClaim asks for the right to create a new challenge in the place of old, which the caller has seen to be
// answered or expired. It answers as [Store.ClaimChallenge] does; when another caller has replaced old already, with that
// one's.
func (s *Store) ReplaceClaim(ctx context.Context, key verify.ClaimKey, old verify.ChallengeSID) (claim verify.Claim, err error) {
	me, err := s.me(ctx)
	if err != nil {
		return claim, err
	}
	err = s.change(ctx, onRecords, "cannot claim the challenge", func(tx session) error {
		claim, err = s.claim(ctx, tx, me, key, old)
		return err
	})
	return claim, err
}

func (s *Store) claim(ctx context.Context, tx session, me string, key verify.ClaimKey, old verify.ChallengeSID) (verify.Claim, error) {
	claim := verify.Claim{Key: key, State: verify.ClaimMine}
	var owner string
	err := tx.queryRow(ctx, `SELECT owner, challenge_sid, at FROM claims WHERE fold(service_sid) = fold(?) AND action_id = ?
		AND fold(factor_sid) = fold(?)`, key.ServiceSID, key.ActionID, key.FactorSID).Scan(&owner, &claim.ChallengeSID, timeInto(&claim.Since))
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return verify.Claim{}, err
	case claim.ChallengeSID != "" && !verify.SameSID(claim.ChallengeSID, old):
		claim.State = verify.ClaimMade
		return claim, nil
	case claim.ChallengeSID != "":
		claim.ChallengeSID = "" // the old one, to be replaced
	default:
		state, err := s.owner.state(owner)
		if err != nil {
			return verify.Claim{}, err
		}
		if state != gone {
			claim.State = verify.ClaimElsewhere
			if state == elsewhere {
				claim.Machine = hostOf(owner)
			}
			return claim, nil
		}
		claim.LookFirst = true
	}
	claim.Ticket = newTicket()
	_, err = tx.exec(ctx, `INSERT INTO claims (service_sid, action_id, factor_sid, ticket, owner, at) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (fold(service_sid), action_id, fold(factor_sid)) DO UPDATE SET ticket = excluded.ticket, owner = excluded.owner, challenge_sid = '', at = excluded.at`,
		key.ServiceSID, key.ActionID, key.FactorSID, claim.Ticket, me, time.Now())
	return claim, err
}

// FulfilClaim ends a claim with the challenge that was created, or found by looking first, and remembers the challenge.
// It does so even when ctx is cancelled, because the challenge is there.
func (s *Store) FulfilClaim(ctx context.Context, claim verify.Claim, c verify.CreatedChallenge) error {
	ctx = context.WithoutCancel(ctx)
	return s.change(ctx, onRecords, "cannot remember the challenge", func(tx session) error {
		if err := insertChallenge(ctx, tx, c); err != nil {
			return err
		}
		// A claim that was purged meanwhile comes back; one that somebody else has taken stays theirs.
		_, err := tx.exec(ctx, `INSERT INTO claims (service_sid, action_id, factor_sid, ticket, owner, challenge_sid)
			VALUES (?, ?, ?, ?, '', ?) ON CONFLICT (fold(service_sid), action_id, fold(factor_sid))
			DO UPDATE SET owner = '', challenge_sid = excluded.challenge_sid WHERE claims.ticket = excluded.ticket`,
			claim.Key.ServiceSID, claim.Key.ActionID, claim.Key.FactorSID, claim.Ticket, c.SID)
		return err
	})
}

// AbandonClaim ends a claim without a challenge. uncertain tells that there may be one nevertheless: the request's
// outcome is unknown, or the claim said to look first and that could not be done. The next claimer is then told to look
// first. It does so even when ctx is cancelled.
func (s *Store) AbandonClaim(ctx context.Context, claim verify.Claim, uncertain bool) error {
	ctx = context.WithoutCancel(ctx)
	change := `DELETE FROM claims`
	if uncertain {
		change = `UPDATE claims SET owner = ''`
	}
	return s.exec(ctx, "cannot give up the claim",
		change+` WHERE ticket = ? AND fold(service_sid) = fold(?) AND action_id = ? AND fold(factor_sid) = fold(?) AND challenge_sid = ''`,
		claim.Ticket, claim.Key.ServiceSID, claim.Key.ActionID, claim.Key.FactorSID)
}

func newTicket() int64 {
	var b [8]byte
	rand.Read(b[:])
	return int64(binary.BigEndian.Uint64(b[:]) >> 1)
}
