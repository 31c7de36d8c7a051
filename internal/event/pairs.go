package event

import (
	"strconv"
	"strings"
)

// eachPair takes key=value pairs joined by "&" apart, in order. Where net/url gives up (a raw ";", a wrong "%"), the
// text is kept as it stands and repaired is true.
func eachPair(text string, do func(key, value string, repaired bool)) {
	for text != "" {
		var pair string
		pair, text, _ = strings.Cut(text, "&")
		rawKey, rawValue, ok := strings.Cut(pair, "=")
		if !ok {
			continue
		}
		repaired := false
		// A list of correlation ids that nobody encoded may hold "&" itself.
		if strings.HasPrefix(rawValue, "[") && !strings.Contains(rawValue, "]") {
			if more, rest, found := strings.Cut(text, "]"); found {
				rawValue += "&" + more + "]"
				text = strings.TrimPrefix(rest, "&")
				repaired = true
			}
		}
		key, keyOK := unescape(strings.TrimSpace(rawKey))
		value, valueOK := unescape(rawValue)
		do(key, value, repaired || !keyOK || !valueOK)
	}
}

// unescape undoes form encoding. ok is false when an escape was none and stays as it is.
func unescape(text string) (plain string, ok bool) {
	if strings.IndexByte(text, '%') < 0 && strings.IndexByte(text, '+') < 0 {
		return text, true
	}
	ok = true
	var b strings.Builder
	b.Grow(len(text))
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '+':
			b.WriteByte(' ')
		case c == '%':
			if char, err := strconv.ParseUint(text[i+1:min(i+3, len(text))], 16, 8); err == nil && i+2 < len(text) {
				b.WriteByte(byte(char))
				i += 2
				continue
			}
			ok = false
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), ok
}
