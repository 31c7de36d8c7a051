package cli

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func TestValuesOfFlagsAreSaidInWords(t *testing.T) {
	for _, tc := range []struct{ args, want string }{
		{"--timeout abc version", `--timeout "abc" is not a duration`},
		{"factors list --limit many", `--limit "many" is not a whole number that fits`},
		{"factors list --limit 99999999999999999999", `--limit "99999999999999999999" is not a whole number that fits`},
		{"factors list --all=perhaps", `--all "perhaps" is not true or false`},
	} {
		status, _, stderr := runArgs(t, strings.Fields(tc.args)...)
		if status != 64 || !strings.Contains(stderr, tc.want) || strings.Contains(stderr, "invalid") {
			t.Errorf("%s: status %d, stderr %q; want 64 and %q", tc.args, status, stderr, tc.want)
		}
	}
}

// TestEmptyAndImpossibleValues: a value that a script left empty must not make a command take everybody.
func TestEmptyAndImpossibleValues(t *testing.T) {
	for _, tc := range []struct {
		want string
		args []string
	}{
		{"--identity is empty", []string{"-e", "demo", "state", "purge", "--identity", "", "--yes"}},
		{"--where is empty", []string{"-e", "demo", "factors", "list", "--where="}},
		{"--status is empty", []string{"-e", "demo", "factors", "list", "--status", ""}},
		{"--columns is empty", []string{"-e", "demo", "factors", "list", "--columns", ""}},
		{"--columns is empty", []string{"-e", "demo", "factors", "list", "--columns", "sid,"}},
		{"--jq is empty", []string{"-e", "demo", "factors", "list", "--jq", ""}},
		{"--output is empty", []string{"-o", "", "version"}},
		{"--only is empty", []string{"doctor", "--only", ""}},
		{"--confirm is empty", []string{"-e", "demo", "entities", "delete", "user-1001-amara", "--confirm", ""}},
		{"--env is empty", []string{"-e", "", "version"}},
		{"--service is empty", []string{"--service", "", "version"}},
		{"--config is empty", []string{"--config", "", "version"}},
		{"--limit -1 is negative", []string{"-e", "demo", "factors", "deleted", "--limit", "-1"}},
		{"--timeout 0s is not more than zero", []string{"--timeout", "0", "version"}},
		{`--timeout "-5s" is not a duration`, []string{"--timeout", "-5s", "version"}},
	} {
		status, stdout, stderr := runArgs(t, tc.args...)
		if status != 64 || stdout != "" || !strings.Contains(stderr, "verifyctl: error: "+tc.want) {
			t.Errorf("%q: status %d, stdout %q, stderr %q; want 64 and %q", tc.args, status, stdout, stderr, tc.want)
		}
	}
}

// TestNothingEmptyIsTaken gives an empty value for every argument and every flag with words of every command: only a flag
// whose help says what empty means takes it.
func TestNothingEmptyIsTaken(t *testing.T) {
	commands, flags := 0, 0
	walk(Root(), func(cmd *cobra.Command) {
		if !isLeaf(cmd) {
			return
		}
		commands++
		path := strings.Fields(cmd.CommandPath())[1:]
		refused := func(want string, args ...string) {
			t.Helper()
			status, stdout, stderr := runArgs(t, append(slices.Clone(path), args...)...)
			if status != 64 || stdout != "" || !strings.Contains(stderr, want) {
				t.Errorf("%s %q: status %d, stdout %q, stderr %q; want 64 and %q", cmd.CommandPath(), args, status, stdout, stderr, want)
			}
		}
		refused("is empty", "")
		refused("is empty", "something", "")
		path = append(path, exampleArguments(cmd)...)
		cmd.LocalFlags().VisitAll(func(flag *pflag.Flag) {
			if !flag.Hidden && slices.Contains([]string{"string", "stringSlice", "stringArray"}, flag.Value.Type()) && !strings.Contains(flag.Usage, "empty") {
				flags++
				refused("is empty", "--"+flag.Name, "")
			}
		})
	})
	t.Logf("%d commands, %d flags", commands, flags)
}

// TestOutputFlagsAreUsedOrRefused gives every command a format, a column and filters that do not exist: a command that
// prints a result refuses their values before it does anything, one that prints none refuses the flags.
func TestOutputFlagsAreUsedOrRefused(t *testing.T) {
	walk(Root(), func(cmd *cobra.Command) {
		if !isLeaf(cmd) {
			return
		}
		if _, ok := printedBy(commandOf(cmd)); !ok {
			t.Errorf("%s is not listed in output_flags.go", cmd.CommandPath())
		}
		args := append(strings.Fields(cmd.CommandPath())[1:], exampleArguments(cmd)...)
		for _, flag := range [][]string{{"-o", "xml"}, {"--columns", "no_such_column"}, {"--jq", ".["}, {"--template", "{{"}} {
			status, stdout, stderr := runArgs(t, append(append([]string{"-e", "demo"}, args...), flag...)...)
			if status != 64 || stdout != "" || stderr == "" {
				t.Errorf("%s %q: status %d, stdout %q, stderr %q", cmd.CommandPath(), flag, status, stdout, stderr)
			}
		}
	})
}

// exampleArguments gives the words of a command's last example that follow its name.
func exampleArguments(cmd *cobra.Command) []string {
	lines := strings.Split(strings.TrimSpace(cmd.Example), "\n")
	_, words, _ := strings.Cut(lines[len(lines)-1], strings.TrimPrefix(cmd.CommandPath(), "verifyctl "))
	args := shellWord.FindAllString(words, -1)
	for i, arg := range args {
		args[i] = strings.NewReplacer(`'`, "", `"`, "").Replace(arg)
	}
	return args
}

// shellWord is a word of an example, quoted or not.
var shellWord = regexp.MustCompile(`(?:'[^']*'|"[^"]*"|[^\s'"])+`)

// isLeaf tells whether a command does something itself.
func isLeaf(cmd *cobra.Command) bool {
	return cmd.Name() != "help" && (!cmd.HasSubCommands() || cmd.Flags().HasAvailableFlags() && len(cmd.Commands()) > 0 && cmd.Example != "")
}
