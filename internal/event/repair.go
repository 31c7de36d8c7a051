package event

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// The limits of repair. A text that needs more is not an event that somebody pasted.
const (
	maxRepairedDepth   = 32
	maxRepairedValues  = 20_000
	maxRepairedObjects = 1_000 // in one text
)

// repairJSON finds the objects in a text that is nearly JSON: cut off, in quotes of another kind, without its outer braces,
// with line breaks in its strings, or with prose around it. What it gives is JSON; it is for reading, never for trust.
func repairJSON(text string) [][]byte {
	m := repairer{text: text}
	var all [][]byte
	if key := fragmentStart(text); key >= 0 {
		m.pos = key
		all = m.keep(all, m.object(0))
	}
	for len(all) < maxRepairedObjects && m.values < maxRepairedValues {
		next := strings.IndexByte(text[m.pos:], '{')
		if next < 0 {
			break
		}
		m.pos += next + 1
		all = m.keep(all, m.object(0))
	}
	return all
}

func (m *repairer) keep(all [][]byte, object map[string]any) [][]byte {
	if len(object) == 0 {
		return all
	}
	if repaired, err := json.Marshal(object); err == nil {
		all = append(all, repaired)
	}
	return all
}

// fragmentStart gives where a member of an object begins that stands before any brace, as in `"more_info": {`, or -1.
func fragmentStart(text string) int {
	before, _, _ := strings.Cut(text, "{")
	colon := strings.IndexByte(before, ':')
	if colon < 0 {
		return -1
	}
	quote := strings.IndexAny(before, `"'`)
	if quote < 0 || quote > colon {
		return -1
	}
	key := strings.TrimSpace(before[quote:colon])
	if len(key) < 3 || key[0] != key[len(key)-1] || fieldOf(key[1:len(key)-1]) == fieldNone {
		return -1
	}
	return quote
}

// repairer is a parser that never gives up: it makes the best of what it finds and goes forward with every step.
type repairer struct {
	text   string
	pos    int
	values int
	cut    bool // the text ended inside a value
}

// object reads members up to the closing brace or the end of the text.
func (m *repairer) object(depth int) map[string]any {
	object := map[string]any{}
	for {
		m.skip(",; \t\r\n")
		if m.done() {
			return object
		}
		switch m.text[m.pos] {
		case '}':
			m.pos++
			return object
		case ']', '{', '[', ':':
			m.pos++
			continue
		}
		key, isText := m.word()
		m.skip(" \t\r\n")
		if m.done() || m.text[m.pos] != ':' && m.text[m.pos] != '=' {
			if !isText && key == "" {
				m.pos = min(m.pos+1, len(m.text))
			}
			continue
		}
		m.pos++
		m.skip(">") // Ruby and PHP have "=>"
		value := m.value(depth + 1)
		if _, twice := object[key]; !twice {
			object[key] = value
		}
	}
}

func (m *repairer) list(depth int) []any {
	list := []any{}
	for {
		m.skip(",; \t\r\n")
		if m.done() {
			return list
		}
		switch m.text[m.pos] {
		case ']':
			m.pos++
			return list
		case '}':
			return list
		}
		list = append(list, m.value(depth+1))
	}
}

func (m *repairer) value(depth int) any {
	m.values++
	m.skip(" \t\r\n")
	if m.done() {
		return nil
	}
	start := m.pos
	switch c := m.text[m.pos]; {
	case c == '{' && depth < maxRepairedDepth:
		m.pos++
		return m.object(depth)
	case m.losesEscapes() && depth < maxRepairedDepth:
		m.pos += len(`"{`)
		inner := m.object(depth)
		m.skip(`"`)
		return inner
	case c == '[' && depth < maxRepairedDepth:
		if printed, ok := m.printedList(); ok {
			return printed
		}
		m.pos++
		return m.list(depth)
	}
	word, isText := m.word()
	if m.pos == start {
		m.pos++
		return nil
	}
	if m.cut && !isText {
		return nil // the rest of a number may be missing
	}
	if !isText && slices.Contains([]string{"", "null", "None", "undefined"}, word) {
		return nil
	}
	return word
}

// losesEscapes tells whether a text of JSON begins here whose inner quotes lost their backslashes: "{"resource_sid":…}".
func (m *repairer) losesEscapes() bool {
	rest := m.text[m.pos:]
	return len(rest) > 3 && rest[:3] == `"{"` && ('a' <= rest[3] && rest[3] <= 'z' || 'A' <= rest[3] && rest[3] <= 'Z')
}

// printedList takes a list of correlation ids that lost its quotes: [VA…, identity, YF…].
func (m *repairer) printedList() (string, bool) {
	rest := m.text[m.pos+1:]
	if trimmed := strings.TrimLeft(rest, " \t\r\n"); trimmed == "" || strings.ContainsAny(trimmed[:1], `"'{[]`) {
		return "", false
	}
	end := strings.IndexAny(rest, `]{}"`)
	if end < 0 || rest[end] != ']' {
		return "", false
	}
	list := m.text[m.pos : m.pos+1+end+1]
	m.pos += len(list)
	return list, true
}

// word reads a text in quotes, or a bare word up to the next mark of JSON. isText tells which.
func (m *repairer) word() (text string, isText bool) {
	if c := m.text[m.pos]; c == '"' || c == '\'' {
		m.pos++
		return m.quoted(c), true
	}
	start := m.pos
	for !m.done() && !strings.ContainsRune(",;:={}[]\"' \t\r\n", rune(m.text[m.pos])) {
		m.pos++
	}
	m.cut = m.cut || m.done()
	return m.text[start:m.pos], false
}

// quoted reads to the closing quote. Line breaks and wrong escapes stay as they are. Of a text without an end only what
// stands before its last comma is taken, because what follows may be half of something.
func (m *repairer) quoted(quote byte) string {
	var b strings.Builder
	for start := m.pos; !m.done(); start = m.pos {
		for m.pos < len(m.text) && m.text[m.pos] != quote && m.text[m.pos] != '\\' {
			m.pos++
		}
		b.WriteString(m.text[start:m.pos])
		if m.done() {
			break
		}
		c := m.text[m.pos]
		m.pos++
		switch {
		case c == quote:
			return b.String()
		case m.done():
			b.WriteByte(c)
		default:
			m.escape(&b)
		}
	}
	m.cut = true
	whole := b.String()
	if comma := strings.LastIndexByte(whole, ','); comma >= 0 {
		return whole[:comma+1]
	}
	return ""
}

func (m *repairer) escape(b *strings.Builder) {
	c := m.text[m.pos]
	m.pos++
	switch c {
	case '"', '\\', '/', '\'':
		b.WriteByte(c)
	case 'n', 'r':
		b.WriteByte('\n')
	case 't':
		b.WriteByte('\t')
	case 'u':
		if m.pos+4 <= len(m.text) {
			if r, err := strconv.ParseUint(m.text[m.pos:m.pos+4], 16, 16); err == nil {
				m.pos += 4
				b.WriteRune(rune(r)) // half a pair becomes U+FFFD
				return
			}
		}
		b.WriteString(`\u`)
	default:
		b.WriteByte('\\')
		b.WriteByte(c)
	}
}

func (m *repairer) skip(set string) {
	for !m.done() && strings.IndexByte(set, m.text[m.pos]) >= 0 {
		m.pos++
	}
}

// done tells that the text is at its end, or that there was too much in it.
func (m *repairer) done() bool { return m.pos >= len(m.text) || m.values > maxRepairedValues }
