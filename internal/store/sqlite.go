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
	"slices"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/verifyctl/verifyctl/internal/statedir"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// readers is how many queries may run beside the one writer.
const readers = 4

// sqliteEngine is one file of this machine. Times are kept as microseconds since 1970, 0 when unknown.
type sqliteEngine struct {
	path        string
	environment string
	purpose     purpose
	write       *sql.DB // one connection, so that writers of this process queue up here
	read        *sql.DB
}

// openSQLite opens the file of an environment, and makes it the first time. A damaged file is an error that says how to go
// on; it is never replaced by an empty one.
func openSQLite(ctx context.Context, path, environment string, purpose purpose) (*sqliteEngine, error) {
	e, dir := &sqliteEngine{path: path, environment: environment, purpose: purpose}, filepath.Dir(path)
	if err := e.exists(ctx, dir); err != nil {
		return nil, err
	}
	// A longer log is moved into the file less often; it is emptied after bulk work.
	e.write = openFile(e.path, "&_txlock=immediate&_pragma=wal_autocheckpoint(4000)")
	e.write.SetMaxOpenConns(1)
	e.read = openFile(e.path, "&_pragma=query_only(1)")
	e.read.SetMaxOpenConns(readers)
	if err := e.checkVersion(ctx, dir); err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

func (e *sqliteEngine) close() error { return errors.Join(e.read.Close(), e.write.Close()) }

func (e *sqliteEngine) reader() *sql.DB { return e.read }

func openFile(path, more string) *sql.DB {
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
func (e *sqliteEngine) exists(ctx context.Context, dir string) error {
	err := statedir.CheckFile(e.path)
	if !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, statedir.CheckDatabase(e.path))
	}
	unlock, err := statedir.Lock(ctx, dir)
	if err != nil {
		return err
	}
	defer unlock()
	if err := statedir.CheckFile(e.path); !errors.Is(err, fs.ErrNotExist) {
		return err // another process made it while we waited
	}
	if _, err := os.Lstat(e.path + "-wal"); err == nil {
		return verify.Refusedf("%s is missing, but its log %s-wal exists", e.path, filepath.Base(e.path)).
			WithHint("restore both from a backup, or move the log away to start over")
	}
	if err := e.create(ctx); err != nil {
		return e.failure("cannot make "+e.path, err)
	}
	return nil
}

