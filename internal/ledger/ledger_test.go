package ledger

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	_ "github.com/verifyctl/verifyctl/internal/tmpdir" // for temporary folders
	"github.com/verifyctl/verifyctl/internal/verify"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("LEDGER_TEST_DIR"); dir != "" { // started again as another process
		if err := writeSome(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const (
	account = verify.AccountSID("AC00000000000000000000000000000001")
	service = verify.ServiceSID("VA00000000000000000000000000000001")
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func factorSID(n int) verify.FactorSID { return verify.FactorSID(fmt.Sprintf("YF%032x", n)) }
func identityOf(n int) verify.Identity { return verify.Identity(fmt.Sprintf("customer-%06d", n)) }

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		check(t, err)
		return v
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func openLedger(t testing.TB, dir string) *Ledger {
	t.Helper()
	return must[*Ledger](t)(Open(t.Context(), dir))
}

func entryOf(n int) Entry {
	return Entry{Time: noon.Add(time.Duration(n) * time.Second), User: "operator", Host: "desk", KeySID: "SK00000000000000000000000000000001",
		Environment: "production", AccountSID: account, ServiceSID: service, Command: "factors delete", SIDs: []string{string(factorSID(n))},
		Identity: string(identityOf(n)), Reason: "lost phone"}
}

func writeOne(t testing.TB, a *Ledger, n int) {
	t.Helper()
	pending := must[Entry](t)(a.begin(t.Context(), entryOf(n)))
	check(t, a.finish(t.Context(), pending, noon.Add(time.Minute), "deleted", fmt.Sprintf("RQ%032x", n)))
}

func writeSome(dir string) error {
	ctx := context.Background()
	a, err := Open(ctx, dir)
	if err != nil {
		return err
	}
	for n := range 25 {
		pending, err := a.begin(ctx, entryOf(n))
		if err != nil {
			return err
		}
		if err := a.finish(ctx, pending, noon, "deleted", ""); err != nil {
			return err
		}
	}
	return nil
}

func entries(t testing.TB, a *Ledger, filter Filter) (list []Entry) {
	t.Helper()
	for e, err := range a.Entries(filter) {
		check(t, err)
		list = append(list, e)
	}
	return list
}

func TestEveryWriteLeavesALineBeforeAndAfter(t *testing.T) {
	dir := t.TempDir()
	a := openLedger(t, dir)
	pending := must[Entry](t)(a.begin(t.Context(), entryOf(1)))
	if before := entries(t, a, Filter{}); len(before) != 1 || before[0].Phase != "before" {
		t.Fatalf("while the write is sent the file has %+v", before)
	}
	if report := must[Report](t)(a.Verify(t.Context())); len(report.Unfinished) != 1 {
		t.Errorf("a write without an end is reported as %+v", report)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	check(t, a.finish(cancelled, pending, noon.Add(time.Minute), "deleted", "RQ1"))

	want := entryOf(1)
	want.Phase, want.Who = "before", a.key.Tombstone(want.Identity)
	after := want
	after.Phase, after.Time, after.Outcome, after.RequestID = "after", noon.Add(time.Minute), "deleted", "RQ1"
	got := entries(t, a, Filter{})
	if len(got) != 2 || got[0].ID == "" || got[0].ID != got[1].ID {
		t.Fatalf("the file has %+v", got)
	}
	got[0].ID, got[1].ID = "", ""
	if diff := cmp.Diff([]Entry{want, after}, got); diff != "" {
		t.Error(diff)
	}
	if report := must[Report](t)(a.Verify(t.Context())); report.Bad != 0 || report.Lines != 2 || len(report.Unfinished) != 0 {
		t.Errorf("the whole file is reported as %+v", report)
	}
}

// TestAnIdentityIsNamedOnceForItsWrites: the name is written down before its first line, and again once it was erased.
func TestAnIdentityIsNamedOnceForItsWrites(t *testing.T) {
	dir := t.TempDir()
	a := openLedger(t, dir)
	named := func() int {
		return strings.Count(string(must[[]byte](t)(os.ReadFile(filepath.Join(dir, namesFile)))), string(identityOf(1)))
	}
	for range 3 {
		writeOne(t, a, 1)
	}
	if n := named(); n != 1 {
		t.Errorf("named %d times for three writes", n)
	}
	must[bool](t)(a.EraseIdentity(t.Context(), string(identityOf(1))))
	writeOne(t, a, 1)
	if n := named(); n != 1 {
		t.Errorf("named %d times after it was erased and written for again", n)
	}
}

func TestAuditEntriesAreFound(t *testing.T) {
	a := openLedger(t, t.TempDir())
	for n := range 3 {
		writeOne(t, a, n)
	}
	for name, c := range map[string]struct {
		filter Filter
		want   int
	}{
		"all":         {Filter{}, 6},
		"identity":    {Filter{Identity: string(identityOf(1))}, 2},
		"SID":         {Filter{SID: strings.ToUpper(string(factorSID(2)))}, 2},
		"Service":     {Filter{SID: string(service)}, 6},
		"command":     {Filter{Command: "factors"}, 6},
		"half a word": {Filter{Command: "fact"}, 0},
		"environment": {Filter{Environment: "staging"}, 0},
		"since":       {Filter{Since: noon.Add(30 * time.Second)}, 3},
	} {
		if got := entries(t, a, c.filter); len(got) != c.want {
			t.Errorf("%s: %d lines, want %d", name, len(got), c.want)
		}
	}
}

func TestWithoutARecordNothingMayBeSent(t *testing.T) {
	dir := t.TempDir()
	a := openLedger(t, dir)
	check(t, os.Mkdir(filepath.Join(dir, chainFile), 0o700))
	pending, err := a.begin(t.Context(), entryOf(1))
	if pending.ID != "" || err == nil {
		t.Errorf("begun without a record: %v, %v", pending, err)
	}
	check(t, os.Remove(filepath.Join(dir, chainFile)))
	long := entryOf(1)
	long.Reason = strings.Repeat("x", maxLine)
	if _, err := a.begin(t.Context(), long); err == nil {
		t.Error("an endless reason was accepted")
	}
}

func TestProcessesWriteOneChain(t *testing.T) {
	dir := t.TempDir()
	var running []*exec.Cmd
	for range 6 {
		cmd := exec.Command(os.Args[0])
		cmd.Env, cmd.Stderr = append(os.Environ(), "LEDGER_TEST_DIR="+dir), os.Stderr
		check(t, cmd.Start())
		running = append(running, cmd)
	}
	for _, cmd := range running {
		check(t, cmd.Wait())
	}
	report := must[Report](t)(openLedger(t, dir).Verify(t.Context()))
	if diff := cmp.Diff(Report{Verdict: Intact, Lines: 300, Torn: []int{}, Unfinished: []string{}, Breaks: []Break{}}, report); diff != "" {
		t.Error(diff)
	}
}

// TestTamperingIsDetected changes, takes out, moves, doubles and cuts off lines, wherever and however it likes.
func TestTamperingIsDetected(t *testing.T) {
	dir := t.TempDir()
	a := openLedger(t, dir)
	for n := range 6 {
		writeOne(t, a, n)
	}
	path := filepath.Join(dir, chainFile)
	whole := must[[]byte](t)(os.ReadFile(path))
	lines := bytes.SplitAfter(bytes.TrimSuffix(whole, []byte("\n")), []byte("\n"))
	lines[len(lines)-1] = append(lines[len(lines)-1], '\n')

	rapid.Check(t, func(t *rapid.T) {
		n := len(lines)
		at := rapid.IntRange(0, n-1).Draw(t, "line")
		changed := slices.Clone(lines)
		first := at // the first line, from 0, that is not as it was written
		switch rapid.SampledFrom([]string{"byte", "remove", "swap", "double", "insert", "blank", "cut", "head"}).Draw(t, "tampering") {
		case "byte":
			line := bytes.Clone(lines[at])
			i := rapid.IntRange(0, len(line)-1).Draw(t, "byte")
			line[i] ^= byte(rapid.IntRange(1, 255).Draw(t, "bits"))
			changed[at] = line
		case "remove":
			upTo := rapid.IntRange(at+1, n).Draw(t, "up to")
			changed = slices.Delete(changed, at, upTo)
		case "swap":
			with := rapid.IntRange(0, n-1).Filter(func(i int) bool { return i != at }).Draw(t, "with")
			changed[at], changed[with] = changed[with], changed[at]
			first = min(at, with)
		case "double":
			changed = slices.Insert(changed, at, lines[at])
			first = at + 1
		case "insert":
			changed = slices.Insert(changed, at, []byte(rapid.StringMatching(`[ -~]*`).Draw(t, "text")+"\n"))
		case "blank":
			changed = slices.Insert(changed, at, []byte("\n"))
		case "cut":
			left := rapid.IntRange(0, len(whole)-2).Draw(t, "bytes")
			changed = [][]byte{whole[:left]}
			first = bytes.Count(whole[:left], []byte("\n"))
		case "head":
			changed = changed[at+1:]
			first = 0
		}
		if err := os.WriteFile(path, bytes.Join(changed, nil), 0o600); err != nil {
			t.Fatal(err)
		}
		report, err := a.Verify(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		// The chain vouches for a line by the one behind it, so the line before a gap is as suspect as the one after.
		if report.Bad == 0 || report.Problem == "" || report.Bad < first || report.Bad > first+2 {
			t.Fatalf("line %d was the first to be tampered with, the report is %+v", first+1, report)
		}
	})
}

func TestLinesCutOffAtTheEndAreMissed(t *testing.T) {
	dir := t.TempDir()
	a := openLedger(t, dir)
	writeOne(t, a, 1)
	check(t, os.Remove(filepath.Join(dir, chainFile)))
	if report := must[Report](t)(a.Verify(t.Context())); report.Bad != 1 {
		t.Errorf("a file that was taken away is reported as %+v", report)
	}
	if _, err := a.begin(t.Context(), entryOf(2)); verify.KindOf(err) != verify.KindRefused {
		t.Errorf("a write behind a file that was taken away: %v", err)
	}
	must[string](t)(a.Acknowledge(t.Context(), Entry{Time: noon, Reason: "the disk was replaced"}))
	writeOne(t, a, 2)
	check(t, os.Remove(filepath.Join(dir, headFile)))
	if report := must[Report](t)(a.Verify(t.Context())); report.Bad == 0 {
		t.Errorf("a missing head is reported as %+v", report)
	}
}

// TestATornLineIsMendedAndKept writes on after a crash in the middle of a line, at every byte of it, and after a second
// crash in the middle of mending it.
func TestATornLineIsMendedAndKept(t *testing.T) {
	dir := t.TempDir()
	a := openLedger(t, dir)
	writeOne(t, a, 1)
	path := filepath.Join(dir, chainFile)
	kept, head := must[[]byte](t)(os.ReadFile(path)), must[[]byte](t)(os.ReadFile(filepath.Join(dir, headFile)))
	writeOne(t, a, 2)
	next := must[[]byte](t)(os.ReadFile(path))[len(kept):]
	next = next[:bytes.IndexByte(next, '\n')+1]

	for _, start := range []struct {
		name string
		kept []byte
		head []byte
	}{{"behind lines", kept, head}, {"the first line", nil, nil}} {
		for cut := 1; cut < len(next); cut += 23 {
			torn := next[:cut]
			for _, twice := range []bool{false, true} {
				content := slices.Concat(start.kept, torn)
				tears := 1
				if twice {
					content, tears = slices.Concat(content, []byte("\n"), torn[:(cut+1)/2]), 2
				}
				check(t, os.WriteFile(path, content, 0o600))
				check(t, os.Remove(filepath.Join(dir, headFile)))
				if start.head != nil {
					check(t, os.WriteFile(filepath.Join(dir, headFile), start.head, 0o600))
				}
				writeOne(t, a, 3)
				report := must[Report](t)(a.Verify(t.Context()))
				if report.Bad != 0 || len(report.Torn) != tears {
					t.Fatalf("%s, torn after %d bytes, twice %v: %+v", start.name, cut, twice, report)
				}
				mended := must[[]byte](t)(os.ReadFile(path))
				if !bytes.HasPrefix(mended, slices.Concat(content, []byte("\n"))) {
					t.Fatal("what was torn is lost")
				}
				// The torn bytes and the line before them are under the chain as well.
				at := len(start.kept) + cut/2
				mended[at] ^= 1
				check(t, os.WriteFile(path, mended, 0o600))
				if report := must[Report](t)(a.Verify(t.Context())); report.Bad == 0 {
					t.Fatalf("a change of what was torn is not seen")
				}
			}
		}
	}
}

func TestATornLineAtTheEndIsReported(t *testing.T) {
	dir := t.TempDir()
	a := openLedger(t, dir)
	writeOne(t, a, 1)
	f := must[*os.File](t)(os.OpenFile(filepath.Join(dir, chainFile), os.O_APPEND|os.O_WRONLY, 0))
	must[int](t)(f.WriteString(`{"id":"12`))
	check(t, f.Close())
	report := must[Report](t)(a.Verify(t.Context()))
	if diff := cmp.Diff(Report{Verdict: Intact, Lines: 3, Torn: []int{3}, Unfinished: []string{}, Breaks: []Break{}}, report); diff != "" {
		t.Error(diff)
	}
}

func TestTheEndOfALongFileIsRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "audit")
	line := func(n, size int) string {
		return fmt.Sprintf(`{"id":"%d","prev":"%s","reason":"%s"}`, n, noPrev, strings.Repeat("x", size))
	}
	torn := strings.Repeat("torn\n", 3*maxLine) // longer than the first look
	check(t, os.WriteFile(path, []byte(line(1, 99)+"\n"+line(2, maxLine)+"\n"+torn), 0o600))
	f := must[*os.File](t)(os.Open(path))
	defer f.Close()
	got := must[tail](t)(readTail(f))
	if string(got.last) != line(2, maxLine) || string(got.torn) != torn || got.open {
		t.Errorf("last has %d bytes, torn %d, open %v", len(got.last), len(got.torn), got.open)
	}
}

func TestAnErasedIdentityLeavesATombstoneAndTheChain(t *testing.T) {
	dir := t.TempDir()
	a := openLedger(t, dir)
	name := string(identityOf(1))
	entry := entryOf(1)
	entry.Reason = "asked by " + name + ", not by " + name + "9"
	entry.Command = "factors delete " + name
	pending := must[Entry](t)(a.begin(t.Context(), entry))
	check(t, a.finish(t.Context(), pending, noon, "deleted", ""))
	writeOne(t, a, 2)

	if was := must[bool](t)(a.EraseIdentity(t.Context(), name)); !was {
		t.Error("the identity was not there")
	}
	if was := must[bool](t)(a.EraseIdentity(t.Context(), name)); was {
		t.Error("the identity is still there")
	}
	for _, file := range must[[]os.DirEntry](t)(os.ReadDir(dir)) {
		content := string(must[[]byte](t)(os.ReadFile(filepath.Join(dir, file.Name()))))
		if strings.Contains(strings.ReplaceAll(content, name+"9", ""), name) {
			t.Errorf("the identity is still in %s", file.Name())
		}
	}
	if report := must[Report](t)(a.Verify(t.Context())); report.Bad != 0 {
		t.Errorf("the chain broke: %+v", report)
	}
	found := entries(t, a, Filter{Identity: name})
	if len(found) != 2 || found[0].Identity != "" || found[0].Who == "" {
		t.Errorf("the tombstones are %+v", found)
	}
	if others := entries(t, a, Filter{Identity: string(identityOf(2))}); len(others) != 2 || others[0].Identity != string(identityOf(2)) {
		t.Errorf("another identity reads as %+v", others)
	}
}

// TestTheAuditCannotBeWashedClean: what was cut off, changed or put in at the end refuses every write until somebody
// records it, and that record stays.
func TestTheAuditCannotBeWashedClean(t *testing.T) {
	for name, wash := range map[string]func(lines [][]byte) [][]byte{
		"two lines cut off": func(lines [][]byte) [][]byte { return lines[:len(lines)-2] },
		"all lines cut off": func([][]byte) [][]byte { return nil },
		"the last changed":  func(lines [][]byte) [][]byte { lines[len(lines)-1][20] ^= 1; return lines },
		"one put in": func(lines [][]byte) [][]byte {
			return append(lines, []byte(`{"id":"1","phase":"before","prev":"`+noPrev+`"}`+"\n"), lines[0])
		},
	} {
		dir := t.TempDir()
		a := openLedger(t, dir)
		for n := range 3 {
			writeOne(t, a, n)
		}
		path := filepath.Join(dir, chainFile)
		lines := bytes.SplitAfter(bytes.TrimSuffix(must[[]byte](t)(os.ReadFile(path)), []byte("\n")), []byte("\n"))
		lines[len(lines)-1] = append(lines[len(lines)-1], '\n')
		check(t, os.WriteFile(path, bytes.Join(wash(lines), nil), 0o600))
		_, err := a.begin(t.Context(), entryOf(9))
		if verify.KindOf(err) != verify.KindRefused || !strings.Contains(err.(*verify.Error).Hint, "audit acknowledge") {
			t.Errorf("%s: the next write is %v", name, err)
			continue
		}
		if report := must[Report](t)(a.Verify(t.Context())); report.Verdict != Broken {
			t.Errorf("%s: %+v", name, report)
		}
		problem := must[string](t)(a.Acknowledge(t.Context(), Entry{Time: noon, User: "operator", Reason: "restored"}))
		writeOne(t, a, 9)
		report := must[Report](t)(a.Verify(t.Context()))
		if problem == "" || report.Verdict != Acknowledged || len(report.Breaks) != 1 || report.Breaks[0].Reason != "restored" || report.Breaks[0].Problem != problem {
			t.Errorf("%s: %q, %+v", name, problem, report)
		}
		if again := must[string](t)(a.Acknowledge(t.Context(), Entry{Time: noon, Reason: "again"})); again != "" {
			t.Errorf("%s: acknowledged again: %s", name, again)
		}
	}
}

// TestALineBehindTheHeadIsAdopted: a kill between the line and the head must not block the next write.
func TestALineBehindTheHeadIsAdopted(t *testing.T) {
	dir := t.TempDir()
	a := openLedger(t, dir)
	check(t, a.append(t.Context(), Entry{ID: "1", Phase: phaseBefore}))
	head := must[[]byte](t)(os.ReadFile(filepath.Join(dir, headFile)))
	check(t, a.append(t.Context(), Entry{ID: "1", Phase: phaseAfter}))
	check(t, os.WriteFile(filepath.Join(dir, headFile), head, 0o600))
	writeOne(t, a, 2)
	if report := must[Report](t)(a.Verify(t.Context())); report.Verdict != Intact || report.Lines != 4 {
		t.Errorf("%+v", report)
	}
	fresh := openLedger(t, t.TempDir())
	check(t, fresh.beginHead())
	begun := must[[]byte](t)(os.ReadFile(filepath.Join(fresh.dir, headFile)))
	check(t, fresh.append(t.Context(), Entry{ID: "1", Phase: phaseBefore}))
	check(t, os.WriteFile(filepath.Join(fresh.dir, headFile), begun, 0o600))
	if report := must[Report](t)(fresh.Verify(t.Context())); report.Verdict != Intact {
		t.Errorf("killed behind the first line: %+v", report)
	}
	check(t, fresh.append(t.Context(), Entry{ID: "1", Phase: phaseAfter}))
}

// TestNoHeadAdoptsWhatIsLeft: whoever cuts lines off cannot have the rest adopted by taking the head away, or by making one that
// stands at the beginning.
func TestNoHeadAdoptsWhatIsLeft(t *testing.T) {
	for name, head := range map[string]string{
		"no head":              "",
		"a head of nothing":    `{"size":0,"last":"` + keyed + noPrev + `"}`,
		"a head of no hash":    `{"size":0,"last":""}`,
		"a head without a key": `{"size":0,"last":"` + hashLine(nil) + `"}`,
	} {
		for lines := 1; lines < 6; lines++ {
			a := openLedger(t, t.TempDir())
			for n := range 3 {
				writeOne(t, a, n)
			}
			path := filepath.Join(a.dir, chainFile)
			all := slices.Collect(bytes.Lines(must[[]byte](t)(os.ReadFile(path))))
			check(t, os.WriteFile(path, bytes.Join(all[:lines], nil), 0o600))
			check(t, os.Remove(filepath.Join(a.dir, headFile)))
			if head != "" {
				check(t, os.WriteFile(filepath.Join(a.dir, headFile), fmt.Appendf(nil, "%-127s\n", head), 0o600))
			}
			if _, err := a.begin(t.Context(), entryOf(9)); verify.KindOf(err) != verify.KindRefused {
				t.Errorf("%s, %d of %d lines: the next write is %v", name, lines, len(all), err)
			}
			if report := must[Report](t)(a.Verify(t.Context())); report.Verdict != Broken {
				t.Errorf("%s, %d of %d lines: %+v", name, lines, len(all), report)
			}
			must[string](t)(a.Acknowledge(t.Context(), Entry{Time: noon, Reason: "tried"}))
			writeOne(t, a, 9)
		}
	}
}

// TestLinesThatWereWrittenTogetherAreAdopted: a kill between them and the head must not block the next write either. Behind a
// line that follows the head, only who has the key can put another.
func TestLinesThatWereWrittenTogetherAreAdopted(t *testing.T) {
	dir := t.TempDir()
	a := openLedger(t, dir)
	first := must[Entry](t)(a.begin(t.Context(), entryOf(1)))
	headPath, chain := filepath.Join(dir, headFile), filepath.Join(dir, chainFile)
	before := must[[]byte](t)(os.ReadFile(headPath))
	a.finishLater(first, noon, "deleted", "RQ1")
	must[Entry](t)(a.begin(t.Context(), entryOf(2)))
	check(t, os.WriteFile(headPath, before, 0o600))
	writeOne(t, openLedger(t, dir), 3)
	if report := must[Report](t)(a.Verify(t.Context())); report.Verdict != Intact || report.Lines != 5 || len(report.Unfinished) != 1 {
		t.Errorf("%+v", report)
	}

	last, _, err := a.readHead()
	check(t, err)
	forged := `{"id":"7","phase":"after","prev":"` + last.Last + `"}`
	text := must[[]byte](t)(os.ReadFile(chain))
	text = fmt.Appendf(text, "%s\n"+`{"id":"8","phase":"after","prev":"%s"}`+"\n", forged, hashLine([]byte(forged)))
	check(t, os.WriteFile(chain, text, 0o600))
	if _, err := a.begin(t.Context(), entryOf(4)); verify.KindOf(err) != verify.KindRefused {
		t.Errorf("behind two lines that were put in, the next write is %v", err)
	}
}

// TestAnOldChainGoesOnKeyed: lines of an older version verify as what they are, and none may follow a keyed one.
func TestAnOldChainGoesOnKeyed(t *testing.T) {
	dir := t.TempDir()
	old := `{"id":"1","phase":"before","prev":"` + noPrev + `"}`
	second := `{"id":"1","phase":"after","prev":"` + hashLine([]byte(old)) + `"}`
	content := old + "\n" + second + "\n"
	check(t, os.WriteFile(filepath.Join(dir, headFile), fmt.Appendf(nil, "%-127s\n", fmt.Sprintf(`{"size":%d,"last":"%s"}`, len(content), hashLine([]byte(second)))), 0o600))
	a := openLedger(t, dir)
	check(t, os.WriteFile(filepath.Join(dir, chainFile), []byte(content), 0o600))
	writeOne(t, a, 1)
	if report := must[Report](t)(a.Verify(t.Context())); report.Verdict != Intact || report.Plain != 2 || report.Lines != 4 {
		t.Errorf("%+v", report)
	}
	path := filepath.Join(dir, chainFile)
	whole := must[[]byte](t)(os.ReadFile(path))
	last := whole[bytes.LastIndexByte(whole[:len(whole)-1], '\n')+1:]
	forged := fmt.Appendf(whole, `{"id":"7","phase":"after","prev":"%s"}`+"\n", hashLine(last[:len(last)-1]))
	check(t, os.WriteFile(path, forged, 0o600))
	if report := must[Report](t)(a.Verify(t.Context())); report.Verdict != Broken || report.Bad != 5 {
		t.Errorf("a line of the old kind behind keyed ones: %+v", report)
	}
}

// TestALostKeyIsNotReplacedInSilence: a new key would make the chain worthless without a word.
func TestALostKeyIsNotReplacedInSilence(t *testing.T) {
	dir := t.TempDir()
	writeOne(t, openLedger(t, dir), 1)
	check(t, os.Remove(filepath.Join(dir, "key")))
	if _, err := Open(t.Context(), dir); verify.KindOf(err) != verify.KindRefused || !strings.Contains(err.Error(), "is gone") {
		t.Errorf("opened without the key: %v", err)
	}
	a := must[*Ledger](t)(OpenWithoutKey(t.Context(), dir))
	if problem := must[string](t)(a.Acknowledge(t.Context(), Entry{Time: noon, Reason: "the key was lost"})); problem == "" {
		t.Error("a chain of another key is found good")
	}
	writeOne(t, a, 2)
}

// TestAnExportIsFoundAgain: what was kept elsewhere tells whether the file still begins with it.
func TestAnExportIsFoundAgain(t *testing.T) {
	dir := t.TempDir()
	a := openLedger(t, dir)
	writeOne(t, a, 1)
	var out bytes.Buffer
	export := must[Export](t)(a.Export(t.Context(), &out, noon))
	if whole := must[[]byte](t)(os.ReadFile(filepath.Join(dir, chainFile))); !bytes.Equal(out.Bytes(), whole) || export.Lines != 2 || export.Bytes != int64(len(whole)) {
		t.Errorf("%+v of %d bytes", export, len(whole))
	}
	writeOne(t, a, 2)
	if !must[bool](t)(a.StartsWith(export)) {
		t.Error("a file that only grew is not recognised")
	}
	export.Bytes++
	if must[bool](t)(a.StartsWith(export)) {
		t.Error("another file is recognised")
	}
}

// TestAnyFileIsWrittenOn writes on behind bytes that nobody wrote: nothing of them is lost.
func TestAnyFileIsWrittenOn(t *testing.T) {
	line := `{"id":"1","phase":"before","prev":"` + noPrev + `"}`
	for _, content := range []string{"", "\n", "\n\n", "{", line, line + "\n", line + "\n{", line + "\n\n" + line, "\x00\x00", "null\n", `{"torn":-1,"prev":"` + noPrev + `","id":"2"}`} {
		dir := t.TempDir()
		a := openLedger(t, dir)
		path := filepath.Join(dir, chainFile)
		check(t, os.WriteFile(path, []byte(content), 0o600))
		before := must[Report](t)(a.Verify(t.Context()))
		if content != "" && before.Bad == 0 && len(before.Torn) == 0 {
			t.Errorf("%q, which was never written, is found good: %+v", content, before)
		}
		if _, err := a.begin(t.Context(), entryOf(1)); err != nil {
			if verify.KindOf(err) != verify.KindRefused || before.Bad == 0 {
				t.Errorf("%q is refused with %v: %+v", content, err, before)
			}
			must[string](t)(a.Acknowledge(t.Context(), Entry{Time: noon, Reason: "tested"}))
		}
		writeOne(t, a, 1)
		after := must[[]byte](t)(os.ReadFile(path))
		if !bytes.HasPrefix(after, []byte(content)) || bytes.Count(after, []byte(`"phase":"after"`)) == 0 {
			t.Errorf("of %q something is lost, or of what was written", content)
		}
		if last := must[Report](t)(a.Verify(t.Context())); last.Bad > before.Lines+1 {
			t.Errorf("the lines behind %q are found bad: %+v", content, last)
		}
	}
}

// FuzzAuditFile changes any bytes of a file of two writes: no byte is left out of what is checked, and whatever is not still
// there as it was written is found. What was put behind it may be a line that was torn.
func FuzzAuditFile(f *testing.F) {
	dir := f.TempDir()
	a := openLedger(f, dir)
	writeOne(f, a, 1)
	writeOne(f, a, 2)
	whole := must[[]byte](f)(os.ReadFile(filepath.Join(dir, chainFile)))
	head, hasHead, err := a.readHead()
	check(f, err)
	first, _, _ := bytes.Cut(whole, []byte("\n"))
	for _, seed := range []struct {
		at, cut uint16
		put     string
	}{{0, 0, ""}, {0, 0, "\n"}, {5, 1, "x"}, {0, uint16(len(first)) + 1, ""}, {uint16(len(first)), 1, ""}, {uint16(len(whole)) - 1, 1, ""}, {0, uint16(len(whole)), ""},
		{uint16(len(whole)), 0, "{"}, {uint16(len(whole)), 0, string(first) + "\n"}, {0, 0, "\x00\x00"}, {0, 0, "null\n"}, {0, 0, `{"torn":-1}`}} {
		f.Add(seed.at, seed.cut, []byte(seed.put))
	}
	f.Fuzz(func(t *testing.T, at, cut uint16, put []byte) {
		from := min(int(at), len(whole))
		content := slices.Concat(whole[:from], put, whole[min(from+int(cut), len(whole)):])
		w := a.newWalk(head, hasHead)
		var read []byte
		for line, err := range linesOf(bytes.NewReader(content)) {
			check(t, err)
			read = append(read, line.text...)
			if !line.open {
				read = append(read, '\n')
			}
			w.check(line)
		}
		if !bytes.Equal(read, content) {
			t.Fatalf("of %q is read %q", content, read)
		}
		asWritten := bytes.HasPrefix(content, bytes.TrimSuffix(whole, []byte("\n")))
		if report := w.end(); report.Verdict == Intact && !asWritten || report.Verdict != Intact && bytes.Equal(content, whole) {
			t.Fatalf("%q: %+v", content, report)
		}
	})
}

// BenchmarkAudit is the two lines of one write, in a file that is already long.
func BenchmarkAudit(b *testing.B) {
	a := openLedger(b, b.TempDir())
	n := 0
	for b.Loop() {
		writeOne(b, a, n)
		n++
	}
}

// TestKilledWritesAreSettledByWhatTheyWereFor: each gets the line after that belongs to it, whatever was begun since.
func TestKilledWritesAreSettledByWhatTheyWereFor(t *testing.T) {
	a := openLedger(t, t.TempDir())
	killed := func(intent string) {
		e := entryOf(1)
		e.Identity, e.Intent, e.SIDs = "", intent, nil
		must[Entry](t)(a.begin(t.Context(), e))
	}
	killed("creation-1")
	killed("creation-2")
	killed("creation-3")
	check(t, a.SettleCreate(t.Context(), "creation-2", "", noon))
	check(t, a.SettleCreate(t.Context(), "creation-1", "CR1", noon))
	check(t, a.SettleCreate(t.Context(), "creation-1", "CR9", noon)) // it is settled
	check(t, a.Settle(t.Context(), entryOf(1), noon))
	var got []string
	for _, e := range entries(t, a, Filter{}) {
		if e.Phase == "after" {
			got = append(got, fmt.Sprint(e.Intent, " ", e.Outcome, " ", e.SIDs))
		}
	}
	want := []string{"creation-2 not done, as was found afterwards []", "creation-1 done, as was found afterwards [CR1]", "creation-3 unknown []"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
