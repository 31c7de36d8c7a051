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

// printedBy gives the resources that a command may print. None is a command that prints no result; ok is false for a
// command that is not listed here, which a test forbids.
func printedBy(command string) (resources []columned, ok bool) {
	switch command {
	case "audit export":
		return []columned{auditExportResource}, true
	case "audit show":
		return []columned{auditResource}, true
	case "audit verify":
		return []columned{auditReportResource}, true
	case "challenge create", "challenge list", "challenge show", "challenge watch":
		return []columned{challengeResource}, true
	case "challenge resend":
		return []columned{notificationResource, challengeResource}, true
	case "challenge templates lint":
		return []columned{findingResource}, true
	case "challenge templates list":
		return []columned{templateResource}, true
	case "challenge why", "why":
		return []columned{causeResource}, true
	case "credentials lint":
		return []columned{lintResource}, true
	case "credentials list", "credentials show":
		return []columned{credentialResource}, true
	case "debugger alerts", "debugger decode", "debugger replay":
		return []columned{eventResource, eventGroupResource}, true
	case "debugger explain":
		return []columned{codeResource}, true
	case "debugger listen":
		return []columned{eventResource}, true
	case "doctor":
		return []columned{doctorResult}, true
	case "doctor checks":
		return []columned{doctorCheck}, true
	case "doctor readiness":
		return []columned{readinessResource}, true
	case "entities delete":
		return []columned{deletionResource}, true
	case "entities erase":
		return []columned{eraseResource}, true
	case "entities list", "entities show":
		return []columned{entityResource}, true
	case "env diff", "fleet stats":
		return []columned{anyColumns{}}, true
	case "env list", "env show":
		return []columned{envResource}, true
	case "factors apply":
		return []columned{outcomeResource, planResource}, true
	case "factors delete":
		return []columned{deletionResource}, true
	case "factors deleted":
		return []columned{deletedResource}, true
	case "factors find", "fleet stale":
		return []columned{indexedResource()}, true
	case "factors list":
		return []columned{factorResource(nil), indexedResource()}, true
	case "factors plan", "factors prune":
		return []columned{planResource}, true
	case "factors show":
		return []columned{factorResource(nil)}, true
	case "fleet duplicates":
		return []columned{duplicateResource()}, true
	case "fleet sync":
		return []columned{crawlResource}, true
	case "latency":
		return []columned{latencyResource}, true
	case "services list", "services show":
		return []columned{serviceResource}, true
	case "simulator clock advance", "simulator clock freeze", "simulator clock resume", "simulator clock show":
		return []columned{clockResource}, true
	case "simulator device approve", "simulator device deny":
		return []columned{answeredResource}, true
	case "simulator device enroll", "simulator device get-pushes", "simulator device list", "simulator device lose-pushes",
		"simulator device reinstall", "simulator device ios-build",
		"simulator device mute", "simulator device rotate-token", "simulator device uninstall", "simulator device unmute":
		return []columned{deviceResource}, true
	case "simulator fault add", "simulator fault clear", "simulator fault list":
		return []columned{faultResource}, true
	case "simulator generate":
		return []columned{generatedResource}, true
	case "simulator pushes":
		return []columned{pushResource}, true
	case "simulator settings":
		return []columned{settingsResource}, true
	case "state list":
		return []columned{keptResource}, true
	case "version":
		return []columned{buildResource}, true
	case "simulator serve":
		return []columned{noColumns{}}, true
	case "audit acknowledge", "completion", "demo", "demo reset", "doctor undo", "env add", "env remove", "env rename", "env set", "env use", "state purge":
		return nil, true
	}
	return nil, false
}

// formatsOf gives the values of -o that a command takes.
func formatsOf(command string) []string {
	switch command {
	case "doctor":
		return append(render.FormatNames(), formJUnit, formSARIF)
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
	if s.flags.output != "" {
		if _, err := render.ParseFormat(s.flags.output, formatsOf(command)); err != nil {
			return err
		}
	}
	lines := slices.Contains(resources, columned(noColumns{}))
	for _, name := range outputFlags {
		if s.globalSet.Changed(name) && (len(resources) == 0 || lines && name != "output") {
			return verify.Usagef("--%s does not apply to %s", name, cmd.CommandPath()).WithHint("see %s --help", cmd.CommandPath())
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
	if s.flags.output == formJUnit || s.flags.output == formSARIF {
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
		err := verify.Usagef("--columns: there is no column %q", name)
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
func completeColumns(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	resources, _ := printedBy(commandOf(cmd))
	before, _ := cutLast(typed, ",")
	var words []string
	for _, name := range columnNames(resources) {
		if !slices.Contains(strings.Split(before, ","), name) {
			words = append(words, before+name)
		}
	}
	return words, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// cutLast cuts a text behind the last separator; before is "" without one.
func cutLast(text, separator string) (before, after string) {
	i := strings.LastIndex(text, separator) + 1
	return text[:i], text[i:]
}

// commandOf gives the words of a command behind "verifyctl".
func commandOf(cmd *cobra.Command) string { return strings.TrimPrefix(cmd.CommandPath(), "verifyctl ") }
