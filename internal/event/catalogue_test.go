package event

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestCatalogueIsComplete compares with the numbers that Twilio's dictionary was known to have, in
// testdata/known-codes.txt.
func TestCatalogueIsComplete(t *testing.T) {
	file, err := os.Open("testdata/known-codes.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var want, got []int
	for lines := bufio.NewScanner(file); lines.Scan(); {
		n, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, n)
	}
	for _, code := range catalogue() {
		if code.Number > 0 {
			got = append(got, code.Number)
		}
	}
	if len(want) != 286 || !slices.Equal(want, got) {
		t.Errorf("the catalogue has %d codes, testdata has %d, and they differ or are not in order", len(got), len(want))
	}
}

// TestEveryEntrySaysWhatToDo: an entry without cause, fix or owner would be an empty page.
func TestEveryEntrySaysWhatToDo(t *testing.T) {
	areas := []Area{areaFCM, areaAPNS, areaNotify, areaVerifyPush, areaKeychain, "Verify", "account and keys", "general"}
	owners := []Owner{OwnerApp, OwnerCredential, OwnerProvider, OwnerBackend, OwnerTwilio}
	for _, code := range Codes() {
		switch {
		case !slices.Contains(areas, code.Area) || !slices.Contains([]string{"", "error", "warning"}, code.Level):
			t.Errorf("%d is of area %q and level %q", code.Number, code.Area, code.Level)
		case !slices.Contains(verdicts, code.Verdict) || !slices.Contains(actions, code.Action) ||
			!slices.Contains(evidences, code.Evidence) || !slices.Contains([]Answer{"yes", "no", "unknown"}, code.TokenDead):
			t.Errorf("%d is judged by no word of ours: %+v", code.Number, code)
		case code.Name == "" || code.Cause == "" || code.Fix == "":
			t.Errorf("%d is not filled in", code.Number)
		case !slices.Contains(owners, code.Owner):
			t.Errorf("%d is nobody's job: %q", code.Number, code.Owner)
		case code.Evidence != EvidenceNone && code.TokenDead != "yes":
			t.Errorf("%d counts as evidence though the token may live", code.Number)
		case !strings.HasSuffix(code.Cause, ".") || !strings.HasSuffix(code.Fix, "."):
			t.Errorf("%d: cause and fix are sentences", code.Number)
		}
		if !strings.HasPrefix(code.URL(), "https://") {
			t.Errorf("%d has no page", code.Number)
		}
	}
}

// TestTableIsRead: every line is one code, in order, with each column as it stands there.
func TestTableIsRead(t *testing.T) {
	var lines []string
	for line := range strings.Lines(codesTable) {
		if !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "code\t") {
			lines = append(lines, line)
		}
	}
	all := catalogue()
	if len(lines) != len(all) || !slices.IsSortedFunc(all, func(a, b Code) int { return a.Number - b.Number }) {
		t.Fatalf("%d lines gave %d codes, or they are not in order", len(lines), len(all))
	}
	for i, c := range all {
		line := fmt.Sprintf("%d\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", c.Number, c.Area, c.Level, c.HTTPStatus,
			c.Owner, c.TokenDead, c.Verdict, c.Action, c.Evidence, c.Name, c.Cause, c.Fix)
		if line != lines[i] {
			t.Errorf("%q was read as %q", lines[i], line)
		}
	}
}

func TestLookup(t *testing.T) {
	for number, name := range map[int]string{
		52103: "GCM/FCM client uninstalled or turned off notifications", 60405: "Key Storage Error", 68005: "Key Storage Error",
		-25300: "errSecItemNotFound", -128: "errSecUserCanceled", 400: "Bad Request", 93101: "Unable to deliver events to sink",
	} {
		code, ok := Lookup(number)
		if !ok || code.Name != name || code.Number != number {
			t.Errorf("Lookup(%d) = %+v, %v", number, code, ok)
		}
	}
	for _, number := range []int{0, 1, -1, 52113, 99999, -99999} {
		if code, ok := Lookup(number); ok {
			t.Errorf("Lookup(%d) = %+v", number, code)
		}
	}
}

func TestSearch(t *testing.T) {
	found := Search("sandbox")
	if len(found) == 0 || found[0].Number != 52134 {
		t.Errorf("sandbox finds %+v", found)
	}
	found = Search("keychain", "UPDATE")
	if len(found) != 2 {
		t.Errorf("keychain and update finds %d", len(found))
	}
	if found := Search("certificate"); len(found) < 3 || !found[0].IsPush() {
		t.Errorf("what is about push comes first: %+v", found)
	}
	if found := Search("no such words anywhere"); len(found) != 0 {
		t.Errorf("%+v", found)
	}
	if found := Search(); len(found) != 0 {
		t.Errorf("no words find %d codes", len(found))
	}
}
