package store

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	_ "github.com/verifyctl/verifyctl/internal/tmpdir" // for temporary folders
	"github.com/verifyctl/verifyctl/internal/verify"
)

// children are what the test binary does when it is started again as another process.
var children = map[string]func(dir string) error{
	"claim": claimAtOnce, "store": storeEventsForEver, "crawl": crawlForEver, "open": openOnly, "copy": copyAndDie,
}

func TestMain(m *testing.M) {
	if role := os.Getenv("STORE_TEST_CHILD"); role != "" {
		if err := children[role](os.Getenv("STORE_TEST_DIR")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	flag.Parse()
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == parallel.DefValue { // most of the time they wait for a disk or a server
		_ = flag.Set(parallel.Name, strconv.Itoa(3*runtime.GOMAXPROCS(0))) // a number it takes
	}
	os.Exit(m.Run())
}

const (
	account = verify.AccountSID("AC00000000000000000000000000000001")
	service = verify.ServiceSID("VA00000000000000000000000000000001")
	other   = verify.ServiceSID("VA00000000000000000000000000000002")
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func factorSID(n int) verify.FactorSID       { return verify.FactorSID(fmt.Sprintf("YF%032x", n)) }
func challengeSID(n int) verify.ChallengeSID { return verify.ChallengeSID(fmt.Sprintf("YC%032x", n)) }
func identityOf(n int) verify.Identity       { return verify.Identity(fmt.Sprintf("customer-%06d", n)) }

func factorOf(n int) verify.Factor {
	return verify.Factor{
		SID: factorSID(n), AccountSID: account, ServiceSID: service, EntitySID: verify.EntitySID(fmt.Sprintf("YE%032x", n)),
		Identity: identityOf(n), FriendlyName: "Phone", Status: verify.FactorVerified, Type: verify.FactorPush,
		Config: verify.FactorConfig{SDKVersion: "3.0.1", AppID: "com.bank.example", Platform: verify.PlatformFCM,
			Token: verify.PushToken(fmt.Sprintf("secret-token-%d", n))},
		Metadata: map[string]string{"app_version": "4.2"}, DateCreated: noon, DateUpdated: noon.Add(time.Hour),
	}
}

func openStore(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(t.Context(), dir, "production")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func openOnly(dir string) error {
	s, err := openAsChild(context.Background(), dir)
	if err != nil {
		return err
	}
	return s.Close()
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestNothingIsOpenToOthers(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no mode bits")
	}
	dir := filepath.Join(t.TempDir(), "state")
	s := openStore(t, dir)
	record(t, s, factorOf(1), noon)
	must[verify.Claim](t)(s.ClaimChallenge(t.Context(), verify.ClaimKey{}))

	if info := must[os.FileInfo](t)(os.Stat(dir)); info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %04o", info.Mode().Perm())
	}
	var names []string
	for _, file := range must[[]os.DirEntry](t)(os.ReadDir(dir)) {
		names = append(names, file.Name())
		if info := must[os.FileInfo](t)(file.Info()); info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %04o", file.Name(), info.Mode().Perm())
		}
	}
	if list := strings.Join(names, " "); !strings.Contains(list, "-wal") || !strings.Contains(list, "-shm") {
		t.Errorf("the files beside the database were not looked at: %s", list)
	}
}

func TestWhatOthersCouldChangeIsRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no mode bits")
	}
	dir := t.TempDir()
	check(t, openStore(t, dir).Close())
	check(t, jot(t, dir, noon, 1))
	for _, c := range []struct {
		path string
		mode fs.FileMode
		mend string
	}{
		{dir, 0o720, "chmod go-w "},
		{filepath.Join(dir, databaseName("production")), 0o644, "chmod 600 "},
		{filepath.Join(dir, databaseName("production")+jottedSuffix), 0o644, "chmod 600 "},
		{filepath.Join(dir, "key"), 0o640, "chmod 600 "},
	} {
		before := must[os.FileInfo](t)(os.Stat(c.path)).Mode()
		check(t, os.Chmod(c.path, c.mode))
		_, err := Open(t.Context(), dir, "production")
		var refusal *verify.Error
		if !errors.As(err, &refusal) || refusal.Kind != verify.KindRefused || refusal.Hint != c.mend+c.path {
			t.Errorf("%s with mode %04o: %#v", c.path, c.mode, err)
		}
		check(t, os.Chmod(c.path, before))
	}
}

