package store

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/verifyctl/verifyctl/internal/verify"
	"github.com/verifyctl/verifyctl/internal/where"
)

func entityOf(n int) verify.Entity {
	return verify.Entity{SID: verify.EntitySID(fmt.Sprintf("YE%032x", n)), Identity: identityOf(n), ServiceSID: service,
		DateCreated: noon, DateUpdated: noon}
}

// readOf is what reading the factors of the n-th entity gives: 0 to 2 factors.
func readOf(n int, at time.Time) verify.EntityFactors {
	read := verify.EntityFactors{Entity: entityOf(n), ReadAt: at}
	for i := range n % 3 {
		f := factorOf(10*n + i)
		f.Identity, f.EntitySID = identityOf(n), entityOf(n).SID
		read.Factors = append(read.Factors, f)
	}
	return read
}

// indexed gives the SIDs of every factor in the index by identity.
func indexed(t testing.TB, s *Store) map[verify.Identity][]verify.FactorSID {
	t.Helper()
	all := map[verify.Identity][]verify.FactorSID{}
	for f, err := range s.FactorsWhere(t.Context(), nil) {
		check(t, err)
		all[f.Identity] = append(all[f.Identity], f.SID)
	}
	return all
}

func truth(entities ...int) map[verify.Identity][]verify.FactorSID {
	all := map[verify.Identity][]verify.FactorSID{}
	for _, n := range entities {
		for _, f := range readOf(n, noon).Factors {
			all[identityOf(n)] = append(all[identityOf(n)], f.SID)
		}
	}
	return all
}

func upTo(n int) (list []int) {
	for i := range n {
		list = append(list, i)
	}
	return list
}

func begin(t testing.TB, s *Store, kind verify.CrawlKind) verify.Crawl {
	t.Helper()
	return must[verify.Crawl](t)(s.BeginCrawl(t.Context(), account, service, kind, noon))
}

// crawlAll crawls a Service of the entities 0 to n-1.
func crawlAll(t testing.TB, s *Store, n int) verify.Crawl {
	t.Helper()
	crawl := begin(t, s, verify.CrawlFull)
	var page []verify.Entity
	var read []verify.EntityFactors
	for i := range n {
		page = append(page, entityOf(i))
		read = append(read, readOf(i, noon))
	}
	check(t, s.SaveEntityPage(t.Context(), crawl, page, ""))
	check(t, s.SaveFactors(t.Context(), crawl, read))
	return must[verify.Crawl](t)(s.FinishCrawl(t.Context(), crawl, noon.Add(time.Hour)))
}

