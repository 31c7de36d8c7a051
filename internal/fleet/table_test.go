package fleet

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/verifyctl/verifyctl/internal/verify"
)

func utf16Text(text string, order binary.AppendByteOrder, mark bool) string {
	var out []byte
	if mark {
		out = order.AppendUint16(out, 0xFEFF)
	}
	for _, unit := range utf16.Encode([]rune(text)) {
		out = order.AppendUint16(out, unit)
	}
	return string(out)
}

// TestListsAsSpreadsheetsSaveThem reads one list in every form a spreadsheet gives it.
func TestListsAsSpreadsheetsSaveThem(t *testing.T) {
	plain := "identity,factor_sid\nuser-0001," + factorA + "\nuser-0002," + factorB + "\n"
	semicolons, tabs := strings.ReplaceAll(plain, ",", ";"), strings.ReplaceAll(plain, ",", "\t")
	header := func(h string) string { return h + plain[len("identity,factor_sid"):] }
	for name, text := range map[string]string{
		"plain":                  plain,
		"CRLF":                   strings.ReplaceAll(plain, "\n", "\r\n"),
		"CR alone":               strings.ReplaceAll(plain, "\n", "\r"),
		"no last line end":       strings.TrimSuffix(plain, "\n"),
		"byte order mark":        "\ufeff" + plain,
		"semicolons":             semicolons,
		"mark and semicolons":    "\ufeff" + strings.ReplaceAll(semicolons, "\n", "\r\n"),
		"tabs":                   tabs,
		"bars":                   strings.ReplaceAll(plain, ",", "|"),
		"sep= line":              "sep=;\r\n" + semicolons,
		"UTF-16":                 utf16Text(plain, binary.LittleEndian, true),
		"UTF-16, big":            utf16Text(plain, binary.BigEndian, true),
		"UTF-16 without a mark":  utf16Text(plain, binary.LittleEndian, false),
		"UTF-16 big, no mark":    utf16Text(plain, binary.BigEndian, false),
		"Unicode text":           utf16Text(strings.ReplaceAll(tabs, "\n", "\r\n"), binary.LittleEndian, true),
		"header in words":        header("Identity,Factor SID"),
		"header in capitals":     header("IDENTITY,FACTOR_SID"),
		"header in camel case":   header("identity,factorSid"),
		"header with spaces":     header(" Identity , Factor-Sid "),
		"header quoted":          header(`"Identity","Factor SID"`),
		"only sid":               header("identity,Sid"),
		"other columns":          strings.NewReplacer("\n", ",x\n", "sid,x", "sid,note").Replace(plain),
		"cells with spaces":      strings.NewReplacer("user-", " user-", ",YF", ", YF", "\n", " \n").Replace(plain),
		"hard spaces":            strings.ReplaceAll(plain, "user-", "\u00a0user-"),
		"empty rows":             plain + ",\n , \n",
		"all cells quoted":       `"identity";"factor_sid"` + "\n" + `"user-0001";"` + factorA + `"` + "\n" + `"user-0002";"` + factorB + `"`,
		"a note with separators": "note,identity,factor_sid\n\"a;b;c\",user-0001," + factorA + "\n\";\",user-0002," + factorB + "\n",
		"JSON array":             `[{"identity":"user-0001","factor_sid":"` + factorA + `"},{"identity":"user-0002","sid":"` + factorB + `"}]`,
		"NDJSON with a mark":     "\ufeff" + `{"identity":"user-0001","factor_sid":"` + factorA + `"}` + "\n" + `{"identity":"user-0002","sid":"` + factorB + `"}`,
	} {
		want := []FactorRef{{"user-0001", factorA}, {"user-0002", factorB}}
		if got, err := ParseList(strings.NewReader(text)); err != nil || !slices.Equal(got.Refs, want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestTheColumnsThatWereTakenAreNamed(t *testing.T) {
	list, err := ParseList(strings.NewReader("Name;Identity;Factor SID\nx;user-0001;" + factorA + "\n"))
	if want := `identity from the column "Identity", factor_sid from the column "Factor SID", separated by ';'`; err != nil || list.Columns != want {
		t.Errorf("%q, %v", list.Columns, err)
	}
	activity, err := ParseActivity(strings.NewReader("IDENTITY\tFactor SID\tLast seen\nuser-0001\t\t2026-01-01\n"))
	if err != nil || activity.Len() != 1 || !strings.Contains(activity.Columns, `last_seen from the column "Last seen"`) {
		t.Errorf("%q, %v", activity.Columns, err)
	}
}

func TestAListThatCouldBeMistakenIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ text, says string }{
		"two columns of a name": {"identity,Factor SID,factor_sid\nuser-0001," + factorA + "," + factorB + "\n", "leave one of them out"},
		"no header":             {"user-0001," + factorA + "\n", "it needs the columns"},
		"a number":              {"identity;factor_sid\n1,23E+12;" + factorA + "\n", "line 2"},
		"a cell too many":       {"identity;factor_sid\nuser-0001;x;" + factorA + "\n", "wrong number of fields"},
		"half an array":         {`[{"identity":"user-0001","sid":"` + factorA + `"}`, "cut off"},
		"two arrays":            {`[{"identity":"user-0001","sid":"` + factorA + `"}] [`, "two in one"},
		"a separator alone":     {"sep=,", "cannot be read"},
		"only empty rows":       {"\n\n", "empty"},
	} {
		list, err := ParseList(strings.NewReader(c.text))
		e, ok := err.(*verify.Error)
		if !ok || e.Kind != verify.KindUsage || !strings.Contains(e.Message+e.Hint, c.says) || list.Refs != nil {
			t.Errorf("%s: %v, %v", name, list, err)
		}
	}
}

func FuzzList(f *testing.F) {
	f.Add("\ufeffIdentity;Factor SID\r\nuser-0001;" + factorA + "\r\n")
	f.Add(utf16Text("identity\tsid\r\nuser-0001\t"+factorA, binary.LittleEndian, true))
	f.Add("sep=|\nidentity|sid\nuser-0001|" + factorA)
	f.Add(`[{"identity":"user-0001","sid":"` + factorA + `"}]`)
	f.Add(factorA + "\n" + factorB + "\n")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := ParseList(strings.NewReader(text))
		if err != nil && (len(list.Refs) != 0 || verify.KindOf(err) != verify.KindUsage) {
			t.Fatalf("%v with %v", err, list)
		}
		for _, ref := range list.Refs {
			alone := list.Refs[0].Identity == "" // a list of SIDs alone has no identity in any line
			if _, err := verify.ParseIdentity(string(ref.Identity)); (err != nil) != alone {
				t.Fatalf("%q in %v: %v", ref.Identity, list, err)
			}
			if _, err := verify.ParseFactorSID(string(ref.SID)); err != nil {
				t.Fatal(err)
			}
		}
	})
}
