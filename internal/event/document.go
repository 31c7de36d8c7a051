package event

import (
	"bytes"
	"strings"

	"github.com/valyala/fastjson"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// readDocument reads a text that is not JSON as it stands: a form body, an alert's text, an HTTP or curl dump, what a
// console or chat made of an event, or prose around SIDs.
func (r *recorder) readDocument(text string, depth int) bool {
	if depth > maxUnwrap {
		return false
	}
	if len(text) > maxText {
		return r.salvage(strings.TrimRightFunc(text[:maxText], isWordRune))
	}
	if !mayHoldEvent(text) {
		return false
	}
	c := clean(text)
	if c.text == "" {
		return false
	}
	if r.readJSONAgain(c, depth) {
		return true
	}
	if form, ok := encodedOnceMore(c.text); ok {
		return r.marking(true, func() bool { return r.readText([]byte(form), depth+1) })
	}
	if body, ok := httpBody(c.text); ok {
		return r.readText([]byte(body), depth+1)
	}
	if form, ok := curlForm(c.text); ok {
		return r.readForm(form, c.changed)
	}
	if lines := eventLines(c.text); len(lines) > 1 {
		return r.readLines(lines, depth)
	}
	if unpacked := r.unpack([]byte(c.text)); unpacked != nil {
		return r.readInside(unpacked, depth+1)
	}
	return r.readForm(c.text, c.changed) || r.readPrinted(c) || r.readRepaired(c, depth) || r.readConsole(c) || r.salvage(c.text)
}

// mayHoldEvent sees at once that a line of a log holds none: no object, no pairs, no word as long as a SID and no number
// as long as a code.
func mayHoldEvent(text string) bool {
	word, digits := 0, 0
	for i := range len(text) {
		switch c := text[i]; {
		case c == '{' || c == '&' || c == '\n' || c >= 0x80:
			return true
		case '0' <= c && c <= '9':
			word++
			digits++
		case isWordByte(c) || c == '*' || c == '.':
			word++
			digits = 0
		default:
			word, digits = 0, 0
		}
		if word >= 16 || digits == 5 {
			return true
		}
	}
	return false
}

// readJSONAgain tries the cleaned text as JSON, if cleaning made a difference.
func (r *recorder) readJSONAgain(c cleaned, depth int) bool {
	if c.text[0] != '{' && c.text[0] != '[' {
		return false
	}
	v, err := r.parsers[depth].Parse(c.text)
	if err != nil {
		return false
	}
	return r.marking(c.changed, func() bool { return r.readValue(v, depth) })
}

// encodedOnceMore gives the form or JSON in a text that was percent-encoded as a whole.
func encodedOnceMore(text string) (string, bool) {
	if strings.ContainsAny(text, "=&{ \n") || !strings.Contains(text, "%") {
		return "", false
	}
	plain, ok := unescape(text)
	if !ok || plain == "" {
		return "", false
	}
	key, _, isForm := strings.Cut(plain, "=")
	return plain, plain[0] == '{' || plain[0] == '[' || isForm && fieldOf(key) != fieldNone
}

// marking runs read with every event it gives marked, if so told.
func (r *recorder) marking(mark bool, read func() bool) bool {
	if !mark {
		return read()
	}
	emit := r.emit
	r.emit = func(f *facts) {
		f.markRepaired("the text was changed on its way here")
		emit(f)
	}
	defer func() { r.emit = emit }()
	return read()
}

func (r *recorder) readLines(lines []string, depth int) bool {
	found := false
	for _, line := range lines {
		r.record, r.strict = []byte(line), notAsked
		found = r.readText(r.record, depth+1) || found
	}
	return found
}

// readForm reads a form body or the text of an alert.
func (r *recorder) readForm(text string, changed bool) bool {
	if !strings.Contains(text, "&") && !strings.HasPrefix(text, "Payload=") || !looksLikePairs(text) {
		return false
	}
	if text, wrapped := joinForm(text); wrapped {
		return r.marking(true, func() bool { return r.readForm(text, false) })
	}
	text, cut := formInLine(text)
	changed = changed || cut
	r.facts.reset()
	r.pairs(text, 0)
	r.facts.source = formSource(r.facts.seen)
	return r.marking(changed, r.finish)
}

// formInLine takes a form out of a line of a log, which has words before it.
func formInLine(text string) (form string, cut bool) {
	key, _, _ := strings.Cut(text, "=")
	start := strings.LastIndexAny(key, " \t\"'`(:,") + 1
	if start == 0 || fieldOf(strings.TrimSpace(key)) != fieldNone {
		return text, false
	}
	form = text[start:]
	if end := strings.IndexAny(form, " \t\"'`)"); end >= 0 && !strings.Contains(form, "{") {
		form = form[:end]
	}
	return form, true
}

// joinForm undoes line breaks: an encoded form has none.
func joinForm(text string) (joined string, wrapped bool) {
	if !strings.Contains(text, "\n") || strings.Contains(text, "{") {
		return text, false
	}
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, ""), true
}

// readRepaired reads JSON that was cut or bent.
func (r *recorder) readRepaired(c cleaned, depth int) bool {
	found := false
	for _, object := range repairJSON(c.text) {
		v, err := r.parsers[depth].ParseBytes(object)
		if err != nil || v.Type() != fastjson.TypeObject {
			continue
		}
		found = r.marking(true, func() bool { return r.readValue(v, depth) }) || found
	}
	return found
}

