package doctor

import (
	"fmt"
	"io"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// metric is one metric in Prometheus' text format, with a line for each set of labels.
type metric struct {
	name, help string
	samples    []string
}

// add takes in one value; labels are names and values in turn.
func (m *metric) add(value int64, labels ...string) {
	var pairs []string
	for i := 0; i < len(labels); i += 2 {
		pairs = append(pairs, labels[i]+`="`+labelValue.Replace(labels[i+1])+`"`)
	}
	sample := m.name
	if len(pairs) > 0 {
		sample += "{" + strings.Join(pairs, ",") + "}"
	}
	m.samples = append(m.samples, fmt.Sprintf("%s %d\n", sample, value))
}

var labelValue = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// WritePrometheus writes the report in Prometheus' text format, as node_exporter's textfile collector reads it. What is not
// known has no value: an expiry that nobody recorded, a sandbox that was not read or has no declared build to fit. Findings
// about a whole account stand under the environment ""; what the baseline knows is not counted.
func WritePrometheus(w io.Writer, r Report) error {
	expiry := metric{name: "verifyctl_credential_certificate_expiry_timestamp_seconds", help: "When the certificate of the push credential expires."}
	mismatch := metric{name: "verifyctl_credential_sandbox_mismatch", help: "1 when the sandbox setting of the push credential does not fit the declared iOS build, else 0."}
	findings := metric{name: "verifyctl_doctor_findings", help: "Checks that did not pass, by status."}
	last := metric{name: "verifyctl_doctor_last_run_timestamp_seconds", help: "When the last run of doctor finished."}
	count := map[string]int64{}
	for _, result := range r.Results {
		if !result.Known {
			count[result.Environment+" "+string(result.Status)]++
		}
	}
	names := []string{}
	for _, snap := range r.snapshots {
		labels := []string{"environment", snap.Env.Name, "platform", string(verify.PlatformAPN)}
		if file, _ := snap.certificateFile(); !file.NotAfter.IsZero() {
			expiry.add(file.NotAfter.Unix(), labels...)
		}
		if want, has := snap.Env.IOSBuild.WantedSandbox(), snap.APN.Value.Sandbox; snap.APN.ok() && want != verify.SandboxUnknown && has != verify.SandboxUnknown {
			mismatch.add(map[bool]int64{true: 1}[want != has], labels...)
		}
		names = append(names, snap.Env.Name)
	}
	for _, name := range including(names, "") {
		for _, status := range []Status{Fail, Warn, Unknown} {
			findings.add(count[name+" "+string(status)], "environment", name, "status", string(status))
		}
	}
	last.add(r.At.Unix())
	for _, m := range []metric{expiry, mismatch, findings, last} {
		if len(m.samples) == 0 {
			continue
		}
		if _, err := fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s gauge\n%s", m.name, m.help, m.name, strings.Join(m.samples, "")); err != nil {
			return err
		}
	}
	return nil
}
