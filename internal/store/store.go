// Package store is what this machine remembers: one SQLite file for each environment. A capability names what it needs of
// it in an interface of its own; [Store] satisfies them.
//
// Every change is one transaction, synced to disk before the method returns, so it survives kill -9 and a power loss; only
// the index, which can be read again from Twilio, is synced later. Any number of processes may use the same files. Push
// tokens are kept only as keyed hashes.
package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/verifyctl/verifyctl/internal/statedir"
	"github.com/verifyctl/verifyctl/internal/verify"
)

const (
	// batchRows bounds what one transaction of a bulk change touches. Every row costs a page in several indexes, and a
	// transaction that is cut off leaves all of them in the write-ahead log, which the next process has to read.
	batchRows = 2000

	// readers is how many queries may run beside the one writer.
	readers = 4
)

// Store is the memory of one environment. Its methods may be called from many goroutines.
type Store struct {
	path        string
	environment string
	key         *statedir.Key
	write       *sql.DB // one connection, so that writers of this process queue up here
	read        *sql.DB
	commits     eventCommits
	owner       owner

	// Met is told of every identity that is read; nil is told of none. Set it before the first use.
	Met func(verify.Identity)
}

// Open opens the memory of an environment, and makes it the first time. A damaged file is an error that says how to go
// on; it is never replaced by an empty one.
func Open(ctx context.Context, dir, environment string) (*Store, error) {
	key, err := statedir.OpenKey(ctx, dir)
	if err != nil {
		return nil, err
	}
	s := &Store{path: filepath.Join(dir, databaseName(environment)), environment: environment, key: key}
	s.owner.dir = dir
	if err := s.exists(ctx, dir); err != nil {
		return nil, err
	}
	// A longer log is moved into the file less often; it is emptied after bulk work.
	s.write = open(s.path, "&_txlock=immediate&_pragma=wal_autocheckpoint(4000)")
	s.write.SetMaxOpenConns(1)
	s.read = open(s.path, "&_pragma=query_only(1)")
	s.read.SetMaxOpenConns(readers)
	if err := s.checkVersion(ctx, dir); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Close gives up what this store has claimed and not finished, and closes the file.
func (s *Store) Close() error {
	return errors.Join(s.owner.end(), s.read.Close(), s.write.Close())
}

// HashToken gives the keyed hash by which this machine tells push tokens apart; "" for "".
func (s *Store) HashToken(token verify.PushToken) string { return s.key.HashToken(token) }

func open(path, more string) *sql.DB {
	slashed := filepath.ToSlash(path)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed // file:///C:/…
	}
	name := url.URL{Scheme: "file", Path: slashed}
	db, err := sql.Open("sqlite", name.String()+
		"?_pragma=busy_timeout(5000)&_pragma=synchronous(FULL)&_pragma=cache_size(-16000)"+more)
	if err != nil {
		panic(err) // only an unknown driver name
	}
	return db
}

// exists makes the database file if it is not there, complete and for the owner only from its first byte.
func (s *Store) exists(ctx context.Context, dir string) error {
	err := statedir.CheckFile(s.path)
	if !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, statedir.CheckDatabase(s.path))
	}
	unlock, err := statedir.Lock(ctx, dir)
	if err != nil {
		return err
	}
	defer unlock()
	if err := statedir.CheckFile(s.path); !errors.Is(err, fs.ErrNotExist) {
		return err // another process made it while we waited
	}
	if _, err := os.Lstat(s.path + "-wal"); err == nil {
		return verify.Refusedf("%s is missing, but its log %s-wal exists", s.path, filepath.Base(s.path)).
			WithHint("restore both from a backup, or move the log away to start over")
	}
	if err := s.create(ctx); err != nil {
		return s.failure("cannot make "+s.path, err)
	}
	return nil
}

