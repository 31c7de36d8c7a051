package store

import (
	"context"
	"database/sql"
	"fmt"
	"hash/fnv"

	"github.com/jackc/pgx/v5"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// schemaName gives the schema of an environment. Two names never share one.
func schemaName(environment string) string { return "verifyctl_" + escapedName(environment, 50) }

// ready makes or migrates the schema where it is needed, and refuses what must not be written to.
func (e *postgresEngine) ready(ctx context.Context) error {
	version, err := e.version(ctx, e.db)
	for err == nil && version < len(schemaMigrations) {
		version, err = e.migrate(ctx)
	}
	return err
}

// version gives the version of the schema, 0 when there is none.
func (e *postgresEngine) version(ctx context.Context, on statements) (version int, err error) {
	// The tables are asked, not to_regclass: after a wait for a lock that may answer from before it.
	var made bool
	err = on.QueryRowContext(ctx, `SELECT EXISTS (SELECT FROM pg_catalog.pg_tables WHERE schemaname = $1 AND tablename = 'meta')`, e.schema).Scan(&made)
	if err != nil || !made {
		return 0, e.failure("cannot open the team's store", err)
	}
	meta := map[string]string{}
	found, err := on.QueryContext(ctx, `SELECT name, value FROM `+pgx.Identifier{e.schema, "meta"}.Sanitize())
	if err != nil {
		return 0, e.failure("cannot open the team's store", err)
	}
	defer found.Close()
	for found.Next() {
		var name, value string
		if err := found.Scan(&name, &value); err != nil {
			return 0, err
		}
		meta[name] = value
	}
	if err := found.Err(); err != nil {
		return 0, e.failure("cannot open the team's store", err)
	}
	fmt.Sscan(meta["version"], &version)
	return version, e.mayUse(version, meta)
}

func (e *postgresEngine) mayUse(version int, meta map[string]string) error {
	switch {
	case version > len(schemaMigrations):
		return newerSchema(e, version)
	case e.argument(e.environment) != meta["environment"]:
		return verify.Refusedf("the schema %s of %s belongs to the environment %q", e.schema, e.address(), meta["environment"]).
			WithHint("give this environment a database of its own")
	case e.key.Proof() != meta["key"]:
		return verify.Refusedf("the key of the store is not the one that %s was made with; nothing was written", e.address()).
			WithHint("everybody in the team gives the same one: store_key_env or store_key_command in the environment file, or VERIFYCTL_STORE_KEY")
	}
	return nil
}

func newerSchema(e *postgresEngine, version int) error {
	return verify.Refusedf("the store %s was changed by a newer verifyctl (version %d of the schema, this one knows %d); nothing is written",
		e.address(), version, len(schemaMigrations)).WithHint("install that version of verifyctl here too")
}

// migrate runs the next migration in a transaction, one client at a time, and gives the version after it.
func (e *postgresEngine) migrate(ctx context.Context) (version int, err error) {
	err = transact(ctx, e.db, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, fmt.Sprintf(`SELECT pg_advisory_xact_lock(%d)`, e.lockID("schema"))); err != nil {
			return err
		}
		var err error
		if version, err = e.version(ctx, tx); err != nil || version == len(schemaMigrations) {
			return err // another client did it while we waited
		}
		if version == 0 {
			// Not IF NOT EXISTS alone: it wants the right to create even where there is nothing to create.
			var exists bool
			if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1)`, e.schema).Scan(&exists); err != nil {
				return err
			}
			if !exists {
				if _, err := tx.ExecContext(ctx, `CREATE SCHEMA `+pgx.Identifier{e.schema}.Sanitize()); err != nil {
					return err
				}
			}
		}
		if _, err := tx.ExecContext(ctx, e.dialect(schemaMigrations[version])); err != nil {
			return err
		}
		version++
		_, err = tx.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ('version', $1), ('environment', $2), ('key', $3)
			ON CONFLICT (name) DO UPDATE SET value = excluded.value`, fmt.Sprint(version), e.argument(e.environment), e.key.Proof())
		return err
	})
	return version, e.failure("cannot make the tables of the team's store", err)
}

// lockID names a lock of this schema; locks are the database's, for all schemas.
func (e *postgresEngine) lockID(what string) int64 {
	h := fnv.New64a()
	h.Write([]byte("verifyctl\x00" + e.schema + "\x00" + what))
	return int64(h.Sum64())
}