var consoleLine = verify.Lazily(`^\s*["']?([A-Za-z][A-Za-z_ -]{1,30}[A-Za-z])["']?(?:\s*[|:=\t]\s*|\s{2,}|\s+)(.*?)\s*[,|]?\s*$`)

// readConsole reads lines of a name and a value, as the Console's page of an error prints its details.
func (r *recorder) readConsole(c cleaned) bool {
	r.facts.reset()
	for line := range strings.SplitSeq(c.text, "\n") {
		match := consoleLine().FindStringSubmatch(strings.TrimRight(strings.TrimLeft(line, "| \t"), "| \t"))
		if match == nil {
			continue
		}
		name := consoleField(match[1])
		value := unquote(match[2])
		if name == fieldCode {
			value = strings.TrimLeft(value, "-–—#: ")
		}
		if name != fieldNone && value != "" {
			r.scalar(name, []byte(value), 1)
		}
	}
	seen := r.facts.seen
	if !seen.hasPush() && !(seen.has(fieldCode) && seen.hasAny(fieldSID, fieldMsg, fieldDescription)) {
		return false
	}
	r.facts.source = SourceConsole
	if c.changed {
		r.facts.markRepaired("the text was changed on its way here")
	}
	return r.finish()
}

// consoleField knows the words that stand around the table on the Console's page of an error.
func consoleField(name string) field {
	switch squash(name) {
	case "debugeventsid":
		return fieldSID
	case "date":
		return fieldTime
	case "product":
		return fieldProduct
	}
	return fieldOf(name)
}

// unquote takes away one pair of quotes around a value, and leaves those inside it.
func unquote(value string) string {
	value = strings.TrimSpace(value)
	if last := len(value) - 1; last > 0 && value[0] == value[last] && (value[0] == '"' || value[0] == '\'') {
		value = value[1:last]
	}
	return strings.TrimSpace(value)
}

var httpStart = verify.Lazily(`^(?:[A-Z]{3,7} \S+ HTTP/[0-9.]+|HTTP/[0-9.]+ [0-9]{3}[^\n]*|(?:Host|Content-Type|User-Agent|X-Twilio-Signature|I-Twilio-Idempotency-Token):[^\n]*)\n`)

// httpBody gives what follows the headers of an HTTP dump.
func httpBody(text string) (string, bool) {
	if !httpStart().MatchString(text) {
		return "", false
	}
	_, body, ok := strings.Cut(text, "\n\n")
	return strings.TrimSpace(body), ok && strings.TrimSpace(body) != ""
}

// curlForm gives the form that a curl command line sends.
func curlForm(text string) (string, bool) {
	if !strings.HasPrefix(text, "curl ") && !strings.HasPrefix(text, "--data") && !strings.HasPrefix(text, "-d ") {
		return "", false
	}
	var pairs []string
	words := shellWords(text)
	for i, word := range words {
		option, value, joined := strings.Cut(word, "=")
		if !joined && i+1 < len(words) {
			value = words[i+1]
		}
		switch option {
		case "-d", "--data", "--data-raw", "--data-binary", "--data-ascii":
			pairs = append(pairs, value)
		case "--data-urlencode", "-F", "--form":
			pairs = append(pairs, encodePair(value))
		}
	}
	return strings.Join(pairs, "&"), len(pairs) > 0
}

func encodePair(pair string) string {
	key, value, _ := strings.Cut(pair, "=")
	return key + "=" + strings.NewReplacer("%", "%25", "&", "%26", "+", "%2B").Replace(value)
}

// shellWords splits a command line as a POSIX shell would, without expanding anything.
func shellWords(line string) []string {
	var words []string
	var word strings.Builder
	quote, started := rune(0), false
	escaped := false
	for _, c := range line {
		switch {
		case escaped:
			escaped = false
			if c != '\n' {
				word.WriteRune(c)
				started = true
			}
		case c == '\\' && quote != '\'':
			escaped = true
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote, started = c, true
		case quote == 0 && (c == ' ' || c == '\t' || c == '\n'):
			if started {
				words = append(words, word.String())
				word.Reset()
				started = false
			}
		default:
			word.WriteRune(c)
			started = true
		}
	}
	if started {
		words = append(words, word.String())
	}
	return words
}

// eventLines gives the lines of a log of which each holds an event of its own: a form body, or an object with a prefix.
// Nil when the lines belong together.
func eventLines(text string) []string {
	var objects, forms []string
	others := 0
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "":
		case strings.Contains(line, "Payload=") && strings.Contains(line, "Sid="):
			forms = append(forms, line)
		case balanced([]byte(line)):
			objects = append(objects, line)
		case strings.ContainsAny(line, "{}"):
			return nil
		default:
			others++
		}
	}
	if len(forms) > 0 && others > 0 {
		return nil // one form, wrapped
	}
	return append(objects, forms...)
}

// balanced tells whether a line holds an object from its first brace to its last character.
func balanced(line []byte) bool {
	open := bytes.IndexByte(line, '{')
	return open >= 0 && line[len(line)-1] == '}' &&
		bytes.Count(line, []byte{'{'}) == bytes.Count(line, []byte{'}'}) &&
		bytes.Count(line, []byte{'['}) == bytes.Count(line, []byte{']'})
}
