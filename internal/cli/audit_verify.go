package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/ledger"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

type auditVerifyOptions struct {
	shell *shell

	against string
}

func newAuditVerifyCmd(s *shell) *cobra.Command {
	o := auditVerifyOptions{shell: s}
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check that no line of the audit file was changed, removed or moved",
		Long: `Walk the whole audit file and name the first line that does not fit the one before it, and writes of which only the line
before is there.

An intact file proves that nobody without the key of the state directory has changed, removed or moved a line. The key lies
beside the file: whoever can read it can write another file that is intact. To rule that out, keep what "audit export" prints
in another place, and give it to --against.

` + exitHelp(0, 1),
		Example: "  verifyctl audit verify",
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	cmd.Flags().StringVar(&o.against, "against", "", "what audit export printed earlier, as JSON: a `file`")
	return cmd
}

func (o *auditVerifyOptions) run(ctx context.Context) error {
	export, err := o.export()
	if err != nil {
		return err
	}
	audit, err := o.shell.ledger(ctx)
	if err != nil {
		return err
	}
	report, err := audit.Verify(ctx)
	if err != nil {
		return err
	}
	if err := render.One(o.shell.printer(time.Now), auditReportResource, report); err != nil {
		return err
	}
	o.sayBreaks(report)
	if report.Verdict == ledger.Broken {
		return &verify.Error{Kind: verify.KindFailed, Message: fmt.Sprintf("line %d of the audit file: %s", report.Bad, report.Problem),
			Hint: "nothing is written to Twilio until this is recorded: verifyctl audit acknowledge --reason TEXT"}
	}
	if export == nil {
		o.shell.note("nobody without the key in the state directory changed it; see verifyctl audit verify --help for what this does not prove")
		return nil
	}
	same, err := audit.StartsWith(*export)
	if err == nil && !same {
		err = &verify.Error{Kind: verify.KindFailed, Message: fmt.Sprintf("the audit file does not start with the %s recorded in %s",
			verify.Count(export.Lines, "line"), o.against)}
	}
	return err
}

func (o *auditVerifyOptions) sayBreaks(report ledger.Report) {
	for _, b := range report.Breaks {
		o.shell.note("line %d: acknowledged by %s at %s: %s (%s)", b.Line, b.User, verify.Stamp(b.Time), b.Problem, b.Reason)
	}
	if report.Plain > 0 {
		o.shell.note("%s of an older version: their hashes are not keyed", verify.Count(report.Plain, "line"))
	}
}

// export reads what audit export printed; nil when none was given.
func (o *auditVerifyOptions) export() (*ledger.Export, error) {
	if o.against == "" {
		return nil, nil
	}
	text, err := readAll(o.shell, "the export of the audit file", o.against, 1<<20)
	if err != nil {
		return nil, err
	}
	var export ledger.Export
	if err := json.Unmarshal(text, &export); err != nil || len(export.SHA256) != 64 || export.Bytes < 0 {
		return nil, verify.Usagef("--against: %s is not what audit export prints as JSON", o.against).
			WithHint("make one with verifyctl audit export -o json")
	}
	return &export, nil
}

var auditReportResource = render.Resource[ledger.Report]{Columns: []render.Column[ledger.Report]{
	{Name: "verdict", Text: func(r ledger.Report) string { return string(r.Verdict) }, Tone: auditVerdictTone},
	{Name: "lines", Text: func(r ledger.Report) string { return fmt.Sprint(r.Lines) }},
	{Name: "plain_lines", Text: func(r ledger.Report) string { return numberOrNone(r.Plain) }, Wide: true},
	{Name: "bad_line", Text: func(r ledger.Report) string { return numberOrNone(r.Bad) }, Tone: func(ledger.Report) render.Tone { return render.Bad }},
	{Name: "problem", Text: func(r ledger.Report) string { return r.Problem }},
	{Name: "torn_lines", Text: func(r ledger.Report) string { return numberOrNone(len(r.Torn)) }},
	{Name: "unfinished", Text: func(r ledger.Report) string { return strings.Join(r.Unfinished, " ") }},
}}

func auditVerdictTone(r ledger.Report) render.Tone {
	switch r.Verdict {
	case ledger.Intact:
		return render.Good
	case ledger.Acknowledged:
		return render.Warn
	}
	return render.Bad
}
