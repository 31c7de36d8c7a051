package cli

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/verifyctl/verifyctl/internal/simulator"
)

// TestNoFlagIsIgnored gives every flag of every command in every one of its modes: either what comes of it is different,
// or the flag is refused.
func TestNoFlagIsIgnored(t *testing.T) {
	if testing.Short() {
		t.Skip("run without -short")
	}
	template := rememberingMachine(t, "demo")
	now := time.Now().Add(time.Second).Format(time.RFC3339)
	combinations := make(chan int, 10_000)
	t.Run("modes", func(t *testing.T) {
		for _, mode := range parsedModes(t) {
			if strings.Contains(mode.line, "--dry-run") || strings.Contains(mode.line, "--only") {
				continue // they leave out what other flags change
			}
			t.Run(mode.line, func(t *testing.T) {
				t.Parallel()
				words := append([]string{"-e", "demo"}, mode.words("demo")...)
				before := template.copy(t).outcome(t, words)
				if again := template.copy(t).outcome(t, words); again != before {
					t.Fatalf("it ends differently the second time:\n%s\n%s", before, again)
				}
				if !strings.HasPrefix(before, "status 0") && !strings.HasPrefix(before, "status 1\n") {
					return // it fails before its flags matter
				}
				mode.cmd.LocalFlags().VisitAll(func(flag *pflag.Flag) {
					if flag.Hidden || flag.Name == "help" || slices.ContainsFunc(words, func(w string) bool { return w == "--"+flag.Name }) {
						return
					}
					if slices.Contains(withoutEffect[flag.Name], commandOf(mode.cmd)) || slices.Contains(withoutEffect[flag.Name], "*") {
						return
					}
					combinations <- 1
					given := append(slices.Clone(words), "--"+flag.Name+"="+valueOf(flag, now))
					if after := template.copy(t).outcome(t, given); after == before {
						t.Errorf("%s changes nothing, and is not refused:\n%s", given[len(given)-1], before[:min(len(before), 300)])
					}
				})
			})
		}
	})
	t.Logf("%d modes, %d flags in them", len(modes), len(combinations))
}

// withoutEffect are flags of which nothing shows here, with the commands; * is all.
var withoutEffect = map[string][]string{
	"follow": {"*"}, "between": {"*"}, "watch": {"*"}, // they wait; a mode has --watch
	"rps": {"*"}, "concurrency": {"*"}, // how fast
	"yes":         {"*"},                                                              // the demo is confirmed by its name
	"expires":     {"*"},                                                              // times are not compared
	"all":         {"debugger replay", "factors list", "factors prune", "fleet sync"}, // for more than there is here
	"also":        {"doctor"},                                                         // it writes beside
	"store":       {"debugger alerts"},                                                // replay shows it
	"new":         {"challenge create"},                                               // no action was answered before
	"or-recreate": {"challenge resend"},                                               // it has not expired
	"reason":      {"entities erase"},                                                 // of nobody
	"fail-on":     {"doctor"},                                                         // it fails anyway
	"into":        {"simulator generate"},                                             // SIDs are not compared
	"max-share":   {"factors apply"},                                                  // for more than 50 factors
	"through":     {"factors apply"},                                                  // for more than one stage
	"metadata":    {"simulator device enroll"},
}

// valueOf gives a value that changes what a mode does.
func valueOf(flag *pflag.Flag, now string) string {
	if value := flagValues[flag.Name]; value != "" {
		return value
	}
	if flag.Name == "since" {
		return now
	}
	switch flag.Value.Type() {
	case "bool":
		return "true"
	case "int", "int64", "intSlice":
		return "2"
	case "float64":
		return "0.5"
	case "duration", "time":
		return "1s"
	}
	return "other"
}

// flagValues are values that fit where "other" would be refused for its form, which tells nothing of the mode.
var flagValues = map[string]string{
	"identity": "user-1002-bilal", "factor": simulator.DemoTabletFactorSID, "status": "unverified", "platform": "fcm", "type": "totp",
	"app-id": "com.example.other", "where": "platform=fcm", "by": "app_id", "group-by": "identity", "kind": "development", "ios-build": "debug",
	"expires": "2m", "action-id": "payment-4711", "field": "Amount=20", "hidden": "a=b", "for": "iPhone", "code": "52134",
	"fail-on": "warn", "only": "AUTH-01", "skip": "AUTH-01", "credential": simulator.DemoSpareCredentialSID, "into": simulator.DemoDevServiceSID,
	"metadata": "a=b", "alert-shape": "bare", "texts": "texts.yaml", "text": "login", "set": "city=Rome", "locale": "de", "message": "Other?",
	"between": "01:00-02:00", "from": "list.csv", "before": "2020-01-01", "sid": "YF00000000000000000000000000000000", "operation": "FetchFactor",
	"confirm": "live", "limit": "1", "token-age": "1d", "idle": "1d", "quiet-for": "1d",
}

// outcome gives all that a command line does, as text: its status and streams, and the files that people read.
func (m machine) outcome(t *testing.T, args []string) string {
	t.Helper()
	code, stdout, stderr := m.run(t.Context(), args...)
	text := fmt.Sprintf("status %d\n%s\n%s\n", code, stdout, stderr)
	for _, folder := range []string{"work", "state", "config.yaml", "config.local.yaml"} {
		filepath.WalkDir(filepath.Join(m.dir, folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return nil
			}
			content, err := os.ReadFile(path)
			if bytes.ContainsRune(content, 0) || strings.Contains(path, "head") || strings.HasSuffix(path, "key") || strings.HasSuffix(path, "-seen") {
				return nil // a database, what is jotted down beside it, and what is another each time
			}
			text += fmt.Sprintf("== %s\n%s\n", entry.Name(), content)
			return err
		})
	}
	status, rest, _ := strings.Cut(strings.ReplaceAll(text, m.dir, "DIR"), "\n")
	lines := strings.Split(rest, "\n")
	for i, line := range lines {
		lines[i] = withoutChanging(line)
	}
	slices.Sort(lines) // what is done side by side ends in any order
	return status + "\n" + strings.Join(lines, "\n")
}

// lasting are lines without what is changing, by line: most stand in every outcome, and searching them takes long.
var lasting sync.Map

func withoutChanging(line string) string {
	if known, ok := lasting.Load(line); ok {
		return known.(string)
	}
	without := changing.ReplaceAllString(line, "…")
	lasting.Store(line, without)
	return without
}

// changing is what differs between two runs of one command line.
var changing = regexp.MustCompile(` {2,}|-\d{16}\b|\bnow\b|\b\d\d:\d\d UTC|\d{4}-\d\d-\d\d[T ][0-9:.]+(Z|[+-]\d\d:\d\d)?|[0-9a-f]{32,64}|[0-9.]+ ?(ms|µs|s)\b|\d+\.\d+|\d+ (seconds?|minutes?) ago|[0-9a-f]{8}-[0-9a-f-]{27}|"(id|prev|mac|hash)":"[^"]*"`)
