package verify

import "strings"

// formulaStarts begin what a spreadsheet takes for a formula: the ASCII ones, the wide ones of East Asian spreadsheets, and
// the white space before which some skip.
const formulaStarts = "=+-@\t\r\n＝＋－＠"

// GuardCell gives a cell of CSV that a spreadsheet shows as text and never runs: one that would begin a formula gets an
// apostrophe before it, and so does one that begins with an apostrophe, so that [UnguardCell] gives what was there.
func GuardCell(text string) string {
	if text != "" && strings.IndexAny(text, formulaStarts+"'") == 0 {
		return "'" + text
	}
	return text
}

// UnguardCell gives a cell as it was before [GuardCell]. Cells without its apostrophe stay as they are.
func UnguardCell(text string) string {
	rest, ok := strings.CutPrefix(text, "'")
	if !ok || rest == "" {
		return text
	}
	if strings.IndexAny(rest, formulaStarts+"'") == 0 || strings.HasPrefix(rest, `\t`) || strings.HasPrefix(rest, `\r`) || strings.HasPrefix(rest, `\n`) {
		return rest
	}
	return text
}
