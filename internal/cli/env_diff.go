package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/config"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// unread stands for what could not be read; it never counts as equal.
const unread = "unknown"

// envDifference is one fact of two environments.
type envDifference struct {
	Fact    string `json:"fact"`
	Source  string `json:"source"` // declared, or twilio
	A       string `json:"a"`
	B       string `json:"b"`
	Differs *bool  `json:"differs"` // null when one of them is not known
}

func compared(source, fact, a, b string) envDifference {
	d := envDifference{Fact: fact, Source: source, A: a, B: b}
	if a != unread && b != unread {
		differs := a != b
		d.Differs = &differs
	}
	return d
}

func (d envDifference) verdict() string {
	switch {
	case d.Differs == nil:
		return unread
	case *d.Differs:
		return "yes"
	}
	return ""
}

func envDifferences(a, b string) render.Resource[envDifference] {
	return render.Resource[envDifference]{Columns: []render.Column[envDifference]{
		{Name: "fact", Text: func(d envDifference) string { return d.Fact }},
		{Name: a, Text: func(d envDifference) string { return d.A }},
		{Name: b, Text: func(d envDifference) string { return d.B }},
		{Name: "differs", Text: envDifference.verdict},
		{Name: "source", Text: func(d envDifference) string { return d.Source }, Wide: true},
	}}
}

type envDiffOptions struct {
	shell    *shell
	declared bool
	all      bool
}

func newEnvDiffCmd(s *shell) *cobra.Command {
	o := envDiffOptions{shell: s}
	cmd := &cobra.Command{
		Use:   "diff A B",
		Short: "Compare two environments: what is declared, and how Twilio has them set up",
		Long: `Compare two environments fact by fact: what the file declares, then what Twilio has for their Services: push credentials
with type and sandbox setting, and webhooks. Only differences are shown unless --all is given. That two environments differ
is no failure; what could not be read is shown as unknown, and makes the exit status 3.

` + exitHelp(0, 3, 6),
		Example:           "  verifyctl env diff demo-staging demo\n  verifyctl env diff demo-dev demo --declared --all",
		Args:              argsBetween(2, 2),
		ValidArgsFunction: s.completeEnvironments(2),
		RunE:              func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args[0], args[1]) },
	}
	cmd.Flags().BoolVar(&o.declared, "declared", false, "compare only what is declared, and ask Twilio nothing")
	cmd.Flags().BoolVar(&o.all, "all", false, "show what is equal too")
	return cmd
}

func (o *envDiffOptions) run(ctx context.Context, nameA, nameB string) error {
	resource := envDifferences(nameA, nameB)
	if err := resource.CheckColumns(o.shell.flags.columns); err != nil {
		return err
	}
	a, err := o.shell.named(nameA)
	if err != nil {
		return err
	}
	b, err := o.shell.named(nameB)
	if err != nil {
		return err
	}
	rows := compareFacts("declared", declaredFacts(a), declaredFacts(b))
	var problems []string
	if !o.declared {
		var live []envDifference
		live, problems = o.compareLive(ctx, a, b)
		rows = append(rows, live...)
	}
	if !o.all {
		rows = slices.DeleteFunc(rows, func(d envDifference) bool { return d.Differs != nil && !*d.Differs })
	}
	if err := listAll(o.shell.printer(time.Now), resource, rows); err != nil {
		return err
	}
	if len(rows) == 0 {
		o.shell.note("%s and %s do not differ", nameA, nameB)
	}
	for _, problem := range problems {
		o.shell.note("not read: %s", problem)
	}
	if len(problems) > 0 {
		return &verify.Error{Kind: verify.KindPartial, Message: fmt.Sprintf("%s could not be read, so some facts are unknown", verify.Count(len(problems), "resource"))}
	}
	return nil
}

// fact is a name and a value.
type fact struct{ name, value string }

func compareFacts(source string, a, b []fact) []envDifference {
	rows := make([]envDifference, len(a))
	for i := range a {
		rows[i] = compared(source, a[i].name, a[i].value, b[i].value)
	}
	return rows
}

// notCompared are columns of an environment that are no facts of it.
var notCompared = []string{"name", "current", "secret_from", "declared"}

func declaredFacts(t *config.Target) []fact {
	row := newEnvRow(t, "")
	var facts []fact
	for _, c := range envResource.Columns {
		if !slices.Contains(notCompared, c.Name) {
			facts = append(facts, fact{c.Name, c.Text(row)})
		}
	}
	return facts
}
