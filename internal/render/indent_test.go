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
		if got := indent(line.Bytes(), "  "); string(got) != want.String() {
			t.Errorf("%s is indented as\n%s\nwant\n%s", line.Bytes(), got, want.Bytes())
		}
	})
}
