package verify

import (
	"strings"
	"testing"
)

const hex32 = "0123456789abcdef0123456789ABCDEF"

func TestParseSIDAcceptsEveryKind(t *testing.T) {
	parsers := map[string]func(string) (string, error){
		"AC": func(s string) (string, error) { v, err := ParseAccountSID(s); return string(v), err },
		"SK": func(s string) (string, error) { v, err := ParseAPIKeySID(s); return string(v), err },
		"VA": func(s string) (string, error) { v, err := ParseServiceSID(s); return string(v), err },
		"YF": func(s string) (string, error) { v, err := ParseFactorSID(s); return string(v), err },
		"YC": func(s string) (string, error) { v, err := ParseChallengeSID(s); return string(v), err },
		"CR": func(s string) (string, error) { v, err := ParseCredentialSID(s); return string(v), err },
		"NO": func(s string) (string, error) { v, err := ParseAlertSID(s); return string(v), err },
		"YW": func(s string) (string, error) { v, err := ParseWebhookSID(s); return string(v), err },
	}
	for prefix, parse := range parsers {
		sid := prefix + hex32
		if got, err := parse(sid); err != nil || got != sid {
			t.Errorf("parse(%q) = %q, %v; want it unchanged", sid, got, err)
		}
		for other := range parsers {
			if other == prefix {
				continue
			}
			if got, err := parse(other + hex32); err == nil || got != "" || KindOf(err) != KindUsage {
				t.Errorf("%s parser took %q: %q, %v", prefix, other+hex32, got, err)
			}
		}
	}
}

func TestParseSIDSaysWhatIsWrong(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"", "it is empty"},
		{"YF" + hex32 + "\n", "white space around it"},
		{"YC" + hex32, "it starts with YC, which is a challenge"},
		{"ZZ" + hex32, "it starts with ZZ"},
		{"hello", "does not start with YF"},
		{"yf" + hex32, "does not start with YF"},
		{"YF0314fxxxxxxxxxxxxxxxxxx1349180db", `character 8, 'x', is not a hexadecimal digit`},
		{"YF" + hex32[:31], "it has 33 characters instead of 34"},
		{"YF" + hex32 + "0", "it has 35 characters instead of 34"},
		{"YF" + strings.Repeat("é", 16), `'é', is not a hexadecimal digit`},
	} {
		_, err := ParseFactorSID(tc.in)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("ParseFactorSID(%q) = %v, want it to say %q", tc.in, err, tc.want)
		}
	}
}

func TestParseIdentity(t *testing.T) {
	good := []string{"user-1001", "ABCDEFGH", "DD6840aec40ad01ebc2001c0330000aa33", strings.Repeat("a", 64), "--------"}
	for _, s := range good {
		if got, err := ParseIdentity(s); err != nil || string(got) != s {
			t.Errorf("ParseIdentity(%q) = %q, %v; want it unchanged", s, got, err)
		}
	}
	for _, tc := range []struct{ in, message, hint string }{
		{"", "it is empty", ""},
		{"short", "it has 5 characters, at least 8", ""},
		{strings.Repeat("a", 65), "it has 65 characters, at most 64", ""},
		{"abc?x=", `character 4, '?'`, ""},
		{"abc#", `character 4, '#'`, ""},
		{"..", `character 1, '.'`, ""},
		{".", `character 1, '.'`, ""},
		{"a/b", `character 2, '/'`, ""},
		{"user%2fone", `character 5, '%'`, ""},
		{"jane@bank.example", `character 5, '@'`, "user:jane@bank.example"},
		{"jane doe 12345", `character 5, ' '`, "'user:jane doe 12345'"},
		{"user\x00abcd", `character 5, '\x00'`, ""},
		{"user\xffabcd", "not valid UTF-8", ""},
		{"naïve-user", `character 3, 'ï'`, ""},
	} {
		_, err := ParseIdentity(tc.in)
		e, ok := err.(*Error)
		if !ok || e.Kind != KindUsage || !strings.Contains(e.Message, tc.message) {
			t.Errorf("ParseIdentity(%q) = %v, want a usage error that says %q", tc.in, err, tc.message)
			continue
		}
		if strings.Contains(e.Hint, "user:") != (tc.hint != "") || !strings.Contains(e.Hint, tc.hint) {
			t.Errorf("ParseIdentity(%q) hints %q, want %q in it", tc.in, e.Hint, tc.hint)
		}
	}
}

func FuzzParseIdentity(f *testing.F) {
	for _, s := range []string{"user-1001", "..", "a/b", "abc?x=", "jane@bank.example", "\x00", "日本語日本語日本"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseIdentity(s)
		if err != nil {
			if id != "" || KindOf(err) != KindUsage {
				t.Fatalf("ParseIdentity(%q) = %q with %v", s, id, err)
			}
			return
		}
		if string(id) != s || strings.ContainsAny(s, "/?#%.\\@ \x00") || len(s) < 8 || len(s) > 64 {
			t.Fatalf("ParseIdentity took %q", s)
		}
	})
}
