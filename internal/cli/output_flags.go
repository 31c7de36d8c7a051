package cli

import (
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// columned is a [render.Resource] of any type.
type columned interface{ ColumnNames() []string }

// anyColumns stands for a resource whose columns depend on the arguments; the command checks --columns itself.
type anyColumns struct{}

func (anyColumns) ColumnNames() []string { return nil }

// noColumns stands for lines that are text, or JSON with -o json.
type noColumns struct{}

func (noColumns) ColumnNames() []string { return nil }

// printed says which resources commands may print, none for those that print no result. A test forbids to leave one out.
var printed = []struct {
	commands  string
	resources []columned
}{
	{"audit export", []columned{auditExportResource}},
	{"audit show", []columned{auditResource}},
	{"audit verify", []columned{auditReportResource}},
	{"challenge create, challenge list, challenge show, challenge watch", []columned{challengeResource}},
	{"challenge resend", []columned{notificationResource, challengeResource}},
	{"challenge templates lint", []columned{findingResource}},
	{"challenge templates list", []columned{templateResource}},
	{"challenge why, why", []columned{causeResource}},
	{"credentials lint", []columned{lintResource}},
	{"credentials list, credentials show", []columned{credentialResource}},
	{"credentials rotate", []columned{rotationResource}},
	{"debugger alerts, debugger decode, debugger replay", []columned{eventResource, eventGroupResource}},
	{"debugger explain", []columned{codeResource}},
	{"debugger listen", []columned{eventResource}},
	{"doctor", []columned{doctorResult}},
	{"doctor checks", []columned{doctorCheck}},
	{"doctor readiness", []columned{readinessResource}},
	{"entities delete", []columned{deletionResource}},
	{"entities erase", []columned{eraseResource}},
	{"entities list, entities show", []columned{entityResource}},
	{"env diff, env promote, fleet stats", []columned{anyColumns{}}},
	{"env apply", []columned{setupResource, doctorResult}},
	{"env check", []columned{envProblemResource}},
	{"env drift, env plan", []columned{setupResource}},
	{"env list, env show", []columned{envResource}},
	{"factors apply", []columned{outcomeResource, planResource}},
	{"factors delete", []columned{deletionResource}},
	{"factors deleted", []columned{deletedResource}},
	{"factors find, fleet stale", []columned{indexedResource()}},
	{"factors list", []columned{factorResource(nil), indexedResource()}},
	{"factors plan, factors prune", []columned{planResource}},
	{"factors show", []columned{factorResource(nil)}},
	{"fleet duplicates", []columned{duplicateResource()}},
	{"fleet sync", []columned{crawlResource}},
	{"latency", []columned{latencyResource}},
	{"services list, services show", []columned{serviceResource}},
	{"simulator clock advance, simulator clock freeze, simulator clock resume, simulator clock show", []columned{clockResource}},
	{"simulator device approve, simulator device deny", []columned{answeredResource}},
	{"simulator device enroll, simulator device get-pushes, simulator device list, " +
		"simulator device lose-pushes, simulator device reinstall, simulator device ios-build, " +
		"simulator device mute, simulator device rotate-token, simulator device uninstall, simulator device unmute", []columned{deviceResource}},
	{"simulator fault add, simulator fault clear, simulator fault list", []columned{faultResource}},
	{"simulator generate", []columned{generatedResource}},
	{"simulator pushes", []columned{pushResource}},
	{"simulator settings", []columned{settingsResource}},
	{"state check", []columned{memoryFindingResource}},
	{"state copy", []columned{copiedResource}},
	{"state list", []columned{keptResource}},
	{"version", []columned{buildResource}},
	{"simulator serve", []columned{noColumns{}}},
	{"audit acknowledge, completion, credentials retire, demo, demo reset, doctor undo, doctor watch, env add, env export, env remove, env rename, env set, " +
		"env use, state purge, state roles", nil},
}

// printedBy gives the resources that a command may print; ok is false for one that is not listed.
func printedBy(command string) (resources []columned, ok bool) {
	for _, p := range printed {
		if slices.Contains(strings.Split(p.commands, ", "), command) {
			return p.resources, true
		}
	}
	return nil, false
}

// formatsOf gives the values of -o that a command takes.
func formatsOf(command string) []string {
	switch command {
	case "doctor":
		return append(render.FormatNames(), string(render.HTML), formJUnit, formSARIF, formPrometheus)
	case "env drift":
		return append(render.FormatNames(), formJUnit, formSARIF)
	case "why", "challenge why":
		return append(render.FormatNames(), string(render.HTML))
	case "simulator serve":
		return []string{string(render.Table), string(render.JSON), string(render.NDJSON)}
	}
	return render.FormatNames()
}

// outputFlags say how a result is printed.
var outputFlags = []string{"output", "jq", "template", "columns", "no-header", "quiet"}

// checkOutput refuses the flags about output where a command prints no result, formats and columns that it has not, and
// filters that do not compile: a write must not be sent before that is known.
func (s *shell) checkOutput(cmd *cobra.Command) error {
	command := commandOf(cmd)
	resources, ok := printedBy(command)
	if !ok {
		return nil // help, which cobra prints
	}
	lines := slices.Contains(resources, columned(noColumns{}))
	for _, name := range outputFlags {
		if s.globalSet.Changed(name) && (len(resources) == 0 || lines && name != "output") {
			return verify.Usagef("--%s does not apply to %s", name, cmd.CommandPath()).WithHint("see %s --help", cmd.CommandPath())
		}
	}
	if s.flags.output != "" {
		if _, err := render.ParseFormat(s.flags.output, formatsOf(command)); err != nil {
			return err
		}
	}
	if len(resources) == 0 || lines {
		return nil
	}
	if !slices.Contains(resources, columned(anyColumns{})) {
		if err := checkColumns(s.flags.columns, resources); err != nil {
			return err
		}
	}
	if slices.Contains([]string{formJUnit, formSARIF, formPrometheus}, s.flags.output) {
		return s.flags.checkResultForm()
	}
	_, err := render.New(io.Discard, s.printing(nil))
	return err
}

// checkColumns tells whether one of the resources has all the columns.
func checkColumns(names []string, resources []columned) error {
	known := columnNames(resources)
	for _, name := range names {
		if slices.Contains(known, name) {
			continue
		}
		err := verify.Usagef("--columns: unknown column %q", name)
		if near := verify.Nearest(name, known); near != "" {
			return err.WithHint("did you mean %s? The columns are %s", near, strings.Join(known, ", "))
		}
		return err.WithHint("the columns are %s", strings.Join(known, ", "))
	}
	return nil
}

// columnNames gives the columns of all the resources, each once.
func columnNames(resources []columned) []string {
	var names []string
	for _, resource := range resources {
		for _, name := range resource.ColumnNames() {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// completeOutput completes the values of -o.
func completeOutput(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return formatsOf(commandOf(cmd)), cobra.ShellCompDirectiveNoFileComp
}

// completeColumns completes --columns, one name of several behind each other.
func completeColumns(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	resources, _ := printedBy(commandOf(cmd))
	return completeAmong(columnNames(resources)...)(cmd, args, typed)
}

// commandOf gives the words of a command behind "verifyctl".
func commandOf(cmd *cobra.Command) string { return strings.TrimPrefix(cmd.CommandPath(), "verifyctl ") }