func TestEnvironmentsNeverShareAFile(t *testing.T) {
	t.Run("odd names", func(t *testing.T) {
		dir := t.TempDir()
		names := []string{"prod", "Prod", "PROD", "prod.eu", "prod/eu", "../prod", "prod eu", "prod=eu", "prüd", "", ".", "..", "=50rod",
			strings.Repeat("long", 99), strings.Repeat("long", 99) + "er", "a\x00b", "nul", "x?mode=memory", "100%25"}
		for i, name := range names {
			s := must[*Store](t)(Open(t.Context(), dir, name))
			check(t, s.Saw(t.Context(), noon, map[verify.Identity][]string{identityOf(i): {}}))
			check(t, s.Close())
		}
		for i, name := range names {
			s := must[*Store](t)(Open(t.Context(), dir, name))
			got := must[[]verify.Identity](t)(s.RecentIdentities(t.Context(), "", 9))
			if len(got) != 1 || got[0] != identityOf(i) {
				t.Errorf("%q remembers %v", name, got)
			}
			check(t, s.Close())
		}
		listed, unreadable, err := Environments(t.Context(), dir)
		if err != nil || len(unreadable) > 0 || len(listed) != len(names) {
			t.Errorf("listed %d of %d: %q %v %v", len(listed), len(names), listed, unreadable, err)
		}
	})
	t.Run("any names, where letter case does not count", rapid.MakeCheck(func(t *rapid.T) {
		a := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-zA-Z]{2}`)).Draw(t, "a")
		b := rapid.OneOf(rapid.String(), rapid.Just(strings.ToUpper(a)), rapid.Just(strings.ToLower(a))).Draw(t, "b")
		if a != b && strings.EqualFold(databaseName(a), databaseName(b)) {
			t.Fatalf("%q and %q share %s", a, b, databaseName(a))
		}
		if name := databaseName(a); filepath.Base(name) != name || len(name) > 200 {
			t.Fatalf("%q gives the name %q", a, name)
		}
	}))
}

func TestADamagedFileIsNeverReplaced(t *testing.T) {
	damage := map[string]func(t *testing.T, path string){
		"overwritten": func(t *testing.T, path string) {
			check(t, os.WriteFile(path, bytes.Repeat([]byte("not a database. "), 999), 0o600))
		},
		"emptied": func(t *testing.T, path string) { check(t, os.Truncate(path, 0)) },
		"another's": func(t *testing.T, path string) {
			db := openFile(path, "")
			defer db.Close()
			must[any](t)(db.Exec(`PRAGMA application_id = 7`))
		},
		"another environment's": func(t *testing.T, path string) {
			db := openFile(path, "")
			defer db.Close()
			must[any](t)(db.Exec(`UPDATE meta SET value = 'staging'`))
		},
	}
	for name, break_ := range damage {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			check(t, openStore(t, dir).Close())
			path := filepath.Join(dir, databaseName("production"))
			break_(t, path)
			before := must[[]byte](t)(os.ReadFile(path))
			_, err := Open(t.Context(), dir, "production")
			if err == nil || !strings.Contains(err.Error(), path) {
				t.Errorf("the error does not name the file: %v", err)
			}
			var known *verify.Error
			if !errors.As(err, &known) || !strings.Contains(known.Hint, "mv ") {
				t.Errorf("the error does not say how to go on: %#v", err)
			}
			if after := must[[]byte](t)(os.ReadFile(path)); !bytes.Equal(before, after) {
				t.Error("the damaged file was changed")
			}
		})
	}
	t.Run("missing, but its log is there", func(t *testing.T) {
		dir := t.TempDir()
		check(t, openStore(t, dir).Close())
		path := filepath.Join(dir, databaseName("production"))
		check(t, os.Rename(path, path+"-wal"))
		if _, err := Open(t.Context(), dir, "production"); verify.KindOf(err) != verify.KindRefused {
			t.Errorf("got %v", err)
		}
	})
}

func TestAFileOfANewerVerifyctlIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	must[any](t)(s.engine.(*sqliteEngine).write.Exec(`PRAGMA user_version = 999`))
	check(t, s.Close())
	_, err := Open(t.Context(), dir, "production")
	if err == nil || !strings.Contains(err.Error(), "newer verifyctl") {
		t.Errorf("got %v", err)
	}
}

func processesThatOpenAtOnceMakeOneMemory(t *testing.T, w *world) {
	w.dir = filepath.Join(w.dir, "state")
	var running []*exec.Cmd
	for range 8 {
		cmd := w.child(t, "open")
		check(t, cmd.Start())
		running = append(running, cmd)
	}
	for _, cmd := range running {
		check(t, cmd.Wait())
	}
	for _, file := range must[[]os.DirEntry](t)(os.ReadDir(w.dir)) {
		if strings.Contains(file.Name(), ".new") {
			t.Errorf("%s was left behind", file.Name())
		}
	}
	w.open(t)
}

func aTokenIsKeptAsAHashOnly(t *testing.T, w *world) {
	s := w.open(t)
	ctx := t.Context()
	f := factorOf(7)
	record(t, s, f, noon)
	crawl := must[verify.Crawl](t)(s.BeginCrawl(ctx, account, service, verify.CrawlFull, noon))
	check(t, s.SaveFactors(ctx, crawl, []verify.EntityFactors{{Entity: verify.Entity{Identity: f.Identity}, Factors: []verify.Factor{f}, ReadAt: noon}}))

	found := must[[]verify.IndexedFactor](t)(s.FindFactors(ctx, f.SID))
	if len(found) != 1 || found[0].Config.Token != "" || found[0].TokenHash != s.HashToken(f.Config.Token) {
		t.Errorf("the index has %+v", found)
	}
	first, again := s.HashToken("a"), s.HashToken("a")
	if first == s.HashToken("b") || first != again || s.HashToken("") != "" {
		t.Error("hashes do not tell tokens apart")
	}
	for _, when := range []string{"before closing", "after closing"} {
		if bytes.Contains(w.content(t), []byte(f.Config.Token.Reveal())) {
			t.Errorf("the token is kept %s", when)
		}
		s.Close()
	}
}

// record keeps a factor that is about to be deleted, and gives the id of the record.
func record(t testing.TB, s *Store, f verify.Factor, at time.Time, before ...verify.DeletionEnd) int64 {
	t.Helper()
	return must[[]int64](t)(s.RecordDeletions(t.Context(), []verify.Factor{f}, "operator", "", at, before...))[0]
}

func deletionsAreKeptFromBeforeTheyAreSent(t *testing.T, w *world) {
	ctx := t.Context()
	s := w.open(t)
	first := must[[]int64](t)(s.RecordDeletions(ctx, []verify.Factor{factorOf(1)}, "operator", "lost phone", noon))[0]
	purged := verify.DeletionEnd{ID: 999, Outcome: "deleted", At: noon}
	second := record(t, s, factorOf(2), noon.Add(time.Hour), verify.DeletionEnd{ID: first, Outcome: "deleted", At: noon.Add(time.Second)}, purged)
	check(t, s.Close())

	s = w.open(t)
	list := func(filter verify.DeletionFilter) (list []verify.Deletion) {
		for d, err := range s.Deletions(ctx, filter) {
			check(t, err)
			list = append(list, d)
		}
		return list
	}
	want := factorOf(1)
	hash := s.HashToken(want.Config.Token)
	want.Config.Token = ""
	got := list(verify.DeletionFilter{Identity: identityOf(1)})
	if diff := cmp.Diff([]verify.Deletion{{ID: first, Factor: want, TokenHash: hash, By: "operator", Reason: "lost phone", At: noon,
		Outcome: "deleted", FinishedAt: noon.Add(time.Second)}}, got); diff != "" {
		t.Errorf("the deletion reads back differently:\n%s", diff)
	}
	for name, c := range map[string]struct {
		filter verify.DeletionFilter
		want   []int64
	}{
		"newest first":                    {verify.DeletionFilter{}, []int64{second, first}},
		"limit":                           {verify.DeletionFilter{Limit: 1}, []int64{second}},
		"factor in the other letter case": {verify.DeletionFilter{FactorSID: verify.FactorSID("YF" + strings.ToUpper(string(factorSID(2))[2:]))}, []int64{second}},
		"since":                           {verify.DeletionFilter{Since: noon.Add(time.Minute)}, []int64{second}},
		"until":                           {verify.DeletionFilter{Until: noon.Add(time.Hour)}, []int64{first}},
		"nobody":                          {verify.DeletionFilter{Identity: "nobody-here"}, nil},
	} {
		var ids []int64
		for _, d := range list(c.filter) {
			ids = append(ids, d.ID)
		}
		if diff := cmp.Diff(c.want, ids); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
	if got := list(verify.DeletionFilter{FactorSID: factorSID(2)}); got[0].Outcome != "" {
		t.Errorf("a deletion nobody finished has the outcome %q", got[0].Outcome)
	}
	if err := s.FinishDeletions(ctx, purged, verify.DeletionEnd{ID: second, Outcome: "failed", At: noon}); err == nil {
		t.Error("finishing a deletion that is not there succeeds")
	}
	if got := list(verify.DeletionFilter{FactorSID: factorSID(2)}); got[0].Outcome != "failed" {
		t.Errorf("beside one that is not there, a deletion was given the outcome %q", got[0].Outcome)
	}
}

func whatItStandsOnIsChecked(t *testing.T, w *world) {
	findings := must[[]Finding](t)(w.open(t).Check(t.Context()))
	for _, f := range findings {
		unsafe := w.address != "" && f.Check == "durability" && strings.Contains(f.Found, "fsync off") // as the tests' server is
		if f.OK == unsafe || f.Found == "" {
			t.Errorf("%+v", f)
		}
	}
	if len(findings) < 4 {
		t.Errorf("only %v were looked at", findings)
	}
}
