package challenge

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/language"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// DefaultLocale is the locale of a text that is used when no other fits. Every text has it.
const DefaultLocale = "default"

// Texts is a file of texts for challenges, in several languages:
//
//	texts:
//	  login:
//	    values: {city: 40}            # what can be set, and the longest of each in characters
//	    limits: {message: 120}        # stricter than Twilio's; also fields, label, value
//	    locales:
//	      default:
//	        message: "Log in from {city}?"
//	        fields: [{label: City, value: "{city}"}]
//	      fr:
//	        message: "Connexion depuis {city} ?"
//	        fields: [{label: Ville, value: "{city}"}]
//
// {name} stands for a value, {{ and }} for the braces themselves.
type Texts struct {
	file  string
	texts map[string]*text
}

// text is one text in all its languages.
type text struct {
	name    string
	line    int
	values  map[string]declared
	limits  limits
	locales map[string]*localized
}

// declared is a value that can be set: its longest length in characters, and where that stands.
type declared struct {
	longest int
	line    int
}

// limits are the longest lengths in characters, and the most fields.
type limits struct{ message, fields, label, value int }

var twilioLimits = limits{verify.MaxMessage, verify.MaxFields, verify.MaxFieldLabel, verify.MaxFieldValue}

// localized is a text in one language.
type localized struct {
	tag     language.Tag // language.Und for the default
	line    int
	message template
	fields  []localizedField
}

type localizedField struct {
	line         int
	label, value template
}

// Rendered is a text in the language that was found for the one asked for.
type Rendered struct {
	Message string
	Fields  []verify.Field
	Asked   string // the locale asked for; "" when none was
	Used    string // the locale used, or DefaultLocale
}

// FellBack tells whether another language than the one asked for is used, which must be said.
func (r Rendered) FellBack() bool { return r.Asked != "" && r.Asked != r.Used }

// Names gives the names of the texts in alphabetical order.
func (t *Texts) Names() []string { return slices.Sorted(maps.Keys(t.texts)) }

// Locales gives the locales of a text in alphabetical order, the default among them; nil when there is no such text.
func (t *Texts) Locales(name string) []string {
	if found := t.texts[name]; found != nil {
		return slices.Sorted(maps.Keys(found.locales))
	}
	return nil
}

// Values gives the names of the values that a text shows, in alphabetical order.
func (t *Texts) Values(name string) []string {
	if found := t.texts[name]; found != nil {
		return slices.Sorted(maps.Keys(found.used()))
	}
	return nil
}

// Message gives the message of a text in its default language, with values as {name}; "" when there is no such text.
func (t *Texts) Message(name string) string {
	found := t.texts[name]
	if found == nil {
		return ""
	}
	placeholders := map[string]string{}
	for value := range found.used() {
		placeholders[value] = "{" + value + "}"
	}
	return found.locales[DefaultLocale].message.render(placeholders)
}

// Render writes a text in the language nearest to locale (BCP 47, such as fr-CA; "" is the default) with the given
// values. Every value the text shows must be given and none that it does not know, and none longer than declared; the
// error is one usage error that tells all problems.
func (t *Texts) Render(name, locale string, values map[string]string) (Rendered, error) {
	found := t.texts[name]
	if found == nil {
		err := verify.Usagef("%s has no text %q", t.file, name)
		if near := verify.Nearest(name, t.Names()); near != "" {
			return Rendered{}, err.WithHint("did you mean %s?", near)
		}
		return Rendered{}, err.WithHint("its texts are: %s", strings.Join(t.Names(), ", "))
	}
	rendered, err := found.locale(locale)
	if err != nil {
		return Rendered{}, err
	}
	if err := found.checkValues(values); err != nil {
		return Rendered{}, err
	}
	chosen := found.locales[rendered.Used]
	rendered.Message = chosen.message.render(values)
	for _, f := range chosen.fields {
		rendered.Fields = append(rendered.Fields, verify.Field{Label: f.label.render(values), Value: f.value.render(values)})
	}
	return rendered, found.checkLimits(rendered)
}

