package event

import (
	"strconv"
	"strings"
)

// salvage takes whole SIDs and a known code out of prose, as the last resort. A SID that is part of a longer word is
// none of ours: it may be somebody's identity.
func (r *recorder) salvage(text string) bool {
	if r.inside {
		return false
	}
	f := &r.facts
	f.reset()
	f.source = SourceSalvaged
	f.markRepaired("the ids were picked out of a text")
	f.set(fieldCorrelation, printedList(text))
	f.salvageSIDs(text)
	f.code = onlyCode(text)
	if f.correlation == "" && f.eventSID == "" && f.from == "" && f.code == 0 && f.notification == "" {
		return false
	}
	return r.finish()
}

// printedList gives the first list in brackets that names a factor, "" when there is none.
func printedList(text string) string {
	for {
		_, rest, ok := strings.Cut(text, "[")
		if !ok {
			return ""
		}
		inner, _, ok := strings.Cut(rest[:min(len(rest), 600)], "]")
		if ok && !strings.ContainsAny(inner, `[{}"`) && hasFactor(inner) {
			return "[" + inner + "]"
		}
		text = rest
	}
}

func hasFactor(list string) bool {
	for token := range strings.SplitSeq(list, ",") {
		if hasPrefix(strings.TrimSpace(token), "YF") {
			return true
		}
	}
	return false
}

// salvageSIDs sorts the SIDs of a text. Those of Verify stand in for the list of correlation ids when there is none.
func (f *facts) salvageSIDs(text string) {
	var ids []string
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return !isWordRune(r) }) {
		prefix, g := gradeSID(word)
		if g != wholeSID && (g != maskSID || len(word) != 34) {
			continue
		}
		switch prefix {
		case "VA", "YE", "YF", "YC":
			if len(ids) < maxIDs {
				ids = append(ids, word)
			}
		case "NO":
			f.set(fieldSID, word)
		case "AC":
			f.set(fieldAccount, word)
		case "CR":
			f.set(fieldFrom, word)
		case "NT":
			f.set(fieldNotification, word)
		case "CA":
			f.set(fieldPrimary, word)
		}
	}
	if f.correlation == "" && len(ids) > 0 {
		f.set(fieldCorrelation, "["+strings.Join(ids, ", ")+"]")
	}
}

func isWordRune(r rune) bool { return r > 0x7f || isWordByte(byte(r)) }

func isWordByte(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c == '-'
}

// onlyCode gives the one catalogued code that a text names, 0 when there is none or several.
func onlyCode(text string) int {
	found := 0
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return !isWordRune(r) }) {
		if len(word) != 5 || word[0] < '1' || word[0] > '9' {
			continue
		}
		code, err := strconv.Atoi(word)
		if _, known := Lookup(code); err != nil || !known || code == found {
			continue
		}
		if found != 0 {
			return 0
		}
		found = code
	}
	return found
}
