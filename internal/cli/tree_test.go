package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/verifyctl/verifyctl/internal/verify"
)

func walk(cmd *cobra.Command, visit func(*cobra.Command)) {
	visit(cmd)
	for _, child := range cmd.Commands() {
		walk(child, visit)
	}
}

// runArgs runs the program in this process, with no terminal and an empty machine.
func runArgs(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	t.Chdir(t.TempDir()) // what a command writes without being told where is nobody's
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	state := t.TempDir()
	var out, err bytes.Buffer
	s := &shell{terminal: terminal{in: strings.NewReader(""), out: &out, err: &err, getenv: func(name string) string {
		if name == "VERIFYCTL_STATE_DIR" {
			return state
		}
		return ""
	}}}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // for what would serve or wait for ever
	defer cancel()
	status = run(ctx, s, args)
	return status, out.String(), err.String()
}

func TestEveryGroupRefusesWhatItDoesNotKnow(t *testing.T) {
	walk(Root(), func(cmd *cobra.Command) {
		if !cmd.HasSubCommands() {
			return
		}
		path := strings.Fields(cmd.CommandPath())[1:]
		status, stdout, stderr := runArgs(t, append(path, "no-such-command")...)
		if status != 64 || stdout != "" || !strings.Contains(stderr, `"no-such-command" is not a command of`) {
			t.Errorf("%s no-such-command: status %d, stdout %q, stderr %q", cmd.CommandPath(), status, stdout, stderr)
		}
	})
}

func TestEveryLeafChecksItsArgumentsAndExplainsItself(t *testing.T) {
	walk(Root(), func(cmd *cobra.Command) {
		if cmd.Name() == "help" || cmd.HasSubCommands() && cmd.RunE == nil {
			return
		}
		if cmd.Args == nil {
			t.Errorf("%s checks no arguments", cmd.CommandPath())
		}
		if cmd.HasSubCommands() {
			return
		}
		if !strings.Contains(cmd.Long, "Exit status:") {
			t.Errorf("the help of %s does not list its exit status", cmd.CommandPath())
		}
		if cmd.Example == "" {
			t.Errorf("the help of %s has no example", cmd.CommandPath())
		}
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: the short help is %q", cmd.CommandPath(), cmd.Short)
		}
	})
}

func TestUnknownFlagsSuggest(t *testing.T) {
	for _, tc := range []struct{ args, want string }{
		{"factors list --platfrom apn", "did you mean --platform?"},
		{"factors lst", "did you mean verifyctl factors list?"},
		{"facters list", "did you mean verifyctl factors?"},
		{"version extra", "takes no argument"},
		{"-o jsn version", "it writes table, json, ndjson"},
		{"help nosuch", "is not a command"},
	} {
		status, _, stderr := runArgs(t, strings.Fields(tc.args)...)
		if status != 64 || !strings.Contains(stderr, tc.want) {
			t.Errorf("%s: status %d, stderr %q; want 64 and %q", tc.args, status, stderr, tc.want)
		}
	}
}

// A word with a letter too few is never said to mean a command that deletes or overwrites: hints are pasted unread. Such are all
// that ask before they act, but for those that add something, and doctor, which only does with --fix.
func TestNoHintSuggestsADestructiveCommand(t *testing.T) {
	adding := []string{"challenge create", "challenge resend", "challenge watch", "doctor", "doctor undo"}
	tried := 0
	walk(Root(), func(cmd *cobra.Command) {
		isDestructive := cmd.Flag("yes") != nil && !slices.Contains(adding, commandOf(cmd)) || slices.Contains(destroying, cmd.Name())
		if !isDestructive {
			return
		}
		for _, name := range append([]string{cmd.Name()}, cmd.Aliases...) {
			for i := range name {
				tried++
				err := (&shell{}).unknownCommand(cmd.Parent(), []string{name[:i] + name[i+1:]})
				var told *verify.Error
				if !errors.As(err, &told) || strings.Contains(told.Hint, "did you mean") {
					t.Errorf("%s, with a letter less: %v, %q", cmd.CommandPath(), err, told.Hint)
				}
			}
		}
	})
	if tried < 50 {
		t.Errorf("only %d words", tried)
	}
}

// A format that a command has not is answered with those it has, and not with one that happens to be spelt alike.
func TestUnknownFormatsListWhatTheCommandWrites(t *testing.T) {
	for _, path := range leaves() {
		for _, format := range []string{"html", "jsn"} {
			formats := formatsOf(path)
			resources, _ := printedBy(path)
			if slices.Contains(formats, format) {
				continue
			}
			want := verify.Error{Message: `--output "` + format + `" is not a format of this command`, Hint: "it writes " + strings.Join(formats, ", ")}
			if len(resources) == 0 {
				want = verify.Error{Message: "--output does not apply to verifyctl " + path, Hint: "see verifyctl " + path + " --help"}
			}
			s := &shell{terminal: terminal{getenv: func(string) string { return "" }}}
			cmd, _, err := newRootCmd(s, nil).Find(strings.Fields(path))
			if err != nil {
				t.Fatal(err)
			}
			err = cmp.Or(s.globalSet.Set("output", format), s.checkOutput(cmd))
			told, isOurs := errors.AsType[*verify.Error](err)
			if !isOurs || told.Kind != verify.KindUsage || told.Message != want.Message || told.Hint != want.Hint {
				t.Errorf("%s -o %s: %v, %+v; want %+v", path, format, err, told, want)
			}
		}
	}
}

