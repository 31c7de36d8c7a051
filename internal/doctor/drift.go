package doctor

import (
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Finding is something that is not as an environment declares it, for the forms that CI systems read.
type Finding struct {
	Environment verify.Environment
	At          verify.Place // that declares it
	What        string       // the resource, such as: webhook "answers"
	About       string       // its SID, "" when there is none
	Reason      string       // what differs; "" when nothing does
	Fix         string
}

// driftRule is the one rule of a report about declared set-ups.
var driftRule = struct{ id, title, help, page string }{"DRIFT", "the Service is set up as declared",
	"apply the declaration, or declare what is there", "https://github.com/verifyctl/verifyctl/blob/main/docs/guides/environments.md"}

// DriftReport gives findings as a report, for [WriteJUnit] and [WriteSARIF].
func DriftReport(at time.Time, findings []Finding) Report {
	report := Report{Version: reportVersion, At: at, tool: "verifyctl: env drift"}
	for _, f := range findings {
		result := Result{Environment: f.Environment.Name, AccountSID: f.Environment.AccountSID, Check: driftRule.id, Title: f.What,
			Severity: severityFail, Certainty: declared, at: f.At}
		result.Status, result.Reason, result.Fix, result.About = Fail, plain(f.Reason), f.Fix, f.About
		if f.Reason == "" {
			result.Status, result.Reason, result.Fix = Pass, "as declared", ""
		}
		result.Fingerprint = strings.TrimSpace(strings.Join([]string{result.where(), driftRule.id, f.What}, " "))
		report.Results = append(report.Results, result)
	}
	return report
}

// toolName is what made the report: doctor, or the command that compares with what is declared.
func (r Report) toolName() string {
	if r.tool != "" {
		return r.tool
	}
	return "verifyctl doctor"
}
