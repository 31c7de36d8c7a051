package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/statedir"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// A crawl fills the index. What it has done stands in the file, so after kill -9 the next process goes on: pages of
// entities that were saved are not read again (the cursor is saved with them), nor entities whose factors were saved
// (they are off its list).

const selectCrawls = `SELECT id, service_sid, kind, started, finished, cursor, listed, entities, factors FROM crawls `

// unfinishedCrawl is the crawl that was cut off or is running.
const unfinishedCrawl = selectCrawls + `WHERE finished = 0 ORDER BY id DESC LIMIT 1`

func scanCrawl(row scanner) (c verify.Crawl, err error) {
	err = row.Scan(&c.ID, &c.ServiceSID, &c.Kind, timeInto(&c.Started), timeInto(&c.Finished), &c.Cursor, &c.Listed, &c.Entities, &c.Factors)
	return c, err
}

// BeginCrawl begins a crawl of a Service, or continues the one of the same kind that was cut off. A cut-off crawl of the
// other kind is given up; what it has read stays. While another process crawls it is refused. An index of another Service
// is emptied first, because an environment has only one.
func (s *Store) BeginCrawl(ctx context.Context, account verify.AccountSID, service verify.ServiceSID, kind verify.CrawlKind, now time.Time) (c verify.Crawl, err error) {
	if _, indexed, err := s.indexedService(ctx); err != nil {
		return c, err
	} else if indexed != "" && !verify.SameSID(indexed, service) {
		if _, err := s.Purge(ctx, kindIndex); err != nil {
			return c, err
		}
	}
	me, err := s.owner.name(ctx)
	if err != nil {
		return c, statedir.Failure("cannot begin the crawl", err)
	}
	err = s.update(ctx, "cannot begin the crawl", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ('index_account', ?), ('index_service', ?)
			ON CONFLICT DO UPDATE SET value = excluded.value`, account, service)
		if err != nil {
			return err
		}
		if c, err = s.takeOverCrawl(ctx, tx, me, kind); err != nil || c.ID != 0 {
			return err
		}
		c = verify.Crawl{ServiceSID: service, Kind: kind, Started: now}
		return tx.QueryRowContext(ctx, `INSERT INTO crawls (service_sid, kind, owner, started) VALUES (?, ?, ?, ?) RETURNING id`,
			service, kind, me, micros(now)).Scan(&c.ID)
	})
	return c, err
}

// takeOverCrawl gives the crawl that was cut off, for me to continue; ID 0 when there is none of the kind.
func (s *Store) takeOverCrawl(ctx context.Context, tx *sql.Tx, me string, kind verify.CrawlKind) (c verify.Crawl, err error) {
	c, err = scanCrawl(tx.QueryRowContext(ctx, unfinishedCrawl))
	if errors.Is(err, sql.ErrNoRows) {
		return verify.Crawl{}, nil
	}
	if err != nil {
		return c, err
	}
	var owner string
	if err := tx.QueryRowContext(ctx, `SELECT owner FROM crawls WHERE id = ?`, c.ID).Scan(&owner); err != nil {
		return c, err
	}
	if owner != me {
		alive, err := s.owner.alive(owner)
		if err != nil {
			return c, err
		}
		if alive {
			return c, verify.Refusedf("another verifyctl is crawling this environment since %s", c.Started.Format(time.RFC3339)).
				WithHint("wait until it is done")
		}
	}
	if c.Kind == kind {
		c.Resumed = true
		_, err = tx.ExecContext(ctx, `UPDATE crawls SET owner = ? WHERE id = ?`, me, c.ID)
		return c, err
	}
	_, err = tx.ExecContext(ctx, `UPDATE entities SET todo_for = NULL WHERE todo_for IS NOT NULL; DELETE FROM crawls WHERE finished = 0`)
	return verify.Crawl{}, err
}

// SaveEntityPage puts a page of entities into the index, in the same transaction as the cursor of the next page ("" after
// the last). A full crawl puts all of them on its list; a changed one only those that the index has not read yet.
func (s *Store) SaveEntityPage(ctx context.Context, crawl verify.Crawl, page []verify.Entity, next string) error {
	return s.updateIndex(ctx, "cannot save the page of entities", func(tx *sql.Tx) error {
		if err := stillRuns(ctx, tx, crawl); err != nil {
			return err
		}
		put, err := tx.PrepareContext(ctx, `INSERT INTO entities (identity, sid, date_created, date_updated, listed_by, todo_for)
			VALUES (?1, ?2, ?3, ?4, ?5, ?5) ON CONFLICT DO UPDATE SET sid = excluded.sid, date_created = excluded.date_created,
			date_updated = excluded.date_updated, listed_by = excluded.listed_by,
			todo_for = CASE WHEN listed_by = ?5 OR (?6 AND read_at > 0) THEN todo_for ELSE ?5 END`)
		if err != nil {
			return err
		}
		defer put.Close()
		for _, e := range page {
			_, err := put.ExecContext(ctx, e.Identity, e.SID, micros(e.DateCreated), micros(e.DateUpdated), crawl.ID,
				crawl.Kind == verify.CrawlChanged)
			if err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `UPDATE crawls SET cursor = ?, listed = ? WHERE id = ?`, next, next == "", crawl.ID)
		return err
	})
}

// QueueEntities puts identities on a crawl's list, whether the index has them or not.
func (s *Store) QueueEntities(ctx context.Context, crawl verify.Crawl, identities []verify.Identity) error {
	return s.updateIndex(ctx, "cannot put entities on the crawl's list", func(tx *sql.Tx) error {
		if err := stillRuns(ctx, tx, crawl); err != nil {
			return err
		}
		for _, identity := range identities {
			_, err := tx.ExecContext(ctx, `INSERT INTO entities (identity, sid, date_created, date_updated, listed_by, todo_for)
				VALUES (?1, '', 0, 0, ?2, ?2) ON CONFLICT DO UPDATE SET todo_for = ?2`, identity, crawl.ID)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// NextEntities gives entities on the crawl's list whose identity comes after the given one, in order, so that a crawl
// with many requests in flight does not get the same one twice; after "" they begin anew. A limit of 0 is none.
func (s *Store) NextEntities(ctx context.Context, crawl verify.Crawl, after verify.Identity, limit int) ([]verify.Entity, error) {
	return all(ctx, s, "cannot read the crawl's list", `SELECT sid, identity, date_created, date_updated FROM entities
		WHERE todo_for = ? AND identity > ? ORDER BY identity LIMIT ?`, []any{crawl.ID, after, limitOf(limit)},
		func(row scanner) (e verify.Entity, err error) {
			e.ServiceSID = crawl.ServiceSID
			err = row.Scan(&e.SID, &e.Identity, timeInto(&e.DateCreated), timeInto(&e.DateUpdated))
			return e, err
		})
}

// SaveFactors puts the factors of entities into the index, in the place of what it had of them, and takes the entities
// off the crawl's list. One entity's factors change all at once; a long slice takes several transactions.
func (s *Store) SaveFactors(ctx context.Context, crawl verify.Crawl, read []verify.EntityFactors) error {
	for len(read) > 0 {
		n, weight := 0, 0
		for n < len(read) && (n == 0 || weight+len(read[n].Factors) < batchRows) {
			weight += 1 + len(read[n].Factors)
			n++
		}
		if err := s.saveFactors(ctx, crawl, read[:n]); err != nil {
			return err
		}
		read = read[n:]
	}
	return nil
}

func (s *Store) saveFactors(ctx context.Context, crawl verify.Crawl, read []verify.EntityFactors) error {
	return s.updateIndex(ctx, "cannot save the factors", func(tx *sql.Tx) error {
		if err := stillRuns(ctx, tx, crawl); err != nil {
			return err
		}
		w, err := prepareIndexWriter(ctx, tx, s.key)
		if err != nil {
			return err
		}
		defer w.close()
		for _, e := range read {
			if err := w.put(ctx, crawl, e); err != nil {
				return err
			}
		}
		return nil
	})
}

// indexWriter has the statements that put one entity's factors into the index.
type indexWriter struct {
	key                                                 *statedir.Key
	dropFactors, dropEntity, insertEntity, insertFactor *sql.Stmt
	metadata                                            []string // the declared keys, in the order of their columns
}

func prepareIndexWriter(ctx context.Context, tx *sql.Tx, key *statedir.Key) (*indexWriter, error) {
	declared, err := declaredKeys(ctx, tx)
	if err != nil {
		return nil, err
	}
	w := &indexWriter{key: key}
	columns, values := "", ""
	for _, d := range declared {
		w.metadata = append(w.metadata, d.key)
		columns += ", " + metadataColumn(d.number)
		values += ", ?"
	}
	for _, s := range []struct {
		into **sql.Stmt
		text string
	}{
		{&w.dropFactors, `DELETE FROM factors WHERE identity = ?`},
		{&w.dropEntity, `DELETE FROM entities WHERE identity = ?`},
		{&w.insertEntity, `INSERT INTO entities (identity, sid, date_created, date_updated, listed_by, read_at)
			VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET sid = iif(excluded.sid = '', sid, excluded.sid),
			listed_by = max(listed_by, excluded.listed_by), read_at = excluded.read_at, todo_for = NULL`},
		// A factor never changes its entity; if Twilio ever says so, what it says last counts.
		{&w.insertFactor, `INSERT OR REPLACE INTO factors (sid, identity, entity_sid, status, factor_type, platform, app_id, sdk_version,
			friendly_name, credential_sid, token_hash, date_created, date_updated, read_at, metadata` + columns + `)
			VALUES (` + strings.Repeat("?, ", 14) + `?` + values + `)`},
	} {
		if *s.into, err = tx.PrepareContext(ctx, s.text); err != nil {
			w.close()
			return nil, err
		}
	}
	return w, nil
}

func (w *indexWriter) close() {
	for _, s := range []*sql.Stmt{w.dropFactors, w.dropEntity, w.insertEntity, w.insertFactor} {
		if s != nil {
			s.Close()
		}
	}
}

// put replaces the factors of one entity.
func (w *indexWriter) put(ctx context.Context, crawl verify.Crawl, e verify.EntityFactors) error {
	if _, err := w.dropFactors.ExecContext(ctx, e.Entity.Identity); err != nil {
		return err
	}
	if e.Gone {
		_, err := w.dropEntity.ExecContext(ctx, e.Entity.Identity)
		return err
	}
	_, err := w.insertEntity.ExecContext(ctx, e.Entity.Identity, e.Entity.SID, micros(e.Entity.DateCreated),
		micros(e.Entity.DateUpdated), crawl.ID, micros(e.ReadAt))
	if err != nil {
		return err
	}
	for _, f := range e.Factors {
		if !verify.SameSID(f.ServiceSID, crawl.ServiceSID) {
			return fmt.Errorf("factor %s is of the Service %s, and the index of %s", f.SID, f.ServiceSID, crawl.ServiceSID)
		}
		if err := w.putFactor(ctx, e, f); err != nil {
			return err
		}
	}
	return nil
}

func (w *indexWriter) putFactor(ctx context.Context, e verify.EntityFactors, f verify.Factor) error {
	metadata, err := json.Marshal(f.Metadata)
	if err != nil {
		return err
	}
	args := []any{f.SID, e.Entity.Identity, f.EntitySID, f.Status, f.Type, f.Config.Platform, f.Config.AppID, f.Config.SDKVersion,
		f.FriendlyName, f.Config.CredentialSID, w.key.HashToken(f.Config.Token), micros(f.DateCreated), micros(f.DateUpdated),
		micros(e.ReadAt), string(metadata)}
	for _, key := range w.metadata {
		args = append(args, f.Metadata[key])
	}
	_, err = w.insertFactor.ExecContext(ctx, args...)
	return err
}

// stillRuns refuses what a crawl wants to save after another process has given it up or finished it.
func stillRuns(ctx context.Context, tx *sql.Tx, crawl verify.Crawl) error {
	var running bool
	err := tx.QueryRowContext(ctx, `SELECT count(*) FROM crawls WHERE id = ? AND finished = 0`, crawl.ID).Scan(&running)
	if err == nil && !running {
		return verify.Refusedf("this crawl was ended by another verifyctl").WithHint("let one finish before starting the next")
	}
	return err
}

// FinishCrawl ends a crawl whose list is done. After a full one, entities that it did not see are taken out of the index:
// they are gone. A crawl that is not done is an error.
func (s *Store) FinishCrawl(ctx context.Context, crawl verify.Crawl, now time.Time) (verify.Crawl, error) {
	if crawl.Kind == verify.CrawlFull {
		if err := s.dropUnlisted(ctx, crawl); err != nil {
			return crawl, err
		}
	}
	err := s.update(ctx, "cannot finish the crawl", func(tx *sql.Tx) error {
		if err := isDone(ctx, tx, crawl); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE crawls SET finished = ?, cursor = '', entities = (SELECT count(*) FROM entities),
			factors = (SELECT count(*) FROM factors) WHERE id = ?`, micros(now), crawl.ID)
		if err != nil {
			return err
		}
		crawl, err = scanCrawl(tx.QueryRowContext(ctx, selectCrawls+`WHERE id = ?`, crawl.ID))
		return err
	})
	if err != nil {
		return crawl, err
	}
	return crawl, s.truncateLog(ctx)
}

