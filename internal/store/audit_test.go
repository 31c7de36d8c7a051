package store

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
)

func openAudit(t testing.TB, dir string) *Audit {
	t.Helper()
	return must[*Audit](t)(OpenAudit(t.Context(), dir))
}

func auditEntry(n int) AuditEntry {
	return AuditEntry{Time: noon.Add(time.Duration(n) * time.Second), User: "operator", Host: "desk", KeySID: "SK00000000000000000000000000000001",
		Environment: "production", AccountSID: account, ServiceSID: service, Command: "factors delete", SIDs: []string{string(factorSID(n))},
		Identity: string(identityOf(n)), Reason: "lost phone"}
}

func auditWrite(t testing.TB, a *Audit, n int) {
	t.Helper()
	pending := must[*Pending](t)(a.Begin(t.Context(), auditEntry(n)))
	check(t, pending.Finish(t.Context(), noon.Add(time.Minute), "deleted", fmt.Sprintf("RQ%032x", n)))
}

func auditSome(dir string) error {
	ctx := context.Background()
	a, err := OpenAudit(ctx, dir)
	if err != nil {
		return err
	}
	for n := range 25 {
		pending, err := a.Begin(ctx, auditEntry(n))
		if err != nil {
			return err
		}
		if err := pending.Finish(ctx, noon, "deleted", ""); err != nil {
			return err
		}
	}
	return nil
}

func entries(t testing.TB, a *Audit, filter AuditFilter) (list []AuditEntry) {
	t.Helper()
	for e, err := range a.Entries(filter) {
		check(t, err)
		list = append(list, e)
	}
	return list
}

