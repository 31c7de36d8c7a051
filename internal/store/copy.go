package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/verifyctl/verifyctl/internal/statedir"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// Place is where a memory of an environment is: in a file, or in a team's store.
type Place struct {
	Environment verify.Environment
	File        string // "" for a store; a file's directory is a state directory, with the key of its hashes
	Shared      Shared
	Dir         string // this machine's state directory, for a store
}

// purpose is what a memory is opened for.
type purpose int

const (
	toUse    purpose = iota // it is made when it is not there
	toCopy                  // it has to be there
	toCopyTo                // it may be an unfinished copy
)

// Find looks whether a place that is to be copied is there, as far as can be seen without connecting to a server.
func (p Place) Find() error {
	if p.File == "" {
		return nil
	}
	if _, err := os.Lstat(p.File); errors.Is(err, fs.ErrNotExist) {
		return (&verify.Error{Kind: verify.KindNotFound, Message: p.File + " does not exist"}).
			WithHint("see what this machine keeps: %s", p.Environment.Config.Command("state", "list"))
	}
	return nil
}

func (p Place) open(ctx context.Context, purpose purpose) (*Store, error) {
	if p.File == "" {
		return openShared(ctx, p.Dir, p.Environment, p.Shared, purpose)
	}
	name, dir := p.Environment.Name, filepath.Dir(p.File)
	var key *statedir.Key
	var err error
	if purpose == toCopy {
		if err := p.Find(); err != nil {
			return nil, err
		}
		name, err = environmentOf(ctx, p.File) // whatever another machine called it
	} else {
		key, err = statedir.OpenKey(ctx, dir)
	}
	if err != nil {
		return nil, err
	}
	return openFileStore(ctx, p.File, name, key, purpose)
}

// CopyOptions are how a memory is copied.
type CopyOptions struct {
	Service  verify.ServiceSID            // that the memory has to be of; "" is any
	OtherKey bool                         // copy hashes of another key than the destination's
	DryRun   bool                         // only look at the source
	Progress func(table string, rows int) // told after each batch; nil is not
}

// CopiedTable is a table of a memory and of its copy. Hashes are of all that the rows say, whatever the engine.
type CopiedTable struct {
	Table    string `json:"table"`
	Rows     int    `json:"rows"`
	Hash     string `json:"hash"`
	CopyRows int    `json:"copy_rows"`
	CopyHash string `json:"copy_hash"`
}

// Identical tells whether the copy has the same rows.
func (t CopiedTable) Identical() bool { return t.Rows == t.CopyRows && t.Hash == t.CopyHash }

// Copy copies a memory, as it is at one instant, into an empty one, and compares the two. One that was cut off is continued by
// the next call, and nothing else uses the destination until it is done. Who was at work in the source is left out: a claim
// without a challenge is to be looked at first in the copy, and a crawl that was not done can be continued.
func Copy(ctx context.Context, from, to Place, o CopyOptions) ([]CopiedTable, error) {
	source, err := from.open(ctx, toCopy)
	if err != nil {
		return nil, err
	}
	defer source.Close()
	if err := source.nobodyClaims(ctx); err != nil {
		return nil, err
	}
	instant, err := source.instant(ctx)
	if err != nil {
		return nil, err
	}
	defer instant.end()
	if o.DryRun {
		return compare(ctx, instant, nil)
	}
	destination, err := to.open(ctx, toCopyTo)
	if err != nil {
		return nil, err
	}
	defer destination.Close()
	c := copier{from: instant, into: destination, options: o}
	return c.copy(ctx)
}

// instant is a memory as it is at one moment.
type instant struct {
	session
	store *Store
	end   func() error
}

func (s *Store) instant(ctx context.Context) (*instant, error) {
	tx, err := s.engine.reader().BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return nil, s.engine.failure("cannot read what is to be copied", err)
	}
	return &instant{session{tx, s.engine}, s, tx.Rollback}, nil
}

// nobodyClaims refuses to copy while a run on this machine creates a challenge: in the copy nobody would know of it.
func (s *Store) nobodyClaims(ctx context.Context) error {
	owners, err := gather(ctx, s.read, scanText[string], `SELECT owner FROM claims WHERE challenge_sid = '' AND owner <> ''`)
	if err != nil {
		return s.engine.failure("cannot read the claims", err)
	}
	for _, owner := range owners {
		state, err := s.owner.state(owner)
		if err != nil {
			return s.engine.failure("cannot look at a claim", err)
		}
		if state == alive {
			return verify.Refusedf("a run on this machine is creating a challenge").WithHint("wait for it, or end it")
		}
	}
	return nil
}

// copier copies into a memory. What it has done stands there, in a row of meta that goes with the last step.
type copier struct {
	from    *instant
	into    *Store
	options CopyOptions
	mark    copyMark
	stored  string // the mark as it stands in meta
}