// isDone refuses to end a crawl of which something is left to read.
func isDone(ctx context.Context, tx *sql.Tx, crawl verify.Crawl) error {
	if err := stillRuns(ctx, tx, crawl); err != nil {
		return err
	}
	var listed bool
	var waiting int
	err := tx.QueryRowContext(ctx, `SELECT listed, (SELECT count(*) FROM entities WHERE todo_for = ?1) FROM crawls WHERE id = ?1`,
		crawl.ID).Scan(&listed, &waiting)
	switch {
	case err != nil:
		return err
	case !listed && crawl.Kind == verify.CrawlFull:
		return errors.New("not every page of entities was read")
	case waiting > 0:
		return fmt.Errorf("%d entities are not read yet", waiting)
	}
	return nil
}

// dropUnlisted takes the entities that a full crawl did not see out of the index, in batches.
func (s *Store) dropUnlisted(ctx context.Context, crawl verify.Crawl) error {
	for {
		var dropped []verify.Identity // in this batch
		err := s.updateIndex(ctx, "cannot clean the index", func(tx *sql.Tx) error {
			if err := isDone(ctx, tx, crawl); err != nil {
				return err
			}
			var err error
			dropped, err = gather(ctx, tx, scanText[verify.Identity], `SELECT identity FROM entities WHERE listed_by < ? LIMIT ?`, crawl.ID, batchRows/4)
			e := eraser{ctx: ctx, tx: tx, err: err}
			for _, identity := range dropped {
				e.entity(identity)
			}
			return e.err
		})
		if err != nil || len(dropped) == 0 {
			return err
		}
	}
}

// ForgetFactor takes a factor that was deleted at Twilio out of the index.
func (s *Store) ForgetFactor(ctx context.Context, sid verify.FactorSID) error {
	return s.exec(context.WithoutCancel(ctx), "cannot take the factor out of the index", `DELETE FROM factors WHERE sid = ?`, sid)
}

// ForgetEntity takes an entity that was deleted at Twilio out of the index, with its factors.
func (s *Store) ForgetEntity(ctx context.Context, identity verify.Identity) error {
	ctx = context.WithoutCancel(ctx)
	return s.update(ctx, "cannot take the entity out of the index", func(tx *sql.Tx) error {
		e := eraser{ctx: ctx, tx: tx}
		e.entity(identity)
		return e.err
	})
}
