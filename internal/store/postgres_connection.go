package store

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// connectPatience is how long a server may take to answer, unless the address has a connect_timeout.
const connectPatience = 10 * time.Second

// Shared is where a team keeps its memory.
type Shared struct {
	URL      string        // postgres://…; what it leaves out is taken from PG* variables, as libpq does
	Password verify.Secret // "" leaves it to PGPASSWORD, PGPASSFILE and the server
	Key      verify.Secret // the team's secret, by which push tokens are hashed; the same on every machine
}

// configure reads the address, and refuses one over which others could read along.
func configure(at Shared) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(at.URL)
	if file, ok := errors.AsType[*fs.PathError](err); ok {
		return nil, verify.Usagef("store: cannot read a file that the address or a PG variable names: %w", file)
	}
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
		failed.Hint = fmt.Sprintf("as the owner of the database: GRANT CREATE ON DATABASE %s TO %s; or let the owner run verifyctl once, and see \"state roles\"",
			pgx.Identifier{e.config.Database}.Sanitize(), pgx.Identifier{user}.Sanitize())
	case fault.Code == "42501" && strings.Contains(fault.Message, "sequence"):
		failed.Kind = verify.KindRefused
		failed.Hint = fmt.Sprintf("as the owner of the schema: GRANT UPDATE ON ALL SEQUENCES IN SCHEMA %s TO %s",
			pgx.Identifier{e.schema}.Sanitize(), pgx.Identifier{user}.Sanitize())
	case fault.Code == "42501":
		failed.Kind = verify.KindRefused
		failed.Message += fmt.Sprintf("; the role %s may only read", user)
		failed.Hint = "use a role that may write, which the owner makes with what \"state roles\" prints"
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
