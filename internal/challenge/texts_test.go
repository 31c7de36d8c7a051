package challenge

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/verifyctl/verifyctl/internal/verify"
)

const loginTexts = `texts:
  login:
    values:
      city: 40
    limits:
      message: 120
    locales:
      default:
        message: "Log in from {city}?"
        fields:
          - label: City
            value: "{city}"
      fr:
        message: "Connexion depuis {city} ?"
        fields:
          - {label: Ville, value: "{city}"}
      fr-CA:
        message: "Ouvrir une session depuis {city}?"
        fields:
          - {label: Ville, value: "{city}"}
      no:
        message: "Logge inn fra {city}?"
        fields:
          - {label: By, value: "{city}"}
  braces:
    locales:
      default:
        message: "Use {{code}}"
`

func texts(t *testing.T, yaml string) *Texts {
	t.Helper()
	parsed, err := ParseTexts("texts.yaml", strings.NewReader(yaml))
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestRenderFindsTheNearestLanguageAndTellsIt(t *testing.T) {
	all := texts(t, loginTexts)
	for _, tc := range []struct {
		asked, used, message string
		fellBack             bool
	}{
		{"", "default", "Log in from Lyon?", false},
		{"default", "default", "Log in from Lyon?", false},
		{"fr", "fr", "Connexion depuis Lyon ?", false},
		{"fr-CA", "fr-CA", "Ouvrir une session depuis Lyon?", false},
		{"FR-ca", "fr-CA", "Ouvrir une session depuis Lyon?", false},
		{"fr_CA", "fr-CA", "Ouvrir une session depuis Lyon?", false},
		{"fr-BE", "fr", "Connexion depuis Lyon ?", true},
		{"nb", "no", "Logge inn fra Lyon?", true},
		{"da", "default", "Log in from Lyon?", true}, // Danish is near to Norwegian and not the same
		{"de-AT", "default", "Log in from Lyon?", true},
		{"zh-Hant-TW", "default", "Log in from Lyon?", true},
	} {
		got, err := all.Render("login", tc.asked, map[string]string{"city": "Lyon"})
		if err != nil || got.Used != tc.used || got.Message != tc.message || got.FellBack() != tc.fellBack {
			t.Errorf("Render in %q = %+v, %v; want %s, fallback %v", tc.asked, got, err, tc.used, tc.fellBack)
		}
	}
	got, err := all.Render("login", "fr", map[string]string{"city": "Lyon"})
	if diff := cmp.Diff([]verify.Field{{Label: "Ville", Value: "Lyon"}}, got.Fields); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if got, err := all.Render("braces", "", nil); err != nil || got.Message != "Use {code}" {
		t.Errorf("braces: %+v, %v", got, err)
	}
}

func TestRenderRefusesWhatDoesNotFit(t *testing.T) {
	all := texts(t, loginTexts)
	for name, tc := range map[string]struct {
		text, locale string
		set          map[string]string
		want         []string
	}{
		"no such text":     {"logn", "", nil, []string{`no text "logn"`}},
		"no locale":        {"login", "français!", map[string]string{"city": "x"}, []string{"not a locale"}},
		"a value missing":  {"login", "", nil, []string{"the value of city is missing", "--set city="}},
		"an unknown value": {"login", "", map[string]string{"city": "x", "town": "y"}, []string{`no value "town"`}},
		"all at once":      {"login", "", map[string]string{"town": "y"}, []string{`no value "town"`, "city is missing"}},
		"too long a value": {"login", "", map[string]string{"city": strings.Repeat("é", 41)}, []string{"41 characters, at most 40"}},
		"an escape":        {"login", "", map[string]string{"city": "\x1b[2J"}, []string{"control character"}},
		"an empty value":   {"login", "", map[string]string{"city": ""}, []string{"the value of field 1"}},
	} {
		_, err := all.Render(tc.text, tc.locale, tc.set)
		for _, want := range tc.want {
			if verify.KindOf(err) != verify.KindUsage || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v; want a usage error that says %q", name, err, want)
			}
		}
	}
}

