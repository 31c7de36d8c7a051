package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// eventPage is how many events a walk reads at once. Between pages nothing is held open, so that a slow reader keeps
// neither writers nor the log's truncation waiting.
const eventPage = 500

// maxEventsPerCommit bounds what concurrent PutEvent calls share in one transaction.
const maxEventsPerCommit = batchRows

// PutEvent keeps one event and tells whether it was new. When it returns without an error the event is on disk: only then
// may a delivery be answered with success. Calls at the same time share one commit, so that thousands a second fit.
//
// An event is known by its SID, or by the hash of its body when it has none, so one that is delivered twice is kept once.
// The same event may come in two shapes, of which one names less: the one that names a factor is kept. The Key and At of
// the event are set here.
func (s *Store) PutEvent(ctx context.Context, e event.Stored, decoded event.Event) (added bool, err error) {
	return s.commits.put(ctx, s, putEvent{e, decoded})
}

type putEvent struct {
	stored  event.Stored
	decoded event.Event
}

// commitEvents keeps a batch in one transaction, and tells for each whether it was new.
func (s *Store) commitEvents(ctx context.Context, batch []putEvent) (added []bool, err error) {
	err = s.change(ctx, onEvents, "cannot store the event", func(tx session) error {
		inserted, err := insertEvents(ctx, tx, batch)
		if err != nil {
			return err
		}
		added = make([]bool, len(batch))
		var again []putEvent // that may tell more than what is stored
		for i, e := range batch {
			if key := e.key(); inserted[key] {
				added[i] = true
				delete(inserted, key) // another one in the batch is the same event again
			} else if e.decoded.FactorSID != "" {
				again = append(again, e)
			}
		}
		return completeEvents(ctx, tx, again)
	})
	return added, err
}

// eventColumns are what an event is stored by; see [putEvent.row].
const eventColumns = `key, received, source, at, body, service_sid, identity, factor_sid, challenge_sid, credential_sid, code`

// row gives the values of [eventColumns].
func (e putEvent) row() []any {
	d := e.decoded
	at, code, body := e.stored.Received, 0, e.stored.Body
	if !d.Timestamp.IsZero() {
		at = d.Timestamp
	}
	if d.ErrorCode != nil {
		code = *d.ErrorCode
	}
	if body == nil {
		body = []byte{}
	}
	return []any{e.key(), e.stored.Received, e.stored.Source, at, body,
		d.ServiceSID, d.Identity, d.FactorSID, d.ChallengeSID, d.CredentialSID, code}
}

func (e putEvent) key() string { return eventKey(e.decoded.EventSID, e.stored.Body) }

// insertEvents stores those of a batch that are not there, and gives their keys. They go in order of their keys, so that
// two writers with the same ones never wait for each other.
func insertEvents(ctx context.Context, tx session, batch []putEvent) (inserted map[string]bool, err error) {
	inserted = map[string]bool{}
	first := map[string]putEvent{}
	for _, e := range batch {
		if _, known := first[e.key()]; !known {
			first[e.key()] = e
		}
	}
	for some := range slices.Chunk(slices.Sorted(maps.Keys(first)), manyRows) {
		var rows [][]any
		for _, key := range some {
			rows = append(rows, first[key].row())
		}
		keys, err := gather(ctx, tx, scanText[string], `INSERT INTO events (`+eventColumns+`)`+valuesOf(rows)+
			`ON CONFLICT (key) DO NOTHING RETURNING key`, flat(rows)...)
		if err != nil {
			return nil, err
		}
		for _, key := range keys {
			inserted[key] = true
		}
	}
	return inserted, nil
}

// completeEvents puts events in the place of the same ones that are stored in a shape that names no factor.
func completeEvents(ctx context.Context, tx session, events []putEvent) error {
	incomplete := map[string]bool{}
	for some := range slices.Chunk(events, manyRows) {
		var keys []any
		for _, e := range some {
			keys = append(keys, e.key())
		}
		found, err := gather(ctx, tx, scanText[string], `SELECT key FROM events WHERE factor_sid = '' AND key IN (`+places(len(keys))+`)`, keys...)
		if err != nil {
			return err
		}
		for _, key := range found {
			incomplete[key] = true
		}
	}
	slices.SortStableFunc(events, func(a, b putEvent) int { return strings.Compare(a.key(), b.key()) })
	for _, e := range events {
		if !incomplete[e.key()] {
			continue
		}
		row := e.row()
		_, err := tx.exec(ctx, `UPDATE events SET source = ?, at = ?, body = ?, service_sid = ?, identity = ?, factor_sid = ?,
			challenge_sid = ?, credential_sid = ?, code = ? WHERE key = ? AND factor_sid = ''`, append(row[2:], e.key())...)
		if err != nil {
			return err
		}
	}
	return nil
}

