package event

import (
	"slices"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// printedKey finds the webhook's parameters in what a program printed of them: as a key of Ruby, Python, PHP, Go, Java or
// JavaScript, or as the words of a log.
var printedKey = verify.Lazily(`(?:^|[^A-Za-z0-9_])["'\[]?(AccountSid|Account|ParentAccountSid|Level|PayloadType|Payload|Sid|Event ID|Timestamp)["'\]]?\s*(?:=>|[:=,])[ \t]*`)

// printedMarks are in every print of a map that repaired JSON is not.
var printedMarks = []string{"=>", "map[", "[]string{", "('", "QueryDict", "={", "\n"}

// readPrinted reads the webhook's parameters as a language prints a map of them.
func (r *recorder) readPrinted(c cleaned) bool {
	isPrinted := slices.ContainsFunc(printedMarks, func(mark string) bool { return strings.Contains(c.text, mark) })
	if !isPrinted || !strings.Contains(c.text, "Payload") {
		return false
	}
	found := false
	r.facts.reset()
	finish := func() {
		if r.facts.seen.has(fieldPayload) && r.facts.seen.hasAny(fieldSID, fieldAccount, fieldTime) && r.facts.code != 0 {
			r.facts.source = SourceWebhook
			r.facts.markRepaired("the text is what a program printed of the event")
			found = r.finish() || found
		}
		r.facts.reset()
	}
	for rest, raw := c.text, []byte(c.text); ; {
		at := printedKey().FindStringSubmatchIndex(rest)
		if at == nil {
			break
		}
		name := printedField(rest[at[2]:at[3]])
		value, end := printedValue(rest[at[1]:], raw[at[1]:])
		rest, raw = rest[at[1]+end:], raw[at[1]+end:]
		if r.facts.seen.has(name) && r.facts.seen.has(fieldPayload) {
			finish() // the next one begins
		}
		if name != fieldNone && value != "" {
			r.scalar(name, []byte(value), 0)
		}
	}
	finish()
	return found
}

func printedField(name string) field {
	switch name {
	case "Account":
		return fieldAccount
	case "Event ID":
		return fieldSID
	}
	return fieldOf(name)
}

// printedValue reads the value at the start of a text: in quotes, in braces, or a word; inside a list of one, too. end is
// where it ends. raw is the text again.
func printedValue(text string, raw []byte) (value string, end int) {
	start := 0
	for _, list := range []string{"[]string{", "["} {
		if strings.HasPrefix(text[start:], list) {
			start += len(list)
			break
		}
	}
	rest := text[start:]
	if rest == "" {
		return "", start
	}
	switch rest[0] {
	case '"', '\'':
		m := repairer{text: rest, pos: 1}
		value = m.quoted(rest[0])
		return value, start + m.pos
	case '{':
		var s scanner
		end, _ := s.run(raw, start)
		return text[start:end], end
	}
	end = strings.IndexAny(rest, ",]}) \t\n")
	if end < 0 {
		end = len(rest)
	}
	return rest[:end], start + end
}
