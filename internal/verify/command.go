package verify

import "strings"

// ConfigFile is the environment file that the command line or VERIFYCTL_CONFIG names, "" where it is the user's own. Every
// command to paste names it: in another file an environment of the same name may be another one.
type ConfigFile string

// Command gives a verifyctl command to paste into a POSIX shell that goes by this environment file; it quotes what a shell
// would change. For one on an environment see [Environment.Command].
func (f ConfigFile) Command(words ...string) string {
	line := []string{"verifyctl"}
	if f != "" {
		line = append(line, "--config", Quote(string(f)))
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
