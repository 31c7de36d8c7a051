package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

var background = context.Background()

// serverInput is what the server runs for: it is closed when this process ends, however it ends.
var serverInput io.Closer

// server is the PostgreSQL that tests use, started when the first one needs it: its address, and whether it is only theirs.
var server = sync.OnceValues(func() (found [2]string, err error) {
	cmd := exec.Command("go", "run", "github.com/verifyctl/verifyctl/internal/pgtest")
	if serverInput, err = cmd.StdinPipe(); err != nil {
		return found, err
	}
	var problem bytes.Buffer
	cmd.Stderr = &problem
	out, err := cmd.StdoutPipe()
	if err != nil {
		return found, err
	}
	if err := cmd.Start(); err != nil {
		return found, err
	}
	if n, err := fmt.Fscan(out, &found[0]); n != 1 {
		return found, errors.Join(err, cmd.Wait(), errors.New(problem.String()))
	}
	if found[0] != "none" {
		_, err = fmt.Fscan(out, &found[1])
	}
	return found, err
})

// postgres gives the server's address, and whether it goes away with these tests.
func postgres(t testing.TB) (address string, own bool) {
	t.Helper()
	found := must[[2]string](t)(server())
	if found[0] == "none" {
		t.Skip("PostgreSQL is neither named in VERIFYCTL_TEST_POSTGRES nor installed: its tests are skipped")
	}
	return found[1], found[0] == "own"
}

const teamKey = verify.Secret("0123456789abcdef0123456789abcdef")

// sharedWorld is a schema of its own, and empty. Making one takes longer than most tests do, so one that a test is done with
// is emptied for the next.
func sharedWorld(t *testing.T) *world {
	address, own := postgres(t)
	w := &world{dir: t.TempDir(), environment: "production", service: emptied.take(), address: address, fresh: sharedWorld}
	t.Cleanup(func() {
		if !own || t.Failed() { // a server that goes on is left as it was, and a failure may leave anything
			w.sql(t, `DROP SCHEMA IF EXISTS `+w.schema()+` CASCADE`)
			return
		}
		w.empty(t)
		emptied.give(w.service)
	})
	return w
}

// emptied are the Services whose schemas wait for the next test.
var emptied pool

type pool struct {
	mu   sync.Mutex
	free []verify.ServiceSID
}

func (p *pool) take() (service verify.ServiceSID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) == 0 {
		return newService()
	}
	service, p.free = p.free[0], p.free[1:]
	return service
}

func (p *pool) give(service verify.ServiceSID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, service)
}

func newService() verify.ServiceSID {
	var id [16]byte
	rand.Read(id[:])
	return verify.ServiceSID(fmt.Sprintf("VA%x", id))
}

// empty takes out of a schema what was put into it; one that was never made is left so.
func (w *world) empty(t testing.TB) {
	w.sql(t, `DO $$
		DECLARE name text;
		BEGIN
			FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = `+quoted(schemaOf(w.env()))+` LOOP
				EXECUTE format('DELETE FROM %I.%I ', `+quoted(schemaOf(w.env()))+`, name) ||
					CASE name WHEN 'meta' THEN $keep$ WHERE name LIKE 'index%' $keep$ ELSE '' END;
			END LOOP;
		END $$`)
}

func (w *world) schema() string { return pgx.Identifier{schemaOf(w.env())}.Sanitize() }

// shared gives the memory's place.
func (w *world) shared() Shared { return Shared{URL: w.address, Key: teamKey} }

// sql runs statements as the owner of the database.
func (w *world) sql(t testing.TB, statements string) {
	t.Helper()
	db, err := pgx.Connect(background, w.address)
	check(t, err)
	defer db.Close(background)
	_, err = db.Exec(background, statements)
	check(t, err)
}

// everyRow gives all that a schema has, as text and as bytes.
func (w *world) everyRow(t testing.TB) (content []byte) {
	t.Helper()
	db, err := pgx.Connect(background, w.address)
	check(t, err)
	defer db.Close(background)
	tables, err := db.Query(background, `SELECT table_name FROM information_schema.tables WHERE table_schema = $1`, schemaOf(w.env()))
	check(t, err)
	for _, table := range must[[]string](t)(pgx.CollectRows(tables, pgx.RowTo[string])) {
		rows, err := db.Query(background, `SELECT * FROM `+w.schema()+`.`+pgx.Identifier{table}.Sanitize())
		check(t, err)
		for _, row := range must[[]map[string]any](t)(pgx.CollectRows(rows, pgx.RowToMap)) {
			for _, column := range slices.Sorted(maps.Keys(row)) {
				value := row[column]
				if body, ok := value.([]byte); ok {
					content = append(content, body...)
				} else {
					content = fmt.Append(content, value)
				}
				content = append(content, '\n')
			}
		}
	}
	return content
}

