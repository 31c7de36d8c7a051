package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Finding is one thing that was looked at about a memory.
type Finding struct {
	Check string `json:"check"`
	OK    bool   `json:"ok"`
	Found string `json:"found"`
	Fix   string `json:"fix,omitempty"` // what to do when it is not OK
}

// Check looks at what the memory stands on. That it could be opened has shown already that its key and its version fit.
func (s *Store) Check(ctx context.Context) ([]Finding, error) { return s.engine.check(ctx) }

func (e *sqliteEngine) check(ctx context.Context) ([]Finding, error) {
	var integrity, sync string
	err := e.read.QueryRowContext(ctx, `SELECT (SELECT quick_check FROM pragma_quick_check LIMIT 1), (SELECT synchronous FROM pragma_synchronous)`).
		Scan(&integrity, &sync)
	if err != nil {
		return nil, e.failure("cannot check "+e.path, err)
	}
	return []Finding{
		{Check: "file", OK: true, Found: e.path},
		{Check: "version", OK: true, Found: fmt.Sprint(len(fileMigrations))},
		{Check: "integrity", OK: integrity == "ok", Found: integrity, Fix: "restore it from a backup"},
		{Check: "durability", OK: sync == "2", Found: "synchronous " + sync},
	}, nil
}

// oldestServer is the first version of PostgreSQL that is supported, as the server numbers it.
const oldestServer = 150000

// pings is how often the server is asked for its time; the fastest answer tells the latency and the clock.
const pings = 5

func (e *postgresEngine) check(ctx context.Context) ([]Finding, error) {
	var number int
	var version, fsync, commit, role string
	var writes, encrypted bool
	err := e.db.QueryRowContext(ctx, `SELECT current_setting('server_version_num')::int, current_setting('server_version'), current_setting('fsync'),
		current_setting('synchronous_commit'), current_user, has_table_privilege('events', 'INSERT, UPDATE, DELETE') AND NOT pg_is_in_recovery(),
		coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false)`).
		Scan(&number, &version, &fsync, &commit, &role, &writes, &encrypted)
	if err != nil {
		return nil, e.failure("cannot check the team's store", err)
	}
	latency, skew, err := e.clock(ctx)
	if err != nil {
		return nil, e.failure("cannot check the team's store", err)
	}
	var former bool
	if err := e.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1)`, e.former).Scan(&former); err != nil {
		return nil, e.failure("cannot check the team's store", err)
	}
	rights := "may read and write"
	if !writes {
		rights = "may only read"
	}
	findings := []Finding{
		{Check: "server", OK: number >= oldestServer, Found: e.address() + ", PostgreSQL " + version, Fix: "use PostgreSQL 15 or newer"},
		{Check: "encryption", OK: encrypted || isLocal(e.config.Host), Found: map[bool]string{true: "TLS", false: "none"}[encrypted], Fix: "add sslmode=verify-full to the address"},
		{Check: "schema", OK: true, Found: fmt.Sprintf("%s, version %d", e.schema, len(schemaMigrations))},
		{Check: "key", OK: true, Found: "the one that the store was made with"},
		{Check: "role", OK: true, Found: role + " " + rights},
		{Check: "durability", OK: fsync == "on" && commit != "off", Found: "fsync " + fsync + ", synchronous_commit " + commit,
			Fix: "set fsync = on in the server's postgresql.conf: without it a crash loses what was answered 200"},
		{Check: "latency", OK: true, Found: latency.Round(100 * time.Microsecond).String()},
		{Check: "clock", OK: skew.Abs() < time.Minute, Found: fmt.Sprintf("this machine is %v off the server", skew.Round(time.Millisecond)),
			Fix: "set this machine's clock, as by NTP; leases end by the server's, so nothing is lost"},
	}
	if former {
		findings = append(findings, Finding{Check: "former", Found: "the schema " + e.former + ", named after the environment, which nobody reads any more",
			Fix: "when nothing in it is needed: DROP SCHEMA " + pgx.Identifier{e.former}.Sanitize() + " CASCADE"})
	}
	return findings, nil
}

// clock asks for the server's time, and gives how long the fastest answer took and how far this machine's clock is ahead.
func (e *postgresEngine) clock(ctx context.Context) (latency, ahead time.Duration, err error) {
	for i := range pings {
		began := time.Now()
		server, err := e.now(ctx, e.db)
		if err != nil {
			return 0, 0, err
		}
		if took := time.Since(began); i == 0 || took < latency {
			latency, ahead = took, began.Add(took/2).Sub(server)
		}
	}
	return latency, ahead, nil
}

// RolesSQL gives the SQL by which the owner of the schema of an environment's Service makes a role that reads it and one that writes to it.
func RolesSQL(env verify.Environment) string {
	schema := pgx.Identifier{schemaOf(env)}.Sanitize()
	var b strings.Builder
	fmt.Fprintf(&b, "-- Run this as the owner of the schema %s, after a first command has made it.\n", schema)
	for _, role := range []struct{ name, rights string }{{"reader", "SELECT"}, {"writer", "SELECT, INSERT, UPDATE, DELETE"}} {
		name := pgx.Identifier{schemaOf(env) + "_" + role.name}.Sanitize()
		fmt.Fprintf(&b, "\nCREATE ROLE %s LOGIN;\n", name)
		fmt.Fprintf(&b, "GRANT USAGE ON SCHEMA %s TO %s;\n", schema, name)
		fmt.Fprintf(&b, "GRANT %s ON ALL TABLES IN SCHEMA %s TO %s;\n", role.rights, schema, name)
		fmt.Fprintf(&b, "ALTER DEFAULT PRIVILEGES IN SCHEMA %s GRANT %s ON TABLES TO %s;\n", schema, role.rights, name)
		if role.name == "writer" { // for state copy, which brings ids along
			fmt.Fprintf(&b, "GRANT UPDATE ON ALL SEQUENCES IN SCHEMA %s TO %s;\n", schema, name)
			fmt.Fprintf(&b, "ALTER DEFAULT PRIVILEGES IN SCHEMA %s GRANT UPDATE ON SEQUENCES TO %s;\n", schema, name)
		}
	}
	return b.String()
}