// eventKey gives what an event is known by.
func eventKey(sid string, body []byte) string {
	if prefix, ok := verify.SIDPrefix(sid); ok && prefix == "NO" {
		return strings.ToUpper(sid)
	}
	sum := sha256.Sum256(body)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// eventCommits lets concurrent callers share commits: the first of a group waits for the commit before it, during which
// others join, and then commits for all of them.
type eventCommits struct {
	committing sync.Mutex // held by the leader whose group is being committed
	mu         sync.Mutex
	open       *eventGroup // that can still be joined
}

type eventGroup struct {
	events []putEvent
	added  []bool
	err    error
	done   chan struct{}
}

func (c *eventCommits) put(ctx context.Context, s *Store, e putEvent) (added bool, err error) {
	group, index := c.join(e)
	if index == 0 {
		c.lead(ctx, s, group)
	} else {
		select {
		case <-group.done:
		case <-ctx.Done(): // it may be kept nevertheless, which does no harm when it is delivered again
			return false, ctx.Err()
		}
	}
	if group.err != nil {
		return false, group.err
	}
	return group.added[index], nil
}

func (c *eventCommits) join(e putEvent) (group *eventGroup, index int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil || len(c.open.events) == maxEventsPerCommit {
		c.open = &eventGroup{done: make(chan struct{})}
	}
	c.open.events = append(c.open.events, e)
	return c.open, len(c.open.events) - 1
}

func (c *eventCommits) lead(ctx context.Context, s *Store, group *eventGroup) {
	c.committing.Lock()
	defer c.committing.Unlock()
	c.mu.Lock()
	if c.open == group {
		c.open = nil
	}
	c.mu.Unlock()
	// One caller that goes away must not fail the others of its group.
	group.added, group.err = s.commitEvents(context.WithoutCancel(ctx), group.events)
	close(group.done)
}

// Events gives stored events by the time they happened. Events that are stored during the walk may or may not be in it.
func (s *Store) Events(ctx context.Context, filter event.StoredFilter) iter.Seq2[event.Stored, error] {
	return func(yield func(event.Stored, error) bool) {
		var after time.Time
		var afterID int64
		for {
			page, err := s.eventPage(ctx, filter, after, afterID)
			if err != nil {
				yield(event.Stored{}, err)
				return
			}
			for _, row := range page {
				if !yield(row.Stored, nil) {
					return
				}
				after, afterID = row.At, row.id
			}
			if len(page) < eventPage {
				return
			}
		}
	}
}

type eventRow struct {
	event.Stored
	id int64
}

func (s *Store) eventPage(ctx context.Context, filter event.StoredFilter, after time.Time, afterID int64) ([]eventRow, error) {
	where := eventConditions(filter)
	where.addIf(afterID > 0, "(at, id) > (?, ?)", after, afterID)
	query := `SELECT id, key, source, received, at, body FROM events` + where.sql + ` ORDER BY at, id LIMIT ?`
	return all(ctx, s, "cannot read stored events", query, append(where.args, eventPage),
		func(row scanner) (e eventRow, err error) {
			err = row.Scan(&e.id, &e.Key, &e.Source, timeInto(&e.Received), timeInto(&e.At), &e.Body)
			return e, err
		})
}

func eventConditions(filter event.StoredFilter) (where conditions) {
	where.addIf(!filter.Since.IsZero(), "at >= ?", filter.Since)
	where.addIf(!filter.Until.IsZero(), "at < ?", filter.Until)
	where.addIf(!filter.ReceivedSince.IsZero(), "received >= ?", filter.ReceivedSince)
	where.addIf(filter.Code != 0, "code = ?", filter.Code)
	// The second condition of each lets the partial index of the column be used.
	where.addIf(filter.Identity != "", "identity = ? AND identity <> ''", filter.Identity)
	for _, sid := range []struct{ column, value string }{
		{"service_sid", filter.ServiceSID}, {"factor_sid", filter.FactorSID}, {"challenge_sid", filter.ChallengeSID},
		{"credential_sid", filter.CredentialSID},
	} {
		where.addIf(sid.value != "", "fold("+sid.column+") = fold(?) AND "+sid.column+" <> ''", sid.value)
	}
	return where
}

// EventSpan gives how many events are stored, and when the first and the last of them happened; zero times when there is
// none.
func (s *Store) EventSpan(ctx context.Context) (count int, first, last time.Time, err error) {
	err = s.read.queryRow(ctx, `SELECT (SELECT count(*) FROM events), coalesce((SELECT min(at) FROM events), ?1),
		coalesce((SELECT max(at) FROM events), ?1)`, time.Time{}).Scan(&count, timeInto(&first), timeInto(&last))
	return count, first, last, s.engine.failure("cannot read stored events", err)
}

// ChangedIdentities gives the identities that events received since a time name, once each.
func (s *Store) ChangedIdentities(ctx context.Context, receivedSince time.Time) ([]verify.Identity, error) {
	return all(ctx, s, "cannot read stored events",
		`SELECT DISTINCT identity FROM events WHERE received >= ? AND identity <> '' ORDER BY identity`,
		[]any{receivedSince}, scanText[verify.Identity])
}
