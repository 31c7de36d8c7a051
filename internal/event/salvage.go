package event

import (
	"regexp"
	"strconv"
	"strings"
)

var (
	printedIDs = regexp.MustCompile(`\[[^\[\]{}"]{20,600}\]`)
	bareCode   = regexp.MustCompile(`(?:^|[^0-9A-Za-z_-])([1-9][0-9]{4})(?:[^0-9A-Za-z_-]|$)`)
)

// salvage takes whole SIDs and a known code out of prose, as the last resort. A SID that is part of a longer word is
// none of ours: it may be somebody's identity.
func (r *recorder) salvage(text string) bool {
	f := &r.facts
	f.reset()
	f.source = SourceSalvaged
	f.mend("the ids were picked out of a text")
	if list := printedIDs.FindString(text); hasFactor(list) {
		f.set(fieldCorrelation, list)
	}
	f.salvageSIDs(text)
	f.code = onlyCode(text)
	if f.correlation == "" && f.eventSID == "" && f.from == "" && f.code == 0 && f.notification == "" {
		return false
	}
	return r.finish()
}

func hasFactor(list string) bool {
	for _, token := range strings.Split(strings.Trim(list, "[]"), ",") {
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

func isWordRune(r rune) bool {
	return '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r == '_' || r == '-' || r > 0x7f
}

// onlyCode gives the one catalogued code that a text names, 0 when there is none or several.
func onlyCode(text string) int {
	found := 0
	for text != "" {
		match := bareCode.FindStringSubmatchIndex(text)
		if match == nil {
			break
		}
		code, _ := strconv.Atoi(text[match[2]:match[3]])
		text = text[match[3]:]
		if _, known := Lookup(code); !known || code == found {
			continue
		}
		if found != 0 {
			return 0
		}
		found = code
	}
	return found
}
