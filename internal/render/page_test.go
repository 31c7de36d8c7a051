package render

import (
	"bytes"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
)

func TestPagesAreBrokenAtSpacesOnATerminalOnly(t *testing.T) {
	sid := "YF" + strings.Repeat("0", 32)
	text := "  FAIL    PUSH-01  " + strings.Repeat("many words ", 12) + "\n          fix: " + strings.Repeat("do this ", 12) +
		"\n          $ verifyctl " + strings.Repeat("word ", 20) + "\n    - " + strings.Repeat("a ", 60) + sid + "\n"
	write := func(opts Options) string {
		var out bytes.Buffer
		p, err := New(&out, opts)
		if err == nil {
			err = p.WritePage(text)
		}
		if err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	if got := write(Options{Width: 60}); got != text {
		t.Errorf("in a pipe: %q", got)
	}
	got := write(Options{Width: 60, Terminal: true})
	if strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(text), " ") || !strings.Contains(got, sid) {
		t.Errorf("words were lost: %q", got)
	}
	for line := range strings.Lines(got) {
		if ansi.StringWidth(strings.TrimRight(line, "\n")) > 60 && !strings.Contains(line, "$ verifyctl") {
			t.Errorf("too wide: %q", line)
		}
	}
	for _, want := range []string{"\n                   many words", "\n               do this", "\n      a a"} {
		if !strings.Contains(got, want) {
			t.Errorf("the lines after the first do not stand below their text, %q: %s", want, got)
		}
	}
}

// Nothing in a text means anything in Markdown.
func TestMarkdownShowsTextAsItIs(t *testing.T) {
	for text, want := range map[string]string{
		"![x](http://evil.example/a_b)": `\!\[x\](http\://evil.example/a\_b)`,
		"see www.evil.example":          `see www\.evil.example`,
		"<img src=x>&#33;":              `&lt;img src=x&gt;&amp;\#33;`,
		"@team ~~x~~ `y` $z$ a|b \\":    "@<!-- -->team \\~\\~x\\~\\~ \\`y\\` \\$z\\$ a\\|b \\\\",
		"- item":                        `\- item`,
	} {
		if got := EscapeMarkdown(text); got != want {
			t.Errorf("%q became %q, not %q", text, got, want)
		}
	}
	for text, want := range map[string]string{"a": "`a`", "a`b": "`` a`b ``", "a|b": "`a\\|b`"} {
		if got := MarkdownCode(text); got != want {
			t.Errorf("%q became %q, not %q", text, got, want)
		}
	}
}
