// Package store is what is remembered: in one SQLite file for each environment, which only this machine has. A capability
// names what it needs of it in an interface of its own; [Store] satisfies them.
//
// Every change is one transaction, synced to disk before the method returns, so it survives kill -9 and a power loss. Synced
// later are the index, which can be read again from Twilio, whom commands met, and what became of a plan's items. Any number of processes may use the same memory. Push
// tokens are kept only as keyed hashes. What differs between databases is an [engine].
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/verifyctl/verifyctl/internal/statedir"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// batchRows bounds what one transaction of a bulk change touches. Every row costs a page in several indexes, and a
// transaction that is cut off leaves all of them in the write-ahead log, which the next process has to read.
const batchRows = 2000

// Store is the memory of one environment. Its methods may be called from many goroutines.
type Store struct {
	engine      engine
	environment string
	key         *statedir.Key
	read        session
	commits     eventCommits
	owner       owner
	fences      sync.Map           // the number of each lease that was taken, by its name
	crawling    context.CancelFunc // ends the renewal of the crawl's lease

	// Env is the environment that commands in errors name. Set it before the first use.
	Env verify.Environment
	// Met is told of every identity that is read; nil is told of none. Set it before the first use.
	Met func(verify.Identity)
}

// Open opens the memory of an environment on this machine, and makes it the first time. A damaged file is an error that
// says how to go on; it is never replaced by an empty one.
func Open(ctx context.Context, dir, environment string) (*Store, error) {
	key, err := statedir.OpenKey(ctx, dir)
	if err != nil {
		return nil, err
	}
	return openFileStore(ctx, FileOf(dir, environment), environment, key, toUse)
}

func openFileStore(ctx context.Context, path, environment string, key *statedir.Key, purpose purpose) (*Store, error) {
	engine, err := openSQLite(ctx, path, environment, purpose)
	if err != nil {
		return nil, err
	}
	s := newStore(engine, filepath.Dir(path), environment, key)
	if err := s.takeIn(ctx, path); err != nil {
		return nil, errors.Join(err, engine.close())
	}
	return s, nil
}

// OpenShared opens the memory that a team keeps in PostgreSQL of an environment's Service, and makes its tables the first time.
// The environment's name only stands in messages: another machine may have another. dir is this machine's state directory,
// which keeps only what tells that a run is alive. It refuses a key that is not the one that the memory was made with, before
// anything is written.
func OpenShared(ctx context.Context, dir string, env verify.Environment, at Shared) (*Store, error) {
	return openShared(ctx, dir, env, at, toUse)
}

func openShared(ctx context.Context, dir string, env verify.Environment, at Shared, purpose purpose) (*Store, error) {
	key, err := statedir.TeamKey(at.Key)
	if err != nil {
		return nil, err
	}
	if err := statedir.Prepare(dir); err != nil {
		return nil, err
	}
	engine, err := openPostgres(ctx, at, env, key, purpose)
	if err != nil {
		return nil, err
	}
	s := newStore(engine, dir, env.Name, key)
	if s.owner.host, err = os.Hostname(); err != nil {
		s.owner.host = "unknown"
	}
	s.owner.prefix = fmt.Sprintf("team-%016x-", uint64(engine.lockID(engine.address())))
	return s, nil
}

func newStore(e engine, dir, environment string, key *statedir.Key) *Store {
	s := &Store{engine: e, environment: environment, Env: verify.Environment{Name: environment}, key: key, read: session{e.reader(), e}, crawling: func() {}}
	s.owner.dir, s.owner.prefix = dir, "claimer-"
	return s
}

// Close gives up what this store has claimed and not finished, and closes the memory.
func (s *Store) Close() error {
	s.crawling()
	released := s.owner.end(func(me []string) error {
		ctx, cancel := context.WithTimeout(context.Background(), closePatience)
		defer cancel()
		err := s.release(ctx, me)
		if ctx.Err() != nil {
			return &verify.Error{Kind: verify.KindFailed, Message: fmt.Sprintf("the store did not take back what this run had claimed within %s", closePatience),
				Hint: "nothing to do: the next run on this machine gives it back"}
		}
		return err
	})
	return errors.Join(released, s.engine.close())
}

// closePatience is how long giving up claims may take at the end. Where it fails the next run on this machine does it.
const closePatience = 3 * time.Second

// Reachable tells, by an error, that the memory does not answer.
func (s *Store) Reachable(ctx context.Context) error {
	return s.engine.failure("the store does not answer", s.engine.reader().PingContext(ctx))
}

// HashToken gives the keyed hash by which push tokens are told apart; "" for "".
func (s *Store) HashToken(token verify.PushToken) string { return s.key.HashToken(token) }

// change runs one transaction.
func (s *Store) change(ctx context.Context, work work, doing string, change func(tx session) error) error {
	return s.engine.failure(doing, s.engine.transact(ctx, work, func(tx *sql.Tx) error { return change(session{tx, s.engine}) }))
}

// exec is a change of records by one statement.
func (s *Store) exec(ctx context.Context, doing, statement string, args ...any) error {
	return s.change(ctx, onRecords, doing, func(tx session) error {
		_, err := tx.exec(ctx, statement, args...)
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

// passes tells whether an error is told as it is: a typed one, a cancellation, or none.
func passes(err error) bool {
	_, known := errors.AsType[*verify.Error](err)
	return known || err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// timeInto reads a column into a time.
func timeInto(t *time.Time) sql.Scanner { return (*timeColumn)(t) }

// timeColumn is a time as an engine keeps it; 1970 itself is one that is unknown.
type timeColumn time.Time

// Scan reads the column.
func (c *timeColumn) Scan(value any) error {
	t, ok := value.(time.Time)
	if micros, isNumber := value.(int64); isNumber {
		t, ok = time.UnixMicro(micros), true
	}
	if !ok {
		return fmt.Errorf("%v is no time", value)
	}
	if *c = timeColumn(t.UTC()); t.UnixMicro() == 0 {
		*c = timeColumn{}
	}
	return nil
}
