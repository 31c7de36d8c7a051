package store

import (
	"cmp"
	"context"
	"crypto/x509"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"net/url"
	"reflect"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/verifyctl/verifyctl/internal/statedir"
	"github.com/verifyctl/verifyctl/internal/verify"
)

const (
	// connections is how many connections a process opens at most. One that streams an answer holds one while others write.
	connections = 8
	// connectPatience is how long a server may take to answer, unless the address has a connect_timeout.
	connectPatience = 10 * time.Second
	// eventPatience is how long an event may take to be stored: the webhook's sender is told to come again well before it
	// gives up by itself.
	eventPatience = 4 * time.Second
	// awayTime is how long events are refused at once after one found that the server does not answer, so that those that
	// wait do not wait for each other.
	awayTime = time.Second
)

// Shared is where a team keeps its memory.
type Shared struct {
	URL      string        // postgres://…; what it leaves out is taken from PG* variables, as libpq does
	Password verify.Secret // "" leaves it to PGPASSWORD, PGPASSFILE and the server
	Key      verify.Secret // the team's secret, by which push tokens are hashed; the same on every machine
}

// postgresEngine is one schema of a PostgreSQL database. Times are kept as timestamptz, and 1970 itself is unknown: in SQL
// that compares as 0 does.
type postgresEngine struct {
	db          *sql.DB
	config      *pgx.ConnConfig
	schema      string
	environment string
	key         *statedir.Key
	away        atomic.Int64 // until when, in Unix nanoseconds, no event is tried: the server did not answer just now
}

// openPostgres opens the schema of an environment, and makes it the first time. Nothing is written when the key is not that
// of the memory, or when a newer verifyctl has changed the schema.
func openPostgres(ctx context.Context, at Shared, environment string, key *statedir.Key) (*postgresEngine, error) {
	e := &postgresEngine{schema: schemaName(environment), environment: environment, key: key}
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

// configure reads the address, and refuses one over which others could read along.
func configure(at Shared) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(at.URL)
	if err != nil {
		return nil, verify.Usagef("store: the address of the database cannot be read: %w", err).
			WithHint("write it as postgres://user@host:5432/database?sslmode=verify-full")
	}
	if at.Password != "" {
		config.Password = at.Password.Reveal()
	}
	config.ConnectTimeout = cmp.Or(config.ConnectTimeout, connectPatience)
	config.RuntimeParams["application_name"] = cmp.Or(config.RuntimeParams["application_name"], "verifyctl")
	config.RuntimeParams["timezone"] = "UTC"
	open := !isLocal(config.Host) && !verifies(config.Config)
	for _, other := range config.Fallbacks {
		open = open || !isLocal(other.Host) && (other.TLSConfig == nil || other.TLSConfig.InsecureSkipVerify)
	}
	if open {
		return nil, verify.Refusedf("store: the server %s is not this machine, and sslmode does not verify who answers", config.Host).
			WithHint("add sslmode=verify-full to the address, and sslrootcert=FILE when its certificate is from an authority of your own")
	}
	return config, nil
}

func verifies(config pgconn.Config) bool {
	return config.TLSConfig != nil && !config.TLSConfig.InsecureSkipVerify
}

// isLocal tells whether a host is a socket of this machine, or its loopback.
func isLocal(host string) bool {
	ip := net.ParseIP(host)
	return strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") || host == "localhost" || ip != nil && ip.IsLoopback()
}

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

func (e *postgresEngine) close() error { return e.db.Close() }

func (e *postgresEngine) reader() *sql.DB { return e.db }

func (e *postgresEngine) dialect(statement string) string {
	return numbered(folded(statement, func(x string) string { return `lower(` + x + ` COLLATE "C")` }))
}

// numbered gives a statement with $1, $2 … for its arguments.
func numbered(statement string) string {
	next := 1
	return unquoted(statement, func(part string) string {
		pieces := strings.Split(part, "?")
		for i, piece := range pieces[1:] {
			if piece != "" && '0' <= piece[0] && piece[0] <= '9' {
				pieces[i+1] = "$" + piece
			} else {
				pieces[i+1] = fmt.Sprintf("$%d%s", next, piece)
				next++
			}
		}
		return strings.Join(pieces, "")
	})
}

func (e *postgresEngine) argument(value any) any {
	switch value := value.(type) {
	case time.Time:
		if value.IsZero() {
			return time.Unix(0, 0).UTC()
		}
		return value.UTC()
	case metadata:
		var escaped map[string]string
		if value != nil {
			escaped = map[string]string{}
		}
		for key, v := range value {
			escaped[escapeText(key)] = escapeText(v)
		}
		text, _ := json.Marshal(escaped) // a map of texts always can be written
		return string(text)
	}
	if v := reflect.ValueOf(value); v.Kind() == reflect.String {
		return escapeText(v.String())
	}
	return value
}

