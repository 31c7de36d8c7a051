package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/verifyctl/verifyctl/internal/statedir"
	"github.com/verifyctl/verifyctl/internal/verify"
)

const (
	// connections is how many connections a process opens at most. One that streams an answer holds one while others write.
	connections = 8
	// eventPatience is how long an event may take to be stored: the webhook's sender is told to come again well before it
	// gives up by itself.
	eventPatience = 4 * time.Second
	// awayTime is how long events are refused at once after one found that the server does not answer, so that those that
	// wait do not wait for each other.
	awayTime = time.Second
)

// postgresEngine is one schema of a PostgreSQL database. Times are kept as timestamptz, and 1970 itself is unknown: in SQL
// that compares as 0 does.
type postgresEngine struct {
	db     *sql.DB
	config *pgx.ConnConfig
	schema string
	former string // the schema of the environment's name, where the Service has one of its own
	whose  whose
	key    *statedir.Key
	opened purpose
	away   atomic.Int64 // until when, in Unix nanoseconds, no event is tried: the server did not answer just now
}

// openPostgres opens the schema of an environment's Service, and makes it the first time. Nothing is written when the key is not that
// of the memory, or when a newer verifyctl has changed the schema.
func openPostgres(ctx context.Context, at Shared, env verify.Environment, key *statedir.Key, purpose purpose) (*postgresEngine, error) {
	e := &postgresEngine{schema: schemaOf(env), whose: whoseOf(env), key: key, opened: purpose}
	if former := schemaNamed(env.Name); former != e.schema {
		e.former = former
	}
	var err error
	if e.config, err = configure(at); err != nil {
		return nil, err
	}
	setup := "SET search_path TO " + pgx.Identifier{e.schema}.Sanitize() + ";" + `
		SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`
	e.db = stdlib.OpenDB(*e.config, stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, setup)
		return err
	}))
	e.db.SetMaxOpenConns(connections)
	e.db.SetMaxIdleConns(connections / 2)
	e.db.SetConnMaxIdleTime(5 * time.Minute)
	if err := e.ready(ctx); err != nil {
		e.db.Close()
		return nil, err
	}
	return e, nil
}

func (e *postgresEngine) close() error { return e.db.Close() }

func (e *postgresEngine) reader() *sql.DB { return e.db }

// transact runs one transaction, after others of the same work. Where a newer verifyctl has changed the schema meanwhile
// nothing is written: no migration runs beside a transaction, and each looks at the version first.
func (e *postgresEngine) transact(ctx context.Context, work work, change func(tx *sql.Tx) error) error {
	begin := fmt.Sprintf("SELECT pg_advisory_xact_lock_shared(%d);", e.lockID("schema"))
	if work == onRecords || work == onBoth || work == onMinor {
		begin += fmt.Sprintf("SELECT pg_advisory_xact_lock(%d);", e.lockID("records"))
	}
	if work == onIndex || work == onBoth {
		begin += fmt.Sprintf("SELECT pg_advisory_xact_lock(%d);", e.lockID("index"))
	}
	if work == onIndex || work == onMinor {
		begin += "SET LOCAL synchronous_commit = off;"
	}
	begin += fmt.Sprintf("SELECT only_version(%d)", len(schemaMigrations))
	if work == onEvents {
		silent := &verify.Error{Kind: verify.KindFailed, Message: "the team's store " + e.address() + " does not answer"}
		if time.Now().UnixNano() < e.away.Load() {
			return silent
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, eventPatience, silent)
		defer cancel()
	}
	err := transact(ctx, e.db, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, begin); err != nil {
			return err
		}
		return change(tx)
	})
	if cause, timedOut := errors.AsType[*verify.Error](context.Cause(ctx)); err != nil && timedOut {
		e.away.Store(time.Now().Add(awayTime).UnixNano())
		return cause
	}
	return err
}

// now is the database's clock: those of machines differ.
func (e *postgresEngine) now(ctx context.Context, on statements) (now time.Time, err error) {
	err = on.QueryRowContext(ctx, `SELECT clock_timestamp()`).Scan(&now)
	return now, err
}

// Every schema has the columns for declared metadata from the beginning: a writer need not be allowed to change tables.

func (e *postgresEngine) addColumn(context.Context, statements, int) error { return nil }

func (e *postgresEngine) dropColumn(context.Context, statements, int) error { return nil }

func (e *postgresEngine) countBy(context.Context, statements, []int) error { return nil }

func (e *postgresEngine) idsAfter(ctx context.Context, tx statements, table string, last int64) error {
	_, err := tx.ExecContext(ctx, `SELECT setval(pg_get_serial_sequence($1, 'id'), greatest($2::bigint, 1), $2::bigint > 0)`, table, last)
	return err
}

// settle lets the server learn how many there are of what. A role that may not is no failure: autovacuum does the same
// later.
func (e *postgresEngine) settle(ctx context.Context) error {
	_, err := e.db.ExecContext(ctx, `ANALYZE factors, entities`)
	return e.failure("cannot analyze the index", err)
}

// scrub lets the server reuse, and so overwrite, the room of what was deleted. Its log and its backups are the server's.
func (e *postgresEngine) scrub(ctx context.Context) error {
	var tables []string
	for _, k := range keptKinds {
		tables = append(append(tables, k.table), k.also...)
	}
	_, err := e.db.ExecContext(ctx, `VACUUM `+strings.Join(tables, ", "))
	return e.failure("purged, but the room of what was deleted could not be cleared", err)
}

func (e *postgresEngine) removal() string {
	return "DROP SCHEMA " + pgx.Identifier{e.schema}.Sanitize() + " CASCADE"
}

// place gives the address without a password, and the size of the schema's tables and their indexes.
func (e *postgresEngine) place(ctx context.Context) (path string, bytes int64) {
	err := e.db.QueryRowContext(ctx, `SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c
		JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind = 'r'`, e.schema).Scan(&bytes)
	if err != nil {
		bytes = 0
	}
	return e.address() + " (schema " + e.schema + ")", bytes
}