func (e *sqliteEngine) create(ctx context.Context) error {
	empty := e.path + ".new"
	for _, leftover := range []string{empty, empty + "-wal", empty + "-shm", empty + "-journal"} {
		if err := os.Remove(leftover); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	f, err := statedir.Open(empty, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	defer f.Close() // after the database: closing a file of a process gives up the locks of SQLite too
	// Nobody sees the file before it is whole: it waits for the disk once.
	db := openFile(empty, "&_txlock=immediate&_pragma=journal_mode(MEMORY)&_pragma=synchronous(OFF)")
	db.SetMaxOpenConns(1)
	err = migrateFile(ctx, db, 0)
	if err == nil {
		_, err = db.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ('environment', ?)`, e.environment)
	}
	if err == nil {
		_, err = db.ExecContext(ctx, `PRAGMA journal_mode = WAL`)
	}
	if err := errors.Join(err, db.Close(), f.Sync()); err != nil {
		return err
	}
	if err := os.Rename(empty, e.path); err != nil {
		return err
	}
	return statedir.SyncDirectory(filepath.Dir(e.path))
}

// migrateFile runs what a file of the given version lacks, each step in a transaction of its own.
func migrateFile(ctx context.Context, db *sql.DB, version int) error {
	for ; version < len(fileMigrations); version++ {
		marks := fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d;", applicationID, version+1)
		err := transact(ctx, db, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, fileMigrations[version]+marks)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// checkVersion migrates an older file, and refuses one that is not ours or too new.
func (e *sqliteEngine) checkVersion(ctx context.Context, dir string) error {
	version, err := e.version(ctx)
	if err != nil || version == len(fileMigrations) {
		return err
	}
	unlock, err := statedir.Lock(ctx, dir)
	if err != nil {
		return err
	}
	defer unlock()
	if version, err = e.version(ctx); err != nil {
		return err
	}
	if err := migrateFile(ctx, e.write, version); err != nil {
		return e.failure("cannot bring "+e.path+" up to date", err)
	}
	return nil
}

func (e *sqliteEngine) version(ctx context.Context) (version int, err error) {
	var application int
	err = e.read.QueryRowContext(ctx, `SELECT (SELECT application_id FROM pragma_application_id),
		(SELECT user_version FROM pragma_user_version)`).Scan(&application, &version)
	switch {
	case err != nil:
		return 0, e.failure("cannot read "+e.path, err)
	case application != applicationID:
		return 0, e.damaged("it is not a state file of verifyctl", nil)
	case version > len(fileMigrations):
		return 0, &verify.Error{Kind: verify.KindFailed,
			Message: fmt.Sprintf("%s was written by a newer verifyctl (version %d of the file, this one knows %d)",
				e.path, version, len(fileMigrations)),
			Hint: "use that version, or a separate state directory: VERIFYCTL_STATE_DIR"}
	}
	environment, copying, err := e.meta(ctx)
	switch {
	case err != nil:
		return 0, err
	case environment != e.environment:
		return 0, e.damaged(fmt.Sprintf("it belongs to the environment %q", environment), nil)
	case copying != "" && e.purpose != toCopyTo:
		return 0, unfinishedCopy(e.path, copying)
	}
	return version, nil
}

// meta gives the name of the environment that the file is of, and how far it is as a copy; "" when it is no unfinished one.
func (e *sqliteEngine) meta(ctx context.Context) (environment, copying string, err error) {
	err = e.read.QueryRowContext(ctx, `SELECT value, coalesce((SELECT value FROM meta WHERE name = 'copy'), '') FROM meta WHERE name = 'environment'`).
		Scan(&environment, &copying)
	return environment, copying, e.failure("cannot read "+e.path, err)
}

// Environments gives the names of the environments that a state directory has a file of. It makes nothing: a directory
// that is not there has none. A file whose environment cannot be read is given by path in unreadable, with the reason.
func Environments(ctx context.Context, dir string) (names []string, unreadable map[string]error, err error) {
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, statedir.Failure("cannot read the state directory", err)
	}
	unreadable = map[string]error{}
	for _, file := range files {
		name := file.Name()
		if !strings.HasPrefix(name, databasePrefix) || !strings.HasSuffix(name, databaseSuffix) {
			continue
		}
		path := filepath.Join(dir, name)
		environment, err := environmentOf(ctx, path)
		if err != nil {
			unreadable[path] = err
			continue
		}
		names = append(names, environment)
	}
	slices.Sort(names)
	return names, unreadable, nil
}

func environmentOf(ctx context.Context, path string) (name string, err error) {
	if err := statedir.CheckFile(path); err != nil {
		return "", err
	}
	e := &sqliteEngine{path: path, read: openFile(path, "&_pragma=query_only(1)")}
	defer e.read.Close()
	name, _, err = e.meta(ctx)
	return name, err
}

// transact runs one transaction. Only one that changes the file runs at a time, across all processes, whatever its work.
func (e *sqliteEngine) transact(ctx context.Context, work work, change func(tx *sql.Tx) error) error {
	if work != onIndex && work != onMinor {
		return transact(ctx, e.write, change)
	}
	// It is kept whatever happens to the process, but not waited for until it is on disk, which the next change that is waited for
	// puts it on too: that would be most of the time of a crawl.
	conn, err := e.write.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, `PRAGMA synchronous = NORMAL`); err != nil {
		return err
	}
	defer func() {
		if _, err := conn.ExecContext(context.WithoutCancel(ctx), `PRAGMA synchronous = FULL`); err != nil {
			conn.Raw(func(any) error { return driver.ErrBadConn }) // the next one opens anew, with FULL
		}
	}()
	return transact(ctx, conn, change)
}

// now is not asked for by anybody but this machine.
func (e *sqliteEngine) now(context.Context, statements) (time.Time, error) { return time.Now(), nil }

func (e *sqliteEngine) addColumn(ctx context.Context, tx statements, number int) error {
	_, err := tx.ExecContext(ctx, `ALTER TABLE factors ADD COLUMN `+metadataColumn(number)+` TEXT NOT NULL DEFAULT ''`)
	return err
}

func (e *sqliteEngine) dropColumn(ctx context.Context, tx statements, number int) error {
	_, err := tx.ExecContext(ctx, `ALTER TABLE factors DROP COLUMN `+metadataColumn(number))
	return err
}

// countBy makes the index for counting cover some metadata columns, so that what is counted is read from it alone.
func (e *sqliteEngine) countBy(ctx context.Context, tx statements, numbers []int) error {
	columns := slices.Clone(groupColumns)
	for _, number := range numbers {
		columns = append(columns, metadataColumn(number))
	}
	columns = append(columns, "factor_type", "date_updated")
	_, err := tx.ExecContext(ctx, `DROP INDEX IF EXISTS factors_groups; CREATE INDEX factors_groups ON factors (`+strings.Join(columns, ", ")+`)`)
	return err
}

func (e *sqliteEngine) idsAfter(ctx context.Context, tx statements, table string, last int64) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM sqlite_sequence WHERE name = ?`, table); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)`, table, last)
	return err
}

// settle empties the write-ahead log. A reader elsewhere can keep it from that, which does no harm.
func (e *sqliteEngine) settle(ctx context.Context) error {
	_, err := e.write.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`)
	return err
}

