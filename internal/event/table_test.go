package event

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/verifyctl/verifyctl/internal/verify"
)

var allColumns = []string{"timestamp", "environment", "product", "error_code", "verdict", "action", "factor_sid", "identity", "platform",
	"prune_evidence", "description", "service_sid", "challenge_sid", "credential_sid", "notification_sid", "entity_sid", "event_sid",
	"account_sid", "level", "source", "masked", "ambiguous", "inferred", "repaired", "reasons"}

// csvOf writes events as -o csv does.
func csvOf(events []Event, columns []string, separator rune) string {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Comma = separator
	w.Write(columns) //nolint:errcheck // into memory
	for _, e := range events {
		var row []string
		texts, flags := e.texts(), e.flags()
		for _, name := range columns {
			cell := ""
			switch {
			case texts[name] != nil:
				cell = verify.GuardCell(*texts[name])
			case flags[name] != nil && *flags[name]:
				cell = "yes"
			case name == "timestamp" && !e.Timestamp.IsZero():
				cell = e.Timestamp.Format("2006-01-02T15:04:05.999999999Z07:00")
			case name == "error_code" && e.ErrorCode != nil:
				cell = fmt.Sprint(*e.ErrorCode)
			case name == "reasons":
				cell = verify.GuardCell(strings.Join(e.Reasons, "; "))
			}
			row = append(row, cell)
		}
		w.Write(row) //nolint:errcheck // into memory
	}
	w.Flush()
	return b.String()
}

// TestOurOwnTablesAreInput: every event of the corpus, written as CSV, is read as the same event, whatever a spreadsheet
// makes of the file.
func TestOurOwnTablesAreInput(t *testing.T) {
	var corpus []Event
	for i := range 100 {
		for _, in := range generated(i * 97) {
			corpus = append(corpus, Parse([]byte(in))...)
		}
	}
	for i := range corpus {
		corpus[i].Candidates, corpus[i].Envelope, corpus[i].Reasons = noCandidates, "", strings.Split(strings.Join(corpus[i].Reasons, "; "), "; ")
	}
	want, semicolons, tabs := csvOf(corpus, allColumns, ','), csvOf(corpus, allColumns, ';'), csvOf(corpus, allColumns, '\t')
	for name, in := range map[string]string{
		"comma": want, "semicolon": semicolons, "tab": tabs, "mark": "\ufeff" + want,
		"crlf": strings.ReplaceAll(want, "\n", "\r\n"), "Excel": "sep=;\r\n" + semicolons, "UTF-16": utf16Text(tabs, true, true),
	} {
		got := Parse([]byte(in))
		if again := csvOf(got, allColumns, ','); again != want {
			t.Errorf("%s: read as %d events of %d, not the same", name, len(got), len(corpus))
		}
		if len(got) != len(corpus) {
			continue
		}
		for i := range got {
			if got[i].Identity != corpus[i].Identity || got[i].PruneEvidence != corpus[i].PruneEvidence || got[i].Next != corpus[i].Next {
				t.Fatalf("%s:\n%s\nwant %s", name, text(got[i]), text(corpus[i]))
			}
		}
	}
	few := []string{"timestamp", "environment", "product", "error_code", "verdict", "action", "factor_sid", "identity", "platform", "prune_evidence"}
	if again := csvOf(Parse([]byte(csvOf(corpus, few, ','))), few, ','); again != csvOf(corpus, few, ',') {
		t.Error("the columns of a list are not read as they were written")
	}
}

