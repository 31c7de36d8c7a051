package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// place gives where the memory is.
func (w *world) place() Place {
	if w.address == "" {
		return Place{Environment: w.env(), File: filepath.Join(w.dir, databaseName(w.environment))}
	}
	return Place{Environment: w.env(), Shared: w.shared(), Dir: w.dir}
}

// fillEveryTable remembers something of every kind, of hostile bytes too.
func fillEveryTable(t testing.TB, s *Store) {
	t.Helper()
	ctx := t.Context()
	check(t, s.DeclareMetadata(ctx, []string{"app_version", "os"}))
	check(t, s.Saw(ctx, noon, map[verify.Identity][]string{hostile: {hostile}}))
	must[bool](t)(s.PutEvent(ctx, event.Stored{Source: hostile, Received: noon, Body: []byte(hostile)}, event.Event{EventSID: hostile, Identity: hostile, FactorSID: hostile}))
	must[bool](t)(s.PutEvent(ctx, event.Stored{Received: noon.Add(1234 * time.Microsecond)}, eventNothing)) // of no body
	check(t, s.AddCoverage(ctx, hostile, event.Span{From: noon, Until: noon.Add(time.Hour)}))
	check(t, s.SaveRotation(ctx, verify.Rotation{ServiceSID: service, Platform: verify.PlatformAPN, Began: noon, Fingerprint: s.HashCredential([]byte("a"))}))
	must[int64](t)(s.BeginCreation(ctx, verify.Creation{AccountSID: account, Begun: noon}))
	must[verify.Claim](t)(s.ClaimChallenge(ctx, theKey)) // which nobody fulfils
	fillEverything(t, s)
	crawl := begin(t, s, verify.CrawlFull)
	odd := factorOf(9)
	odd.FriendlyName, odd.Metadata = "a\x00b\x01c", map[string]string{"os": "\x00", "": "<&>"}
	check(t, s.SaveFactors(ctx, crawl, []verify.EntityFactors{{Entity: entityOf(9), Factors: []verify.Factor{odd}, ReadAt: noon}}))
	check(t, s.SaveEntityPage(ctx, crawl, []verify.Entity{entityOf(20), {Identity: hostile}}, "page-2"))
	check(t, s.Close())
}

func TestACopyThereAndBackIsIdentical(t *testing.T) {
	ctx := t.Context()
	file, shared, back := fileWorld(t), sharedWorld(t), fileWorld(t)
	fillEveryTable(t, file.open(t))
	there := must[[]CopiedTable](t)(Copy(ctx, file.place(), shared.place(), CopyOptions{OtherKey: true}))
	for _, table := range there {
		if table.Rows == 0 {
			t.Errorf("nothing was in %s, so nothing is shown of it", table.Table)
		}
	}
	must[[]CopiedTable](t)(Copy(ctx, shared.place(), back.place(), CopyOptions{OtherKey: true}))
	// Against what was there at first, which is what a copy into a full place does.
	again := must[[]CopiedTable](t)(Copy(ctx, file.place(), back.place(), CopyOptions{OtherKey: true}))
	for i, table := range again {
		if !table.Identical() || table != there[i] {
			t.Errorf("%+v became %+v", there[i], table)
		}
	}
	for _, w := range []*world{shared, back} {
		usedAsBefore(t, w.open(t))
	}
}

// usedAsBefore goes on in a copy of [fillEveryTable].
func usedAsBefore(t *testing.T, s *Store) {
	ctx := t.Context()
	if putEventOf(t, s, 1) || !putEventOf(t, s, 77) {
		t.Error("events are not known again")
	}
	if c := must[verify.Claim](t)(s.ClaimChallenge(ctx, theKey)); c.State != verify.ClaimMine || !c.LookFirst {
		t.Errorf("the open claim is %+v", c)
	}
	deletions := record(t, s, factorOf(5), noon)
	if _, used, err := s.ReserveResend(ctx, challengeSID(1), noon, 3); err != nil || used != 1 || deletions != 4 {
		t.Errorf("%d resends are used (%v), and the next deletion has the id %d", used, err, deletions)
	}
	crawl := begin(t, s, verify.CrawlFull)
	if left := must[[]verify.Entity](t)(s.NextEntities(ctx, crawl, "", 0)); !crawl.Resumed || crawl.Cursor != "page-2" || len(left) != 2 {
		t.Errorf("the crawl goes on as %+v with %v", crawl, left)
	}
	if values := must[[]string](t)(gather(ctx, s.read, scanText[string], `SELECT metadata_2 FROM factors WHERE identity = ?`, identityOf(9))); !slices.Equal(values, []string{"\x00"}) {
		t.Errorf("the declared metadata is %q", values)
	}
	// A crawl that was given up is not taken for the next one by its id.
	check(t, s.exec(ctx, "", `DELETE FROM crawls`))
	if next := begin(t, s, verify.CrawlFull); next.ID <= crawl.ID {
		t.Errorf("the crawl after %d has the id %d", crawl.ID, next.ID)
	}
}

