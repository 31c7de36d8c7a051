package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// schemaOf gives the schema of an environment's memory. It is named after the Service, so that everybody who works on that
// shares it, whatever they call the environment. Before its Service is made, an environment has one of its own name.
func schemaOf(env verify.Environment) string {
	if env.ServiceSID == "" {
		return schemaNamed(env.Name)
	}
	return schemaPrefix + strings.ToLower(string(env.ServiceSID))
}

const schemaPrefix = "verifyctl_"

// schemaNamed gives the schema that is named after an environment. Two names never share one.
func schemaNamed(environment string) string { return schemaPrefix + escapedName(environment, 50) }

// whose tells whose memory a schema is, by a row of its table meta: that of a Service, or of an environment that has none.
type whose struct{ name, value string }

func whoseOf(env verify.Environment) whose {
	if env.ServiceSID == "" {
		return whose{"environment", escapeText(env.Name)}
	}
	return whose{"service", strings.ToLower(string(env.AccountSID) + "/" + string(env.ServiceSID))}
}

// ready makes or migrates the schema where it is needed, and refuses what must not be written to.
func (e *postgresEngine) ready(ctx context.Context) error {
	version, err := e.version(ctx, e.db)
	if err == nil && version == 0 && e.former != "" {
		version, err = e.rename(ctx)
	}
	if err == nil && version == 0 && e.opened == toCopy {
		return &verify.Error{Kind: verify.KindNotFound, Message: fmt.Sprintf("%s has no schema %s: nothing is remembered there", e.address(), e.schema)}
	}
	for err == nil && version < len(schemaMigrations) {
		version, err = e.migrate(ctx)
	}
	return err
}

// version gives the version of the schema, 0 when there is none.
func (e *postgresEngine) version(ctx context.Context, on statements) (version int, err error) {
	meta, err := e.meta(ctx, on, e.schema)
	if err != nil || meta == nil {
		return 0, err
	}
	return e.mayUse(meta)
}

// meta gives what a schema says of itself, nil when there is none.
func (e *postgresEngine) meta(ctx context.Context, on statements, schema string) (meta map[string]string, err error) {
	// The tables are asked, not to_regclass: after a wait for a lock that may answer from before it.
	var made bool
	err = on.QueryRowContext(ctx, `SELECT EXISTS (SELECT FROM pg_catalog.pg_tables WHERE schemaname = $1 AND tablename = 'meta')`, schema).Scan(&made)
	if err != nil || !made {
		return nil, e.failure("cannot open the team's store", err)
	}
	found, err := on.QueryContext(ctx, `SELECT name, value FROM `+pgx.Identifier{schema, "meta"}.Sanitize())
	if err != nil {
		return nil, e.failure("cannot open the team's store", err)
	}
	defer found.Close()
	meta = map[string]string{}
	for found.Next() {
		var name, value string
		if err := found.Scan(&name, &value); err != nil {
			return nil, err
		}
		meta[name] = value
	}
	return meta, e.failure("cannot open the team's store", found.Err())
}

// mayUse gives the version of a schema, or says why it is not used. One that was named after an environment says nothing of a
// Service, also when somebody has renamed it.
func (e *postgresEngine) mayUse(meta map[string]string) (version int, err error) {
	fmt.Sscan(meta["version"], &version)
	owner, known := meta[e.whose.name]
	switch {
	case version > len(schemaMigrations):
		return 0, newerSchema(e, version)
	case owner != e.whose.value && (known || e.whose.name == "environment"):
		return 0, verify.Refusedf("the schema %s of %s belongs to another %s: %q", e.schema, e.address(), e.whose.name, owner).
			WithHint("give this environment a database of its own")
	case e.key.Proof() != meta["key"]:
		return 0, verify.Refusedf("the key of the store is not the one that %s was made with; nothing was written", e.address()).
			WithHint("everybody in the team gives the same one: store_key_env or store_key_command in the environment file, or VERIFYCTL_STORE_KEY")
	case meta["copy"] != "" && e.opened != toCopyTo:
		return 0, unfinishedCopy("the schema "+e.schema+" of "+e.address(), unescapeText(meta["copy"]))
	}
	return version, nil
}

// rename gives the schema that was named after the environment, as all were once, the name of its Service, and gives its
// version: 0 when there is none, or when it is of another Service.
func (e *postgresEngine) rename(ctx context.Context) (version int, err error) {
	err = transact(ctx, e.db, func(tx *sql.Tx) error {
		for _, schema := range []string{e.former, e.schema} {
			if _, err := tx.ExecContext(ctx, fmt.Sprintf(`SELECT pg_advisory_xact_lock(%d)`, lockOf(schema, "schema"))); err != nil {
				return err
			}
		}
		var err error
		if version, err = e.version(ctx, tx); err != nil || version > 0 {
			return err // another client did it while we waited
		}
		meta, err := e.meta(ctx, tx, e.former)
		if err != nil || meta == nil || !e.wasOurs(meta) {
			return err
		}
		if version, err = e.mayUse(meta); err != nil {
			return err
		}
		var owner string
		if err := tx.QueryRowContext(ctx, `SELECT pg_get_userbyid(nspowner) FROM pg_catalog.pg_namespace WHERE nspname = $1`, e.former).Scan(&owner); err != nil {
			return err
		}
		rename := `ALTER SCHEMA ` + pgx.Identifier{e.former}.Sanitize() + ` RENAME TO ` + pgx.Identifier{e.schema}.Sanitize()
		_, err = tx.ExecContext(ctx, rename)
		if fault, ok := errors.AsType[*pgconn.PgError](err); ok && fault.Code == "42501" {
			return verify.Refusedf("the memory of this Service is in the schema %s of %s, which is named after the environment and has to be renamed once; the role %s may not",
				e.former, e.address(), e.config.User).
				WithHint("as %s, which owns it and needs CREATE on the database too: %s", owner, rename)
		}
		if err != nil {
			return err
		}
		table := pgx.Identifier{e.schema, "meta"}.Sanitize()
		_, err = tx.ExecContext(ctx, `WITH gone AS (DELETE FROM `+table+` WHERE name = 'environment') INSERT INTO `+table+` (name, value) VALUES ($1, $2)`,
			e.whose.name, e.whose.value)
		return err
	})
	return version, e.failure("cannot give the schema "+e.former+" the name of its Service", err)
}

// wasOurs tells whether what a schema that is named after this environment remembers is of the environment's Service: an
// environment may have had another.
func (e *postgresEngine) wasOurs(meta map[string]string) bool {
	account, service, _ := strings.Cut(e.whose.value, "/")
	of := func(name, sid string) bool { return meta[name] == "" || strings.EqualFold(meta[name], sid) }
	return of("index_account", account) && of("index_service", service)
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
		_, err = tx.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ('version', $1), ($2, $3), ('key', $4)
			ON CONFLICT (name) DO UPDATE SET value = excluded.value`, fmt.Sprint(version), e.whose.name, e.whose.value, e.key.Proof())
		return err
	})
	return version, e.failure("cannot make the tables of the team's store", err)
}

// lockID names a lock of this schema; locks are the database's, for all schemas.
func (e *postgresEngine) lockID(what string) int64 { return lockOf(e.schema, what) }

func lockOf(schema, what string) int64 {
	h := fnv.New64a()
	h.Write([]byte("verifyctl\x00" + schema + "\x00" + what))
	return int64(h.Sum64())
}
