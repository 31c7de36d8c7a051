package verify

import "strings"

// Command gives a verifyctl command to paste into a POSIX shell: it names what it works on, as [Environment.Selector] gives it,
// and quotes what a shell would change. An empty selector leaves it out, for commands that have none.
func Command(selector string, words ...string) string {
	line := []string{"verifyctl"}
	if prefix, ok := SIDPrefix(selector); ok && prefix == "VA" {
		line = append(line, "--service", selector)
	} else if selector != "" {
		line = append(line, "-e", Quote(selector))
	}
	for _, word := range words {
		line = append(line, Quote(word))
	}
	return strings.Join(line, " ")
}

// Quote writes one argument, such as a file name in a hint, so that it can be pasted into a POSIX shell.
func Quote(s string) string {
	needsQuotes := func(r rune) bool { return !isIdentityRune(r) && !strings.ContainsRune("_.,:=/@%+", r) }
	if s == "" || strings.ContainsFunc(s, needsQuotes) {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}
