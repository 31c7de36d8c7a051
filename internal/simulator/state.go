package simulator

import (
	"cmp"
	"context"
	"database/sql"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

//go:embed schema.sql
var schema string

// schemaVersion is SQLite's user_version of a state this version reads; applicationID marks the file as a state.
const (
	schemaVersion = 1
	applicationID = 0x76637374 // "vcst"
)

// openDB opens the file without looking into it. A state in memory has one connection, because each would be its own. What
// is committed survives a killed process, and may not survive a power loss: no request waits for the disk.
func openDB(state string) (*sql.DB, error) {
	const settings = "_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_txlock=immediate"
	if state == Memory {
		db, err := openStatements("file::memory:?" + settings)
		if err != nil {
			return nil, err
		}
		db.SetMaxOpenConns(1)
		return db, nil
	}
	path, err := filepath.Abs(state)
	if err != nil {
		return nil, err
	}
	if err := createPrivate(path); err != nil {
		return nil, err
	}
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // a drive letter
	}
	file := url.URL{Scheme: "file", Path: path, RawQuery: settings}
	db, err := openStatements(file.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(4)
	db.SetMaxIdleConns(4)
	return db, nil
}

// createPrivate makes the file first, because SQLite would make it, and the files beside it, readable for all.
func createPrivate(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("simulator state: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("simulator state: %w", err)
	}
	return f.Close()
}

// How long, and how often, a new state that another process is just making is tried again.
const (
	makingTakes = 10 * time.Second
	tryAgain    = 10 * time.Millisecond
)

// prepareWhenFree is prepare, tried again while another process makes the same state: SQLite refuses the switch of a new
// file to its write-ahead log at once, whatever the busy timeout.
func (s *Simulator) prepareWhenFree(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, makingTakes)
	defer cancel()
	for {
		err := s.prepare(ctx)
		var refused *sqlite.Error
		if !errors.As(err, &refused) || refused.Code()&0xff != sqlite3.SQLITE_BUSY {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(tryAgain):
		}
	}
}

// prepare makes and seeds a new state, checks an old one, and notes where its clock stands.
func (s *Simulator) prepare(ctx context.Context) error {
	s.clock.openedAt = s.opts.Wall()
	version, err := checkVersion(ctx, s.db)
	if err != nil {
		return err
	}
	if version == 0 {
		if err := s.create(ctx); err != nil {
			return err
		}
	}
	var leftover bool
	err = s.db.QueryRowContext(ctx, "SELECT clock_ran, EXISTS (SELECT 1 FROM outbox) FROM world").Scan(&s.clock.ranAtOpen, &leftover)
	if leftover {
		s.hooks.queued()
	}
	if err != nil || s.opts.AlertShape == "" {
		return err
	}
	return s.update(ctx, func(t *tx) error {
		t.world.settings.AlertShape = s.opts.AlertShape
		return nil
	})
}

// querier is what runs statements, in a transaction or not.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// checkVersion gives the version of the state, 0 for an empty file.
func checkVersion(ctx context.Context, q querier) (int, error) {
	var version, app, tables int
	err := q.QueryRowContext(ctx, `SELECT (SELECT user_version FROM pragma_user_version),
		(SELECT application_id FROM pragma_application_id), (SELECT count(*) FROM sqlite_master)`).Scan(&version, &app, &tables)
	switch {
	case err != nil:
		return 0, fmt.Errorf("it cannot be read: %w", err)
	case tables == 0:
		return 0, nil
	case app != applicationID:
		return 0, errors.New("the file is a database, but not a simulator's state")
	case version != schemaVersion:
		return 0, fmt.Errorf("it was made by another version (%d, this one reads %d); move it away or name another file", version, schemaVersion)
	}
	return version, nil
}

// create makes the tables and the seed in one transaction; another process may have been faster.
func (s *Simulator) create(ctx context.Context) error {
	dbtx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer dbtx.Rollback() // after a commit there is nothing to roll back
	if version, err := checkVersion(ctx, dbtx); err != nil || version != 0 {
		return err
	}
	if _, err := dbtx.ExecContext(ctx, schema); err != nil {
		return err
	}
	if err := s.settle(ctx, dbtx, s.newClockState(s.opts.Clock)); err != nil {
		return err
	}
	pragmas := fmt.Sprintf("PRAGMA user_version = %d; PRAGMA application_id = %d", schemaVersion, applicationID)
	if _, err := dbtx.ExecContext(ctx, pragmas); err != nil {
		return err
	}
	return dbtx.Commit()
}

// settle puts into empty tables what a new state holds.
func (s *Simulator) settle(ctx context.Context, dbtx *sql.Tx, clock clockState) error {
	shape := cmp.Or(s.opts.AlertShape, AlertCorrelated)
	w := world{seed: s.opts.Randomness, clock: clock, settings: settings{Settings: Settings{AlertShape: shape}}}
	if _, err := dbtx.ExecContext(ctx, "INSERT INTO world (id, seed, clock_running, settings) VALUES (1, ?, 0, '{}')", w.seed); err != nil {
		return err
	}
	t := &tx{ctx: ctx, tx: dbtx, s: s, world: &w, now: s.at(clock)}
	if err := t.seed(); err != nil {
		return err
	}
	if err := t.apply(s.opts.World); err != nil {
		return err
	}
	return t.storeWorld()
}

