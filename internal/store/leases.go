package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// A lease is what one client at a time may do. Each time it changes hands its number grows, and whoever writes for it shows
// owner and number: one that was frozen and woken up writes nothing. On one machine a lease ends with its holder, which the
// operating system tells. Between machines it ends by the database's clock, unless it is renewed.

const (
	leaseTime  = time.Minute
	renewEvery = leaseTime / 3

	crawlLease = "crawl"
)

// held is who has a lease; owner "" is nobody.
type held struct {
	owner string
	fence int64
	until time.Time
}

func (s *Store) heldLease(ctx context.Context, tx session, name string) (h held, err error) {
	err = tx.queryRow(ctx, `SELECT owner, fence, until FROM leases WHERE name = ?`, name).Scan(&h.owner, &h.fence, timeInto(&h.until))
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return h, err
}

// takeLease takes a lease for me, unless another client has it: then it gives that one's name.
func (s *Store) takeLease(ctx context.Context, tx session, me, name string) (other string, err error) {
	h, err := s.heldLease(ctx, tx, name)
	if err != nil {
		return "", err
	}
	now, err := s.engine.now(ctx, tx.on)
	if err != nil {
		return "", err
	}
	if h.owner != me {
		state, err := s.owner.state(h.owner)
		if err != nil {
			return "", err
		}
		if state == alive && s.owner.host == "" || state != gone && h.until.After(now) {
			return h.owner, nil
		}
	}
	_, err = tx.exec(ctx, `INSERT INTO leases (name, owner, fence, until) VALUES (?, ?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, fence = excluded.fence, until = excluded.until`,
		name, me, h.fence+1, now.Add(leaseTime))
	if err == nil {
		s.fences.Store(name, h.fence+1)
	}
	return "", err
}

// holdsLease tells whether this store still has a lease that it took.
func (s *Store) holdsLease(ctx context.Context, tx session, name string) (bool, error) {
	fence, taken := s.fences.Load(name)
	if !taken {
		return false, nil
	}
	h, err := s.heldLease(ctx, tx, name)
	if err != nil {
		return false, err
	}
	me, err := s.me(ctx)
	if err != nil || h.owner != me || h.fence != fence {
		return false, err
	}
	if s.owner.host == "" {
		return true, nil
	}
	now, err := s.engine.now(ctx, tx.on)
	return h.until.After(now), err
}

// endLease gives up a lease of this store.
func (s *Store) endLease(ctx context.Context, tx session, name string) error {
	me, err := s.me(ctx)
	if err != nil {
		return err
	}
	_, err = tx.exec(ctx, `UPDATE leases SET owner = '', until = ? WHERE name = ? AND owner = ?`, time.Time{}, name, me)
	s.fences.Delete(name)
	return err
}

// keepLease renews a lease between machines, until ctx ends or the lease is lost.
func (s *Store) keepLease(ctx context.Context, name string) {
	if s.owner.host == "" {
		return
	}
	ticker := time.NewTicker(renewEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		lost := false
		_ = s.change(ctx, onEvents, "cannot renew the lease", func(tx session) error { // an outage is no loss: the next turn may do it
			holds, err := s.holdsLease(ctx, tx, name)
			if lost = err == nil && !holds; err != nil || lost {
				return err
			}
			now, err := s.engine.now(ctx, tx.on)
			if err != nil {
				return err
			}
			fence, _ := s.fences.Load(name)
			_, err = tx.exec(ctx, `UPDATE leases SET until = ? WHERE name = ? AND fence = ? AND until > ?`, now.Add(leaseTime), name, fence, now)
			return err
		})
		if lost {
			return
		}
	}
}

// Alone does some work that one client of the memory at a time does, and tells whether it was this one: else another is at
// it, and nothing was done.
func (s *Store) Alone(ctx context.Context, name string, work func(context.Context) error) (alone bool, err error) {
	me, err := s.me(ctx)
	if err != nil {
		return false, err
	}
	err = s.change(ctx, onRecords, "cannot take the lease", func(tx session) error {
		other, err := s.takeLease(ctx, tx, me, name)
		alone = other == ""
		return err
	})
	if err != nil || !alone {
		return false, err
	}
	keeping, done := context.WithCancel(ctx)
	go s.keepLease(keeping, name)
	err = work(ctx)
	done()
	ctx = context.WithoutCancel(ctx)
	return true, errors.Join(err, s.change(ctx, onRecords, "cannot give up the lease", func(tx session) error { return s.endLease(ctx, tx, name) }))
}

// me gives the name by which claims and leases know this store.
func (s *Store) me(ctx context.Context) (string, error) {
	return s.owner.name(ctx, func(dead []string) error { return s.release(ctx, dead) })
}

// release gives up what owners that have ended had: the next claimer of each goes on, and looks first. Most had finished all
// they claimed, and nothing is locked for them.
func (s *Store) release(ctx context.Context, owners []string) error {
	var names []any
	for _, name := range owners {
		names = append(names, name)
	}
	theirs := ` WHERE owner IN (` + places(len(names)) + `)`
	var held int
	err := s.read.queryRow(ctx, `SELECT (SELECT COUNT(*) FROM claims`+theirs+`) + (SELECT COUNT(*) FROM leases`+theirs+`)`,
		append(names, names...)...).Scan(&held)
	if err != nil || held == 0 {
		return s.engine.failure("cannot give up claims", err)
	}
	return s.change(ctx, onBoth, "cannot give up claims", func(tx session) error {
		if _, err := tx.exec(ctx, `UPDATE claims SET owner = ''`+theirs, names...); err != nil {
			return err
		}
		_, err := tx.exec(ctx, `UPDATE leases SET owner = ''`+theirs, names...)
		return err
	})
}

// TakeOverClaim ends the claim of a machine that is lost, for somebody who knows that it is: the next claimer gets it, with
// the duty to look first. A claim whose claimer runs on this machine is refused. It does nothing when nobody has the claim.
func (s *Store) TakeOverClaim(ctx context.Context, key verify.ClaimKey) error {
	return s.change(ctx, onRecords, "cannot take over the claim", func(tx session) error {
		var owner string
		err := tx.queryRow(ctx, `SELECT owner FROM claims WHERE fold(service_sid) = fold(?) AND action_id = ? AND fold(factor_sid) = fold(?)
			AND challenge_sid = ''`, key.ServiceSID, key.ActionID, key.FactorSID).Scan(&owner)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		state, err := s.owner.state(owner)
		if err != nil {
			return err
		}
		if state == alive {
			return verify.Refusedf("the run that is creating the challenge of action %s is still running on this machine", key.ActionID).
				WithHint("wait for it, or end it")
		}
		_, err = tx.exec(ctx, `UPDATE claims SET owner = '' WHERE fold(service_sid) = fold(?) AND action_id = ? AND fold(factor_sid) = fold(?)
			AND challenge_sid = ''`, key.ServiceSID, key.ActionID, key.FactorSID)
		return err
	})
}
