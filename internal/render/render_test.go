package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

type row struct {
	SID     string    `json:"sid"`
	Name    string    `json:"friendly_name"`
	Created time.Time `json:"date_created"`
}

var now = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

var rowResource = Resource[row]{
	SID: func(r row) string { return r.SID },
	Columns: []Column[row]{
		{Name: "sid", Text: func(r row) string { return r.SID }},
		{Name: "friendly_name", Text: func(r row) string { return r.Name }, Flex: true, Named: true,
			Tone: func(r row) Tone { return Bad }},
		{Name: "date_created", Time: func(r row) time.Time { return r.Created }},
	},
}

func rows(n int) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		for i := range n {
			if !yield(row{SID: "YF" + strings.Repeat("0", 31) + string(rune('a'+i%26)), Name: "Amara's phone", Created: now.Add(-48 * time.Hour)}, nil) {
				return
			}
		}
	}
}

func failing(n int, err error) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		for r := range rows(n) {
			if !yield(r, nil) {
				return
			}
		}
		yield(row{}, err)
	}
}

func one(name string) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) { yield(row{SID: "YF1", Name: name, Created: now}, nil) }
}

func list(t *testing.T, opts Options, rows iter.Seq2[row, error]) (string, error) {
	t.Helper()
	var out bytes.Buffer
	opts.Now = func() time.Time { return now }
	p, err := New(&out, opts)
	if err != nil {
		return "", err
	}
	_, err = List(p, rowResource, rows)
	return out.String(), err
}

