package doctor

import (
	"io"
	"strings"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
)

const checksPage = "https://github.com/verifyctl/verifyctl/blob/main/docs/reference/checks.md"

// WriteSARIF writes what is not in order as SARIF 2.1.0, which code hosts show as findings. Each finding points at the
// line of the environment file that declares the environment, where there is one.
func WriteSARIF(w io.Writer, r Report, version string) error {
	doc := sarif.NewReport()
	run := sarif.NewRunWithInformationURI("verifyctl doctor", checksPage)
	run.Tool.Driver.WithVersion(version)
	for _, c := range Catalogue() {
		run.AddRule(c.ID).WithName(c.ID).WithShortDescription(sarif.NewMultiformatMessageString().WithText(c.Title)).
			WithHelp(sarif.NewMultiformatMessageString().WithText(c.Remedy)).
			WithHelpURI(checksPage + "#" + strings.ToLower(c.ID)).
			WithDefaultConfiguration(sarif.NewReportingConfiguration().WithLevel(sarifLevel(c.Severity)))
	}
	for _, result := range r.Results {
		if result.Status != Fail && result.Status != Warn && result.Status != Unknown {
			continue
		}
		run.AddResult(sarifResult(result, r.header(result)))
	}
	doc.AddRun(run)
	return doc.PrettyWrite(w)
}

func sarifLevel(s Severity) string {
	switch s {
	case SeverityFail:
		return "error"
	case SeverityWarn:
		return "warning"
	}
	return "note"
}

func sarifResult(r Result, env Header) *sarif.Result {
	level := map[Status]string{Fail: "error", Warn: "warning", Unknown: "note"}[r.Status]
	text := strings.Join(append([]string{string(r.Status) + ": " + r.Reason}, r.advice()...), "\n")
	out := sarif.NewRuleResult(r.Check).WithLevel(level).WithMessage(sarif.NewTextMessage(text)).
		WithPartialFingerprints(map[string]string{"verifyctlFinding/v1": r.Fingerprint})
	if r.Known {
		out.WithBaselineState("unchanged")
	}
	location := sarif.NewLocation().WithLogicalLocations([]*sarif.LogicalLocation{sarif.NewLogicalLocation().WithName(r.where()).WithKind("namespace")})
	if env.File != "" {
		location.WithPhysicalLocation(sarif.NewPhysicalLocation().
			WithArtifactLocation(sarif.NewArtifactLocation().WithURI(env.File)).
			WithRegion(sarif.NewRegion().WithStartLine(max(1, env.Line))))
	}
	return out.WithLocations([]*sarif.Location{location})
}

// header gives the environment a result is about; for an account, one of its environments.
func (r Report) header(result Result) Header {
	for _, env := range r.Environments {
		if env.Name == result.Environment || result.Environment == "" && env.AccountSID == result.AccountSID {
			return env
		}
	}
	return Header{}
}