// Reset makes the state what it was when it was new, by the present options.
func (s *Simulator) Reset(ctx context.Context) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	dbtx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer dbtx.Rollback() // after a commit there is nothing to roll back
	for _, table := range tables.FindAllStringSubmatch(schema, -1) {
		if _, err := dbtx.ExecContext(ctx, "DELETE FROM "+table[1]); err != nil {
			return err
		}
	}
	if _, err := dbtx.ExecContext(ctx, "DELETE FROM sqlite_sequence"); err != nil {
		return err
	}
	clock := s.newClockState(s.opts.Clock)
	if clock.running { // this process goes on adding what it ran
		clock.offset -= s.ran(0)
	}
	if err := s.settle(ctx, dbtx, clock); err != nil {
		return err
	}
	return dbtx.Commit()
}

// tables finds the tables of the schema.
var tables = regexp.MustCompile(`CREATE TABLE (\w+)`)

// world is the one row that belongs to no resource.
type world struct {
	seed     string
	counter  int64
	clock    clockState
	settings settings
}

// settings are the exported ones and what goes with them.
type settings struct {
	Settings
	Faults int `json:"faults,omitempty"` // how many rules there are, so that a world without any looks for none
}

// tx is one transaction on the state with the world and the time it sees.
type tx struct {
	ctx   context.Context
	tx    querier
	s     *Simulator
	world *world
	now   time.Time
	known knownRows // what its connection knows of the state as this transaction sees it; nil in one that writes
}

// view runs do on a consistent state that it may not change. Reading waits for nobody, so only the connection is waited for.
func (s *Simulator) view(ctx context.Context, do func(*tx) error) error {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close() // gives it back
	var known knownRows
	err = conn.Raw(func(conn any) (err error) {
		known, err = conn.(*keepingConn).beginReading()
		return err
	})
	if err != nil {
		return err
	}
	defer conn.Raw(func(conn any) error { return conn.(*keepingConn).run("ROLLBACK") }) // nothing was written
	t, err := s.begin(context.WithoutCancel(ctx), conn, known)
	if err != nil {
		return err
	}
	return do(t)
}

// read gives what do finds in a consistent state.
func read[T any](ctx context.Context, s *Simulator, do func(*tx) (T, error)) (found T, err error) {
	err = s.view(ctx, func(t *tx) error {
		found, err = do(t)
		return err
	})
	return found, err
}

// update runs do and commits what it changed, or nothing when it fails.
func (s *Simulator) update(ctx context.Context, do func(*tx) error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	dbtx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer dbtx.Rollback() // after a commit there is nothing to roll back
	t, err := s.begin(ctx, dbtx, nil)
	if err != nil {
		return err
	}
	if err := do(t); err != nil {
		return err
	}
	if err := t.storeWorld(); err != nil {
		return err
	}
	return dbtx.Commit()
}

func (s *Simulator) begin(ctx context.Context, dbtx querier, known knownRows) (*tx, error) {
	t := &tx{ctx: ctx, tx: dbtx, s: s, known: known}
	var err error
	if t.world, err = recall(known, rowKey{table: "world"}, t.loadWorld); err != nil {
		return nil, err
	}
	t.now = s.at(t.world.clock)
	return t, nil
}

func (t *tx) loadWorld() (*world, error) {
	var w world
	err := t.tx.QueryRowContext(t.ctx, `SELECT seed, counter, clock_running, clock_offset, clock_ran, clock_frozen_at, settings FROM world`).
		Scan(&w.seed, &w.counter, &w.clock.running, &w.clock.offset, &w.clock.ran, &w.clock.frozenAt, asJSON{&w.settings})
	return &w, err
}

func (t *tx) storeWorld() error {
	w := t.world
	if w.clock.running {
		w.clock.ran = t.s.ran(w.clock.ran)
	}
	raw, err := json.Marshal(w.settings)
	if err != nil {
		return err
	}
	_, err = t.exec(`UPDATE world SET counter = ?, clock_running = ?, clock_offset = ?, clock_ran = ?, clock_frozen_at = ?, settings = ?`,
		w.counter, w.clock.running, w.clock.offset, w.clock.ran, w.clock.frozenAt, string(raw))
	return err
}

func (t *tx) exec(query string, args ...any) (int64, error) {
	result, err := t.tx.ExecContext(t.ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// insert is exec that gives the number of the new row.
func (t *tx) insert(query string, args ...any) (int64, error) {
	result, err := t.tx.ExecContext(t.ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return result.LastInsertId()
}

// row reads one row into dest and tells whether there was one.
func (t *tx) row(dest []any, query string, args ...any) (bool, error) {
	err := t.tx.QueryRowContext(t.ctx, query, args...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// newSID gives the next SID of a kind; newText the next secret or token of n characters.
func (t *tx) newSID(prefix string) string { return deriveSID(prefix, t.world.seed, t.next()) }

func (t *tx) newText(n int) string { return deriveText(n, t.world.seed, t.next()) }

func (t *tx) next() string {
	t.world.counter++
	return strconv.FormatInt(t.world.counter, 10)
}

// Times are stored in milliseconds and shown in seconds: ISO 8601, UTC, without a fraction, which Twilio's mobile SDKs
// cannot read.
func millis(t time.Time) int64 { return t.UnixMilli() }

func iso(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05Z") }

func rfc2822(ms int64) string {
	return time.UnixMilli(ms).UTC().Format("Mon, 02 Jan 2006 15:04:05 +0000")
}

func isoOrNull(ms sql.NullInt64) *string {
	if !ms.Valid {
		return nil
	}
	s := iso(ms.Int64)
	return &s
}