// scrub writes the file anew without what was deleted, and empties the log. Other processes that are reading keep it
// from that for as long as they do.
func (e *sqliteEngine) scrub(ctx context.Context) error {
	if _, err := e.write.ExecContext(ctx, `VACUUM`); err != nil {
		return e.failure("purged, but the file's free space could not be cleared", err)
	}
	var blocked bool
	var log, moved int
	err := e.write.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&blocked, &log, &moved)
	if err == nil && blocked {
		return &verify.Error{Kind: verify.KindPartial,
			Message: "purged, but the log " + e.path + "-wal still holds it, because another verifyctl is reading",
			Hint:    "purge again when that one has ended"}
	}
	return e.failure("purged, but cannot empty the log", err)
}

// place gives the file, and its size with its log.
func (e *sqliteEngine) place(context.Context) (path string, bytes int64) {
	for _, path := range []string{e.path, e.path + "-wal"} {
		if info, err := os.Stat(path); err == nil {
			bytes += info.Size()
		}
	}
	return e.path, bytes
}

func (e *sqliteEngine) removal() string {
	path := verify.Quote(e.path)
	return "rm -f " + path + " " + path + "-wal " + path + "-shm " + path + jottedSuffix
}

func (e *sqliteEngine) failure(doing string, err error) error {
	if passes(err) {
		return err
	}
	fault, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return statedir.Failure(doing, err)
	}
	switch fault.Code() & 0xff { // the low byte is the kind, the rest its variants
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN:
		if full, ok := statedir.FullDisk(doing, e.path, err); ok {
			return full
		}
		return statedir.Failure(doing, err).WithHint("look at the disk of %s", filepath.Dir(e.path))
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return e.damaged(doing, err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return statedir.Failure(doing, err).WithHint("another verifyctl is writing to %s; try again when it is done", e.path)
	}
	return statedir.Failure(doing, err)
}

func (e *sqliteEngine) damaged(what string, cause error) *verify.Error {
	return &verify.Error{Kind: verify.KindFailed, Cause: cause,
		Message: fmt.Sprintf("the state file %s is damaged or was not written by verifyctl: %s", e.path, what),
		Hint: fmt.Sprintf("restore it from a backup, or move it away to start over: mv %s %s",
			verify.Quote(e.path), verify.Quote(e.path+".damaged"))}
}
