package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

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

func (p Place) open(ctx context.Context, purpose purpose) (*Store, error) {
	if p.File == "" {
		return openShared(ctx, p.Dir, p.Environment, p.Shared, purpose)
	}
	name, dir := p.Environment.Name, filepath.Dir(p.File)
	var key *statedir.Key
	var err error
	if purpose == toCopy {
		if _, err := os.Lstat(p.File); errors.Is(err, fs.ErrNotExist) {
			return nil, &verify.Error{Kind: verify.KindNotFound, Message: p.File + " does not exist"}
		}
		name, err = environmentOf(ctx, p.File) // whatever another machine called it
	} else {
		key, err = statedir.OpenKey(ctx, dir)
	}
	if err != nil {
		return nil, err
	}
	engine, err := openSQLite(ctx, p.File, name, purpose)
	if err != nil {
		return nil, err
	}
	return newStore(engine, dir, name, key), nil
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
	return verify.Refusedf("%s is an unfinished copy of %s", place, mark.From).WithHint("run the same verifyctl state copy again: it goes on from there")
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
			WithHint("copy them as they are with --other-key; then verifyctl fleet sync makes those of the index anew")
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

// compare gives the contents of every table of a memory, and of its copy; nil is none.
func compare(ctx context.Context, from, to *instant) (result []CopiedTable, err error) {
	for _, t := range copyTables {
		had, err := t.contents(ctx, from, 0)
		if err != nil {
			return nil, err
		}
		row := CopiedTable{Table: t.name, Rows: had.Rows, Hash: had.Hash.String()}
		if to != nil {
			has, err := t.contents(ctx, to, 0)
			if err != nil {
				return nil, err
			}
			row.CopyRows, row.CopyHash = has.Rows, has.Hash.String()
		}
		result = append(result, row)
	}
	return result, nil
}

// copyTable is a table that is copied, in an order in which a copy that was cut off goes on.
type copyTable struct {
	name    string
	where   string // which rows; "" is all
	order   string
	columns []copyColumn
}

type copyColumn struct {
	name string
	kind columnKind
}

// columnKind is what a column has.
type columnKind int

const (
	textual columnKind = iota
	hashed             // a text that a key made
	number
	nullable // a number that may be NULL
	boolean
	moment
	blob
	attributes // of a factor
	worker     // who was at work, which is left out
)

// copyTables are all tables but those that say who works now.
var copyTables = []copyTable{
	tableOf("meta", "name", "name value").only(`name IN ('index_account', 'index_service')`),
	tableOf("deletions", "id", "id# factor_sid identity factor% token_hash* by reason at@ outcome finished_at@"),
	tableOf("challenges", "fold(sid)", "sid service_sid identity factor_sid action_id created@ expires@"),
	tableOf("claims", "fold(service_sid), action_id, fold(factor_sid)", "service_sid action_id factor_sid ticket# owner! challenge_sid at@"),
	tableOf("resends", "id", "id# challenge_sid at@ outcome notification_sid"),
	tableOf("receipts", "fold(challenge_sid), source", "challenge_sid source at@"),
	tableOf("seen", "identity, fold(sid)", "identity sid at@"),
	tableOf("events", "id", "id# key source received@ at@ body% service_sid identity factor_sid challenge_sid credential_sid code#"),
	tableOf("coverage", "source, from_time", "source from_time@ until_time@"),
	tableOf("entities", "identity", "identity sid date_created@ date_updated@ read_at@ listed_by# todo_for?"),
	tableOf("factors", "id", "id# sid identity entity_sid status factor_type platform app_id sdk_version friendly_name credential_sid token_hash* "+
		"date_created@ date_updated@ read_at@ metadata{"),
	tableOf("metadata_keys", "number", "number# key"),
	tableOf("crawls", "id", "id# service_sid kind owner! started@ finished@ cursor listed~ entities# factors#"),
	tableOf("outcomes", "plan, item", "plan item# sid outcome detail at@"),
	tableOf("credential_files", "fingerprint", "fingerprint* credential_sid platform not_after@ topics project key_id at@ updated@"),
	tableOf("rotations", "fold(service_sid), platform, began", "service_sid platform began@ fingerprint* old_sid new_sid attached@ outcome"),
	tableOf("creations", "id", "id# account_sid creation% begun@ outcome sid"),
}

// tableOf gives a table. A sign behind a column's name is its kind; without one it is a text.
func tableOf(name, order, columns string) copyTable {
	t := copyTable{name: name, order: order}
	for _, word := range strings.Fields(columns) {
		kind := columnKind(1 + strings.IndexByte("*#?~@%{!", word[len(word)-1]))
		if kind != textual {
			word = word[:len(word)-1]
		}
		t.columns = append(t.columns, copyColumn{word, kind})
	}
	return t
}

func (t copyTable) only(condition string) copyTable {
	t.where = " WHERE " + condition
	return t
}

func (t copyTable) names() (names []string) {
	for _, c := range t.columns {
		names = append(names, c.name)
	}
	return names
}

// rows streams rows of a table: so many (0 is all), behind the first ones.
func (t copyTable) rows(ctx context.Context, from *instant, most, behind int) iter.Seq2[[]any, error] {
	names := t.names()
	for i, c := range t.columns {
		if c.kind == worker {
			names[i] = `''`
		}
	}
	query := `SELECT ` + strings.Join(names, ", ") + ` FROM ` + t.name + t.where + ` ORDER BY ` + t.order + ` LIMIT ? OFFSET ?`
	return func(yield func([]any, error) bool) {
		failed := func(err error) { yield(nil, from.engine.failure("cannot read "+t.name, err)) }
		found, err := from.query(ctx, query, limitOf(most), behind)
		if err != nil {
			failed(err)
			return
		}
		defer found.Close()
		row := from.mending(found)
		for found.Next() {
			values, err := t.scan(row)
			if err != nil {
				failed(err)
				return
			}
			if !yield(values, nil) {
				return
			}
		}
		if err := found.Err(); err != nil {
			failed(err)
		}
	}
}

func (t copyTable) scan(row scanner) ([]any, error) {
	into := make([]any, len(t.columns))
	for i, c := range t.columns {
		into[i] = c.kind.empty()
	}
	if err := row.Scan(into...); err != nil {
		return nil, err
	}
	for i, v := range into {
		into[i] = valueIn(v)
	}
	return into, nil
}

// empty gives what a value of the kind is read into.
func (k columnKind) empty() any {
	switch k {
	case number:
		return new(int64)
	case nullable:
		return new(sql.NullInt64)
	case boolean:
		return new(bool)
	case moment:
		return new(timeColumn)
	case blob:
		return new([]byte)
	case attributes:
		return new(metadata)
	}
	return new(string)
}

// valueIn gives what was read into [columnKind.empty].
func valueIn(read any) any {
	switch v := read.(type) {
	case *int64:
		return *v
	case *sql.NullInt64:
		return *v
	case *bool:
		return *v
	case *timeColumn:
		return time.Time(*v)
	case *[]byte:
		return append([]byte{}, *v...) // never nil, which would be NULL
	case *metadata:
		return *v
	}
	return *read.(*string)
}

// contents gives what the first rows of a table say, 0 all of them.
func (t copyTable) contents(ctx context.Context, from *instant, most int) (c contents, err error) {
	for row, err := range t.rows(ctx, from, most, 0) {
		if err != nil {
			return c, err
		}
		c.add(row)
	}
	return c, nil
}

// contents are rows, in whatever order an engine gives them: how many, and the sum of their hashes.
type contents struct {
	Rows int    `json:"rows"`
	Hash digest `json:"hash"`
}

type digest [sha256.Size]byte

// String gives hexadecimal digits.
func (d digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText gives hexadecimal digits.
func (d digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads them.
func (d *digest) UnmarshalText(text []byte) error {
	_, err := hex.Decode(d[:], text[:min(len(text), 2*len(d))])
	return err
}

// add adds a row.
func (c *contents) add(row []any) {
	c.Rows++
	carry := 0
	for i, b := range slices.Backward(hashOf(row)) {
		carry += int(c.Hash[i]) + int(b)
		c.Hash[i] = byte(carry)
		carry >>= 8
	}
}

// hashOf hashes what a row says; the length before each value keeps two from being taken for others.
func hashOf(row []any) []byte {
	h := sha256.New()
	for _, value := range row {
		bytes := bytesOf(value)
		h.Write(binary.AppendUvarint(nil, uint64(len(bytes))))
		h.Write(bytes)
	}
	return h.Sum(nil)
}

func bytesOf(value any) []byte {
	switch v := value.(type) {
	case string:
		return []byte(v)
	case []byte:
		return v
	case metadata:
		text, _ := json.Marshal(v) // a map of texts always can be written, and its keys are sorted
		return text
	case time.Time:
		if v.IsZero() {
			return nil
		}
		return fmt.Append(nil, v.UnixMicro())
	}
	return fmt.Append(nil, value) // a number, a flag, or a number with whether there is one
}