// TestNoColumnIsLeftOut says that a copy has every column of both engines, but those that tell who is at work.
func TestNoColumnIsLeftOut(t *testing.T) {
	left := []string{"metadata_keys.ready", "leases.name", "leases.owner", "leases.fence", "leases.until", "sqlite_sequence.name", "sqlite_sequence.seq"}
	for n := range maxMetadataKeys {
		left = append(left, "factors."+metadataColumn(n+1))
	}
	var copied []string
	for _, table := range copyTables {
		for _, c := range table.columns {
			copied = append(copied, table.name+"."+c.name)
		}
	}
	slices.Sort(copied)
	for engine, w := range map[string]*world{
		`SELECT m.name || '.' || c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'`:       fileWorld(t),
		`SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = current_schema()`: sharedWorld(t),
	} {
		var columns []string
		for _, name := range must[[]string](t)(gather(t.Context(), w.open(t).read, scanText[string], engine)) {
			if !slices.Contains(left, name) {
				columns = append(columns, name)
			}
		}
		slices.Sort(columns)
		if diff := cmp.Diff(copied, columns); diff != "" {
			t.Error(diff)
		}
	}
}

// copyAndDie copies until it is killed, after so many batches.
func copyAndDie(dir string) error {
	var from, to Place
	var left int
	fmt.Sscan(os.Getenv("STORE_TEST_DIE"), &left)
	from.File, to.Dir = filepath.Join(dir, databaseName("production")), dir
	to.Environment = verify.Environment{Name: "production", AccountSID: account, ServiceSID: verify.ServiceSID(os.Getenv("STORE_TEST_SERVICE"))}
	to.Shared = Shared{URL: os.Getenv("STORE_TEST_ADDRESS"), Key: teamKey}
	_, err := Copy(context.Background(), from, to, CopyOptions{OtherKey: true, Progress: func(string, int) {
		if left--; left == 0 {
			p, _ := os.FindProcess(os.Getpid())
			p.Kill()
			select {}
		}
	}})
	return err
}

func TestACopyThatIsKilledGoesOn(t *testing.T) {
	ctx := t.Context()
	file, shared := fileWorld(t), sharedWorld(t)
	s := file.open(t)
	met := map[verify.Identity][]string{}
	for n := range 2 * batchRows {
		met[identityOf(n)] = nil
	}
	check(t, s.Saw(ctx, noon, met))
	fillEveryTable(t, s)
	shared.dir = file.dir
	kill := func(after int) {
		cmd := shared.child(t, "copy")
		cmd.Env = append(cmd.Env, fmt.Sprint("STORE_TEST_DIE=", after))
		if err := cmd.Run(); err == nil {
			t.Fatal("it came to its end")
		}
	}
	kill(7) // within a table: the 6th has three batches
	_, err := OpenShared(ctx, t.TempDir(), shared.env(), shared.shared())
	wantRefusal(t, err, verify.KindRefused, "is an unfinished copy of "+file.place().File, "state copy again")
	another := fileWorld(t)
	check(t, another.open(t).Close())
	_, err = Copy(ctx, another.place(), shared.place(), CopyOptions{})
	wantRefusal(t, err, verify.KindRefused, "unfinished copy of "+file.place().File, "DROP SCHEMA", shared.schema())
	var tables []string
	kill(1)
	// What changes meanwhile in a table that was begun is copied anew.
	s = file.open(t)
	check(t, s.exec(ctx, "", `DELETE FROM seen WHERE identity = ?`, identityOf(5)))
	check(t, s.Close())
	result, err := Copy(ctx, file.place(), shared.place(), CopyOptions{OtherKey: true, Progress: func(table string, _ int) { tables = append(tables, table) }})
	check(t, err)
	for _, table := range result {
		if !table.Identical() {
			t.Errorf("%+v", table)
		}
	}
	if first := slices.Compact(slices.Clone(tables)); first[0] != "seen" || len(tables) != len(first)+2 {
		t.Errorf("it went on with %v", tables)
	}
}