// scanned turns what [escapeText] wrote back.
func (e *postgresEngine) scanned(dest []any) {
	for _, d := range dest {
		switch d := d.(type) {
		case *metadata:
			for key, value := range *d {
				if k, v := unescapeText(key), unescapeText(value); k != key || v != value {
					delete(*d, key)
					(*d)[k] = v
				}
			}
			continue
		case sql.Scanner:
			continue
		}
		if v := reflect.ValueOf(d).Elem(); v.Kind() == reflect.String && strings.Contains(v.String(), escapeMark) {
			v.SetString(unescapeText(v.String()))
		}
	}
}

// escapeMark begins what stands for a byte that text cannot hold in PostgreSQL: U+0000, and what is no UTF-8. So texts of
// attackers are kept as they came.
const escapeMark = "\x01"

func escapeText(s string) string {
	if utf8.ValidString(s) && !strings.ContainsAny(s, "\x00\x01") {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == 0:
			b.WriteString(escapeMark + "\x01")
		case r == 1:
			b.WriteString(escapeMark + "\x02")
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, escapeMark+"\x03%02x", s[0])
		default:
			b.WriteString(s[:size])
		}
		s = s[size:]
	}
	return b.String()
}

func unescapeText(s string) string {
	before, rest, found := strings.Cut(s, escapeMark)
	if !found {
		return s
	}
	var b strings.Builder
	for found {
		b.WriteString(before)
		switch {
		case strings.HasPrefix(rest, "\x01"):
			b.WriteByte(0)
			rest = rest[1:]
		case strings.HasPrefix(rest, "\x02"):
			b.WriteByte(1)
			rest = rest[1:]
		case strings.HasPrefix(rest, "\x03") && len(rest) >= 3:
			var c byte
			fmt.Sscanf(rest[1:3], "%02x", &c)
			b.WriteByte(c)
			rest = rest[3:]
		}
		before, rest, found = strings.Cut(rest, escapeMark)
	}
	b.WriteString(before)
	return b.String()
}

func (e *postgresEngine) like(column, pattern string) (string, any) {
	return "(" + column + " ~ ?)", globExpression(pattern)
}

// globExpression gives the regular expression of a pattern as [verify.Glob] reads it. Every letter stands for all that
// have the same small one, so that no collation of the server has a say.
func globExpression(pattern string) string {
	const anything = `(?:\x01[\x01\x02]|\x01\x03..|[^\x01])` // one character, also one that escapeText wrote
	var b strings.Builder
	b.WriteString("^")
	for _, r := range strings.ToLower(pattern) {
		switch {
		case r == '*':
			b.WriteString(".*")
		case r == '?':
			b.WriteString(anything)
		case r < 2:
			fmt.Fprintf(&b, `\x01\x0%d`, r+1)
		default:
			b.WriteString("[")
			for _, c := range sameSmall(r) {
				fmt.Fprintf(&b, `\U%08x`, c)
			}
			b.WriteString("]")
		}
	}
	b.WriteString("$")
	return b.String()
}

// sameSmall gives the letters whose small letter is r.
func sameSmall(r rune) (all []rune) {
	if r == 'i' {
		all = append(all, 'İ') // which is not among the letters that fold to i
	}
	for c := r; ; {
		if unicode.ToLower(c) == r {
			all = append(all, c)
		}
		if c = unicode.SimpleFold(c); c == r {
			return all
		}
	}
}

// ordered compares each version that occurs once, however many factors have it.
func (e *postgresEngine) ordered(column, operator string) string {
	return "(" + column + " IN (SELECT v FROM (SELECT DISTINCT " + column + " AS v FROM factors OFFSET 0) AS versions WHERE version_order(v, ?) " +
		operator + " 0))"
}

func (e *postgresEngine) metadata(key string) string {
	return `coalesce(metadata::json ->> (` + escapeText(key) + `)::text, '') COLLATE "C"`
}

