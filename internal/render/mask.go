package render

import (
	"bytes"
	"cmp"
	"encoding/json"
	"html"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

const (
	maskedLength = 4 // how many characters of an identity or a name --mask leaves
	shortestName = 3 // bytes of a name that is masked inside other text; shorter ones would be found in every second word
)

// shorten is what --mask does to an identity or a name, so that a screenshot can be shared.
func shorten(s string) string {
	runes := []rune(s)
	if len(runes) <= maskedLength {
		return strings.Repeat("*", len(runes))
	}
	return string(runes[:maskedLength]) + "…"
}

// Names are the identities and names that a run has met, which --mask shortens wherever they appear. The nil Names masks
// nothing. Its methods may be called from several goroutines. Push tokens and secrets are none of its business: their own
// types, verify.PushToken and verify.Secret, never show them, with or without --mask.
type Names struct {
	mu    sync.RWMutex
	known map[string]string   // every way a name is written, and its mask
	forms map[string][]string // those, by their first bytes, the longest first
}

// NewNames gives a set without names.
func NewNames() *Names { return &Names{known: map[string]string{}, forms: map[string][]string{}} }

// Learn has names masked from now on, in every way that they are written: as they are, and escaped for a shell, an address,
// JSON or XML.
func (n *Names) Learn(names ...string) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, name := range names {
		if len(name) < shortestName {
			continue
		}
		if _, ok := n.known[name]; ok {
			continue
		}
		quoted := strings.Trim(strconv.Quote(name), `"`)
		inJSON, _ := MarshalSafe(name)
		for _, form := range []string{name, Sanitize(name), quoted, strings.Trim(string(inJSON), `"`), url.PathEscape(name), url.QueryEscape(name),
			url.QueryEscape(url.QueryEscape(name)), html.EscapeString(name), strings.ReplaceAll(html.EscapeString(name), "+", "&#43;"), strings.ReplaceAll(name, "'", `'\''`)} {
			n.add(form, shorten(name))
		}
	}
}

func (n *Names) add(form, mask string) {
	if _, ok := n.known[form]; ok || len(form) < shortestName {
		return
	}
	n.known[form] = mask
	start := form[:shortestName]
	n.forms[start] = append(n.forms[start], form)
	slices.SortStableFunc(n.forms[start], func(a, b string) int { return cmp.Compare(len(b), len(a)) })
}

// LearnJSON learns the identities and names that stand in JSON under their usual keys.
func (n *Names) LearnJSON(body []byte) {
	var value any
	if n != nil && json.Unmarshal(body, &value) == nil {
		n.learnValue(value)
	}
}

// namingKeys are the JSON keys whose text names a person or what they named; --mask shortens it wherever it appears.
var namingKeys = []string{"identity", "entity_identity", "friendly_name", "factor_friendly_name"}

// personalKeys are the JSON keys below which every text is a person's or about them; --mask shortens it there.
var personalKeys = []string{"metadata", "details", "hidden_details"}

func (n *Names) learnValue(v any) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			n.learnValue(item)
		}
	case map[string]any:
		for key, item := range v {
			if text, ok := item.(string); ok && slices.Contains(namingKeys, key) {
				n.Learn(text)
			} else {
				n.learnValue(item)
			}
		}
	}
}

// mask shortens every name in a text that has been learnt.
func (n *Names) mask(text string) string {
	if n == nil {
		return text
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	var b strings.Builder
	for i := 0; i < len(text); {
		form, end := n.at(text, i)
		if end == 0 {
			b.WriteByte(text[i])
			i++
			continue
		}
		b.WriteString(n.known[form])
		i = end
	}
	return b.String()
}

// at gives the longest name that begins at a place of a text, and where it ends; 0 is none.
func (n *Names) at(text string, i int) (form string, end int) {
	if i+shortestName > len(text) {
		return "", 0
	}
	forms := n.forms[text[i:i+shortestName]]
	if forms == nil || !beginsWord(text[:i]) {
		return "", 0
	}
	for _, form := range forms {
		if end := matchEnd(text, i, form); end > 0 && endsWord(text[end:]) {
			return form, end
		}
	}
	return "", 0
}

// matchEnd gives where a name ends that begins at a place of a text, 0 when it does not. A space of the name may be a line
// break with what indents the next line.
func matchEnd(text string, i int, name string) int {
	for j := range len(name) {
		switch {
		case i < len(text) && text[i] == name[j]:
			i++
		case name[j] == ' ' && i < len(text) && text[i] == '\n':
			i++
		default:
			return 0
		}
		for name[j] == ' ' && i < len(text) && text[i] == ' ' && (j+1 == len(name) || name[j+1] != ' ') {
			i++
		}
	}
	return i
}

// beginsWord tells whether a word may begin behind a text: not within a longer word, but behind an escape such as %3D, \n
// or \u202e, and behind a colour.
func beginsWord(before string) bool {
	last, _ := utf8.DecodeLastRuneInString(before)
	if !isWordRune(last) {
		return true
	}
	for _, escape := range []struct {
		start  string
		digits int
	}{{"%", 2}, {`\x`, 2}, {`\u`, 4}, {`\U`, 8}} {
		at := len(before) - escape.digits - len(escape.start)
		if at >= 0 && strings.HasPrefix(before[at:], escape.start) && isHex(before[at+len(escape.start):]) {
			return true
		}
	}
	if len(before) >= 2 && before[len(before)-2] == '\\' && strings.ContainsRune("ntr", last) {
		return true
	}
	escape := strings.LastIndex(before, "\x1b[")
	return last == 'm' && escape >= 0 && strings.Trim(before[escape+2:len(before)-1], "0123456789;") == ""
}

func endsWord(after string) bool {
	next, _ := utf8.DecodeRuneInString(after)
	return after == "" || !isWordRune(next)
}

func isWordRune(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r))
}

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdefABCDEF") == "" }

// Writer gives a writer that masks what passes through it. With lines it holds back a line that is not ended until the rest
// of it comes or Close is called; without, a name must not be split between two writes.
func (n *Names) Writer(to io.Writer, lines bool) *maskingWriter {
	return &maskingWriter{names: n, to: to, lines: lines}
}

// maskingWriter is text on its way to a person, masked.
type maskingWriter struct {
	names *Names
	to    io.Writer
	lines bool

	mu   sync.Mutex
	held []byte
}

// Write writes a text masked.
func (w *maskingWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := p
	if w.lines {
		w.held = append(w.held, p...)
		end := bytes.LastIndexByte(w.held, '\n') + 1
		text, w.held = w.held[:end], slices.Clone(w.held[end:])
	}
	if _, err := io.WriteString(w.to, w.names.mask(string(text))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close writes what is held back. It does not close the writer below.
func (w *maskingWriter) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := w.held
	w.held = nil
	_, err := io.WriteString(w.to, w.names.mask(string(text)))
	return err
}

// maskValue masks a value of JSON; what is personal is shortened whole. Its keys are left: programs ask for them.
func (n *Names) maskValue(v any, isPersonal bool) any {
	switch v := v.(type) {
	case string:
		if isPersonal {
			return shorten(v)
		}
		return n.mask(v)
	case []any:
		for i := range v {
			v[i] = n.maskValue(v[i], isPersonal)
		}
	case map[string]any:
		for key, item := range v {
			v[key] = n.maskValue(item, isPersonal || slices.Contains(namingKeys, key) || slices.Contains(personalKeys, key))
		}
	}
	return v
}