// locale finds the language to use. Languages that merely are close, as Danish and Norwegian, do not stand in for each
// other: on a lock screen the default is the better guess.
func (t *text) locale(asked string) (Rendered, error) {
	if asked == "" || asked == DefaultLocale {
		return Rendered{Asked: asked, Used: DefaultLocale}, nil
	}
	wanted, err := language.Parse(asked)
	if err != nil {
		return Rendered{}, verify.Usagef("%q is not a locale: %v", asked, err).
			WithHint("a locale is written as fr, fr-CA or zh-Hant-TW")
	}
	names := []string{DefaultLocale}
	tags := []language.Tag{language.Und} // first: what the matcher gives when nothing fits
	for _, name := range slices.Sorted(maps.Keys(t.locales)) {
		if name == DefaultLocale {
			continue
		}
		if t.locales[name].tag == wanted {
			return Rendered{Asked: name, Used: name}, nil
		}
		names, tags = append(names, name), append(tags, t.locales[name].tag)
	}
	_, i, confidence := language.NewMatcher(tags).Match(wanted)
	if confidence == language.Exact || confidence == language.High && sameLanguage(wanted, tags[i]) {
		return Rendered{Asked: asked, Used: names[i]}, nil
	}
	return Rendered{Asked: asked, Used: DefaultLocale}, nil
}

func sameLanguage(a, b language.Tag) bool {
	one, _ := a.Base()
	other, _ := b.Base()
	return one == other
}

func (t *text) checkValues(values map[string]string) error {
	var p problems
	used := t.used()
	for _, name := range slices.Sorted(maps.Keys(values)) {
		declared, known := t.values[name]
		switch n := utf8.RuneCountInString(values[name]); {
		case !known && !used[name]:
			p.add("it has no value %q", name)
		case known && n > declared.longest:
			p.add("the value of %s has %d characters, at most %d are declared", name, n, declared.longest)
		}
		p.characters("the value of "+name, values[name])
	}
	for _, name := range slices.Sorted(maps.Keys(used)) {
		if _, given := values[name]; !given {
			p.add("the value of %s is missing; give it with --set %s=…", name, name)
		}
	}
	return p.err(fmt.Sprintf("text %s cannot be filled in", t.name))
}

// used gives the values that any language of the text shows. All of them are asked for, so that a text that works in one
// language does not fail in another.
func (t *text) used() map[string]bool {
	used := map[string]bool{}
	for _, l := range t.locales {
		maps.Copy(used, l.shows())
	}
	return used
}

func (l *localized) templates() []template {
	all := []template{l.message}
	for _, f := range l.fields {
		all = append(all, f.label, f.value)
	}
	return all
}

// checkLimits holds a filled-in text against its own limits, which may be stricter than Twilio's.
func (t *text) checkLimits(r Rendered) error {
	var p problems
	p.details(r.Message, r.Fields, t.limits)
	return p.err(fmt.Sprintf("text %s in %s", t.name, r.Used))
}

// template is a line of a text: literal pieces and values in turn.
type template []piece

type piece struct {
	literal string
	value   string // the name of a value; "" for a literal
}

// parseTemplate reads {name} as a value and doubled braces as single ones.
func parseTemplate(s string) (template, error) {
	var t template
	var literal strings.Builder
	flush := func() {
		if literal.Len() > 0 {
			t = append(t, piece{literal: literal.String()})
			literal.Reset()
		}
	}
	for len(s) > 0 {
		i := strings.IndexAny(s, "{}")
		if i < 0 {
			i = len(s)
		}
		literal.WriteString(s[:i])
		s = s[i:]
		switch {
		case s == "":
		case strings.HasPrefix(s, "{{"), strings.HasPrefix(s, "}}"):
			literal.WriteByte(s[0])
			s = s[2:]
		case s[0] == '}':
			return nil, fmt.Errorf("unmatched }; write }} for a literal brace")
		default:
			name, rest, closed := strings.Cut(s[1:], "}")
			if !closed || !isValueName(name) {
				return nil, fmt.Errorf("%q does not begin a value: write {name} of letters, digits and underscores, or {{ for "+
					"the brace itself", cut(s, 20))
			}
			flush()
			t = append(t, piece{value: name})
			s = rest
		}
	}
	flush()
	return t, nil
}

// cut gives at most n characters of a text for an error message.
func cut(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}

func isValueName(s string) bool {
	for i, r := range s {
		isLetter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r == '_'
		isDigit := '0' <= r && r <= '9'
		if !isLetter && (!isDigit || i == 0) {
			return false
		}
	}
	return s != ""
}

func (t template) render(values map[string]string) string {
	var b strings.Builder
	for _, p := range t {
		if p.value != "" {
			b.WriteString(values[p.value])
		} else {
			b.WriteString(p.literal)
		}
	}
	return b.String()
}

// values gives the names of the values, each as often as it stands.
func (t template) values() []string {
	var names []string
	for _, p := range t {
		if p.value != "" {
			names = append(names, p.value)
		}
	}
	return names
}

// literalLength counts the characters that are always there.
func (t template) literalLength() int {
	n := 0
	for _, p := range t {
		n += utf8.RuneCountInString(p.literal)
	}
	return n
}
