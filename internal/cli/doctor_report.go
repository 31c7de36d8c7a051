package cli

import (
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/doctor"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// The forms of a report that CI systems read; no other command writes them.
const (
	formJUnit = "junit"
	formSARIF = "sarif"
)

// parseForm reads -o, which takes two more formats here.
func (o *doctorOptions) parseForm() error {
	flags := o.shell.flags
	if flags.output != formJUnit && flags.output != formSARIF {
		_, err := o.shell.printer(time.Now)
		return err
	}
	if flags.jq != "" || flags.template != "" || flags.columns != nil || flags.quiet || o.list || o.readiness {
		return verify.Usagef("-o %s excludes --jq, --template, --columns, --quiet, --list and --readiness", flags.output)
	}
	o.resultForm = flags.output
	return nil
}

// print writes the report in the format that was asked for.
func (o *doctorOptions) print(report doctor.Report) error {
	s := o.shell
	switch o.resultForm {
	case formJUnit:
		return doctor.WriteJUnit(s.out, report, o.on)
	case formSARIF:
		return doctor.WriteSARIF(s.out, report, s.build.complete().Version)
	}
	p, err := s.printer(func() time.Time { return report.At })
	if err != nil {
		return err
	}
	paint := func(status doctor.Status, text string) string { return p.Paint(text, statusTone(status)) }
	format := render.Format(s.flags.output)
	switch people := s.flags.output == "" || format == render.Table; {
	case o.readiness && people && s.flags.columns == nil && s.flags.jq == "" && s.flags.template == "" && !s.flags.quiet:
		return doctor.WriteReadiness(s.out, report.Readiness(), paint)
	case o.readiness:
		_, err := render.List(p, readinessResource, each(report.Readiness()))
		return err
	case s.flags.jq != "" || s.flags.template != "" || format == render.JSON:
		return render.One(p, render.Resource[doctor.Report]{}, report)
	case s.flags.quiet:
		_, err := render.List(p, doctorResult, each(report.Problems()))
		return err
	case format == render.CSV || format == render.NDJSON || s.flags.columns != nil:
		_, err := render.List(p, doctorResult, each(report.Results))
		return err
	case format == render.Markdown:
		return doctor.WriteMarkdown(s.out, report)
	}
	return doctor.WriteText(s.out, report, doctor.TextOptions{All: o.all, Paint: paint})
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

// doctorCheckView is the JSON form of a check.
type doctorCheckView struct {
	ID        string           `json:"id"`
	Group     string           `json:"group"`
	Title     string           `json:"title"`
	Severity  doctor.Severity  `json:"severity"`
	Certainty doctor.Certainty `json:"certainty"`
	Remedy    string           `json:"remedy"`
}

var doctorCheck = render.Resource[doctor.Check]{
	SID: func(c doctor.Check) string { return c.ID },
	View: func(c doctor.Check) any {
		return doctorCheckView{c.ID, c.Group(), c.Title, c.Severity, c.Certainty, c.Remedy}
	},
	Columns: []render.Column[doctor.Check]{
		{Name: "id", Text: func(c doctor.Check) string { return c.ID }},
		{Name: "severity", Text: func(c doctor.Check) string { return string(c.Severity) }},
		{Name: "certainty", Text: func(c doctor.Check) string { return string(c.Certainty) }},
		{Name: "title", Text: func(c doctor.Check) string { return c.Title }, Flex: true},
		{Name: "group", Text: func(c doctor.Check) string { return c.Group() }, Wide: true},
		{Name: "remedy", Text: func(c doctor.Check) string { return c.Remedy }, Wide: true},
	},
}
