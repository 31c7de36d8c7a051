package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// runDemo runs the program in this process, on a machine that stays; with a width standard output is a terminal.
func runDemo(t *testing.T, state string, width int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	s := &shell{terminal: terminal{in: strings.NewReader(""), out: &out, err: &err, outTerminal: width > 0, width: width, getenv: func(name string) string {
		if name == "VERIFYCTL_STATE_DIR" {
			return state
		}
		return ""
	}}, sleep: withoutWaiting}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	run(ctx, s, endingSoon(args))
	return out.String(), err.String()
}

// demoExamples gives the examples on the demo world that end by themselves, one for each command.
func demoExamples(root *cobra.Command) map[string][]string {
	examples := map[string][]string{}
	walk(root, func(cmd *cobra.Command) {
		for line := range strings.Lines(cmd.Example) {
			line, _, _ = strings.Cut(line, "|")
			words := strings.Fields(strings.NewReplacer("'", "", `"`, "", "\\", "").Replace(line))
			if len(words) > 2 && words[0] == "verifyctl" && !strings.Contains(line, "<") && examples[commandOf(cmd)] == nil {
				examples[commandOf(cmd)] = words[1:]
			}
		}
	})
	for _, lasting := range []string{"debugger listen", "simulator serve", "completion", "demo"} {
		delete(examples, lasting)
	}
	return examples
}

// With --mask no command names anybody, on either stream, in any format, with --debug too.
func TestMaskedRunsNameNobody(t *testing.T) {
	if testing.Short() {
		t.Skip("run without -short")
	}
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Chdir(t.TempDir())
	state := t.TempDir()
	if out, err := runDemo(t, state, 0, "-e", "demo", "fleet", "sync"); out == "" {
		t.Fatal(err)
	}
	listed, _ := runDemo(t, state, 0, "-e", "demo", "factors", "list", "-o", "json")
	var factors []struct {
		Name string `json:"friendly_name"`
	}
	if err := json.Unmarshal([]byte(listed), &factors); err != nil || len(factors) < 10 {
		t.Fatalf("%d factors: %v", len(factors), err)
	}
	identity := regexp.MustCompile(`user-1\d\d\d-[a-z]+`)
	var names []string
	for _, f := range factors {
		names = append(names, f.Name)
	}
	named := func(text string) []int {
		if at := identity.FindStringIndex(text); at != nil {
			return at
		}
		for _, name := range names {
			if strings.Contains(text, name) { // looking for it as a word takes long
				if at := regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `\b`).FindStringIndex(text); at != nil {
					return at
				}
			}
		}
		return nil
	}

	commands := demoExamples(Root())
	for command, words := range map[string]string{
		"why, unknown":        "-e demo why user-9999-nobody",
		"erase":               "-e demo entities erase user-1001-amara --dry-run",
		"delete, misspelt":    "-e demo factors delete user-1001-amara YF1",
		"delete, refused":     "-e demo-staging factors delete user-1001-amara --all",
		"delete":              "-e demo factors delete user-1001-amara --all --confirm demo",
		"list, no identity":   "-e demo factors list user-1001-amara/../x",
		"one too many":        "-e demo challenge list user-1001-amara user-1002-bilal",
		"resend":              "-e demo challenge resend YC1c9f73e5b73c36ee409298d703cbf13c --identity user-1001-amara",
		"why by memory":       "-e demo why YC1c9f73e5b73c36ee409298d703cbf13c",
		"plan":                "-e demo factors plan --where platform=apn --dry-run",
		"why, its user: form": "-e demo why user:user-1001-amara",
	} {
		commands[command] = strings.Fields(words)
	}
	ran := 0
	for _, command := range slices.Sorted(maps.Keys(commands)) { // a frozen clock comes last
		words := commands[command]
		for _, format := range []string{"", "csv", "json"} {
			args := append([]string{"--mask", "--debug"}, words...)
			if format != "" {
				args = append(args, "-o", format)
			}
			stdout, stderr := runDemo(t, state, 0, args...)
			ran++
			for stream, text := range map[string]string{"stdout": stdout, "stderr": stderr} {
				if name := named(text); name != nil {
					t.Errorf("%s, verifyctl %s: %s has …%s…", command, strings.Join(args, " "), stream,
						text[max(0, name[0]-60):min(len(text), name[1]+40)])
				}
			}
		}
	}
	if ran < 200 {
		t.Errorf("only %d runs", ran)
	}
	t.Logf("%d runs of %d commands", ran, len(commands))
}

// On a terminal of 80 columns no screen is wider, but for what is there to be pasted: commands, and words such as SIDs.
func TestEveryScreenFitsEightyColumns(t *testing.T) {
	if testing.Short() {
		t.Skip("run without -short")
	}
	const width = 80
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Chdir(t.TempDir())
	state := t.TempDir()
	runDemo(t, state, 0, "-e", "demo", "fleet", "sync")
	commands := demoExamples(Root())
	commands["alerts"] = strings.Fields("-e demo debugger alerts")
	commands["doctor --all"] = strings.Fields("-e demo doctor --all")
	screens := 0
	for _, command := range slices.Sorted(maps.Keys(commands)) {
		args := commands[command]
		if strings.Contains(strings.Join(args, " "), "env export") { // YAML to keep, as -o yaml is
			continue
		}
		if slices.Contains(args, "-o") || slices.Contains(args, "--columns") || slices.Contains(args, "--jq") {
			continue
		}
		stdout, _ := runDemo(t, state, width, args...)
		if stdout != "" {
			screens++
		}
		for line := range strings.Lines(stdout) {
			line = strings.TrimRight(line, "\n")
			if utf8.RuneCountInString(line) > width && !strings.Contains(line, "verifyctl ") {
				t.Errorf("%s: %d columns: %s", command, utf8.RuneCountInString(line), line)
			}
		}
	}
	if screens < 40 {
		t.Errorf("only %d screens", screens)
	}
	t.Logf("%d screens", screens)
}