// as gives the address for another role.
func (w *world) as(role string) string {
	u, err := url.Parse(w.address)
	if err != nil {
		panic(err) // it was connected to
	}
	u.User = url.User(role)
	return u.String()
}

// role makes a role that may connect and nothing more.
func (w *world) role(t *testing.T) string {
	role := "role_" + strings.ToLower(rand.Text())
	w.sql(t, `CREATE ROLE `+role+` LOGIN`)
	t.Cleanup(func() { w.sql(t, `DROP OWNED BY `+role+`; DROP ROLE `+role) })
	return role
}

// wantRefusal holds an error against its kind and the words that it or its hint must have.
func wantRefusal(t *testing.T, err error, kind verify.Kind, words ...string) {
	t.Helper()
	known, ok := errors.AsType[*verify.Error](err)
	if !ok || known.Kind != kind {
		t.Fatalf("got %v, want kind %v", err, kind)
	}
	for _, word := range words {
		if !strings.Contains(known.Message+"\n"+known.Hint, word) {
			t.Errorf("%q with the hint %q does not say %q", known.Message, known.Hint, word)
		}
	}
}

func TestAWrongKeyIsRefusedBeforeTheFirstWrite(t *testing.T) {
	w := sharedWorld(t)
	fillEverything(t, w.open(t))
	before := w.everyRow(t)
	at := w.shared()
	at.Key = "another secret of the right length"
	_, err := OpenShared(t.Context(), t.TempDir(), w.env(), at)
	wantRefusal(t, err, verify.KindRefused, "the key", "store_key_env", "nothing was written")
	if !bytes.Equal(before, w.everyRow(t)) {
		t.Error("something was written")
	}
	at.Key = "short"
	_, err = OpenShared(t.Context(), t.TempDir(), w.env(), at)
	wantRefusal(t, err, verify.KindUsage, "openssl rand -hex 32")
}

func TestAnOlderClientWritesNothingIntoANewerSchema(t *testing.T) {
	w := sharedWorld(t)
	running := w.open(t)
	w.sql(t, `UPDATE `+w.schema()+`.meta SET value = '999' WHERE name = 'version'`)
	_, err := OpenShared(t.Context(), w.dir, w.env(), w.shared())
	wantRefusal(t, err, verify.KindRefused, "newer verifyctl", "999", "nothing is written")
	for what, write := range map[string]func() error{
		"a record": func() error {
			return running.RecordReceipt(t.Context(), verify.Receipt{ChallengeSID: challengeSID(1), At: noon})
		},
		"an event": func() error {
			stored, decoded := delivery(1)
			_, err := running.PutEvent(t.Context(), stored, decoded)
			return err
		},
	} {
		err := write()
		if err == nil {
			t.Fatalf("%s is written by a process that began before", what)
		}
		wantRefusal(t, err, verify.KindRefused, "newer verifyctl")
	}
	w.sql(t, `UPDATE `+w.schema()+`.meta SET value = '1' WHERE name = 'version'`)
	if n, _, _, err := running.EventSpan(t.Context()); err != nil || n != 0 {
		t.Errorf("%d events, %v", n, err)
	}
}

func TestWhatARoleMayNotDoIsSaid(t *testing.T) {
	w := sharedWorld(t)
	role := w.role(t)
	at := w.shared()
	at.URL = w.as(role)
	_, err := OpenShared(t.Context(), t.TempDir(), verify.Environment{Name: "new", ServiceSID: newService()}, at)
	wantRefusal(t, err, verify.KindRefused, "GRANT CREATE ON DATABASE", role)
	fillEverything(t, w.open(t))
	w.sql(t, `GRANT USAGE ON SCHEMA `+w.schema()+` TO `+role+`; GRANT SELECT ON ALL TABLES IN SCHEMA `+w.schema()+` TO `+role)
	reader, err := OpenShared(t.Context(), t.TempDir(), w.env(), at)
	check(t, err)
	defer reader.Close()
	if keys := storedKeys(t, reader, event.StoredFilter{}); len(keys) != 7 {
		t.Errorf("a reader sees %d events", len(keys))
	}
	wantRefusal(t, reader.RecordReceipt(t.Context(), verify.Receipt{ChallengeSID: challengeSID(9), At: noon}), verify.KindRefused, "the role "+role+" may only read")
}

