package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/verifyctl/verifyctl/internal/statedir"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// A challenge is created once. Whoever wants to create it claims its key first; the row in claims is decided by SQLite,
// across processes. A claim has no time limit, because no time is right for a process that was stopped: it lasts as long
// as its claimer lives, which a lock file tells. When the claimer dies the operating system lets go of the lock, and the
// next one gets the claim, with the duty to look first for what the dead one may have sent.

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
	err = s.update(ctx, "cannot claim the challenge", func(tx *sql.Tx) error {
		claim, err = s.claim(ctx, tx, key, old)
		return err
	})
	return claim, err
}

func (s *Store) claim(ctx context.Context, tx *sql.Tx, key verify.ClaimKey, old verify.ChallengeSID) (verify.Claim, error) {
	claim := verify.Claim{Key: key, State: verify.ClaimMine}
	me, err := s.owner.name(ctx)
	if err != nil {
		return verify.Claim{}, err
	}
	var owner string
	err = tx.QueryRowContext(ctx, `SELECT owner, challenge_sid FROM claims WHERE service_sid = ? AND action_id = ?
		AND factor_sid = ?`, key.ServiceSID, key.ActionID, key.FactorSID).Scan(&owner, &claim.ChallengeSID)
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
		alive, err := s.owner.alive(owner)
		if err != nil {
			return verify.Claim{}, err
		}
		if alive {
			claim.State = verify.ClaimElsewhere
			return claim, nil
		}
		claim.LookFirst = true
	}
	claim.Ticket = newTicket()
	_, err = tx.ExecContext(ctx, `INSERT INTO claims (service_sid, action_id, factor_sid, ticket, owner) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET ticket = excluded.ticket, owner = excluded.owner, challenge_sid = ''`,
		key.ServiceSID, key.ActionID, key.FactorSID, claim.Ticket, me)
	return claim, err
}

// FulfilClaim ends a claim with the challenge that was created, or found by looking first, and remembers the challenge.
// It does so even when ctx is cancelled, because the challenge is there.
func (s *Store) FulfilClaim(ctx context.Context, claim verify.Claim, c verify.CreatedChallenge) error {
	ctx = context.WithoutCancel(ctx)
	return s.update(ctx, "cannot remember the challenge", func(tx *sql.Tx) error {
		if err := insertChallenge(ctx, tx, c); err != nil {
			return err
		}
		// A claim that was purged meanwhile comes back; one that somebody else has taken stays theirs.
		_, err := tx.ExecContext(ctx, `INSERT INTO claims (service_sid, action_id, factor_sid, ticket, owner, challenge_sid)
			VALUES (?, ?, ?, ?, '', ?) ON CONFLICT DO UPDATE SET owner = '', challenge_sid = excluded.challenge_sid
			WHERE ticket = excluded.ticket`,
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
		change+` WHERE ticket = ? AND service_sid = ? AND action_id = ? AND factor_sid = ? AND challenge_sid = ''`,
		claim.Ticket, claim.Key.ServiceSID, claim.Key.ActionID, claim.Key.FactorSID)
}

func newTicket() int64 {
	var b [8]byte
	rand.Read(b[:])
	return int64(binary.BigEndian.Uint64(b[:]) >> 1)
}

const (
	ownerPrefix = "claimer-"
	ownerSuffix = ".lock"
)

// owner is the proof that a store is alive: a file that it keeps locked.
type owner struct {
	dir  string
	mu   sync.Mutex
	file *os.File // nil until the first claim
}

// name gives the name by which claims know this store, and locks the file of that name the first time.
func (o *owner) name(ctx context.Context) (string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.file != nil {
		return filepath.Base(o.file.Name()), nil
	}
	// Under the lock of the directory, so that no other process sweeps the file away before we have locked it.
	unlock, err := statedir.Lock(ctx, o.dir)
	if err != nil {
		return "", err
	}
	defer unlock()
	if err := o.sweep(); err != nil {
		return "", err
	}
	var id [8]byte
	rand.Read(id[:])
	path := filepath.Join(o.dir, ownerPrefix+hex.EncodeToString(id[:])+ownerSuffix)
	f, err := statedir.Open(path, os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return "", err
	}
	if _, err := statedir.TryLock(f); err != nil {
		f.Close()
		return "", err
	}
	o.file = f
	return filepath.Base(path), nil
}

// sweep removes the files of claimers that died.
func (o *owner) sweep() error {
	files, err := os.ReadDir(o.dir)
	if err != nil {
		return err
	}
	for _, file := range files {
		if !strings.HasPrefix(file.Name(), ownerPrefix) {
			continue
		}
		alive, err := o.alive(file.Name())
		if err != nil {
			return err
		}
		if !alive {
			os.Remove(filepath.Join(o.dir, file.Name())) // a file that stays does no harm
		}
	}
	return nil
}

// alive tells whether the claimer of a name still runs.
func (o *owner) alive(name string) (bool, error) {
	if name == "" {
		return false, nil
	}
	f, err := statedir.Open(filepath.Join(o.dir, name), os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	free, err := statedir.TryLock(f)
	return !free, err
}

// end lets go of the claims.
func (o *owner) end() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.file == nil {
		return nil
	}
	path := o.file.Name()
	err := o.file.Close()
	o.file = nil
	// Between the two another process may sweep the file away.
	if removeErr := os.Remove(path); !errors.Is(removeErr, fs.ErrNotExist) {
		err = errors.Join(err, removeErr)
	}
	return err
}