func aFullCrawlFillsTheIndexAndForgetsWhatIsGone(t *testing.T, w *world) {
	ctx := t.Context()
	s := w.open(t)
	done := crawlAll(t, s, 30)
	if done.Entities != 30 || done.Factors != 30 || !done.Finished.Equal(noon.Add(time.Hour)) {
		t.Errorf("the crawl reports %+v", done)
	}
	if diff := cmp.Diff(truth(upTo(30)...), indexed(t, s)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(truth(upTo(20)...), func() any { crawlAll(t, s, 20); return indexed(t, s) }()); diff != "" {
		t.Errorf("after a crawl that saw fewer entities:\n%s", diff)
	}

	crawl := begin(t, s, verify.CrawlFull)
	page := []verify.Entity{entityOf(1), entityOf(2), entityOf(3)}
	check(t, s.SaveEntityPage(ctx, crawl, page, "page-2"))
	for _, left := range []string{"pages", "entities"} {
		if _, err := s.FinishCrawl(ctx, crawl, noon); err == nil {
			t.Errorf("a crawl with %s left finishes", left)
		}
		check(t, s.SaveEntityPage(ctx, crawl, page, ""))
	}
	gone := verify.EntityFactors{Entity: verify.Entity{Identity: identityOf(2)}, Gone: true}
	check(t, s.SaveFactors(ctx, crawl, []verify.EntityFactors{readOf(1, noon), gone, readOf(3, noon)}))
	must[verify.Crawl](t)(s.FinishCrawl(ctx, crawl, noon))
	if diff := cmp.Diff(truth(1, 3), indexed(t, s)); diff != "" {
		t.Error(diff)
	}
}

func TestAfterACrawlChangesAreSyncedAgain(t *testing.T) {
	s := openStore(t, t.TempDir())
	crawlAll(t, s, 3)
	var level int
	check(t, s.engine.(*sqliteEngine).write.QueryRow(`PRAGMA synchronous`).Scan(&level))
	if level != 2 {
		t.Errorf("after a crawl, changes are synced at level %d only", level)
	}
}

func aChangedCrawlReadsWhatIsOnItsListOnly(t *testing.T, w *world) {
	ctx := t.Context()
	s := w.open(t)
	crawlAll(t, s, 10)
	crawl := begin(t, s, verify.CrawlChanged)
	check(t, s.QueueEntities(ctx, crawl, []verify.Identity{identityOf(4), "unheard-of"}))
	check(t, s.SaveEntityPage(ctx, crawl, []verify.Entity{entityOf(3), entityOf(11)}, ""))
	var waiting []verify.Identity
	for _, e := range must[[]verify.Entity](t)(s.NextEntities(ctx, crawl, "", 0)) {
		waiting = append(waiting, e.Identity)
	}
	if diff := cmp.Diff([]verify.Identity{identityOf(4), identityOf(11), "unheard-of"}, waiting); diff != "" {
		t.Fatal(diff)
	}
	changed := readOf(4, noon.Add(time.Hour))
	changed.Factors = nil
	check(t, s.SaveFactors(ctx, crawl, []verify.EntityFactors{changed, readOf(11, noon),
		{Entity: verify.Entity{Identity: "unheard-of"}, Gone: true}}))
	must[verify.Crawl](t)(s.FinishCrawl(ctx, crawl, noon))
	want := truth(0, 1, 2, 3, 5, 6, 7, 8, 9, 11)
	if diff := cmp.Diff(want, indexed(t, s)); diff != "" {
		t.Error(diff)
	}
	fresh := must[verify.Freshness](t)(s.Freshness(ctx))
	if fresh.ServiceSID != service || !fresh.OldestRead.Equal(noon) || fresh.LastFull.Kind != verify.CrawlFull || fresh.Unfinished.ID != 0 || fresh.Waiting != 0 {
		t.Errorf("freshness is %+v", fresh)
	}
}

func onlyOneProcessCrawls(t *testing.T, w *world) {
	ctx := t.Context()
	a, b := w.open(t), w.open(t)
	crawl := begin(t, a, verify.CrawlFull)
	if _, err := b.BeginCrawl(ctx, account, service, verify.CrawlFull, noon); verify.KindOf(err) != verify.KindRefused {
		t.Errorf("a second crawl at the same time: %v", err)
	}
	check(t, a.SaveEntityPage(ctx, crawl, []verify.Entity{entityOf(1)}, "page-2"))
	check(t, a.Close())
	resumed := begin(t, b, verify.CrawlFull)
	if resumed.ID != crawl.ID || !resumed.Resumed || resumed.Cursor != "page-2" || resumed.Listed {
		t.Errorf("after the first ended the second continues as %+v", resumed)
	}
	next := begin(t, b, verify.CrawlChanged)
	if next.Resumed || next.ID == crawl.ID {
		t.Errorf("a crawl of another kind continues it: %+v", next)
	}
	if err := b.SaveEntityPage(ctx, resumed, nil, ""); verify.KindOf(err) != verify.KindRefused {
		t.Errorf("a crawl that was given up goes on: %v", err)
	}
}

func theIndexIsOfOneService(t *testing.T, w *world) {
	ctx := t.Context()
	s := w.open(t)
	crawlAll(t, s, 5)
	crawl := must[verify.Crawl](t)(s.BeginCrawl(ctx, account, other, verify.CrawlFull, noon))
	if left := indexed(t, s); len(left) != 0 {
		t.Errorf("the index of another Service still has %v", left)
	}
	if err := s.SaveFactors(ctx, crawl, []verify.EntityFactors{readOf(1, noon)}); err == nil {
		t.Error("a factor of another Service goes into the index")
	}
}

// serviceOfChild is how many entities the Service of crawlForEver has, in pages of 25.
const serviceOfChild = 300

// saidAhead is how many lines crawlForEver says at most before it is told to go on: on a busy machine it would come to its
// end before it is killed.
const saidAhead = 6

// crawlForEver crawls until it is done or killed, and says what it reads, as far ahead of its standard input as it may.
func crawlForEver(dir string) error {
	ctx := context.Background()
	heard, said := bufio.NewReader(os.Stdin), 0
	say := func(format string, args ...any) {
		fmt.Printf(format+"\n", args...)
		if said++; said > saidAhead {
			heard.ReadByte()
		}
	}
	s, err := openAsChild(ctx, dir)
	if err != nil {
		return err
	}
	crawl, err := s.BeginCrawl(ctx, account, service, verify.CrawlFull, noon)
	if err != nil {
		return err
	}
	for !crawl.Listed {
		from := 0
		fmt.Sscan(crawl.Cursor, &from)
		var page []verify.Entity
		for n := from; n < from+25; n++ {
			page = append(page, entityOf(n))
		}
		crawl.Cursor = fmt.Sprint(from + 25)
		if crawl.Listed = from+25 >= serviceOfChild; crawl.Listed {
			crawl.Cursor = ""
		}
		say("page %d", from)
		if err := s.SaveEntityPage(ctx, crawl, page, crawl.Cursor); err != nil {
			return err
		}
		say("saved page %d", from)
	}
	for {
		next, err := s.NextEntities(ctx, crawl, "", 7)
		if err != nil {
			return err
		}
		if len(next) == 0 {
			break
		}
		var read []verify.EntityFactors
		var names []string
		for _, e := range next {
			var n int
			fmt.Sscanf(string(e.Identity), "customer-%d", &n)
			read = append(read, readOf(n, noon))
			names = append(names, string(e.Identity))
		}
		say("read %s", strings.Join(names, " "))
		if err := s.SaveFactors(ctx, crawl, read); err != nil {
			return err
		}
		say("saved %s", strings.Join(names, " "))
	}
	if _, err := s.FinishCrawl(ctx, crawl, noon); err != nil {
		return err
	}
	return s.Close()
}

func aCrawlThatIsKilledGoesOn(t *testing.T, w *world) {
	if testing.Short() {
		t.Skip("run without -short: it starts many programs")
	}
	saved := map[string]bool{}
	kills := 0
	for done := false; !done; {
		cmd := w.child(t, "crawl")
		out, goOn := must[io.ReadCloser](t)(cmd.StdoutPipe()), must[io.WriteCloser](t)(cmd.StdinPipe())
		check(t, cmd.Start())
		enough := 3 + rand.IntN(12)
		goOn.Write(make([]byte, enough))
		var said []byte
		buffer := make([]byte, 512)
		for bytes.Count(said, []byte("\n")) < enough {
			n, err := out.Read(buffer)
			said = append(said, buffer[:n]...)
			if err != nil {
				break // it came to its end
			}
		}
		cmd.Process.Kill()
		rest, _ := io.ReadAll(out)
		cmd.Wait()
		kills++
		lines := strings.SplitAfter(string(append(said, rest...)), "\n")
		for _, line := range lines {
			line, whole := strings.CutSuffix(line, "\n")
			word, what, _ := strings.Cut(line, " ")
			switch {
			case !whole:
			case word == "saved":
				for _, item := range strings.Fields(strings.TrimPrefix(what, "page ")) {
					saved[item] = true
				}
			case slices.ContainsFunc(strings.Fields(what), func(item string) bool { return saved[item] }):
				t.Fatalf("after %d kills work is repeated: %s", kills, line)
			}
		}
		s := w.open(t)
		done = must[verify.Freshness](t)(s.Freshness(t.Context())).LastFull.ID != 0
		check(t, s.Close())
	}
	if kills < 5 {
		t.Fatalf("it was killed %d times only", kills)
	}
	s := w.open(t)
	if diff := cmp.Diff(truth(upTo(serviceOfChild)...), indexed(t, s)); diff != "" {
		t.Error(diff)
	}
}

func duplicatesAreFound(t *testing.T, w *world) {
	ctx := t.Context()
	s := w.open(t)
	crawl := begin(t, s, verify.CrawlFull)
	a, b, c, d := factorOf(1), factorOf(2), factorOf(3), factorOf(4)
	b.Config.Token = a.Config.Token // of another identity
	d.Identity, d.DateCreated = c.Identity, noon.Add(time.Hour)
	check(t, s.SaveFactors(ctx, crawl, []verify.EntityFactors{
		{Entity: verify.Entity{Identity: a.Identity}, Factors: []verify.Factor{a}, ReadAt: noon},
		{Entity: verify.Entity{Identity: b.Identity}, Factors: []verify.Factor{b}, ReadAt: noon},
		{Entity: verify.Entity{Identity: c.Identity}, Factors: []verify.Factor{d, c}, ReadAt: noon}}))
	var tokens, names [][]verify.FactorSID
	sids := func(group []verify.IndexedFactor) (list []verify.FactorSID) {
		for _, f := range group {
			list = append(list, f.SID)
		}
		return list
	}
	for group, err := range s.SameToken(ctx) {
		check(t, err)
		tokens = append(tokens, sids(group))
	}
	for group, err := range s.SameName(ctx) {
		check(t, err)
		names = append(names, sids(group))
	}
	if diff := cmp.Diff([][]verify.FactorSID{{a.SID, b.SID}}, tokens); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([][]verify.FactorSID{{c.SID, d.SID}}, names); diff != "" {
		t.Error(diff)
	}
}

func declaredMetadataGivesTheSameAnswers(t *testing.T, w *world) {
	ctx := t.Context()
	s := w.open(t)
	crawl := begin(t, s, verify.CrawlFull)
	put := func(n int, metadata map[string]string) {
		f := factorOf(n)
		f.Metadata = metadata
		check(t, s.SaveFactors(ctx, crawl, []verify.EntityFactors{{Entity: verify.Entity{Identity: f.Identity}, Factors: []verify.Factor{f}, ReadAt: noon}}))
	}
	odd := `it's a "key"`
	field := func(key string) []where.Field {
		f, ok := where.FieldOf(where.MetadataPrefix + key)
		if !ok {
			t.Fatal(key)
		}
		return []where.Field{f}
	}
	put(6, nil)
	for n := range 6 {
		put(n, map[string]string{"app_version": []string{"4.1", "4.2"}[n%2], odd: fmt.Sprint(n / 3)})
	}
	ask := func() (answers [][]verify.FactorGroup) {
		for _, key := range []string{"app_version", odd, "nothing"} {
			answers = append(answers, must[[]verify.FactorGroup](t)(s.FactorGroupsWhere(ctx, field(key), nil)))
		}
		return answers
	}
	before := ask()
	check(t, s.DeclareMetadata(ctx, []string{"app_version", odd}))
	if diff := cmp.Diff(before, ask()); diff != "" {
		t.Errorf("after declaring:\n%s", diff)
	}
	for n := range 2 { // read again, now with columns
		put(n, map[string]string{"app_version": []string{"4.1", "4.2"}[n%2], odd: "0"})
	}
	if diff := cmp.Diff(before, ask()); diff != "" {
		t.Errorf("after writing into columns:\n%s", diff)
	}
	check(t, s.DeclareMetadata(ctx, []string{odd}))
	if column := must[string](t)(s.factorColumn(ctx, field("app_version")[0])); column != "metadata_1" {
		t.Errorf("a key that is not named again loses its column: %s", column)
	}
	must[map[Kind]int](t)(s.Purge(ctx, kindIndex))
	if column := must[string](t)(s.factorColumn(ctx, field("app_version")[0])); column == "metadata_1" {
		t.Error("an emptied index keeps its columns")
	}
	check(t, s.DeclareMetadata(ctx, []string{"app_version"}))
	many := make([]string, maxMetadataKeys)
	for i := range many {
		many[i] = fmt.Sprint("key", i)
	}
	if err := s.DeclareMetadata(ctx, many); verify.KindOf(err) != verify.KindUsage {
		t.Errorf("endless keys: %v", err)
	}
}

func outcomesAreKeptByItem(t *testing.T, w *world) {
	ctx := t.Context()
	s := w.open(t)
	outcome := func(item int, what string) verify.ItemOutcome {
		return verify.ItemOutcome{Plan: "plan-1", Item: item, SID: string(factorSID(item)), Outcome: what, Detail: "why", At: noon}
	}
	for _, o := range []verify.ItemOutcome{outcome(2, "sending"), outcome(1, "deleted"), outcome(2, "deleted")} {
		check(t, s.RecordOutcome(ctx, o))
	}
	check(t, s.RecordOutcome(ctx, verify.ItemOutcome{Plan: "plan-2", Item: 1}))
	var got []verify.ItemOutcome
	for o, err := range w.open(t).Outcomes(ctx, "plan-1") {
		check(t, err)
		got = append(got, o)
	}
	if diff := cmp.Diff([]verify.ItemOutcome{outcome(1, "deleted"), outcome(2, "deleted")}, got); diff != "" {
		t.Error(diff)
	}
}

// fillEverything keeps something of every kind about three identities.
func credentialFile(s *Store) verify.CredentialFile {
	return verify.CredentialFile{CredentialSID: "CR0123456789abcdef0123456789abcdef", Platform: verify.PlatformAPN, Fingerprint: s.HashCredential([]byte("a certificate")),
		NotAfter: noon.AddDate(1, 0, 0), Updated: noon.Add(time.Second), Topics: []string{"com.bank.example"}, At: noon}
}

// aCredentialFileIsRemembered says that a file is known again by what is in it, which is itself not kept.
func aCredentialFileIsRemembered(t *testing.T, w *world) {
	s := w.open(t)
	file := credentialFile(s)
	account := verify.CredentialFile{Platform: verify.PlatformFCM, Fingerprint: s.HashCredential([]byte("a service account")), Project: "bank", KeyID: "k1", At: noon.Add(time.Minute)}
	check(t, s.RememberCredentialFile(t.Context(), verify.CredentialFile{Fingerprint: file.Fingerprint}))
	check(t, s.RememberCredentialFile(t.Context(), file))
	check(t, s.RememberCredentialFile(t.Context(), account))
	var got []verify.CredentialFile
	for f, err := range s.CredentialFiles(t.Context()) {
		check(t, err)
		got = append(got, f)
	}
	if diff := cmp.Diff([]verify.CredentialFile{account, file}, got); diff != "" {
		t.Error(diff)
	}
	check(t, s.Close())
	if bytes.Contains(w.content(t), []byte("a certificate")) {
		t.Error("the contents of the file are kept")
	}
}

func aRotationIsRememberedUntilItEnds(t *testing.T, w *world) {
	ctx := t.Context()
	s := w.open(t)
	began := verify.Rotation{ServiceSID: service, Platform: verify.PlatformAPN, Began: noon, Fingerprint: "a hash", Old: "CR0123456789abcdef0123456789abcdef"}
	check(t, s.SaveRotation(ctx, began))
	check(t, s.SaveRotation(ctx, verify.Rotation{ServiceSID: other, Platform: verify.PlatformAPN, Began: noon.Add(time.Hour)}))
	began.New, began.Attached = "CR0123456789abcdef0123456789abcde0", noon.Add(time.Minute)
	check(t, s.SaveRotation(ctx, began))
	got, found, err := s.UnfinishedRotation(ctx, verify.ServiceSID(strings.ToLower(string(service))), verify.PlatformAPN)
	if diff := cmp.Diff(began, got); diff != "" || !found || err != nil {
		t.Errorf("%v, %v\n%s", found, err, diff)
	}
	began.Outcome = "kept"
	check(t, s.SaveRotation(ctx, began))
	if _, found, err := s.UnfinishedRotation(ctx, service, verify.PlatformAPN); found || err != nil {
		t.Errorf("one that has ended goes on: %v", err)
	}
}

func aCreationIsOpenUntilItsSIDIsNoted(t *testing.T, w *world) {
	ctx := t.Context()
	s := w.open(t)
	account := verify.AccountSID("AC0123456789abcdef0123456789abcdef")
	begun := verify.Creation{AccountSID: account, Kind: "credential", Platform: verify.PlatformAPN, Name: "iOS", Beside: []string{"CR1"}, Begun: noon, File: &verify.CredentialFile{Fingerprint: "a hash"}}
	id, err := s.BeginCreation(ctx, begun)
	check(t, err)
	open := func() []verify.Creation {
		list, err := s.Creations(ctx, verify.AccountSID(strings.ToUpper(string(account))))
		check(t, err)
		return list
	}
	begun.ID = id
	if diff := cmp.Diff([]verify.Creation{begun}, open()); diff != "" {
		t.Error(diff)
	}
	check(t, s.FinishCreation(ctx, id, verify.CreationDone, "CR2"))
	if list := open(); len(list) != 1 || list[0].SID != "CR2" || list[0].Outcome != verify.CreationDone {
		t.Errorf("%+v", list)
	}
	check(t, s.FinishCreation(ctx, id, verify.CreationNoted, "CR2"))
	if list := open(); len(list) != 0 {
		t.Errorf("%+v", list)
	}
}

func fillEverything(t testing.TB, s *Store) {
	t.Helper()
	ctx := t.Context()
	crawl := begin(t, s, verify.CrawlFull)
	check(t, s.RememberCredentialFile(ctx, credentialFile(s)))
	for n := 1; n <= 3; n++ {
		f := factorOf(n)
		check(t, s.SaveFactors(ctx, crawl, []verify.EntityFactors{{Entity: entityOf(n), Factors: []verify.Factor{f}, ReadAt: noon}}))
		record(t, s, f, noon)
		key := verify.ClaimKey{ServiceSID: service, ActionID: "a", FactorSID: f.SID}
		claim := must[verify.Claim](t)(s.ClaimChallenge(ctx, key))
		check(t, s.FulfilClaim(ctx, claim, verify.CreatedChallenge{SID: challengeSID(n), Identity: f.Identity, FactorSID: f.SID, Created: noon}))
		if id, _, err := s.ReserveResend(ctx, challengeSID(n), noon, 3); err != nil || id == 0 {
			t.Fatal(err)
		}
		check(t, s.RecordReceipt(ctx, verify.Receipt{ChallengeSID: challengeSID(n), Source: "app", At: noon}))
		check(t, s.Saw(ctx, noon, map[verify.Identity][]string{f.Identity: {string(f.SID)}}))
		check(t, s.RecordOutcome(ctx, verify.ItemOutcome{Plan: "p", Item: n, SID: string(f.SID), At: noon}))
		putEventOf(t, s, n)
		undecoded := event0(fmt.Sprintf("correlationIds=%%5BVA1%%2C%s%%2CYF2%%5D", f.Identity))
		must[bool](t)(s.PutEvent(ctx, undecoded, eventNothing))
	}
	must[bool](t)(s.PutEvent(ctx, event0("of somebody else: "+string(identityOf(2))+"0"), eventNothing))
}

func anErasedIdentityIsNowhere(t *testing.T, w *world) {
	ctx := t.Context()
	s := w.open(t)
	fillEverything(t, s)
	gone := must[map[Kind]int](t)(s.PurgeIdentity(ctx, identityOf(2)))
	want := map[Kind]int{kindIndex: 1, kindEvents: 2, kindChallenges: 1, kindDeletions: 1, kindOutcomes: 1, kindSeen: 2}
	if diff := cmp.Diff(want, gone); diff != "" {
		t.Error(diff)
	}
	check(t, s.Close())
	content := bytes.ReplaceAll(w.content(t), []byte(identityOf(2)+"0"), nil)
	for _, trace := range []string{string(identityOf(2)), string(factorSID(2)), string(challengeSID(2)), string(entityOf(2).SID)} {
		if bytes.Contains(content, []byte(trace)) {
			t.Errorf("%s is still in a file", trace)
		}
		if other := strings.Replace(trace, "2", "3", 1); trace[0] == 'c' && !bytes.Contains(content, []byte(other)) {
			t.Errorf("%s is gone as well", other)
		}
	}
}

func whatIsKeptIsListedAndPurged(t *testing.T, w *world) {
	ctx := t.Context()
	s := w.open(t)
	fillEverything(t, s)
	rows := func() map[Kind]int {
		counts := map[Kind]int{}
		for _, k := range must[EnvironmentState](t)(s.State(ctx)).Kept {
			counts[k.Kind] = k.Rows
		}
		return counts
	}
	full := map[Kind]int{kindIndex: 3, kindEvents: 7, kindChallenges: 3, kindDeletions: 3, kindOutcomes: 3, kindSeen: 6, kindCredentials: 1}
	if diff := cmp.Diff(full, rows()); diff != "" {
		t.Error(diff)
	}
	if state := must[EnvironmentState](t)(s.State(ctx)); state.Bytes == 0 || state.Environment != w.environment || !state.Kept[0].Oldest.Equal(noon) {
		t.Errorf("listed as %+v", state)
	}
	if n := must[int](t)(s.PurgeBefore(ctx, kindEvents, noon.Add(2*time.Second))); n != 1 {
		t.Errorf("%d events were before that", n)
	}
	if n := must[int](t)(s.PurgeBefore(ctx, kindChallenges, noon.Add(time.Second))); n != 3 {
		t.Errorf("%d challenges were before that", n)
	}
	if left := must[[]verify.Resend](t)(s.Resends(ctx, challengeSID(1))); len(left) != 0 {
		t.Error("resends of a purged challenge are left")
	}
	if _, err := s.PurgeBefore(ctx, kindIndex, noon); verify.KindOf(err) != verify.KindUsage {
		t.Errorf("the index by age: %v", err)
	}
	must[map[Kind]int](t)(s.Purge(ctx, kindDeletions))
	if diff := cmp.Diff(map[Kind]int{kindIndex: 3, kindEvents: 6, kindChallenges: 0, kindDeletions: 0, kindOutcomes: 3, kindSeen: 6, kindCredentials: 1}, rows()); diff != "" {
		t.Error(diff)
	}
	must[map[Kind]int](t)(s.Purge(ctx))
	for kind, n := range rows() {
		if n != 0 {
			t.Errorf("%d of %s are left", n, kind)
		}
	}
	check(t, s.Close())
	if bytes.Contains(w.content(t), []byte("customer-")) {
		t.Error("an identity is left")
	}
}

func TestFilesOfEnvironmentsAreListed(t *testing.T) {
	dir := t.TempDir()
	ctx := t.Context()
	check(t, openStore(t, dir).Close())
	if names, _, err := Environments(ctx, dir); err != nil || !slices.Equal(names, []string{"production"}) {
		t.Errorf("environments: %v, %v", names, err)
	}
	if names, _, err := Environments(ctx, dir+"/none"); err != nil || len(names) != 0 {
		t.Errorf("of a directory that is not there: %v, %v", names, err)
	}
	check(t, os.WriteFile(dir+"/env-broken.db", []byte("not a database"), 0o600))
	if _, unreadable, err := Environments(ctx, dir); err != nil || len(unreadable) != 1 {
		t.Errorf("unreadable: %v, %v", unreadable, err)
	}
}

// countsAreThoseOfTheFactors counts by any fields in any order, and compares with counting one by one.
func countsAreThoseOfTheFactors(t *testing.T, w *world) {
	ctx := t.Context()
	s := w.open(t)
	check(t, s.DeclareMetadata(ctx, []string{"app_version", "os"}))
	crawl := begin(t, s, verify.CrawlFull)
	var factors []verify.Factor
	for n := range 200 {
		f := factorOf(n)
		f.Config.Platform = []verify.Platform{verify.PlatformAPN, verify.PlatformFCM, verify.PlatformNone}[n%3]
		f.Config.SDKVersion = fmt.Sprintf("3.%d", n%4)
		f.Metadata = map[string]string{"app_version": fmt.Sprint(n % 5), "os": fmt.Sprint(n % 2), "free": fmt.Sprint(n % 7)}
		factors = append(factors, f)
		check(t, s.SaveFactors(ctx, crawl, []verify.EntityFactors{{Entity: entityOf(n), Factors: []verify.Factor{f}, ReadAt: noon}}))
	}
	names := []string{"platform", "app_id", "sdk_version", "status", "factor_type", "friendly_name", "metadata.app_version", "metadata.os", "metadata.free"}
	rapid.Check(t, func(t *rapid.T) {
		var by []where.Field
		for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(names), 1, 4, rapid.ID).Draw(t, "fields") {
			field, _ := where.FieldOf(name)
			by = append(by, field)
		}
		want := map[string]int{}
		for _, f := range factors {
			var values []string
			for _, field := range by {
				values = append(values, field.Text(f))
			}
			want[strings.Join(values, "|")]++
		}
		groups, err := s.FactorGroupsWhere(ctx, by, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]int{}
		for i, g := range groups {
			got[strings.Join(g.Values, "|")] = g.Count
			if i > 0 && g.Count > groups[i-1].Count {
				t.Fatalf("not most first: %v", groups)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" || len(groups) != len(want) {
			t.Fatal(diff)
		}
	})
}
