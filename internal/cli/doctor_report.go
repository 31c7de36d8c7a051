package cli

import (
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/doctor"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/statedir"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// The forms of a report that CI systems and Prometheus read; no other command writes them.
const (
	formJUnit      = "junit"
	formSARIF      = "sarif"
	formPrometheus = "prometheus"
)

// checkResultForm refuses what cannot be had in a form that no printer writes.
func (f *globalFlags) checkResultForm() error {
	if f.jq != "" || f.template != "" || f.columns != nil || f.quiet {
		return verify.Usagef("-o %s cannot be combined with --jq, --template, --columns or --quiet", f.output)
	}
	return nil
}

// print writes the report in the format that was asked for.
func (o *doctorOptions) print(report doctor.Report) error {
	s := o.shell
	switch s.flags.output {
	case formJUnit:
		return doctor.WriteJUnit(s.out, report, o.failOn)
	case formSARIF:
		return doctor.WriteSARIF(s.out, report, s.build.complete().Version)
	case formPrometheus:
		return o.printMetrics(report)
	}
	p := s.printer(func() time.Time { return report.At })
	format := render.Format(s.flags.output)
	switch {
	case s.flags.jq != "" || s.flags.template != "" || format == render.JSON || format == render.YAML:
		return render.One(p, render.Resource[doctor.Report]{}, report)
	case s.flags.quiet:
		return listAll(p, doctorResult, report.Problems())
	case format == render.Markdown && s.flags.columns == nil:
		return doctor.WriteMarkdown(s.out, report, doctor.Markdown{Text: render.EscapeMarkdown, Code: render.MarkdownCode})
	case format == render.HTML:
		body, err := report.HTML()
		if err != nil {
			return err
		}
		return p.WriteHTML("verifyctl doctor", body)
	}
	if !p.PageForm() {
		return listAll(p, doctorResult, report.Results)
	}
	var page strings.Builder
	if err := doctor.WriteText(&page, report, o.all, paintStatus(p)); err != nil {
		return err
	}
	return p.WritePage(page.String())
}

// reportCopy is a file of --also, which gets the report in a format.
type reportCopy struct{ format, file string }

func (o *doctorOptions) parseCopies() ([]reportCopy, error) {
	var copies []reportCopy
	for _, text := range o.also {
		format, file, _ := strings.Cut(text, "=")
		switch {
		case format == "" || file == "":
			return nil, verify.Usagef("--also %q is no format with a file", text).WithHint("write it like sarif=doctor.sarif")
		case !slices.Contains(formatsOf("doctor"), format):
			return nil, verify.Usagef("--also: doctor does not write %q", format).WithHint("it writes %s", strings.Join(formatsOf("doctor"), ", "))
		case format == formPrometheus && o.out != "":
			return nil, verify.Usagef("--out and --also %s both name the file of the metrics", text)
		}
		copies = append(copies, reportCopy{format, file})
	}
	return copies, nil
}

// writeCopies writes the files of --also. Only metrics are for other users: a report tells of those who log in.
func (o *doctorOptions) writeCopies(report doctor.Report) error {
	for _, to := range o.copies {
		text, err := o.shell.printedAs(to.format, func() error { return o.print(report) })
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o600)
		if to.format == formPrometheus {
			mode = 0o644
		}
		if err := statedir.WriteFile(to.file, []byte(text), mode); err != nil {
			return err
		}
	}
	return nil
}

// printMetrics writes the report for Prometheus, into --out where that is given.
func (o *doctorOptions) printMetrics(report doctor.Report) error {
	if o.out == "" {
		return doctor.WritePrometheus(o.shell.out, report)
	}
	var text strings.Builder
	if err := doctor.WritePrometheus(&text, report); err != nil {
		return err
	}
	return statedir.WriteFile(o.out, []byte(text.String()), 0o644) // Prometheus's node_exporter is another user
}

// paintStatus colours text by a check's status.
func paintStatus(p *render.Printer) doctor.Painter {
	return func(status doctor.Status, text string) string { return p.Paint(text, statusTone(status)) }
}

func statusTone(s doctor.Status) render.Tone {
	switch s {
	case doctor.Fail:
		return render.Bad
	case doctor.Warn, doctor.Unknown:
		return render.Warn
	case doctor.Pass:
		return render.Good
	}
	return render.Faint
}

// doctorResult is one result of a report as a row; -q prints the ids of checks that did not pass.
var doctorResult = render.Resource[doctor.Result]{
	SID: func(r doctor.Result) string { return r.Check },
	Columns: []render.Column[doctor.Result]{
		{Name: "environment", Text: func(r doctor.Result) string { return r.Environment }},
		{Name: "check", Text: func(r doctor.Result) string { return r.Check }},
		{Name: "status", Text: func(r doctor.Result) string { return string(r.Status) }, Tone: func(r doctor.Result) render.Tone { return statusTone(r.Status) }},
		{Name: "reason", Text: func(r doctor.Result) string { return r.Reason }, Flex: true},
		{Name: "fix", Text: func(r doctor.Result) string { return r.Fix }, Flex: true},
		{Name: "severity", Text: func(r doctor.Result) string { return string(r.Severity) }, Wide: true},
		{Name: "certainty", Text: func(r doctor.Result) string { return string(r.Certainty) }, Wide: true},
		{Name: "about", Text: func(r doctor.Result) string { return r.About }, Wide: true},
		{Name: "account_sid", Text: func(r doctor.Result) string { return string(r.AccountSID) }, Wide: true},
		{Name: "fingerprint", Text: func(r doctor.Result) string { return r.Fingerprint }, Wide: true},
	},
}
