package cli

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/verifyctl/verifyctl/internal/simulator"
)

// TestPrintedCommandsNameWhatTheyWorkOn runs every way of every command, and every command without its arguments, on an environment
// of a team's file, and with the TWILIO_* variables and --service, where there is no environment to name. Whatever is printed names
// the file, and the environment or the Service: in a shell with another file or another current environment it would work on that.
func TestPrintedCommandsNameWhatTheyWorkOn(t *testing.T) {
	m := newMachine(t)
	if err := os.Mkdir(filepath.Join(m.dir, "our team"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(m.dir, "config.yaml"), filepath.Join(m.dir, "our team/config.yaml")); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(newWorld(t))
	t.Cleanup(server.Close)
	t.Setenv("TWILIO_ACCOUNT_SID", simulator.DefaultAccountSID)
	t.Setenv("TWILIO_AUTH_TOKEN", simulator.DefaultAuthToken)
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	m.run(t.Context(), "-e", "demo", "services", "list") // makes the demo world, for all copies
	const file = "--config '../our team/config.yaml' "
	named := map[string]int{}
	look := func(m machine, chosen, line string) {
		words, _ := shellWords(chosen + line)
		s, out, err := m.shell()
		t.Chdir(filepath.Join(m.dir, "work"))
		run(t.Context(), s, words)
		if strings.Contains(err.String(), "the account of the account") {
			t.Errorf("%s: %s", line, err)
		}
		for _, command := range commandsIn(out.String() + err.String()) {
			switch {
			case strings.HasPrefix(command, "verifyctl "+chosen), chosen != file && onFileOnly.MatchString(command):
				named[chosen]++
			case !fileless.MatchString(command):
				t.Errorf("%s prints %q, which does not name %s", line, command, chosen)
			}
		}
	}
	for _, line := range append(leaves(), modes...) {
		if otherThings.MatchString(line) && !strings.HasPrefix(line, "completion") && line != "version" && spared[line] == "" {
			look(m.copy(t), file, line)
		}
	}
	for _, chosen := range []string{"-e live ", "--service " + simulator.DemoServiceSID + " "} {
		_, name, _ := strings.Cut(strings.TrimSpace(chosen), " ")
		if name != "live" {
			t.Setenv("VERIFYCTL_BASE_URL", server.URL)
		}
		for _, line := range slices.Concat([]string{"fleet sync", "factors lst", "lst"}, leaves(), modes) {
			if !otherThings.MatchString(line) && spared[line] == "" && line != "doctor watch" {
				look(m, file+chosen, strings.ReplaceAll(line, "--confirm demo", "--confirm "+name))
			}
		}
	}
	for chosen, n := range named {
		if t.Logf("%3d commands name %s", n, chosen); n < 15 {
			t.Errorf("only %d commands name %s", n, chosen)
		}
	}
}

// otherThings are command lines on no Service, and one whose event is that of an environment.
var otherThings = regexp.MustCompile(`^(simulator|env|demo|completion|version)\b|--payload`)

// onFileOnly are commands on an environment file that work on no Service.
var onFileOnly = regexp.MustCompile(`^verifyctl --config '../our team/config.yaml' (credentials lint|debugger (decode|explain)|env)\b`)

// fileless are commands that go by no environment file, or are given one as an argument, and help.
var fileless = regexp.MustCompile(`^verifyctl (-e demo|audit (acknowledge|export|show|verify)|credentials lint (CERT.pem|service-account.json)|debugger explain( -?[0-9]+)?$|demo|doctor checks|env check '|simulator( serve.*)?$)|--help$`)

// TestFlagsOfEveryCommandAreRepeatedOrNot wants a decision on each flag that commands inherit: it says what they work on and
// stands in every command that is printed, or it says only how something looks.
func TestFlagsOfEveryCommandAreRepeatedOrNot(t *testing.T) {
	chosen := []string{"env", "service", "config", "state", "server"}
	others := []string{"output", "jq", "template", "columns", "no-header", "quiet", "mask", "debug", "timeout"}
	walk(Root(), func(cmd *cobra.Command) {
		cmd.PersistentFlags().VisitAll(func(flag *pflag.Flag) {
			if slices.Contains(chosen, flag.Name) == slices.Contains(others, flag.Name) {
				t.Errorf("does --%s of %s choose what is worked on?", flag.Name, cmd.CommandPath())
			}
		})
	})
	s := &shell{args: strings.Fields("--nosuch -e live -q lst --service " + simulator.DemoServiceSID + " --config=a.yaml --mask")}
	if got, want := s.typed("why"), "verifyctl --config a.yaml -e live why"; got != want {
		t.Errorf("of %q stays %q, want %q", s.args, got, want)
	}
	m := newMachine(t)
	_, _, told := m.run(t.Context(), "simulator", "--state", filepath.Join(m.dir, "a world.sqlite"), "device", "mute", "--identity", "user-9999-nobody")
	if want := "verifyctl --config " + m.dir + "/config.yaml simulator device list --state '" + m.dir + "/a world.sqlite'"; !strings.Contains(told, want) {
		t.Errorf("%q has no %q", told, want)
	}
	s = &shell{args: []string{"--service", simulator.DemoServiceSID}}
	o := simulatorOptions{shell: s, state: "a world.sqlite", server: "127.0.0.1:8281"}
	if got, want := o.typed("pushes"), "verifyctl --service "+simulator.DemoServiceSID+" simulator pushes --state 'a world.sqlite' --server 127.0.0.1:8281"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestCommandsAreMadeWithWhatTheyWorkOn looks for commands in the texts of the program: only those that go by no environment
// file stand there. Help and pages are for everybody.
func TestCommandsAreMadeWithWhatTheyWorkOn(t *testing.T) {
	texts := 0
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch name := entry.Name(); {
		case err != nil || entry.IsDir() && (name == "testdata" || name == "simulator"):
			return filepath.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || name == "docpages.go":
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if pair, ok := n.(*ast.KeyValueExpr); ok {
				if key, ok := pair.Key.(*ast.Ident); ok && slices.Contains([]string{"Long", "Short", "Example", "Remedy"}, key.Name) {
					return false
				}
			}
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				texts++
				text, _ := strconv.Unquote(literal.Value)
				for _, command := range commandsIn(text) {
					words, _ := shellWords(command)
					if command == "verifyctl doctor" {
						continue // a title
					}
					if cmd, _, err := Root().Find(words[1:]); err == nil && cmd.HasParent() && !fileless.MatchString(command) {
						t.Errorf("%s says %q, which names no environment file", path, command)
					}
				}
			}
			return true
		})
		return nil
	})
	if err != nil || texts < 5000 {
		t.Errorf("%d texts, %v", texts, err)
	}
}
