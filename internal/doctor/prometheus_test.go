package doctor

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// scrape reads the metrics of a report as Prometheus does: "name label=value …" and the value.
func scrape(t *testing.T, report Report) map[string]float64 {
	t.Helper()
	var out bytes.Buffer
	if err := WritePrometheus(&out, report); err != nil {
		t.Fatal(err)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(&out)
	if err != nil {
		t.Fatalf("Prometheus does not take it: %v", err)
	}
	got := map[string]float64{}
	for name, family := range families {
		if family.GetHelp() == "" || family.GetType().String() != "GAUGE" {
			t.Errorf("%s has the type %s and the help %q", name, family.GetType(), family.GetHelp())
		}
		for _, m := range family.Metric {
			key := name
			for _, label := range m.Label {
				key += fmt.Sprintf(" %s=%s", label.GetName(), label.GetValue())
			}
			got[key] = m.GetGauge().GetValue()
		}
	}
	return got
}

func TestMetricsForPrometheus(t *testing.T) {
	f, env := healthy()
	want := map[string]float64{
		"verifyctl_credential_certificate_expiry_timestamp_seconds environment=live platform=apn": 1822348800, // 2027-10-01
		"verifyctl_credential_sandbox_mismatch environment=live platform=apn":                     0,
		"verifyctl_doctor_findings environment=live status=fail":                                  0,
		"verifyctl_doctor_findings environment=live status=warn":                                  0,
		"verifyctl_doctor_findings environment=live status=unknown":                               0,
		"verifyctl_doctor_findings environment= status=fail":                                      0,
		"verifyctl_doctor_findings environment= status=warn":                                      0,
		"verifyctl_doctor_findings environment= status=unknown":                                   0,
		"verifyctl_doctor_last_run_timestamp_seconds":                                             float64(noon.Unix()),
	}
	opts := everything(env)
	opts.Only = []string{"PUSH-*"}
	if diff := cmp.Diff(want, scrape(t, examine(t, []Target{f.target(env)}, opts))); diff != "" {
		t.Error(diff)
	}

	f.credentials[0].Sandbox = verify.SandboxTrue
	delete(env.CredentialNotes, verify.PlatformAPN)
	got := scrape(t, examine(t, []Target{f.target(env)}, opts))
	if got["verifyctl_credential_sandbox_mismatch environment=live platform=apn"] != 1 || got["verifyctl_doctor_findings environment=live status=fail"] != 1 {
		t.Errorf("a sandbox credential of a distribution build: %v", got)
	}
	if slices.ContainsFunc(slices.Collect(maps.Keys(got)), func(key string) bool { return strings.Contains(key, "expiry") }) {
		t.Errorf("an expiry that nobody recorded has a value: %v", got)
	}

	f.refuse["Credential"] = broken()
	got = scrape(t, examine(t, []Target{f.target(env)}, opts))
	if _, known := got["verifyctl_credential_sandbox_mismatch environment=live platform=apn"]; known {
		t.Errorf("a credential that was not read has a value: %v", got)
	}

	env.Name = "li\"ve\\\n"
	if got = scrape(t, examine(t, []Target{f.target(env)}, opts)); len(got) != 7 {
		t.Errorf("a strange name: %v", got)
	}
}
