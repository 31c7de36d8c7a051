package event

import (
	"bufio"
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
	for _, code := range codes {
		got = append(got, code.Number)
	}
	if len(want) != 286 || !slices.Equal(want, got) {
		t.Errorf("the catalogue has %d codes, testdata has %d, and they differ or are not in order", len(got), len(want))
	}
}

// TestEveryEntrySaysWhatToDo: an entry without cause, fix or owner would be an empty page.
func TestEveryEntrySaysWhatToDo(t *testing.T) {
	owners := []Owner{OwnerApp, OwnerCredential, OwnerProvider, OwnerBackend, OwnerTwilio}
	for _, code := range Codes() {
		switch {
		case code.Name == "" || code.Cause == "" || code.Fix == "" || code.Area == "":
			t.Errorf("%d is not filled in", code.Number)
		case !slices.Contains(owners, code.Owner):
			t.Errorf("%d is nobody's job: %q", code.Number, code.Owner)
		case code.Action == "" || code.Verdict == "" || code.TokenDead == "" || code.Evidence == "":
			t.Errorf("%d has no verdict", code.Number)
		case code.Evidence != EvidenceNone && code.TokenDead != Yes:
			t.Errorf("%d counts as evidence though the token may live", code.Number)
		case !strings.HasSuffix(code.Cause, ".") || !strings.HasSuffix(code.Fix, "."):
			t.Errorf("%d: cause and fix are sentences", code.Number)
		}
		if !strings.HasPrefix(code.URL(), "https://") {
			t.Errorf("%d has no page", code.Number)
		}
	}
	if !slices.IsSortedFunc(keychain[:], func(a, b Code) int { return a.Number - b.Number }) {
		t.Error("the keychain's codes are not in order")
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