// A flag with a letter too few is never said to mean one that widens what is done or skips a question. A flag of a command that asks
// is one of those, or is known here to widen nothing: a new one has to be decided on.
func TestNoHintSuggestsAWideningFlag(t *testing.T) {
	narrow := strings.Fields("action-id activity also baseline before challenge concurrency credential device dry-run expires factor fail-on field file from help " +
		"hidden hosts identity ios-app latency limit locale message min-unanswered no-evidence only out passphrase-env payload quiet-for reason receipts rollback-on-errors rps sample " +
		"set since skip sid text texts ttl verbose wait watch where")
	var global []string
	Root().PersistentFlags().VisitAll(func(flag *pflag.Flag) { global = append(global, flag.Name) })
	tried := 0
	walk(Root(), func(cmd *cobra.Command) {
		s := &shell{}
		cmd.Flags().VisitAll(func(flag *pflag.Flag) {
			if !slices.Contains(widening, flag.Name) {
				if known := slices.Contains(narrow, flag.Name) || slices.Contains(global, flag.Name); cmd.Flag("yes") != nil && !flag.Hidden && !known {
					t.Errorf("%s --%s: is it one of widening?", cmd.CommandPath(), flag.Name)
				}
				return
			}
			for i := range flag.Name {
				tried++
				err := s.flagError(cmd, cmd.ParseFlags([]string{"--" + flag.Name[:i] + flag.Name[i+1:]}))
				var told *verify.Error
				if !errors.As(err, &told) || strings.Contains(told.Hint, "--"+flag.Name+"?") {
					t.Errorf("%s, --%s with a letter less: %v, %q", cmd.CommandPath(), flag.Name, err, told.Hint)
				}
			}
		})
	})
	if tried < 100 {
		t.Errorf("only %d flags", tried)
	}
}

func TestErrorsAreJSONWhenTheOutputIs(t *testing.T) {
	for _, args := range [][]string{{"factors", "lst", "-o", "json"}, {"factors", "lst", "-ojson"}, {"-o", "ndjson", "factors", "--nosuch"},
		{"factors", "list", "--output=json", "--limit", "-1"}} {
		status, _, stderr := runArgs(t, args...)
		if status != 64 || !strings.HasPrefix(stderr, `{"error":{"kind":"usage"`) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%q: status %d, stderr %q; want one JSON object", args, status, stderr)
		}
	}
}

// Every flag that takes a length of time or a time in the past takes the forms of all others, and says which they are.
func TestTimesAreWrittenOneWay(t *testing.T) {
	walk(Root(), func(cmd *cobra.Command) {
		cmd.Flags().VisitAll(func(flag *pflag.Flag) {
			forms := []string{"90m", "12h", "7d", "2w", "1h30m"}
			switch flag.Value.(type) {
			case *verify.Period:
			case *verify.Since:
				forms = append(forms, "2026-01-31", "2026-01-31T08:00:00Z")
			default:
				if kind := flag.Value.Type(); kind == "duration" || kind == "time" || flag.Name == "since" || flag.Name == "before" {
					t.Errorf("%s --%s is a %T", cmd.CommandPath(), flag.Name, flag.Value)
				}
				return
			}
			for _, form := range forms {
				if err := flag.Value.Set(form); err != nil {
					t.Errorf("%s --%s %s: %v", cmd.CommandPath(), flag.Name, form, err)
				}
			}
		})
	})
	for flag, forms := range map[string]string{"alerts --since": "90m, 12h, 7d or 2w, or a time: 2026-01-31, or 2026-01-31T08:00:00Z",
		"alerts --every": "30s, 90m, 12h, 7d or 2w"} {
		status, _, stderr := runArgs(t, append(strings.Fields("-e demo debugger "+flag), "soon")...)
		if status != 64 || !strings.Contains(stderr, `"soon" is not a`) || !strings.Contains(stderr, forms) {
			t.Errorf("%s soon: status %d, %s", flag, status, stderr)
		}
	}
}

// Only the command asked for is made: each is found by its name and by each of its aliases, as in the whole tree, wherever the
// flags of the root stand.
func TestTheCommandAskedForIsMade(t *testing.T) {
	for _, child := range Root().Commands() {
		for _, name := range append([]string{child.Name()}, child.Aliases...) {
			for _, args := range [][]string{{name}, {"-e", "demo", name}, {"-qe", "demo", name}, {"--env", "why", name}} {
				if name == "help" {
					continue
				}
				want, _, wantErr := Root().Find(args)
				found, _, err := newRootCmd(&shell{}, args).Find(args)
				if wantErr != nil || err != nil || found.CommandPath() != want.CommandPath() {
					t.Errorf("%q finds %v, %v; want %v, %v", args, found.CommandPath(), err, want.CommandPath(), wantErr)
				}
			}
			if made := newRootCmd(&shell{}, []string{name}).Commands(); name != "help" && len(made) != 1 {
				t.Errorf("%s makes %d commands: its names are not all in topCommands", name, len(made))
			}
		}
	}
	for _, args := range [][]string{{}, {"--help"}, {"fctors"}, {"wy", "factors"}, {"help", "factors"}, {"__complete", "factors", ""}} {
		if made, all := len(newRootCmd(&shell{}, args).Commands()), len(Root().Commands()); made != all {
			t.Errorf("%q makes %d commands of %d", args, made, all)
		}
	}
}