// transact runs one transaction, after others of the same work. Where a newer verifyctl has changed the schema meanwhile
// nothing is written: no migration runs beside a transaction, and each looks at the version first.
func (e *postgresEngine) transact(ctx context.Context, work work, change func(tx *sql.Tx) error) error {
	begin := fmt.Sprintf("SELECT pg_advisory_xact_lock_shared(%d);", e.lockID("schema"))
	if work == onRecords || work == onBoth {
		begin += fmt.Sprintf("SELECT pg_advisory_xact_lock(%d);", e.lockID("records"))
	}
	if work == onIndex || work == onBoth {
		begin += fmt.Sprintf("SELECT pg_advisory_xact_lock(%d);", e.lockID("index"))
	}
	if work == onIndex {
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

// place gives the address without a password, and the size of the schema's tables and their indexes.
func (e *postgresEngine) place(ctx context.Context) (path string, bytes int64) {
	err := e.db.QueryRowContext(ctx, `SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c
		JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind = 'r'`, e.schema).Scan(&bytes)
	if err != nil {
		bytes = 0
	}
	return e.address() + " (schema " + e.schema + ")", bytes
}

// address names the database in messages: without user and password.
func (e *postgresEngine) address() string {
	host := e.config.Host
	if strings.HasPrefix(host, "/") {
		return fmt.Sprintf("postgres:///%s?host=%s", e.config.Database, host)
	}
	return (&url.URL{Scheme: "postgres", Host: net.JoinHostPort(host, fmt.Sprint(e.config.Port)), Path: "/" + e.config.Database}).String()
}

func (e *postgresEngine) failure(doing string, err error) error {
	if passes(err) {
		return err
	}
	failed := &verify.Error{Kind: verify.KindFailed, Message: doing + ": " + err.Error(), Cause: err}
	if fault, ok := errors.AsType[*pgconn.PgError](err); ok {
		failed.Message = fmt.Sprintf("%s: %s says: %s", doing, e.address(), fault.Message)
		e.explain(failed, fault)
		return failed
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		failed.Message = fmt.Sprintf("%s: %s cannot be reached: %s", doing, e.address(), lastWords(err))
		failed.Hint = "is the server up, and may this machine reach it? With the database away nothing is written; reads from Twilio go on"
		if isCertificate(err) {
			failed.Message = fmt.Sprintf("%s: the certificate of %s is not trusted: %s", doing, e.address(), lastWords(err))
			failed.Hint = "name the file of its authority in the address: sslrootcert=FILE; the host in the address must be one in the certificate"
		}
	}
	return failed
}

// lastWords gives the innermost error, which says what happened.
func lastWords(err error) string {
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok && len(joined.Unwrap()) > 0 {
		return lastWords(joined.Unwrap()[0])
	}
	return err.Error()
}

func isCertificate(err error) bool {
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	_, name := errors.AsType[x509.HostnameError](err)
	_, invalid := errors.AsType[x509.CertificateInvalidError](err)
	return authority || name || invalid
}

// versionFault is the code by which only_version refuses.
const versionFault = "VC001"

// explain adds what helps (https://www.postgresql.org/docs/current/errcodes-appendix.html).
func (e *postgresEngine) explain(failed *verify.Error, fault *pgconn.PgError) {
	user := e.config.User
	switch {
	case fault.Code == versionFault:
		failed.Kind = verify.KindRefused
		failed.Message = fmt.Sprintf("the store %s was changed by a newer verifyctl; nothing is written", e.address())
		failed.Hint = "install that version of verifyctl here too"
	case fault.Code == "28P01" || fault.Code == "28000":
		failed.Hint = "the password comes from store_password_env, store_password_command, PGPASSWORD or PGPASSFILE; the user from the address"
	case fault.Code == "3D000":
		failed.Hint = fmt.Sprintf("create it as an administrator: createdb -h %s %s", e.config.Host, verify.Quote(e.config.Database))
	case fault.Code == "42501" && strings.Contains(fault.Message, "database"):
		failed.Kind = verify.KindRefused
		failed.Hint = fmt.Sprintf("as the owner of the database: GRANT CREATE ON DATABASE %s TO %s; or let the owner run verifyctl once, and see: verifyctl state roles",
			pgx.Identifier{e.config.Database}.Sanitize(), pgx.Identifier{user}.Sanitize())
	case fault.Code == "42501":
		failed.Kind = verify.KindRefused
		failed.Message += fmt.Sprintf("; the role %s may only read", user)
		failed.Hint = "use a role that may write, which the owner makes with what verifyctl state roles prints"
	case fault.Code == "25006":
		failed.Kind = verify.KindRefused
		failed.Hint = "this is a replica, or a role that may only read: give the address of the primary"
	case fault.Code == "3F000" || fault.Code == "42P01" || fault.Code == "42883":
		failed.Hint = fmt.Sprintf("the schema %s is incomplete: restore it from a backup, or drop it to start over", e.schema)
	case fault.Code == "53300":
		failed.Hint = "the server has no connection left: raise max_connections, or end what holds them"
	case strings.HasPrefix(fault.Code, "53"):
		failed.Hint = "the server is out of room or memory: see its log"
	case strings.HasPrefix(fault.Code, "57P"):
		failed.Hint = "the server is starting or stopping: try again in a moment"
	}
}
