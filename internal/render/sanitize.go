package render

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Sanitize makes text from elsewhere safe for a terminal and for a single line: control characters, escape sequences,
// line separators and characters that reverse or hide text are shown as escapes such as \x1b or \u202e, and bytes that
// are not UTF-8 as \xff. Text without any of them is returned as it is.
func Sanitize(s string) string { return sanitize(s, func(rune) bool { return false }) }

// SanitizeLines is [Sanitize] for text that may have several lines: it keeps line feeds and tabs.
func SanitizeLines(s string) string {
	return sanitize(s, func(r rune) bool { return r == '\n' || r == '\t' })
}

func sanitize(s string, keep func(rune) bool) string {
	if isClean(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case keep(r) || !unsafe(r):
			b.WriteString(s[i : i+size])
		default:
			b.WriteString(escapeRune(r))
		}
		i += size
	}
	return b.String()
}

func escapeRune(r rune) string {
	switch {
	case r == '\n':
		return `\n`
	case r == '\t':
		return `\t`
	case r == '\r':
		return `\r`
	case r < 0x80:
		return fmt.Sprintf(`\x%02x`, r)
	case r < 0x10000:
		return fmt.Sprintf(`\u%04x`, r)
	}
	return fmt.Sprintf(`\U%08x`, r)
}

// unsafe tells whether a character can move the cursor, change the terminal, break the line or disguise other text.
func unsafe(r rune) bool {
	if r < 0x7f {
		return r < 0x20
	}
	if r <= 0x9f {
		return true
	}
	switch r {
	case 0x00ad, 0x061c, 0x2028, 0x2029, 0xfeff, 0x200b, 0x200e, 0x200f: // invisible, or text direction
		return true
	}
	return 0x202a <= r && r <= 0x202e || 0x2060 <= r && r <= 0x206f || 0xe0000 <= r && r <= 0xe007f || unicode.Is(unicode.Co, r)
}

func isClean(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] >= 0x7f {
			return !strings.ContainsFunc(s, unsafe) && utf8.ValidString(s)
		}
	}
	return true
}

func sanitizeValue(v any) any {
	switch v := v.(type) {
	case string:
		return Sanitize(v)
	case []any:
		for i := range v {
			v[i] = sanitizeValue(v[i])
		}
	case map[string]any:
		for key, item := range v {
			if clean := Sanitize(key); clean != key { // keys can be foreign too, such as those of metadata
				delete(v, key)
				key = clean
			}
			v[key] = sanitizeValue(item)
		}
	}
	return v
}

// escapeInJSON writes as \u escapes what encoding/json leaves in strings although a terminal could act on it. Such
// characters stand nowhere in JSON but inside strings.
func escapeInJSON(text []byte) []byte {
	return escapeUnsafe(text, func(r rune) string {
		if r < 0x10000 {
			return fmt.Sprintf(`\u%04x`, r)
		}
		hi, lo := utf16.EncodeRune(r)
		return fmt.Sprintf(`\u%04x\u%04x`, hi, lo)
	})
}

// escapeInYAML escapes what the encoder leaves in quoted strings although a terminal could act on it.
func escapeInYAML(text []byte) []byte {
	return escapeUnsafe(text, func(r rune) string { return fmt.Sprintf(`\U%08x`, r) })
}

func isASCII(text []byte) bool {
	for _, c := range text {
		if c >= 0x7f {
			return false
		}
	}
	return true
}

// escapeUnsafe escapes unsafe characters but those of ASCII, such as the line breaks between strings.
func escapeUnsafe(text []byte, escape func(rune) string) []byte {
	if isASCII(text) { // nearly all, and quicker to find out than its runes
		return text
	}
	if !bytes.ContainsFunc(text, func(r rune) bool { return r >= 0x7f && unsafe(r) }) {
		return text
	}
	var b bytes.Buffer
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if r >= 0x7f && unsafe(r) {
			b.WriteString(escape(r))
		} else {
			b.Write(text[:size])
		}
		text = text[size:]
	}
	return b.Bytes()
}
