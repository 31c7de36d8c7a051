package render

import (
	"bytes"
	"encoding/json"
	"testing"
)

// FuzzIndent holds indent to what the standard library does.
func FuzzIndent(f *testing.F) {
	for _, text := range []string{`{}`, `[]`, `"a\\"`, `{"a":[1,{"b":"x\"]}"},[],{}],"c":{"d":null}}`, `-1.5e3`, "\"\u2028é\"", `[[[[true]]]]`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var line, want bytes.Buffer
		if json.Compact(&line, []byte(text)) != nil {
			return
		}
		if err := json.Indent(&want, line.Bytes(), "  ", "  "); err != nil {
			t.Fatal(err)
		}
		if got := indent(nil, line.Bytes(), "  "); string(got) != want.String() {
			t.Errorf("%s is indented as\n%s\nwant\n%s", line.Bytes(), got, want.Bytes())
		}
	})
}

// TestRowsMadeAheadAreThoseOfAList: whoever makes the JSON of rows before their turn gets the same bytes, and is refused
// where a row cannot be made by itself.
func TestRowsMadeAheadAreThoseOfAList(t *testing.T) {
	ahead := func(o Options) string {
		var out bytes.Buffer
		p, err := New(&out, o)
		if err != nil {
			t.Fatal(err)
		}
		r, encode := rowResource, p.RowEncoder()
		if encode == nil {
			return ""
		}
		var text []byte
		r.View = func(v row) any {
			start := len(text)
			text = encode(text, v)
			return Encoded(text[start:])
		}
		if _, err := List(p, r, rows(5)); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	for _, o := range []Options{{Format: JSON}, {Format: NDJSON}} {
		want, err := list(t, o, rows(5))
		if got := ahead(o); err != nil || got != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", o.Format, err, got, want)
		}
	}
	for _, o := range []Options{{Format: CSV}, {Format: YAML}, {Quiet: true}, {Format: JSON, JQ: "."}, {Format: NDJSON, Names: NewNames()}} {
		if got := ahead(o); got != "" {
			t.Errorf("%+v: %s", o, got)
		}
	}
}
