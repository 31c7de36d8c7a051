package event

import (
	"strings"
	"unicode/utf8"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// grade says how much of a SID a text holds.
type grade int

const (
	notSID  grade = iota
	maskSID       // a known prefix with the middle blotted out, as people do before they share an event
	cutSID        // a known prefix and hexadecimal digits, but not 32 of them
	wholeSID
)

// known are the prefixes that push events carry. A SID of another prefix among correlation ids is somebody's identity:
// identities may be SIDs (twilio_verify_v2.json, CreateEntity, Identity).
func known(prefix string) bool {
	switch prefix {
	case "VA", "YE", "YF", "YC", "AC", "NT", "BS", "RQ", "DA", "CR", "NO", "RU", "CA", "IS":
		return true
	}
	return false
}

// gradeSID looks at a whole word. The prefix is "" unless the word is at least a masked or cut SID.
func gradeSID(word string) (prefix string, g grade) {
	if prefix, ok := verify.SIDPrefix(word); ok {
		return prefix, wholeSID
	}
	if len(word) < 3 || !known(word[:2]) {
		return "", notSID
	}
	switch rest := word[2:]; {
	case isMasked(rest):
		return word[:2], maskSID
	case len(rest) >= 14 && strings.Trim(rest, "0123456789abcdefABCDEF") == "":
		return word[:2], cutSID
	}
	return "", notSID
}

// isMasked tells whether what follows a prefix is a SID with a run of filler in it. Masking hands are careless: the rest
// may be too long or too short, and may hold a letter that is no hexadecimal digit.
func isMasked(rest string) bool {
	if len(rest) > 96 || utf8.RuneCountInString(rest) > 40 {
		return false
	}
	run, longest := 0, 0
	for _, r := range rest {
		switch {
		case r == '…':
			return !strings.ContainsFunc(rest, func(r rune) bool { return r != '…' && !isFiller(r) && !isAlphanumeric(r) })
		case isFiller(r):
			run++
			longest = max(longest, run)
		case isAlphanumeric(r):
			run = 0
		default:
			return false
		}
	}
	return longest >= 4 || longest == 3 && strings.Contains(rest, "...")
}

func isAlphanumeric(r rune) bool {
	return '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

func isFiller(r rune) bool { return strings.ContainsRune("xX*•.#_█", r) }

// hasPrefix tells whether text is a SID, whole or masked, of one of the prefixes.
func hasPrefix(text string, prefixes ...string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(text, p) {
			_, g := gradeSID(text)
			return g == wholeSID || g == maskSID
		}
	}
	return false
}

// sidOf gives the text if it is a SID of the prefix, whole or masked, "" when it is anything else: a value that is not of
// its type was misread.
func sidOf(text, prefix string) string {
	if hasPrefix(text, prefix) {
		return text
	}
	return ""
}

// eventID gives the id of an event if it can be one. Streams other than the debugger's have ids of other forms.
func eventID(text string) string {
	for i := range len(text) {
		if c := text[i]; !isWordByte(c) && c != '.' && c != ':' && c != '*' && c < 0x80 {
			return ""
		}
	}
	return text
}
