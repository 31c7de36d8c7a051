package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// A crawl fills the index. What it has done stands in the file, so after kill -9 the next process goes on: pages of
// entities that were saved are not read again (the cursor is saved with them), nor entities whose factors were saved
// (they are off its list).

const selectCrawls = `SELECT id, service_sid, kind, started, finished, cursor, listed, entities, factors FROM crawls `

// unfinishedCrawl is the crawl that was cut off or is running; its argument is the zero time.
const unfinishedCrawl = selectCrawls + `WHERE finished = ? ORDER BY id DESC LIMIT 1`

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
	me, err := s.me(ctx)
	if err != nil {
		return c, s.engine.failure("cannot begin the crawl", err)
	}
	err = s.change(ctx, onBoth, "cannot begin the crawl", func(tx session) error {
		_, err := tx.exec(ctx, `INSERT INTO meta (name, value) VALUES ('index_account', ?), ('index_service', ?)
			ON CONFLICT (name) DO UPDATE SET value = excluded.value`, account, service)
		if err != nil {
			return err
		}
		other, err := s.takeLease(ctx, tx, me, crawlLease)
		if err != nil {
			return err
		}
		if c, err = s.takeOverCrawl(ctx, tx, me, kind, other); err != nil || c.ID != 0 {
			return err
		}
		c = verify.Crawl{ServiceSID: service, Kind: kind, Started: now}
		return tx.queryRow(ctx, `INSERT INTO crawls (service_sid, kind, owner, started) VALUES (?, ?, ?, ?) RETURNING id`,
			service, kind, me, now).Scan(&c.ID)
	})
	if err == nil {
		s.crawling()
		var keeping context.Context
		keeping, s.crawling = context.WithCancel(context.WithoutCancel(ctx))
		go s.keepLease(keeping, crawlLease)
	}
	return c, err
}

// takeOverCrawl gives the crawl that was cut off, for me to continue; ID 0 when there is none of the kind.
func (s *Store) takeOverCrawl(ctx context.Context, tx session, me string, kind verify.CrawlKind, other string) (c verify.Crawl, err error) {
	c, err = scanCrawl(tx.queryRow(ctx, unfinishedCrawl, time.Time{}))
	if other != "" && (err == nil || errors.Is(err, sql.ErrNoRows)) {
		return c, crawledBy(other, c)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return verify.Crawl{}, nil
	}
	if err != nil {
		return c, err
	}
	if c.Kind == kind {
		c.Resumed = true
		_, err = tx.exec(ctx, `UPDATE crawls SET owner = ? WHERE id = ?`, me, c.ID)
		return c, err
	}
	if _, err := tx.exec(ctx, `UPDATE entities SET todo_for = NULL WHERE todo_for IS NOT NULL`); err != nil {
		return c, err
	}
	_, err = tx.exec(ctx, `DELETE FROM crawls WHERE finished = ?`, time.Time{})
	return verify.Crawl{}, err
}

// crawledBy refuses a crawl that another process is at.
func crawledBy(other string, c verify.Crawl) error {
	where := ""
	if host := hostOf(other); host != "" {
		where = " on " + host
	}
	return verify.Refusedf("another verifyctl%s is crawling this environment since %s", where, c.Started.Format(time.RFC3339)).
		WithHint("wait until it is done")
}

// SaveEntityPage puts a page of entities into the index, in the same transaction as the cursor of the next page ("" after
// the last). A full crawl puts all of them on its list; a changed one only those that the index has not read yet.
func (s *Store) SaveEntityPage(ctx context.Context, crawl verify.Crawl, page []verify.Entity, next string) error {
	return s.change(ctx, onIndex, "cannot save the page of entities", func(tx session) error {
		if err := s.stillRuns(ctx, tx, crawl); err != nil {
			return err
		}
		var rows [][]any
		known := map[verify.Identity]bool{}
		for _, e := range slices.Backward(page) {
			if !known[e.Identity] {
				known[e.Identity] = true
				rows = append(rows, []any{e.Identity, e.SID, e.DateCreated, e.DateUpdated, crawl.ID, crawl.ID})
			}
		}
		err := tx.insert(ctx, `entities (identity, sid, date_created, date_updated, listed_by, todo_for)`, rows,
			`ON CONFLICT (identity) DO UPDATE SET sid = excluded.sid, date_created = excluded.date_created,
			date_updated = excluded.date_updated, listed_by = excluded.listed_by,
			todo_for = CASE WHEN entities.listed_by = excluded.listed_by OR (? AND entities.read_at > ?) THEN entities.todo_for
				ELSE excluded.todo_for END`, crawl.Kind == verify.CrawlChanged, time.Time{})
		if err != nil {
			return err
		}
		_, err = tx.exec(ctx, `UPDATE crawls SET cursor = ?, listed = ? WHERE id = ?`, next, next == "", crawl.ID)
		return err
	})
}