func TestEveryWriteLeavesALineBeforeAndAfter(t *testing.T) {
	dir := t.TempDir()
	a := openAudit(t, dir)
	pending := must[*Pending](t)(a.Begin(t.Context(), auditEntry(1)))
	if before := entries(t, a, AuditFilter{}); len(before) != 1 || before[0].Phase != "before" {
		t.Fatalf("while the write is sent the file has %+v", before)
	}
	if report := must[AuditReport](t)(a.Verify(t.Context())); len(report.Unfinished) != 1 {
		t.Errorf("a write without an end is reported as %+v", report)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	check(t, pending.Finish(cancelled, noon.Add(time.Minute), "deleted", "RQ1"))

	want := auditEntry(1)
	want.Phase, want.Who = "before", a.key.Tombstone(want.Identity)
	after := want
	after.Phase, after.Time, after.Outcome, after.RequestID = "after", noon.Add(time.Minute), "deleted", "RQ1"
	got := entries(t, a, AuditFilter{})
	if len(got) != 2 || got[0].ID == "" || got[0].ID != got[1].ID {
		t.Fatalf("the file has %+v", got)
	}
	got[0].ID, got[1].ID = "", ""
	if diff := cmp.Diff([]AuditEntry{want, after}, got); diff != "" {
		t.Error(diff)
	}
	if report := must[AuditReport](t)(a.Verify(t.Context())); report.Bad != 0 || report.Lines != 2 || len(report.Unfinished) != 0 {
		t.Errorf("the whole file is reported as %+v", report)
	}
}

func TestAuditEntriesAreFound(t *testing.T) {
	a := openAudit(t, t.TempDir())
	for n := range 3 {
		auditWrite(t, a, n)
	}
	for name, c := range map[string]struct {
		filter AuditFilter
		want   int
	}{
		"all":              {AuditFilter{}, 6},
		"identity":         {AuditFilter{Identity: string(identityOf(1))}, 2},
		"SID":              {AuditFilter{SID: strings.ToUpper(string(factorSID(2)))}, 2},
		"Service":          {AuditFilter{SID: string(service)}, 6},
		"command":          {AuditFilter{Command: "factors"}, 6},
		"half a word":      {AuditFilter{Command: "fact"}, 0},
		"environment":      {AuditFilter{Environment: "staging"}, 0},
		"since":            {AuditFilter{Since: noon.Add(30 * time.Second)}, 3},
		"until, exclusive": {AuditFilter{Until: noon.Add(time.Second)}, 1},
		"user":             {AuditFilter{User: "somebody"}, 0},
	} {
		if got := entries(t, a, c.filter); len(got) != c.want {
			t.Errorf("%s: %d lines, want %d", name, len(got), c.want)
		}
	}
}

func TestWithoutARecordNothingMayBeSent(t *testing.T) {
	dir := t.TempDir()
	a := openAudit(t, dir)
	check(t, os.Mkdir(filepath.Join(dir, auditFile), 0o700))
	pending, err := a.Begin(t.Context(), auditEntry(1))
	if pending != nil || err == nil {
		t.Errorf("begun without a record: %v, %v", pending, err)
	}
	check(t, os.Remove(filepath.Join(dir, auditFile)))
	long := auditEntry(1)
	long.Reason = strings.Repeat("x", maxAuditLine)
	if _, err := a.Begin(t.Context(), long); err == nil {
		t.Error("an endless reason was accepted")
	}
}

func TestProcessesWriteOneChain(t *testing.T) {
	dir := t.TempDir()
	var running []*exec.Cmd
	for range 6 {
		cmd := childProcess(t, "audit", dir)
		check(t, cmd.Start())
		running = append(running, cmd)
	}
	for _, cmd := range running {
		check(t, cmd.Wait())
	}
	report := must[AuditReport](t)(openAudit(t, dir).Verify(t.Context()))
	if diff := cmp.Diff(AuditReport{Lines: 300, Torn: []int{}, Unfinished: []string{}}, report); diff != "" {
		t.Error(diff)
	}
}

// TestTamperingIsDetected changes, takes out, moves, doubles and cuts off lines, wherever and however it likes.
func TestTamperingIsDetected(t *testing.T) {
	dir := t.TempDir()
	a := openAudit(t, dir)
	for n := range 6 {
		auditWrite(t, a, n)
	}
	path := filepath.Join(dir, auditFile)
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
	a := openAudit(t, dir)
	auditWrite(t, a, 1)
	check(t, os.Remove(filepath.Join(dir, auditFile)))
	if report := must[AuditReport](t)(a.Verify(t.Context())); report.Bad != 1 {
		t.Errorf("a file that was taken away is reported as %+v", report)
	}
	auditWrite(t, a, 2)
	check(t, os.Remove(filepath.Join(dir, auditHead)))
	if report := must[AuditReport](t)(a.Verify(t.Context())); report.Bad == 0 {
		t.Errorf("a missing head is reported as %+v", report)
	}
}

// TestATornLineIsMendedAndKept writes on after a crash in the middle of a line, at every byte of it, and after a second
// crash in the middle of mending it.
func TestATornLineIsMendedAndKept(t *testing.T) {
	dir := t.TempDir()
	a := openAudit(t, dir)
	auditWrite(t, a, 1)
	path := filepath.Join(dir, auditFile)
	kept, head := must[[]byte](t)(os.ReadFile(path)), must[[]byte](t)(os.ReadFile(filepath.Join(dir, auditHead)))
	auditWrite(t, a, 2)
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
				check(t, os.Remove(filepath.Join(dir, auditHead)))
				if start.head != nil {
					check(t, os.WriteFile(filepath.Join(dir, auditHead), start.head, 0o600))
				}
				auditWrite(t, a, 3)
				report := must[AuditReport](t)(a.Verify(t.Context()))
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
				if report := must[AuditReport](t)(a.Verify(t.Context())); report.Bad == 0 {
					t.Fatalf("a change of what was torn is not seen")
				}
			}
		}
	}
}

func TestATornLineAtTheEndIsReported(t *testing.T) {
	dir := t.TempDir()
	a := openAudit(t, dir)
	auditWrite(t, a, 1)
	f := must[*os.File](t)(os.OpenFile(filepath.Join(dir, auditFile), os.O_APPEND|os.O_WRONLY, 0))
	must[int](t)(f.WriteString(`{"id":"12`))
	check(t, f.Close())
	report := must[AuditReport](t)(a.Verify(t.Context()))
	if diff := cmp.Diff(AuditReport{Lines: 3, Torn: []int{3}, Unfinished: []string{}}, report); diff != "" {
		t.Error(diff)
	}
}

func TestTheEndOfALongFileIsRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "audit")
	line := func(n, size int) string {
		return fmt.Sprintf(`{"id":"%d","prev":"%s","reason":"%s"}`, n, noPrev, strings.Repeat("x", size))
	}
	torn := strings.Repeat("torn\n", 3*maxAuditLine) // longer than the first look
	check(t, os.WriteFile(path, []byte(line(1, 99)+"\n"+line(2, maxAuditLine)+"\n"+torn), 0o600))
	f := must[*os.File](t)(os.Open(path))
	defer f.Close()
	got := must[tail](t)(readTail(f))
	if string(got.last) != line(2, maxAuditLine) || string(got.torn) != torn || got.open {
		t.Errorf("last has %d bytes, torn %d, open %v", len(got.last), len(got.torn), got.open)
	}
}

func TestAnErasedIdentityLeavesATombstoneAndTheChain(t *testing.T) {
	dir := t.TempDir()
	a := openAudit(t, dir)
	name := string(identityOf(1))
	entry := auditEntry(1)
	entry.Reason = "asked by " + name + ", not by " + name + "9"
	entry.Command = "factors delete " + name
	pending := must[*Pending](t)(a.Begin(t.Context(), entry))
	check(t, pending.Finish(t.Context(), noon, "deleted", ""))
	auditWrite(t, a, 2)

	if was := must[bool](t)(a.EraseIdentity(t.Context(), name)); !was {
		t.Error("the identity was not there")
	}
	if was := must[bool](t)(a.EraseIdentity(t.Context(), name)); was {
		t.Error("the identity is still there")
	}
	content := strings.ReplaceAll(string(everyByte(t, dir)), name+"9", "")
	if strings.Contains(content, name) {
		t.Error("the identity is still in a file")
	}
	if report := must[AuditReport](t)(a.Verify(t.Context())); report.Bad != 0 {
		t.Errorf("the chain broke: %+v", report)
	}
	found := entries(t, a, AuditFilter{Identity: name})
	if len(found) != 2 || found[0].Identity != "" || found[0].Who == "" {
		t.Errorf("the tombstones are %+v", found)
	}
	if others := entries(t, a, AuditFilter{Identity: string(identityOf(2))}); len(others) != 2 || others[0].Identity != string(identityOf(2)) {
		t.Errorf("another identity reads as %+v", others)
	}
}

func TestAKeyThatOthersMadeIsTheSame(t *testing.T) {
	dir := t.TempDir()
	if openAudit(t, dir).key.Tombstone("x") != openStore(t, dir).key.Tombstone("x") {
		t.Error("the audit file and the store hash with different keys")
	}
}

// FuzzAuditFile writes on behind any bytes: nothing of them is lost, and checking them never panics.
func FuzzAuditFile(f *testing.F) {
	line := `{"id":"1","phase":"before","prev":"` + noPrev + `"}`
	for _, seed := range []string{"", "\n", "\n\n", "{", line, line + "\n", line + "\n{", line + "\n\n" + line, "\x00\x00", "null\n", `{"torn":-1,"prev":"` + noPrev + `","id":"2"}`} {
		f.Add([]byte(seed))
	}
	dir := f.TempDir()
	a, err := OpenAudit(context.Background(), dir)
	if err != nil {
		f.Fatal(err)
	}
	path := filepath.Join(dir, auditFile)
	f.Fuzz(func(t *testing.T, content []byte) {
		os.Remove(filepath.Join(dir, auditHead))
		check(t, os.WriteFile(path, content, 0o600))
		before := must[AuditReport](t)(a.Verify(t.Context()))
		if len(content) > 0 && before.Bad == 0 && len(before.Torn) == 0 {
			t.Fatalf("a file that was never written is found good: %+v", before)
		}
		auditWrite(t, a, 1)
		after := must[[]byte](t)(os.ReadFile(path))
		if !bytes.HasPrefix(after, content) || bytes.Count(after, []byte(`"phase":"after"`)) == 0 {
			t.Fatal("what was there is lost, or what was written")
		}
		if last := must[AuditReport](t)(a.Verify(t.Context())); last.Bad > before.Lines+1 {
			t.Fatalf("the new lines are found bad: %+v", last)
		}
	})
}