func (s *Store) create(ctx context.Context) error {
	empty := s.path + ".new"
	for _, leftover := range []string{empty, empty + "-wal", empty + "-shm", empty + "-journal"} {
		if err := os.Remove(leftover); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	f, err := statedir.Open(empty, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	db := open(empty, "&_txlock=immediate")
	db.SetMaxOpenConns(1)
	err = migrate(ctx, db, 0)
	if err == nil {
		_, err = db.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ('environment', ?)`, s.environment)
	}
	if err == nil {
		_, err = db.ExecContext(ctx, `PRAGMA journal_mode = WAL`)
	}
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	if err := os.Rename(empty, s.path); err != nil {
		return err
	}
	return statedir.SyncDirectory(filepath.Dir(s.path))
}

// checkVersion migrates an older file, and refuses one that is not ours or too new.
func (s *Store) checkVersion(ctx context.Context, dir string) error {
	version, err := s.version(ctx)
	if err != nil || version == len(migrations) {
		return err
	}
	unlock, err := statedir.Lock(ctx, dir)
	if err != nil {
		return err
	}
	defer unlock()
	if version, err = s.version(ctx); err != nil {
		return err
	}
	if err := migrate(ctx, s.write, version); err != nil {
		return s.failure("cannot bring "+s.path+" up to date", err)
	}
	return nil
}

func (s *Store) version(ctx context.Context) (version int, err error) {
	var application int
	err = s.read.QueryRowContext(ctx, `SELECT (SELECT application_id FROM pragma_application_id),
		(SELECT user_version FROM pragma_user_version)`).Scan(&application, &version)
	switch {
	case err != nil:
		return 0, s.failure("cannot read "+s.path, err)
	case application != applicationID:
		return 0, s.damaged("it is not a state file of verifyctl", nil)
	case version > len(migrations):
		return 0, &verify.Error{Kind: verify.KindFailed,
			Message: fmt.Sprintf("%s was written by a newer verifyctl (version %d of the file, this one knows %d)",
				s.path, version, len(migrations)),
			Hint: "use that version, or a separate state directory: VERIFYCTL_STATE_DIR"}
	}
	var environment string
	err = s.read.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = 'environment'`).Scan(&environment)
	switch {
	case err != nil:
		return 0, s.failure("cannot read "+s.path, err)
	case environment != s.environment:
		return 0, s.damaged(fmt.Sprintf("it belongs to the environment %q", environment), nil)
	}
	return version, nil
}

// update runs one transaction that changes the file. Only one runs at a time, across all processes.
func (s *Store) update(ctx context.Context, doing string, change func(tx *sql.Tx) error) error {
	return s.failure(doing, transact(ctx, s.write, change))
}

// exec is update for one statement.
func (s *Store) exec(ctx context.Context, doing, statement string, args ...any) error {
	return s.update(ctx, doing, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, statement, args...)
		return err
	})
}

type beginner interface {
	BeginTx(ctx context.Context, opts *sql.TxOptions) (*sql.Tx, error)
}

func transact(ctx context.Context, on beginner, change func(tx *sql.Tx) error) error {
	tx, err := on.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := change(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// updateIndex is update for what can be read again from Twilio. It is kept whatever happens to the process, but a power
// loss may take back the last of these transactions, as a whole: waiting for the disk after each would be most of the
// time of a crawl.
func (s *Store) updateIndex(ctx context.Context, doing string, change func(tx *sql.Tx) error) error {
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return s.failure(doing, err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, `PRAGMA synchronous = NORMAL`); err != nil {
		return s.failure(doing, err)
	}
	defer func() {
		if _, err := conn.ExecContext(context.WithoutCancel(ctx), `PRAGMA synchronous = FULL`); err != nil {
			conn.Raw(func(any) error { return driver.ErrBadConn }) // the next one opens anew, with FULL
		}
	}()
	return s.failure(doing, transact(ctx, conn, change))
}

// truncateLog empties the write-ahead log after a bulk change, so that the next process opens fast. A reader elsewhere
// can keep it from that, which does no harm.
func (s *Store) truncateLog(ctx context.Context) error {
	_, err := s.write.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`)
	return err
}

// failure says what could not be done and, where it helps, what to do. Typed errors, cancellation and nil pass through.
func (s *Store) failure(doing string, err error) error {
	if _, known := errors.AsType[*verify.Error](err); known || err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	fault, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return statedir.Failure(doing, err)
	}
	switch fault.Code() & 0xff { // the low byte is the kind, the rest its variants
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN:
		if full, ok := statedir.FullDisk(doing, s.path, err); ok {
			return full
		}
		return statedir.Failure(doing, err).WithHint("look at the disk of %s", filepath.Dir(s.path))
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return s.damaged(doing, err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return statedir.Failure(doing, err).WithHint("another verifyctl is writing to %s; try again when it is done", s.path)
	}
	return statedir.Failure(doing, err)
}

func (s *Store) damaged(what string, cause error) *verify.Error {
	return &verify.Error{Kind: verify.KindFailed, Cause: cause,
		Message: fmt.Sprintf("the state file %s is damaged or was not written by verifyctl: %s", s.path, what),
		Hint: fmt.Sprintf("restore it from a backup, or move it away to start over: mv %s %s",
			verify.Quote(s.path), verify.Quote(s.path+".damaged"))}
}

// Times are kept as microseconds since 1970, 0 when unknown.

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// timeInto reads a column into a time.
func timeInto(t *time.Time) sql.Scanner { return (*timeColumn)(t) }

type timeColumn time.Time

// Scan reads the column.
func (c *timeColumn) Scan(value any) error {
	micros, ok := value.(int64)
	switch {
	case !ok:
		return fmt.Errorf("%v is no time", value)
	case micros == 0:
		*c = timeColumn{}
	default:
		*c = timeColumn(time.UnixMicro(micros).UTC())
	}
	return nil
}