func TestParseTextsTellsEveryMistakeWithItsLine(t *testing.T) {
	for name, tc := range map[string]struct {
		yaml string
		want []string
	}{
		"empty":          {"", []string{"texts.yaml is empty"}},
		"not yaml":       {"texts:\n  - [", []string{"texts.yaml:2: did not find"}},
		"a tab":          {"texts:\n\tlogin: x", []string{"texts.yaml:2: "}},
		"other keys":     {"text:\n  x: y", []string{`texts.yaml:1: the file does not have the key "text"; did you mean "texts"?`}},
		"not a map":      {"texts: 5", []string{"texts.yaml:1: texts is a list of key: value"}},
		"no default":     {"texts:\n  a:\n    locales:\n      fr: {message: x}", []string{`texts.yaml:2: text "a" has no default locale`}},
		"no message":     {"texts:\n  a:\n    locales:\n      default: {fields: []}", []string{"texts.yaml:4: ", "has no message"}},
		"wrong locale":   {"texts:\n  a:\n    locales:\n      default: {message: x}\n      french!: {message: y}", []string{`texts.yaml:5: "french!" is not a locale`}},
		"same locale":    {"texts:\n  a:\n    locales:\n      default: {message: x}\n      fr-CA: {message: y}\n      fr_ca: {message: z}", []string{`texts.yaml:6: "fr_ca" is the same locale as "fr-CA"`}},
		"a key twice":    {"texts:\n  a:\n    locales:\n      default: {message: x, message: y}", []string{`"message" appears twice`}},
		"open brace":     {"texts:\n  a:\n    locales:\n      default:\n        message: \"Hi {name\"", []string{"texts.yaml:5: ", "does not begin a value"}},
		"closing brace":  {"texts:\n  a:\n    locales:\n      default:\n        message: \"Hi }\"", []string{"texts.yaml:5: ", "unmatched }"}},
		"message a list": {"texts:\n  a:\n    locales:\n      default:\n        message: [x]", []string{"texts.yaml:5: ", "is not a text"}},
		"message null":   {"texts:\n  a:\n    locales:\n      default:\n        message:", []string{"texts.yaml:5: ", "is not a text"}},
		"loose limit":    {"texts:\n  a:\n    limits: {message: 500}\n    locales:\n      default: {message: x}", []string{"texts.yaml:3: the limit of message is a number from 1 to 256"}},
		"value length":   {"texts:\n  a:\n    values: {city: long}\n    locales:\n      default: {message: x}", []string{"texts.yaml:3: the longest length of city is a number"}},
		"several": {"texts:\n  a:\n    limit: {}\n    locales:\n      default: {mesage: x}",
			[]string{`texts.yaml:3: text "a" does not have the key "limit"; did you mean "limits"?`, `texts.yaml:5: `, "has no message"}},
	} {
		_, err := ParseTexts("texts.yaml", strings.NewReader(tc.yaml))
		for _, want := range tc.want {
			if verify.KindOf(err) != verify.KindUsage || err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v\nwant a usage error that says %q", name, err, want)
			}
		}
	}
}

