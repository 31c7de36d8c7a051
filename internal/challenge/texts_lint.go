package challenge

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Finding is one thing to mend in a file of texts.
type Finding struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Text    string `json:"text"`
	Locale  string `json:"locale"` // "" when it is about all of them
	Warning bool   `json:"warning"`
	Problem string `json:"problem"`
}

// String gives "file:line: text in locale: problem".
func (f Finding) String() string {
	where := f.Text
	if f.Locale != "" {
		where += " in " + f.Locale
	}
	level := ""
	if f.Warning {
		level = "warning: "
	}
	return fmt.Sprintf("%s:%d: %s%s: %s", f.File, f.Line, level, where, f.Problem)
}

// Lint gives everything to mend, in the order of the file's lines. Lengths are those of the longest text each language
// can become: with every value as long as it is declared. A value without a declared length is a finding, because then
// nothing can be said. Characters are counted as Unicode code points; Twilio does not document what it counts.
func (t *Texts) Lint() []Finding {
	var found []Finding
	for _, name := range t.Names() {
		l := linter{file: t.file, text: t.texts[name]}
		l.run()
		found = append(found, l.found...)
	}
	slices.SortStableFunc(found, func(a, b Finding) int { return a.Line - b.Line })
	return found
}

type linter struct {
	file  string
	text  *text
	found []Finding
}

func (l *linter) add(line int, locale string, warning bool, format string, args ...any) {
	l.found = append(l.found, Finding{File: l.file, Line: line, Text: l.text.name, Locale: locale, Warning: warning,
		Problem: fmt.Sprintf(format, args...)})
}

func (l *linter) run() {
	used := l.text.used()
	for _, name := range slices.Sorted(maps.Keys(used)) {
		if _, known := l.text.values[name]; !known {
			l.add(l.text.line, "", false, "{%s} has no longest length under values, so whether it fits cannot be known", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.text.values)) {
		if !used[name] {
			l.add(l.text.values[name].line, "", true, "the value %s is not used", name)
		}
	}
	for _, locale := range slices.Sorted(maps.Keys(l.text.locales)) {
		l.lengths(locale)
		l.likeDefault(locale)
	}
}

// lengths reports what is empty or can become longer than allowed.
func (l *linter) lengths(locale string) {
	in, limits := l.text.locales[locale], l.text.limits
	l.length(in.line, locale, "the message", in.message, limits.message)
	if n := len(in.fields); n > limits.fields {
		l.add(in.line, locale, false, "it has %d fields, at most %d are allowed", n, limits.fields)
	}
	for i, f := range in.fields {
		l.length(f.line, locale, fmt.Sprintf("the label of field %d", i+1), f.label, limits.label)
		l.length(f.line, locale, fmt.Sprintf("the value of field %d", i+1), f.value, limits.value)
	}
}

func (l *linter) length(line int, locale, what string, t template, limit int) {
	var p problems
	p.characters(what, t.render(nil))
	for _, problem := range p {
		l.add(line, locale, false, "%s", problem)
	}
	longest, sum := t.literalLength(), []string{fmt.Sprint(t.literalLength())}
	for _, name := range t.values() {
		declared, known := l.text.values[name]
		if !known {
			return // reported for the whole text
		}
		longest += declared.longest
		sum = append(sum, fmt.Sprintf("%d for {%s}", declared.longest, name))
	}
	switch {
	case strings.TrimSpace(t.render(nil)) == "" && len(t.values()) == 0:
		l.add(line, locale, false, "%s is empty", what)
	case longest > limit && len(sum) == 1:
		l.add(line, locale, false, "%s has %d characters, at most %d are allowed", what, longest, limit)
	case longest > limit:
		l.add(line, locale, false, "%s can become %d characters long (%s), at most %d are allowed", what, longest,
			strings.Join(sum, " + "), limit)
	}
}

// likeDefault warns when a language shows other things than the default does.
func (l *linter) likeDefault(locale string) {
	in, base := l.text.locales[locale], l.text.locales[DefaultLocale]
	if in == base {
		return
	}
	if len(in.fields) != len(base.fields) {
		l.add(in.line, locale, true, "it has %d fields, the default has %d", len(in.fields), len(base.fields))
	}
	shown, expected := in.shows(), base.shows()
	for _, name := range slices.Sorted(maps.Keys(expected)) {
		if !shown[name] {
			l.add(in.line, locale, true, "it does not show {%s}, the default does", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(shown)) {
		if !expected[name] {
			l.add(in.line, locale, true, "it shows {%s}, the default does not", name)
		}
	}
}

func (l *localized) shows() map[string]bool {
	names := map[string]bool{}
	for _, t := range l.templates() {
		for _, name := range t.values() {
			names[name] = true
		}
	}
	return names
}
