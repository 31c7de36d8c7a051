package render

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// A name is found in every way that it is written, and only as a word.
func TestNamesAreMaskedInEveryForm(t *testing.T) {
	name := `O'Neill & "Zoë" phone`
	names := NewNames()
	names.Learn(name, "user-1001-amara", "iPhone", "ab")
	inJSON, err := MarshalSafe(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{name, fmt.Sprintf("%q", name), string(inJSON), url.QueryEscape(name), url.PathEscape(name), verify.Quote(name),
		"x%3D" + url.QueryEscape(name), `\n` + name, `O'Neill & "Zoë"` + "\n      phone", "\x1b[31m" + name, "O&#39;Neill &amp; &#34;Zoë&#34; phone"} {
		if got := names.mask(text); strings.Contains(got, "Neill") || !strings.Contains(got, "O'Ne…") {
			t.Errorf("%q became %q", text, got)
		}
	}
	for text, want := range map[string]string{
		"/Entities/user-1001-amara/Factors": "/Entities/user…/Factors",
		"Identity%3Duser-1001-amara%26x":    "Identity%3Duser…%26x",
		"user-1001-amaranth iPhones about":  "user-1001-amaranth iPhones about",
		"iPhone 16, ab":                     "iPho… 16, ab",
	} {
		if got := names.mask(text); got != want {
			t.Errorf("%q became %q, not %q", text, got, want)
		}
	}
	var none *Names
	if none.Learn("iPhone"); none.mask("iPhone") != "iPhone" {
		t.Error("no names mask something")
	}
}

func TestMaskingWriterHoldsBackHalfALine(t *testing.T) {
	names := NewNames()
	names.Learn("user-1001-amara")
	var out bytes.Buffer
	w := names.Writer(&out, true)
	for _, part := range []string{"of user-10", "01-amara\nand us", "er-1001-amara"} {
		if n, err := w.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := w.Close(); err != nil || out.String() != "of user…\nand user…" {
		t.Errorf("%q, %v", out.String(), err)
	}
}

// Whatever a name holds, it is masked where it stands between spaces, and nothing fails.
func FuzzNames(f *testing.F) {
	f.Add("user-1001-amara", "of user-1001-amara, 3 factors")
	f.Add("a b c", "a\n   b c")
	f.Add("%41 ", "%%41")
	f.Fuzz(func(t *testing.T, name, text string) {
		names := NewNames()
		names.Learn(name)
		names.mask(text)
		if got := names.mask(" " + name + "."); len(name) >= shortestName && got == " "+name+"." && shorten(name) != name {
			t.Errorf("%q stays in %q", name, got)
		}
	})
}