func TestLintConsidersTheLongestValues(t *testing.T) {
	for name, tc := range map[string]struct {
		yaml string
		want []string
	}{
		"all fits": {loginTexts, nil},
		"the longest that fits": {`texts:
  a:
    values: {city: 250}
    locales:
      default: {message: "From {city}?"}
`, nil},
		"one more": {`texts:
  a:
    values: {city: 251}
    locales:
      default: {message: "From {city}?"}
`, []string{"texts.yaml:5: a in default: the message can become 257 characters long (6 + 251 for {city}), at most 256 are allowed"}},
		"a value that appears twice": {`texts:
  a:
    values: {city: 128}
    locales:
      default: {message: "{city}+{city}"}
`, []string{"the message can become 257 characters long (1 + 128 for {city} + 128 for {city})"}},
		"no declared length": {`texts:
  a:
    locales:
      default: {message: "From {city}?"}
`, []string{"texts.yaml:2: a: {city} has no longest length"}},
		"its own limit": {`texts:
  a:
    limits: {message: 5}
    locales:
      default: {message: "日本語日本語"}
`, []string{"the message has 6 characters, at most 5"}},
		"a long label in one language": {`texts:
  a:
    locales:
      default: {message: x, fields: [{label: City, value: y}]}
      de:
        message: x
        fields:
          - {label: Rindfleischetikettierungsüberwachungs, value: y}
`, []string{"texts.yaml:8: a in de: the label of field 1 has 37 characters, at most 36"}},
		"languages that differ": {`texts:
  a:
    values: {city: 10, device: 10, ip: 10}
    locales:
      default: {message: "{city}", fields: [{label: a, value: b}]}
      fr: {message: "{device}"}
`, []string{"warning: a: the value ip is not used", "warning: a in fr: it has 0 fields, the default has 1",
			"it does not show {city}", "it shows {device}, the default does not"}},
		"a control character": {"texts:\n  a:\n    locales:\n      default: {message: \"x\\e[2J\"}\n",
			[]string{"the message holds the control character"}},
		"an empty field": {`texts:
  a:
    locales:
      default: {message: x, fields: [{label: City}]}
`, []string{"the value of field 1 is empty"}},
	} {
		found := texts(t, tc.yaml).Lint()
		var lines []string
		for _, f := range found {
			lines = append(lines, f.String())
		}
		all := strings.Join(lines, "\n")
		if len(found) != len(tc.want) {
			t.Errorf("%s: %d findings, want %d:\n%s", name, len(found), len(tc.want), all)
		}
		for _, want := range tc.want {
			if !strings.Contains(all, want) {
				t.Errorf("%s: got\n%s\nwant %q", name, all, want)
			}
		}
	}
}

// What lint finds nothing about can be filled in with values of the declared length, and passes every check. Short texts are
// enough, and Go's fuzzing needs a minute to shorten each long one that it keeps.
func FuzzTexts(f *testing.F) {
	const longest = 200
	f.Add("texts:\n a:\n  values: {x: 9}\n  locales:\n   default: {message: \"{x}\"}\n   fr-CA: {message: \"{x}?\"}", "fr-CA")
	f.Add("texts: {a: {limits: {message: 9}, locales: {default: {message: m, fields: [{label: l, value: v}]}}}}", "")
	f.Add("texts:\n  a:\n    values: {x: 3}\n    locales:\n      default: {message: \"{x}{{}}\"}", "de")
	f.Add("texts: &a\n  b: *a", "")
	f.Add("texts:\n  a: {locales: {default: &d {message: x}, fr: *d}}", "fr")
	f.Fuzz(func(t *testing.T, yaml, locale string) {
		if len(yaml)+len(locale) > longest {
			return
		}
		all, err := ParseTexts("f", strings.NewReader(yaml))
		if err != nil {
			if all != nil || verify.KindOf(err) != verify.KindUsage {
				t.Fatalf("gave %v with %v", all, err)
			}
			return
		}
		clean := true
		for _, finding := range all.Lint() {
			clean = clean && finding.Warning
		}
		for _, name := range all.Names() {
			set := map[string]string{}
			for value := range all.texts[name].used() {
				set[value] = strings.Repeat("é", min(all.texts[name].values[value].longest, 4096))
			}
			got, err := all.Render(name, locale, set)
			if err != nil {
				if clean && !strings.Contains(err.Error(), "not a locale") {
					t.Fatalf("lint found nothing, but: %v", err)
				}
				continue
			}
			if err := (Request{Message: got.Message, Fields: got.Fields, Expires: verify.DefaultChallengeTTL}).Check(); err != nil {
				t.Fatalf("rendered what cannot be sent: %v", err)
			}
		}
	})
}