// TestThePrintedRolesDoWhatTheyAreFor runs what is printed: the writer can do everything but change tables, the reader reads.
func TestThePrintedRolesDoWhatTheyAreFor(t *testing.T) {
	w := sharedWorld(t)
	w.open(t)
	w.sql(t, RolesSQL(w.env()))
	as := func(role string) *Store {
		name := schemaOf(w.env()) + "_" + role
		t.Cleanup(func() { q := pgx.Identifier{name}.Sanitize(); w.sql(t, `DROP OWNED BY `+q+`; DROP ROLE `+q) })
		at := w.shared()
		at.URL = w.as(name)
		s := must[*Store](t)(OpenShared(t.Context(), t.TempDir(), w.env(), at))
		t.Cleanup(func() { s.Close() })
		return s
	}
	writer, reader := as("writer"), as("reader")
	check(t, writer.DeclareMetadata(t.Context(), []string{"app_version"}))
	fillEverything(t, writer)
	role := func(s *Store) string {
		for _, f := range must[[]Finding](t)(s.Check(t.Context())) {
			if f.Check == "role" {
				return f.Found
			}
		}
		return ""
	}
	if found := role(writer); !strings.HasSuffix(found, "may read and write") {
		t.Error(found)
	}
	if found := role(reader); !strings.HasSuffix(found, "may only read") {
		t.Error(found)
	}
	if len(storedKeys(t, reader, event.StoredFilter{})) != 7 {
		t.Error("the reader does not see the events")
	}
	wantRefusal(t, reader.RecordReceipt(t.Context(), verify.Receipt{At: noon}), verify.KindRefused, "may only read")
	must[map[Kind]int](t)(writer.Purge(t.Context()))
}

func TestTwoNamesOfOneServiceShareOneMemory(t *testing.T) {
	w := sharedWorld(t)
	putEventOf(t, w.open(t), 1)
	other := w.another(t)
	other.environment, other.service = "prod", verify.ServiceSID("VA"+strings.ToUpper(string(w.service[2:])))
	if putEventOf(t, other.open(t), 1) {
		t.Error("under another name of the environment the event is new")
	}
	env := w.env()
	env.AccountSID = "AC00000000000000000000000000000002"
	_, err := OpenShared(t.Context(), t.TempDir(), env, w.shared())
	wantRefusal(t, err, verify.KindRefused, "belongs to another service", strings.ToLower(string(account)), "a database of its own")
	env = w.env()
	env.ServiceSID = newService()
	if s := must[*Store](t)(OpenShared(t.Context(), t.TempDir(), env, w.shared())); !putEventOf(t, s, 1) {
		t.Error("another Service has the same memory")
	} else {
		check(t, s.Close())
	}
	w.sql(t, `DROP SCHEMA `+pgx.Identifier{schemaOf(env)}.Sanitize()+` CASCADE`)
}

// namedAfterEnvironment makes the memory as verifyctl once did, with the environment's name, and an index of a Service in it.
func (w *world) namedAfterEnvironment(t *testing.T, indexed verify.ServiceSID) (former string) {
	w.environment = "Live." + rand.Text()
	s := w.open(t)
	putEventOf(t, s, 1)
	if indexed != "" {
		must[verify.Crawl](t)(s.BeginCrawl(t.Context(), account, indexed, verify.CrawlFull, noon))
	}
	check(t, s.Close())
	former = pgx.Identifier{schemaNamed(w.environment)}.Sanitize()
	w.sql(t, `ALTER SCHEMA `+w.schema()+` RENAME TO `+former+`;
		UPDATE `+former+`.meta SET name = 'environment', value = `+quoted(w.environment)+` WHERE name = 'service'`)
	return former
}

func TestASchemaOfTheEnvironmentsNameBecomesTheServices(t *testing.T) {
	for _, indexed := range []string{"", "its Service"} {
		w := sharedWorld(t)
		if indexed != "" {
			indexed = string(w.service)
		}
		former := w.namedAfterEnvironment(t, verify.ServiceSID(indexed))
		var opened sync.WaitGroup
		for range 4 {
			opened.Go(func() { w.another(t).open(t) })
		}
		opened.Wait()
		if putEventOf(t, w.open(t), 1) {
			t.Error("what was remembered is not seen")
		}
		w.sql(t, `DO $$ BEGIN IF EXISTS (SELECT FROM pg_namespace WHERE quote_ident(nspname) = `+quoted(former)+`) THEN RAISE 'it is still there'; END IF; END $$`)
	}
}

func TestARoleThatMayNotRenameSaysWhoDoes(t *testing.T) {
	w := sharedWorld(t)
	former := w.namedAfterEnvironment(t, "")
	role := w.role(t)
	w.sql(t, `GRANT USAGE ON SCHEMA `+former+` TO `+role+`; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA `+former+` TO `+role)
	at := w.shared()
	at.URL = w.as(role)
	open := func() error {
		s, err := OpenShared(t.Context(), t.TempDir(), w.env(), at)
		if err == nil {
			defer s.Close()
			if putEventOf(t, s, 1) {
				t.Error("what was remembered is not seen")
			}
		}
		return err
	}
	rename := `ALTER SCHEMA ` + former + ` RENAME TO ` + w.schema()
	wantRefusal(t, open(), verify.KindRefused, role+" may not", "as verifyctl, which owns it", rename)
	w.sql(t, rename)
	check(t, open())
	w.sql(t, `DROP SCHEMA `+w.schema()+` CASCADE`) // it says of no Service, as one that is made here does
}