func TestWhatACopyRefuses(t *testing.T) {
	ctx := t.Context()
	file, shared := fileWorld(t), sharedWorld(t)
	fillEveryTable(t, file.open(t))
	missing := Place{Environment: file.env(), File: filepath.Join(t.TempDir(), "none", "env-production.db")}
	_, err := Copy(ctx, missing, shared.place(), CopyOptions{})
	wantRefusal(t, err, verify.KindNotFound, missing.File)
	if _, err := os.Lstat(filepath.Dir(missing.File)); !os.IsNotExist(err) {
		t.Errorf("looking for it made something: %v", err)
	}
	unmade := shared.place()
	unmade.Environment.ServiceSID = newService()
	_, err = Copy(ctx, unmade, missing, CopyOptions{})
	wantRefusal(t, err, verify.KindNotFound, "has no schema")
	_, err = Copy(ctx, file.place(), shared.place(), CopyOptions{})
	wantRefusal(t, err, verify.KindRefused, "another key", "--other-key", "fleet sync")
	_, err = Copy(ctx, file.place(), shared.place(), CopyOptions{OtherKey: true, Service: other})
	wantRefusal(t, err, verify.KindRefused, string(service), string(other))
	putEventOf(t, shared.open(t), 900)
	_, err = Copy(ctx, file.place(), shared.place(), CopyOptions{OtherKey: true})
	wantRefusal(t, err, verify.KindRefused, "is not empty", "DROP SCHEMA")

	newer := fileWorld(t)
	s := newer.open(t)
	must[any](t)(s.engine.(*sqliteEngine).write.Exec(`PRAGMA user_version = 999`))
	check(t, s.Close())
	_, err = Copy(ctx, newer.place(), shared.place(), CopyOptions{})
	wantRefusal(t, err, verify.KindFailed, "newer verifyctl")

	claiming := fileWorld(t).open(t)
	must[verify.Claim](t)(claiming.ClaimChallenge(ctx, theKey))
	path, _ := claiming.engine.place(ctx)
	_, err = Copy(ctx, Place{Environment: file.env(), File: path}, shared.place(), CopyOptions{})
	wantRefusal(t, err, verify.KindRefused, "is creating a challenge")
}

// TestAWriterCopiesWithTheIDs says that the role that writes can copy, and that what is remembered next gets an id of its own.
func TestAWriterCopiesWithTheIDs(t *testing.T) {
	ctx := t.Context()
	file, shared := fileWorld(t), sharedWorld(t)
	fillEveryTable(t, file.open(t))
	check(t, shared.open(t).Close())
	role := shared.role(t)
	grants := strings.ReplaceAll(RolesSQL(shared.env()), schemaOf(shared.env())+"_writer", role)
	_, grants, _ = strings.Cut(grants, `CREATE ROLE "`+role+`" LOGIN;`)
	tables, sequences, _ := strings.Cut(grants, "GRANT UPDATE ON ALL SEQUENCES")
	shared.sql(t, tables)
	as := shared.place()
	as.Shared.URL = shared.as(role)
	_, err := Copy(ctx, file.place(), as, CopyOptions{OtherKey: true})
	wantRefusal(t, err, verify.KindRefused, "sequence", "GRANT UPDATE ON ALL SEQUENCES IN SCHEMA", role)
	shared.sql(t, "GRANT UPDATE ON ALL SEQUENCES"+sequences)
	must[[]CopiedTable](t)(Copy(ctx, file.place(), as, CopyOptions{OtherKey: true}))
	usedAsBefore(t, must[*Store](t)(as.open(ctx, toUse)))
}