// copyMark says of a memory that it is an unfinished copy, of what, and how far it is.
type copyMark struct {
	From string              `json:"from"`
	Done map[string]contents `json:"done"`
}

// unfinishedCopy refuses to use a memory that is one.
func unfinishedCopy(place, stored string) error {
	var mark copyMark
	_ = json.Unmarshal([]byte(stored), &mark) // a mark that cannot be read is one all the same
	return verify.Refusedf("%s is an unfinished copy of %s", place, mark.From).WithHint("run the same state copy again: it goes on from there")
}

func (c *copier) copy(ctx context.Context) ([]CopiedTable, error) {
	if err := c.check(ctx); err != nil {
		return nil, err
	}
	begun, err := c.begin(ctx)
	if err != nil {
		return nil, err
	}
	if begun {
		if err := c.tables(ctx); err != nil {
			return nil, err
		}
	}
	result, err := c.compared(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range result {
		if !t.Identical() {
			return result, c.differs(ctx, t, begun)
		}
	}
	if !begun {
		return result, nil
	}
	return result, c.finish(ctx)
}

func (c *copier) compared(ctx context.Context) ([]CopiedTable, error) {
	copied, err := c.into.instant(ctx)
	if err != nil {
		return nil, err
	}
	defer copied.end()
	return compare(ctx, c.from, copied)
}

// differs says that the destination is not the source's copy.
func (c *copier) differs(ctx context.Context, t CopiedTable, begun bool) error {
	place, _ := c.into.engine.place(ctx)
	if begun {
		return verify.Refusedf("%s differs from its source in %s: something else has written to it meanwhile", place, t.Table).
			WithHint("remove it, stop what writes to it, and copy again: %s", c.into.engine.removal())
	}
	return verify.Refusedf("%s is not empty, and no copy: it differs in %s", place, t.Table).
		WithHint("copy into an empty one; if nothing in it is needed: %s", c.into.engine.removal())
}

// check refuses a source that is the destination, of another Service, or of another key.
func (c *copier) check(ctx context.Context) error {
	source, _ := c.from.engine.place(ctx)
	if destination, _ := c.into.engine.place(ctx); source == destination {
		return verify.Usagef("the place to copy and the one to copy to are the same: %s", source)
	}
	var service verify.ServiceSID
	err := c.from.queryRow(ctx, `SELECT coalesce((SELECT value FROM meta WHERE name = 'index_service'), '')`).Scan(&service)
	if err != nil {
		return c.from.engine.failure("cannot read what is to be copied", err)
	}
	if wanted := c.options.Service; service != "" && wanted != "" && !verify.SameSID(service, wanted) {
		return verify.Refusedf("the memory to be copied is of the Service %s, and the destination of %s", service, wanted)
	}
	foreign, err := c.foreignHashes(ctx)
	if err != nil {
		return c.from.engine.failure("cannot read what is to be copied", err)
	}
	if foreign > 0 && !c.options.OtherKey {
		return verify.Refusedf("%s of push tokens and credential files were made with another key than the destination's, so that nothing new is known again by them",
			verify.Count(foreign, "hash")).
			WithHint("copy them as they are with --other-key; then \"fleet sync\" makes those of the index anew")
	}
	return nil
}

// foreignHashes counts the hashes that the destination's key did not make.
func (c *copier) foreignHashes(ctx context.Context) (foreign int, err error) {
	mine := c.into.key.Mark()
	for _, t := range copyTables {
		for _, column := range t.columns {
			if column.kind != hashed {
				continue
			}
			var n int
			query := fmt.Sprintf(`SELECT count(*) FROM %s WHERE %s <> '' AND substr(%[2]s, 1, %d) <> ?`, t.name, column.name, len(mine))
			if err := c.from.queryRow(ctx, query, mine).Scan(&n); err != nil {
				return 0, err
			}
			foreign += n
		}
	}
	return foreign, nil
}

// begin marks the destination, or finds the mark of the same copy; false when it is full already, and not marked.
func (c *copier) begin(ctx context.Context) (begun bool, err error) {
	from, _ := c.from.engine.place(ctx)
	from = strings.ToValidUTF8(from, "\ufffd") // as JSON has it
	stored, found, err := one(ctx, c.into, "cannot read the destination", `SELECT value FROM meta WHERE name = 'copy'`, nil, scanText[string])
	if err != nil {
		return false, err
	}
	if found {
		c.stored = stored
		if err := json.Unmarshal([]byte(stored), &c.mark); err != nil || c.mark.From != from {
			place, _ := c.into.engine.place(ctx)
			return false, verify.Refusedf("%s is an unfinished copy of %s", place, c.mark.From).
				WithHint("finish that one, or remove it: %s", c.into.engine.removal())
		}
		return true, nil
	}
	for _, t := range copyTables {
		var full bool
		if err := c.into.read.queryRow(ctx, `SELECT EXISTS (SELECT 1 FROM `+t.name+t.where+`)`).Scan(&full); err != nil {
			return false, c.into.engine.failure("cannot read the destination", err)
		}
		if full {
			return false, nil
		}
	}
	c.mark = copyMark{From: from, Done: map[string]contents{}}
	return true, c.step(ctx, "cannot begin the copy", func(tx session) error {
		return c.giveIDs(ctx, tx) // what may not be done at the end is refused before anything is copied
	})
}

// step changes the destination, and with it how far the copy is.
func (c *copier) step(ctx context.Context, doing string, change func(tx session) error) error {
	text, err := json.Marshal(c.mark)
	if err != nil {
		return err
	}
	err = c.into.change(ctx, onBoth, doing, func(tx session) error {
		var n int
		var err error
		if c.stored == "" {
			n, err = tx.exec(ctx, `INSERT INTO meta (name, value) VALUES ('copy', ?) ON CONFLICT (name) DO NOTHING`, string(text))
		} else {
			n, err = tx.exec(ctx, `UPDATE meta SET value = ? WHERE name = 'copy' AND value = ?`, string(text), c.stored)
		}
		if err == nil && n == 0 {
			return verify.Refusedf("another verifyctl is copying to the same place").WithHint("let it end")
		}
		if err != nil {
			return err
		}
		return change(tx)
	})
	if err == nil {
		c.stored = string(text)
	}
	return err
}

func (c *copier) tables(ctx context.Context) error {
	for _, t := range copyTables {
		if t.name == "metadata_keys" {
			continue // they make columns
		}
		if err := c.table(ctx, t); err != nil {
			return err
		}
	}
	declared, err := declaredKeys(ctx, c.from.session)
	if err != nil {
		return c.from.engine.failure("cannot read the index", err)
	}
	var keys []string
	for _, d := range declared {
		keys = append(keys, d.key)
	}
	return c.into.DeclareMetadata(ctx, keys)
}

// table copies what the destination does not have yet.
func (c *copier) table(ctx context.Context, t copyTable) error {
	if err := c.stillBegins(ctx, t); err != nil {
		return err
	}
	done := c.mark.Done[t.name]
	var batch [][]any
	save := func() error {
		c.mark.Done[t.name] = done
		err := c.step(ctx, "cannot copy "+t.name, func(tx session) error {
			return tx.insert(ctx, t.name+` (`+strings.Join(t.names(), ", ")+`)`, batch, "")
		})
		if c.options.Progress != nil && err == nil {
			c.options.Progress(t.name, done.Rows)
		}
		batch = nil
		return err
	}
	for row, err := range t.rows(ctx, c.from, 0, done.Rows) {
		if err != nil {
			return err
		}
		done.add(row)
		if batch = append(batch, row); len(batch) == batchRows {
			if err := save(); err != nil {
				return err
			}
		}
	}
	if len(batch) == 0 {
		return nil
	}
	return save()
}

// stillBegins empties a table whose beginning is not that of the source any more, which has changed since a copy was cut off.
func (c *copier) stillBegins(ctx context.Context, t copyTable) error {
	done := c.mark.Done[t.name]
	if done.Rows == 0 {
		return nil
	}
	begins, err := t.contents(ctx, c.from, done.Rows)
	if err != nil || begins == done {
		return err
	}
	delete(c.mark.Done, t.name)
	return c.step(ctx, "cannot begin "+t.name+" anew", func(tx session) error {
		_, err := tx.exec(ctx, `DELETE FROM `+t.name+t.where)
		return err
	})
}

// finish makes the copy a memory like others.
func (c *copier) finish(ctx context.Context) error {
	err := c.into.change(ctx, onBoth, "cannot finish the copy", func(tx session) error {
		if err := c.giveIDs(ctx, tx); err != nil {
			return err
		}
		_, err := tx.exec(ctx, `DELETE FROM meta WHERE name = 'copy'`)
		return err
	})
	if err != nil {
		return err
	}
	return c.into.engine.settle(ctx)
}

// giveIDs makes the ids that tables give out follow those that are there. The entities of a crawl keep its id when it is gone.
func (c *copier) giveIDs(ctx context.Context, tx session) error {
	for _, t := range copyTables {
		if t.columns[0].name != "id" {
			continue
		}
		var last int64
		query := `SELECT coalesce(max(id), 0) FROM ` + t.name
		if t.name == "crawls" {
			query = `SELECT coalesce(max(id), 0) FROM (SELECT id FROM crawls UNION ALL SELECT max(listed_by) FROM entities) AS ids`
		}
		if err := tx.queryRow(ctx, query).Scan(&last); err != nil {
			return err
		}
		if err := tx.engine.idsAfter(ctx, tx.on, t.name, last); err != nil {
			return err
		}
	}
	return nil
}