// TestASchemaOfAnotherServiceStays says that the memory of a Service that the environment had before is left, and told of.
func TestASchemaOfAnotherServiceStays(t *testing.T) {
	w := sharedWorld(t)
	former := w.namedAfterEnvironment(t, other)
	s := w.open(t)
	if !putEventOf(t, s, 1) {
		t.Error("the memory of another Service is taken over")
	}
	found := ""
	for _, f := range must[[]Finding](t)(s.Check(t.Context())) {
		if !f.OK && f.Check == "former" {
			found = f.Fix
		}
	}
	drop := `DROP SCHEMA ` + former + ` CASCADE`
	if !strings.HasSuffix(found, drop) {
		t.Errorf("the check says %q", found)
	}
	w.sql(t, drop)
}

func TestADatabaseThatIsAwayIsNamed(t *testing.T) {
	_, err := OpenShared(t.Context(), t.TempDir(), verify.Environment{Name: "production"}, Shared{URL: "postgres://me:hidden@127.0.0.1:1/verify", Key: teamKey})
	wantRefusal(t, err, verify.KindFailed, "postgres://127.0.0.1:1/verify cannot be reached", "is the server up")
	if strings.Contains(err.Error(), "hidden") {
		t.Error(err)
	}
	w := sharedWorld(t)
	at := w.shared()
	u := must[*url.URL](t)(url.Parse(w.address))
	u.Path = "/no-such"
	at.URL = u.String()
	_, err = OpenShared(t.Context(), t.TempDir(), verify.Environment{Name: "production"}, at)
	wantRefusal(t, err, verify.KindFailed, "does not exist", "createdb")
}

func TestNobodyReadsAlongBeyondThisMachine(t *testing.T) {
	for address, refused := range map[string]bool{
		"postgres://localhost/x": false, "postgres://127.0.0.1/x?sslmode=disable": false, "postgres://[::1]/x": false, "postgres:///x?host=/run": false,
		"postgres://db.bank.example/x": true, "postgres://db.bank.example/x?sslmode=require": true, "postgres://db.bank.example/x?sslmode=disable": true,
		"postgres://db.bank.example/x?sslmode=verify-full": false, "postgres://localhost,db.bank.example/x": true,
		"postgres://db.bank.example,other.bank.example/x?sslmode=verify-full": false, "postgres://db.bank.example/x?sslmode=verify-ca": true,
	} {
		_, err := configure(Shared{URL: address})
		if refused {
			wantRefusal(t, err, verify.KindRefused, "sslmode=verify-full")
		} else if err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	_, err := configure(Shared{URL: "postgres://db.bank.example/x?sslmode=verify-full&sslrootcert=/none/ca.crt"})
	wantRefusal(t, err, verify.KindUsage, "/none/ca.crt")
}

func TestEveryLetterOfAPatternStandsForAllOfItsKind(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if small := unicode.ToLower(r); utf8.ValidRune(r) && !slices.Contains(sameSmall(small), r) {
			t.Errorf("%q is missing among the letters of %q", r, small)
		}
	}
}

func TestWhatTextCannotHoldComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOf(rapid.OneOf(rapid.SampledFrom([]byte{0, 1, 2, 3, 'a', 0xff, 0xc3}), rapid.Byte())).Draw(t, "bytes"))
		escaped := escapeText(s)
		if !utf8.ValidString(escaped) || strings.Contains(escaped, "\x00") {
			t.Fatalf("%q becomes %q", s, escaped)
		}
		if back := unescapeText(escaped); back != s {
			t.Fatalf("%q comes back as %q", s, back)
		}
	})
}

// TestEndingWaitsForNobody: a run that has finished what it claimed ends while another one writes, as a crawl does all the time.
func TestEndingWaitsForNobody(t *testing.T) {
	w := sharedWorld(t)
	s := w.open(t)
	claim := must[verify.Claim](t)(s.ClaimChallenge(t.Context(), theKey))
	check(t, s.FulfilClaim(t.Context(), claim, verify.CreatedChallenge{SID: "YC00000000000000000000000000000001", ServiceSID: theKey.ServiceSID}))
	other, err := pgx.Connect(t.Context(), w.address)
	check(t, err)
	defer other.Close(background)
	_, err = other.Exec(t.Context(), `SELECT pg_advisory_lock($1), pg_advisory_lock($2)`, lockOf(schemaOf(w.env()), "records"), lockOf(schemaOf(w.env()), "index"))
	check(t, err)
	check(t, s.Close())
}
