package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/doctor"
	"github.com/verifyctl/verifyctl/internal/render"
)

type doctorReadinessOptions struct {
	examination

	all bool
}

func newDoctorReadinessCmd(s *shell) *cobra.Command {
	o := doctorReadinessOptions{examination: examination{shell: s}}
	cmd := &cobra.Command{
		Use:   "readiness",
		Short: "Answer Twilio's best practices for production, question by question",
		Long: `Answer every question of Twilio's page of best practices for production, for every environment or the one of -e: passed,
warned, failed, unknown, or attested by somebody until a date. The checks of doctor answer what an API tells; the rest waits for
an attestation in the environment file. docs/best-practices.md explains each question. The page shows the counts, what fails
or warns, and what would settle the rest; --all shows every question. Other formats have every question.

` + exitHelp(0, 1, 3, 6),
		Example: `  verifyctl -e demo doctor readiness
  verifyctl -e demo doctor readiness --sample 50 --latency -o json`,
		RunE: parseThenRun(o.parse, o.run),
	}
	o.register(cmd.Flags())
	cmd.Flags().BoolVar(&o.all, "all", false, "show every question with its reasons")
	return cmd
}

func (o *doctorReadinessOptions) run(ctx context.Context) error {
	chosen, declared, err := o.environments(false)
	if err != nil {
		return err
	}
	report, err := o.examine(ctx, chosen, doctor.Options{Declared: declared})
	if err != nil {
		return err
	}
	if err := o.print(report); err != nil {
		return err
	}
	return outcome(report.Outcome(doctor.FailOnFail))
}

// print writes a page for people, or a list where another format or columns are asked for.
func (o *doctorReadinessOptions) print(report doctor.Report) error {
	p := o.shell.printer(func() time.Time { return report.At })
	flags := o.shell.flags
	if (flags.output == "" || flags.output == string(render.Table)) && flags.columns == nil && flags.jq == "" && flags.template == "" && !flags.quiet {
		var page strings.Builder
		if err := doctor.WriteReadiness(&page, report.Readiness(), o.all, paintStatus(p)); err != nil {
			return err
		}
		return p.WritePage(page.String())
	}
	return listAll(p, readinessResource, report.Readiness())
}

var readinessResource = render.Resource[doctor.ReadinessLine]{
	SID: func(l doctor.ReadinessLine) string { return l.Question },
	Columns: []render.Column[doctor.ReadinessLine]{
		{Name: "environment", Text: func(l doctor.ReadinessLine) string { return l.Environment }},
		{Name: "question", Text: func(l doctor.ReadinessLine) string { return l.Question }},
		{Name: "answer", Text: func(l doctor.ReadinessLine) string { return l.Answer }},
		{Name: "text", Text: func(l doctor.ReadinessLine) string { return l.Text }, Flex: true},
		{Name: "why", Text: func(l doctor.ReadinessLine) string { return strings.Join(l.Why, "; ") }, Flex: true},
		{Name: "command", Text: func(l doctor.ReadinessLine) string { return l.Command }, Wide: true},
	},
}