// TestTablesOfAlerts: the Console, Twilio's CLI and spreadsheets name and order columns as they like.
func TestTablesOfAlerts(t *testing.T) {
	quoted := `"` + strings.ReplaceAll(alertText(), `"`, `""`) + `"`
	inLines := `"` + strings.ReplaceAll("bindingType=fcm&correlationIds="+printed+"&description=FCM failure='NotRegistered'\nsecond line", `"`, `""`) + `"`
	for name, in := range map[string]string{
		"snake case":           "sid,error_code,alert_text,date_created\n" + no + ",52103," + quoted + ",2026-11-20T23:28:54Z\n",
		"of Twilio's CLI":      "dateCreated\tlogLevel\terrorCode\talertText\tsid\n2026-11-20T23:28:54.000Z\terror\t52103\t" + quoted + "\t" + no + "\n",
		"of the Console":       "Debug Event SID;Date (UTC);Error Code;Message Text;Product\r\n" + no + ";2026-11-20 23:28:54 UTC;52103;" + quoted + ";Verify\r\n",
		"upper case, BOM":      "\ufeffERROR CODE,SID,ALERT TEXT,DATE CREATED,SOMETHING ELSE\n52103," + no + "," + quoted + ",2026-11-20T23:28:54Z,\"a\nb\"\n",
		"quoted header, lines": "\"Error Code\",\"Sid\",\"Alert Text\",\"Timestamp\"\n52103," + no + "," + inLines + ",2026-11-20T23:28:54Z\n\n,,,\n",
		"columns of ids":       "code,service_sid,identity,factor_sid,challenge_sid,sid,time\n52103," + va + "," + person + "," + yf + "," + yc + "," + no + ",2026-11-20T23:28:54Z\n",
		"with a payload":       "Sid,Level,Payload,Timestamp\n" + no + ",ERROR,\"" + strings.ReplaceAll(text(payload()), `"`, `""`) + "\",2026-11-20T23:28:54Z\n",
	} {
		events := Parse([]byte(in))
		if len(events) != 1 {
			t.Errorf("%s: %d events of %s", name, len(events), in)
			continue
		}
		if e := events[0]; e.FactorSID != yf || e.Identity != person || e.EventSID != no || e.ErrorCode == nil || *e.ErrorCode != 52103 || e.Timestamp.IsZero() || e.Source != SourceAlert {
			t.Errorf("%s: %s", name, text(e))
		}
	}
}

// TestTablesThatTellNothing: a table of other columns is refused with their names, and a text is none.
func TestTablesThatTellNothing(t *testing.T) {
	refused := func(in string) error {
		for _, err := range Decode(strings.NewReader(in), Options{Workers: 2}) {
			if err != nil {
				return err
			}
		}
		return nil
	}
	for _, in := range []string{"time,raw value\n1,2\n", "\ufefftime;raw value\r\na;b\r\n", "Time\traw value\nx\ty\n", "Sid,raw value\n" + no + ",2\n"} {
		if err := refused(in); verify.KindOf(err) != verify.KindUsage || !strings.Contains(err.Error(), "raw value") {
			t.Errorf("%q: %v", in, err)
		}
	}
	for _, in := range []string{"Good morning, the pushes are late again.\nRegards, nobody\n", "Hello, world\n", "one, two\n", "a|b\n", "Error 52103\nmodule | \"X\"\n",
		page("52103", "x"), printed + "\n" + printed, "bindingType | \"fcm\"\ncorrelationIds | \"" + printed + "\"\n"} {
		if err := refused(in); err != nil {
			t.Errorf("%q: %v", in, err)
		}
	}
}

// rows gives a table of n rows without holding it.
type rows struct {
	n    int
	left []byte
}

func (r *rows) Read(p []byte) (int, error) {
	if len(r.left) == 0 {
		if r.n--; r.n < 0 {
			return 0, io.EOF
		}
		r.left = fmt.Appendf(nil, "NO%032x,52103,\"bindingType=fcm&correlationIds=[%s, user-%d, YF%032x]&description=a\nb\",2026-11-20T23:28:54Z\n", r.n, va, r.n, r.n)
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	return n, nil
}

// TestTablesAreStreamed: memory stays flat, however many rows there are.
func TestTablesAreStreamed(t *testing.T) {
	var stats runtime.MemStats
	most, n := uint64(0), 0
	in := io.MultiReader(strings.NewReader("sid,error_code,alert_text,date_created\n"), &rows{n: 100_000})
	for e, err := range Decode(in, Options{Workers: 2}) {
		if err != nil || e.FactorSID == "" {
			t.Fatal(err, text(e))
		}
		if n++; n%20_000 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&stats)
			most = max(most, stats.HeapAlloc)
		}
	}
	if n != 100_000 || most > 32<<20 {
		t.Errorf("%d events, %d bytes held", n, most)
	}
}

// TestAQuoteWithoutItsEnd: it does not take the rest of a stream into memory.
func TestAQuoteWithoutItsEnd(t *testing.T) {
	in := io.MultiReader(strings.NewReader("sid,error_code,alert_text,date_created\n\"open,"), strings.NewReader(strings.Repeat("x\n", 16<<20)))
	var last error
	for _, err := range Decode(in, Options{}) {
		last = err
	}
	if verify.KindOf(last) != verify.KindUsage {
		t.Errorf("%v", last)
	}
}
