package doctor

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/verifyctl/verifyctl/internal/verify"
)

func TestQuestionsNameRealChecks(t *testing.T) {
	var seen []string
	for _, q := range Questions() {
		if slices.Contains(seen, q.ID) {
			t.Errorf("%s is there twice", q.ID)
		}
		seen = append(seen, q.ID)
		for _, id := range q.Checks {
			if !slices.ContainsFunc(Catalogue(), func(c Check) bool { return c.ID == id }) {
				t.Errorf("%s names %s, which is no check", q.ID, id)
			}
		}
		if len(q.Checks) == 0 && q.Attest == "" {
			t.Errorf("%s is answered by nothing", q.ID)
		}
		if q.Command == "" || q.Why == "" || strings.HasSuffix(q.Why, ".") {
			t.Errorf("%s has no command, or no word on what it does", q.ID)
		}
	}
	if len(seen) != 21+6 {
		t.Errorf("%d questions and tips, the page has 21 and 6", len(seen))
	}
}

func TestReadinessOfAFinishedEnvironment(t *testing.T) {
	f, env := healthy()
	for _, q := range Questions() {
		if q.Attest != "" {
			env.Attestations[q.ID] = verify.Attestation{By: "Ana", On: "2026-11-01", Until: "2027-11-01"}
		}
	}
	lines := examine(t, []Target{f.target(env)}, everything(env)).Readiness()
	for _, line := range lines {
		if line.Status != Pass {
			t.Errorf("%s is %s: %v", line.Question, line.Answer, line.Why)
		}
		if line.Question == "SEC-3" && line.Answer != "attested by Ana until 2027-11-01" {
			t.Errorf("SEC-3 is %q", line.Answer)
		}
		if line.Question == "SEC-2" && line.Answer != "pass" {
			t.Errorf("SEC-2 is %q", line.Answer)
		}
	}
	if len(lines) != len(Questions()) {
		t.Errorf("%d lines for %d questions", len(lines), len(Questions()))
	}
}

func TestReadinessOfAPrototype(t *testing.T) {
	f, env := healthy()
	f.credentials[0].Sandbox = verify.SandboxTrue
	env.Attestations = map[string]verify.Attestation{"SEC-3": {By: "Ana", On: "2025-11-01", Until: "2026-11-01"}}
	report := examine(t, []Target{f.target(env)}, Options{}) // nothing sampled, latency not measured
	missing := regexp.MustCompile(`^[A-Z]+(-[A-Z]+)?-[0-9]{2}(:| was)|attest`)
	passed := 0
	for _, line := range report.Readiness() {
		switch {
		case line.Status == Pass:
			passed++
		case len(line.Why) == 0:
			t.Errorf("%s is %s and does not say why", line.Question, line.Answer)
		}
		for _, why := range line.Why {
			if !missing.MatchString(why) {
				t.Errorf("%s: %q names neither a check nor an attestation", line.Question, why)
			}
		}
		want := map[string]Status{"APP-2": Fail, "ISS-2": Fail, "SEC-3": Unknown, "SEC-2": Unknown, "PERF-1": Unknown, "ISS-4": Pass, "APP-3": Unknown}[line.Question]
		if want != "" && line.Status != want {
			t.Errorf("%s is %s, want %s: %v", line.Question, line.Status, want, line.Why)
		}
	}
	if passed > 4 {
		t.Errorf("%d questions of a prototype pass", passed)
	}
	var out bytes.Buffer
	if err := WriteReadiness(&out, report.Readiness(), true, unpainted); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"FAIL    APP-2", "UNKNOWN SEC-3", "which has passed", "pass    ISS-4", "$ verifyctl -e live latency"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the text does not have %q:\n%s", want, out.String())
		}
	}
}