// QueueEntities puts identities on a crawl's list, whether the index has them or not.
func (s *Store) QueueEntities(ctx context.Context, crawl verify.Crawl, identities []verify.Identity) error {
	return s.change(ctx, onIndex, "cannot put entities on the crawl's list", func(tx session) error {
		if err := s.stillRuns(ctx, tx, crawl); err != nil {
			return err
		}
		var rows [][]any
		known := map[verify.Identity]bool{}
		for _, identity := range identities {
			if !known[identity] {
				known[identity] = true
				rows = append(rows, []any{identity, "", time.Time{}, time.Time{}, crawl.ID, crawl.ID})
			}
		}
		return tx.insert(ctx, `entities (identity, sid, date_created, date_updated, listed_by, todo_for)`, rows,
			`ON CONFLICT (identity) DO UPDATE SET todo_for = excluded.todo_for`)
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
	return s.change(ctx, onIndex, "cannot save the factors", func(tx session) error {
		if err := s.stillRuns(ctx, tx, crawl); err != nil {
			return err
		}
		rows, err := s.indexRows(ctx, tx, crawl, read)
		if err != nil {
			return err
		}
		return rows.replace(ctx, tx)
	})
}

// indexRows are what the index is to have of some entities. No entity and no factor is in it twice: what was read last
// counts, also where Twilio says that a factor is another entity's now.
type indexRows struct {
	read, gone        []any // identities: all of them, and those that are not there any more
	entities, factors [][]any
	metadata          []string // the declared keys, in the order of their columns
	columns           string   // of factors
}

func (s *Store) indexRows(ctx context.Context, tx session, crawl verify.Crawl, read []verify.EntityFactors) (*indexRows, error) {
	declared, err := declaredKeys(ctx, tx)
	if err != nil {
		return nil, err
	}
	r := &indexRows{columns: factorFields}
	for _, d := range declared {
		r.metadata = append(r.metadata, d.key)
		r.columns += ", " + metadataColumn(d.number)
	}
	entities, factors := map[verify.Identity]bool{}, map[string]bool{}
	for _, e := range slices.Backward(read) {
		if entities[e.Entity.Identity] {
			continue
		}
		entities[e.Entity.Identity] = true
		r.read = append(r.read, e.Entity.Identity)
		if e.Gone {
			r.gone = append(r.gone, e.Entity.Identity)
			continue
		}
		r.entities = append(r.entities, []any{e.Entity.Identity, e.Entity.SID, e.Entity.DateCreated, e.Entity.DateUpdated, crawl.ID, e.ReadAt})
		for _, f := range e.Factors {
			if !verify.SameSID(f.ServiceSID, crawl.ServiceSID) {
				return nil, fmt.Errorf("factor %s is of the Service %s, and the index of %s", f.SID, f.ServiceSID, crawl.ServiceSID)
			}
			if folded := strings.ToUpper(string(f.SID)); !factors[folded] {
				factors[folded] = true
				r.factors = append(r.factors, r.factor(f, e, s.HashToken(f.Config.Token)))
			}
		}
	}
	return r, nil
}

// factorFields are what the index has of a factor, without declared metadata; see [indexRows.factor].
const factorFields = `sid, identity, entity_sid, status, factor_type, platform, app_id, sdk_version, friendly_name, credential_sid,
	token_hash, date_created, date_updated, read_at, metadata`

func (r *indexRows) factor(f verify.Factor, e verify.EntityFactors, token string) []any {
	row := []any{f.SID, e.Entity.Identity, f.EntitySID, f.Status, f.Type, f.Config.Platform, f.Config.AppID, f.Config.SDKVersion,
		f.FriendlyName, f.Config.CredentialSID, token, f.DateCreated, f.DateUpdated, e.ReadAt, metadata(f.Metadata)}
	for _, key := range r.metadata {
		row = append(row, f.Metadata[key])
	}
	return row
}

// replace puts the rows in the place of what the index had.
func (r *indexRows) replace(ctx context.Context, tx session) error {
	if err := deleteAmong(ctx, tx, "factors", "identity", r.read); err != nil {
		return err
	}
	if err := deleteAmong(ctx, tx, "entities", "identity", r.gone); err != nil {
		return err
	}
	err := tx.insert(ctx, `entities (identity, sid, date_created, date_updated, listed_by, read_at)`, r.entities,
		`ON CONFLICT (identity) DO UPDATE SET sid = CASE WHEN excluded.sid = '' THEN entities.sid ELSE excluded.sid END,
			listed_by = CASE WHEN entities.listed_by > excluded.listed_by THEN entities.listed_by ELSE excluded.listed_by END,
			read_at = excluded.read_at, todo_for = NULL`)
	if err != nil {
		return err
	}
	var set []string
	for _, column := range strings.Split(r.columns, ",") {
		column = strings.TrimSpace(column)
		set = append(set, column+" = excluded."+column)
	}
	return tx.insert(ctx, `factors (`+r.columns+`)`, r.factors, `ON CONFLICT (fold(sid)) DO UPDATE SET `+strings.Join(set, ", "))
}

// deleteAmong deletes the rows whose column is one of some values.
func deleteAmong(ctx context.Context, tx session, table, column string, values []any) error {
	for some := range slices.Chunk(values, manyRows) {
		if _, err := tx.exec(ctx, `DELETE FROM `+table+` WHERE `+column+` IN (`+places(len(some))+`)`, some...); err != nil {
			return err
		}
	}
	return nil
}

// stillRuns refuses what a crawl wants to save after another process has given it up or finished it.
func (s *Store) stillRuns(ctx context.Context, tx session, crawl verify.Crawl) error {
	holds, err := s.holdsLease(ctx, tx, crawlLease)
	if err != nil {
		return err
	}
	if !holds {
		return verify.Refusedf("this crawl is not this run's any more: it was away for too long, or another verifyctl goes on with it").
			WithHint("see who is at it, or go on: %s", s.Env.Command("fleet", "sync"))
	}
	var running bool
	err = tx.queryRow(ctx, `SELECT count(*) FROM crawls WHERE id = ? AND finished = ?`, crawl.ID, time.Time{}).Scan(&running)
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
	err := s.change(ctx, onBoth, "cannot finish the crawl", func(tx session) error {
		if err := s.isDone(ctx, tx, crawl); err != nil {
			return err
		}
		_, err := tx.exec(ctx, `UPDATE crawls SET finished = ?, cursor = '', entities = (SELECT count(*) FROM entities),
			factors = (SELECT count(*) FROM factors) WHERE id = ?`, now, crawl.ID)
		if err != nil {
			return err
		}
		if crawl, err = scanCrawl(tx.queryRow(ctx, selectCrawls+`WHERE id = ?`, crawl.ID)); err != nil {
			return err
		}
		return s.endLease(ctx, tx, crawlLease)
	})
	if err != nil {
		return crawl, err
	}
	s.crawling()
	return crawl, s.engine.settle(ctx)
}

// isDone refuses to end a crawl of which something is left to read.
func (s *Store) isDone(ctx context.Context, tx session, crawl verify.Crawl) error {
	if err := s.stillRuns(ctx, tx, crawl); err != nil {
		return err
	}
	var listed bool
	var waiting int
	err := tx.queryRow(ctx, `SELECT listed, (SELECT count(*) FROM entities WHERE todo_for = ?1) FROM crawls WHERE id = ?1`,
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
		err := s.change(ctx, onIndex, "cannot clean the index", func(tx session) error {
			if err := s.isDone(ctx, tx, crawl); err != nil {
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

// ForgetEntity takes an entity that was deleted at Twilio out of the index, with its factors.
func (s *Store) ForgetEntity(ctx context.Context, identity verify.Identity) error {
	ctx = context.WithoutCancel(ctx)
	return s.change(ctx, onBoth, "cannot take the entity out of the index", func(tx session) error {
		e := eraser{ctx: ctx, tx: tx}
		e.entity(identity)
		return e.err
	})
}