func TestFormats(t *testing.T) {
	for _, tc := range []struct {
		name string
		opts Options
		rows iter.Seq2[row, error]
		want string
	}{
		{"a pipe gets tabs and full dates", Options{}, rows(1),
			"sid\tfriendly_name\tdate_created\nYF0000000000000000000000000000000a\tAmara's phone\t2026-10-31T09:00:00Z\n"},
		{"no header", Options{NoHeader: true}, rows(1),
			"YF0000000000000000000000000000000a\tAmara's phone\t2026-10-31T09:00:00Z\n"},
		{"a terminal gets columns and ages", Options{Terminal: true, Width: 80}, rows(1),
			"SID                                 FRIENDLY NAME  DATE CREATED\nYF0000000000000000000000000000000a  Amara's phone  2 days ago\n"},
		{"a narrow terminal shortens names, never SIDs", Options{Terminal: true, Width: 58}, rows(1),
			"SID                                 FRIENDL…  DATE CREATED\nYF0000000000000000000000000000000a  Amara's…  2 days ago\n"},
		{"a very narrow terminal drops columns, never the row's own SID", Options{Terminal: true, Width: 40}, rows(1),
			"SID\nYF0000000000000000000000000000000a\nHidden at this width: friendly_name,\ndate_created (choose with --columns)\n"},
		{"columns that are asked for stay", Options{Terminal: true, Width: 40, Columns: []string{"sid", "date_created"}}, rows(1),
			"SID                                 DATE CREATED\nYF0000000000000000000000000000000a  2 days ago\n"},
		{"a link in markdown stays text", Options{Format: Markdown, Columns: []string{"friendly_name"}}, one("![x](http://evil.example) @all"),
			"| friendly_name                              |\n|:-------------------------------------------|\n| \\!\\[x\\](http\\://evil.example) @<!-- -->all |\n"},
		{"colour", Options{Terminal: true, Width: 80, Color: true, NoHeader: true, Columns: []string{"friendly_name"}}, rows(1),
			"\x1b[31mAmara's phone\x1b[0m\n"},
		{"csv", Options{Format: CSV}, one(`a "b", c`), "sid,friendly_name,date_created\nYF1,\"a \"\"b\"\", c\",2026-11-02T09:00:00Z\n"},
		{"no cell of csv is a formula", Options{Format: CSV, Columns: []string{"sid", "friendly_name"}, NoHeader: true}, one("=cmd|' /C calc'!A0"),
			"YF1,'=cmd|' /C calc'!A0\n"},
		{"nor of csv for excel", Options{Format: CSVExcel, Columns: []string{"friendly_name"}}, one("\t=1"), "\ufefffriendly_name\n'\\t=1\n"},
		{"csv as it is", Options{Format: CSVRaw, Columns: []string{"friendly_name"}}, one("=1\n2"), "friendly_name\n\"=1\n2\"\n"},
		{"yaml", Options{Format: YAML}, one("yes: 'x' \u202e"), "- sid: YF1\n  friendly_name: \"yes: 'x' \\U0000202e\"\n  date_created: \"2026-11-02T09:00:00Z\"\n"},
		{"an empty list of yaml", Options{Format: YAML}, rows(0), "[]\n"},
		{"markdown", Options{Format: Markdown, Columns: []string{"sid", "friendly_name"}}, one("a|b\n`c`"),
			"| sid | friendly_name |\n|:----|:--------------|\n| YF1 | a\\|b\\\\n\\`c\\`  |\n"},
		{"ndjson", Options{Format: NDJSON}, one("x"), `{"sid":"YF1","friendly_name":"x","date_created":"2026-11-02T09:00:00Z"}` + "\n"},
		{"json", Options{Format: JSON}, one("x"),
			"[\n  {\n    \"sid\": \"YF1\",\n    \"friendly_name\": \"x\",\n    \"date_created\": \"2026-11-02T09:00:00Z\"\n  }\n]\n"},
		{"an empty list is [] ", Options{Format: JSON}, rows(0), "[]\n"},
		{"an empty table says nothing", Options{Terminal: true}, rows(0), ""},
		{"quiet", Options{Quiet: true}, rows(2), "YF0000000000000000000000000000000a\nYF0000000000000000000000000000000b\n"},
		{"jq", Options{JQ: ".[].friendly_name"}, rows(2), "Amara's phone\nAmara's phone\n"},
		{"jq on an empty list", Options{JQ: "length"}, rows(0), "0\n"},
		{"template", Options{Template: `{{range .}}{{.sid}} {{end}}`}, one("x"), "YF1 \n"},
		{"mask", Options{Names: NewNames(), Columns: []string{"sid", "friendly_name"}, NoHeader: true}, one("Amara's phone"), "YF1\tAmar…\n"},
		{"mask in json", Options{Names: NewNames(), Format: NDJSON, Columns: nil}, one("Amara's phone"),
			`{"date_created":"2026-11-02T09:00:00Z","friendly_name":"Amar…","sid":"YF1"}` + "\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := list(t, tc.opts, tc.rows)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("output differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatWasReadBeforeAnErrorIsShown(t *testing.T) {
	broken := errors.New("page 2 failed")
	for _, opts := range []Options{{}, {Terminal: true, Width: 80}, {Format: JSON}, {Format: NDJSON}, {Format: CSV}, {Format: Markdown}, {JQ: "length"}} {
		got, err := list(t, opts, failing(3, broken))
		if !errors.Is(err, broken) {
			t.Errorf("%+v: error %v, want the one of the rows", opts, err)
		}
		if opts.Format == JSON {
			var rows []row
			if err := json.Unmarshal([]byte(got), &rows); err != nil || len(rows) != 3 {
				t.Errorf("the JSON after an error is %q (%v), want three rows", got, err)
			}
		} else if opts.JQ == "" && strings.Count(got, "YF000") != 3 {
			t.Errorf("%+v: output %q, want three rows", opts, got)
		}
	}
}

func TestAListThatCannotBeReadDoesNotLookEmpty(t *testing.T) {
	for _, opts := range []Options{{}, {Terminal: true}, {Format: JSON}, {Format: NDJSON}, {Format: CSV}, {Format: Markdown}, {JQ: "length"}} {
		if got, err := list(t, opts, failing(0, errors.New("refused"))); err == nil || got != "" {
			t.Errorf("%+v: output %q with error %v, want none with an error", opts, got, err)
		}
	}
	for format, want := range map[Format]string{"": "sid\tfriendly_name\tdate_created\n", CSV: "sid,friendly_name,date_created\n", JSON: "[]\n"} {
		if got, err := list(t, Options{Format: format}, rows(0)); err != nil || got != want {
			t.Errorf("%q: an empty list is %q (%v), want %q", format, got, err, want)
		}
	}
}

func TestLongListsKeepTheirLayout(t *testing.T) {
	got, err := list(t, Options{Terminal: true, Width: 80}, rows(2*layoutRows+10))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(got), "\n")
	if len(lines) != 2*layoutRows+11 {
		t.Fatalf("%d lines", len(lines))
	}
	for _, line := range lines[1:] {
		if strings.Index(line, "Amara") != 36 {
			t.Fatalf("a line leaves the layout: %q", line)
		}
	}
}

func TestNothingFromElsewhereControlsTheTerminal(t *testing.T) {
	hostile := "x\x1b]0;owned\x07\u009b2J\u202egnp.exe\r\n\tü\xff\u200b"
	for _, opts := range []Options{
		{}, {Terminal: true, Width: 200, Color: false}, {Format: JSON}, {Format: NDJSON}, {Format: CSV}, {Format: CSVExcel, Terminal: true}, {Format: YAML}, {Format: Markdown},
		{JQ: ".[0].friendly_name"}, {JQ: "."}, {Template: "{{(index . 0).friendly_name}}"},
	} {
		got, err := list(t, opts, one(hostile))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range got {
			if r != '\n' && r != '\t' && unsafe(r) {
				t.Errorf("%+v lets %U through: %q", opts, r, got)
			}
		}
		if !strings.Contains(got, "ü") {
			t.Errorf("%+v lost ordinary text: %q", opts, got)
		}
	}
}

// TestForeignKeysInATemplate: the keys of metadata are as foreign as its values.
func TestForeignKeysInATemplate(t *testing.T) {
	r := Resource[row]{View: func(row) any { return map[string]any{"metadata": map[string]string{"a\x1b[31m": "b\u009b"}} }}
	var out bytes.Buffer
	p, err := New(&out, Options{Template: `{{range .}}{{.metadata}}{{end}}`})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := List(p, r, one("x")); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), `map[a\x1b[31m:b\u009b]`+"\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestMaskReachesWhatPeopleWrote: names can stand in what an app keeps with a factor and in what a user is asked.
func TestMaskReachesWhatPeopleWrote(t *testing.T) {
	r := Resource[row]{View: func(row) any {
		return map[string]any{"sid": "YF00", "status": "verified", "metadata": map[string]any{"owner": "Amara Okafor"},
			"details": map[string]any{"message": "Log in, Amara?", "fields": []map[string]string{{"label": "Name", "value": "Amara Okafor"}}}}
	}}
	var out bytes.Buffer
	p, err := New(&out, Options{Format: NDJSON, Names: NewNames()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := List(p, r, one("x")); err != nil {
		t.Fatal(err)
	}
	const want = `{"details":{"fields":[{"label":"****","value":"Amar…"}],"message":"Log …"},"metadata":{"owner":"Amar…"},"sid":"YF00","status":"verified"}` + "\n"
	if out.String() != want {
		t.Errorf("got %s, want %s", out.String(), want)
	}
}

func TestFiltersThatStopOrFail(t *testing.T) {
	if got, err := list(t, Options{JQ: `"a", halt, "b"`}, rows(1)); err != nil || got != "a\n" {
		t.Errorf("halt: %q, %v", got, err)
	}
	_, err := list(t, Options{Template: "{{.sid}}"}, rows(1))
	if err == nil || strings.Contains(err.Error(), "template:") || !strings.Contains(err.Error(), "--template, at 1:2: <.sid>: can't evaluate field sid") {
		t.Errorf("a template on a list: %v", err)
	}
}

func TestOptionsThatContradict(t *testing.T) {
	for _, opts := range []Options{
		{JQ: ".", Template: "x"}, {JQ: ".["}, {JQ: "nosuch(1)"}, {Template: "{{"}, {JQ: ".", Format: CSV},
		{Columns: []string{"sid"}, Format: JSON}, {Quiet: true, JQ: "."},
	} {
		if _, err := New(&bytes.Buffer{}, opts); err == nil {
			t.Errorf("New(%+v) gave no error", opts)
		}
	}
	if _, err := list(t, Options{Columns: []string{"freindly_name"}}, rows(1)); err == nil {
		t.Error("an unknown column was accepted")
	}
	if _, err := ParseFormat("jsn", FormatNames()); err == nil {
		t.Error("an unknown format was accepted")
	}
}

func TestOneRecord(t *testing.T) {
	var out bytes.Buffer
	p, err := New(&out, Options{Terminal: true, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	if err := One(p, rowResource, row{SID: "YF1", Created: now.Add(-time.Hour)}); err != nil {
		t.Fatal(err)
	}
	want := "sid:          YF1\ndate created: 2026-11-02T08:00:00Z (1 hour ago)\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("output differs (-want +got):\n%s", diff)
	}
}

func FuzzSanitize(f *testing.F) {
	for _, s := range []string{"plain", "\x1b[31m", "é\xff", "\u202e", "日本\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Sanitize(s)
		if strings.ContainsFunc(got, unsafe) {
			t.Fatalf("Sanitize(%q) = %q", s, got)
		}
		if Sanitize(got) != got {
			t.Fatalf("Sanitize is not stable on %q", s)
		}
	})
}

func BenchmarkListTSV(b *testing.B) {
	for b.Loop() {
		p, _ := New(&bytes.Buffer{}, Options{})
		if _, err := List(p, rowResource, rows(1000)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkListTable(b *testing.B) {
	for b.Loop() {
		p, _ := New(&bytes.Buffer{}, Options{Terminal: true, Width: 100})
		if _, err := List(p, rowResource, rows(1000)); err != nil {
			b.Fatal(err)
		}
	}
}

// TestLiveRowsAreWrittenAtOnce: whoever follows sees a row before the next one exists.
func TestLiveRowsAreWrittenAtOnce(t *testing.T) {
	type row struct{ name string }
	r := Resource[row]{Columns: []Column[row]{{Name: "name", Text: func(v row) string { return v.name }}}}
	for _, o := range []Options{{Format: Table}, {Format: CSV}, {Format: NDJSON}, {Format: Table, Terminal: true, Width: 80}} {
		var out bytes.Buffer
		o.Live = true
		p, err := New(&out, o)
		if err != nil {
			t.Fatal(err)
		}
		if o.Format == NDJSON {
			r.View = func(v row) any { return map[string]string{"name": v.name} }
		}
		_, err = List(p, r, func(yield func(row, error) bool) {
			for _, name := range []string{"first", "second"} {
				if !yield(row{name}, nil) {
					return
				}
				if !strings.Contains(out.String(), name) {
					t.Errorf("%+v: %s is not written yet: %q", o, name, out.String())
				}
			}
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// What is written as YAML is read as what JSON says, whatever a text holds.
func FuzzYAML(f *testing.F) {
	for _, text := range []string{"yes", "~", "0x1f", "1:2", "a\nb", "- x", "\u0085\u2028", "{a: b}", "#", "\U000e0041", "é ", "=", "<<", "1_000", ".5", "2026-01-01"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ToValidUTF8(text, "?")
		var out bytes.Buffer
		p, err := New(&out, Options{Format: YAML})
		if err == nil {
			err = One(p, Resource[map[string]any]{}, map[string]any{"a": text, "m": map[string]any{text: []any{text, 1, nil, true}}})
		}
		if err != nil {
			t.Fatal(err)
		}
		var back struct {
			A string
			M map[string][]any
		}
		if err := yaml.Unmarshal(out.Bytes(), &back); err != nil || back.A != text || len(back.M[text]) != 4 || back.M[text][0] != text {
			t.Fatalf("%q was written as %q and read as %+v: %v", text, out.String(), back, err)
		}
		for _, r := range out.String() {
			if r != '\n' && unsafe(r) {
				t.Fatalf("%q lets %U through", out.String(), r)
			}
		}
	})
}
