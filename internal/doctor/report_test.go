package doctor

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"
	"github.com/verifyctl/verifyctl/internal/verify"
)

const schemaFile = "../../docs/reference/doctor.schema.json"

// incident is the report of a bad night: Apple refuses the live credential, staging's key may not read credentials.
func incident(t *testing.T) Report {
	t.Helper()
	f, env := healthy()
	b := &bench{fakeTwilio: f, env: env, conn: f.target(env).Connection}
	for i := range 412 {
		b.pushError(52131, verify.PlatformAPN, credentialSID(1), i)
		b.events[i].Timestamp = noon.Add(-9*time.Hour - 57*time.Minute)
	}
	spare := *b.apn()
	spare.SID, spare.FriendlyName = credentialSID(7), "ios live, renewed"
	b.credentials = append(b.credentials, spare)
	b.apn().Sandbox = verify.SandboxTrue
	b.apn().FriendlyName = "ios\x1b[31m live"
	staging := env
	staging.Name, staging.ServiceSID, staging.Kind, staging.IOSBuild = "staging", serviceSID(2), verify.Staging, verify.IOSDebug
	staging.WebhookURL = "https://hooks.staging.bank.example/verify"
	service := *b.service()
	service.SID, service.FriendlyName = serviceSID(2), "Bank staging"
	service.Push = &verify.PushConfig{APNCredentialSID: credentialSID(5), FCMCredentialSID: credentialSID(2)}
	b.services = append(b.services, service)
	blind, _ := healthy()
	blind.services, blind.refuse["Credential"] = f.services, denied(403, 20006)
	stagingTarget := f.target(staging)
	stagingTarget.Connection.KeySID, stagingTarget.Twilio = sid("SK", 2), blind
	opts := Options{Declared: []verify.Environment{env, staging}, Skip: []string{"FAC-*", "DATA-*", "CHL-*", "COST-*", "NET-*", "EVT-*", "AUTH-*"}}
	return examine(t, []Target{f.target(env), stagingTarget}, opts)
}

func TestTextForTheWarRoom(t *testing.T) {
	var out bytes.Buffer
	if err := WriteText(&out, incident(t), false, unpainted); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/incident.txt", out.Bytes())
}

func TestMarkdownForATicket(t *testing.T) {
	var out bytes.Buffer
	if err := WriteMarkdown(&out, incident(t), asIs); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/incident.md", out.Bytes())
}

// golden compares with a file; DOCTOR_GOLDEN=write writes it anew.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if os.Getenv("DOCTOR_GOLDEN") == "write" {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func TestJSONFollowsItsSchema(t *testing.T) {
	text, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	var schema openapi3.Schema
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	if got := schema.Properties["version"].Value.Enum; !slices.Equal(got, []any{float64(reportVersion)}) {
		t.Errorf("the schema is of version %v, the report of %d", got, reportVersion)
	}
	f, env := healthy()
	for name, report := range map[string]Report{
		"incident": incident(t), "healthy": examine(t, []Target{f.target(env)}, everything(env)),
		"no evidence": examine(t, []Target{f.target(env)}, Options{NoEvidence: true}),
	} {
		text, err := json.Marshal(report)
		if err != nil {
			t.Fatal(err)
		}
		var value any
		if err := json.Unmarshal(text, &value); err != nil {
			t.Fatal(err)
		}
		if err := schema.VisitJSON(value, openapi3.MultiErrors()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	inSchema(t, "report", reflect.TypeFor[Report](), &schema)
}

// inSchema wants every key that a struct can write to be described in the schema, and the other way round.
func inSchema(t *testing.T, path string, typ reflect.Type, schema *openapi3.Schema) {
	t.Helper()
	for typ.Kind() == reflect.Slice || typ.Kind() == reflect.Pointer {
		if typ.Kind() == reflect.Slice {
			if schema.Items == nil {
				t.Fatalf("%s: the schema has no items", path)
			}
			schema = schema.Items.Value
		}
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct || typ.PkgPath() != reflect.TypeFor[Report]().PkgPath() {
		return
	}
	var keys []string
	for _, field := range reflect.VisibleFields(typ) {
		key, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if !field.IsExported() || field.Anonymous || key == "" {
			continue
		}
		keys = append(keys, key)
		property := schema.Properties[key]
		if property == nil {
			t.Errorf("%s.%s is not in the schema", path, key)
			continue
		}
		if property.Value.Description == "" {
			t.Errorf("%s.%s has no description in the schema", path, key)
		}
		inSchema(t, path+"."+key, field.Type, property.Value)
	}
	for key := range schema.Properties {
		if !slices.Contains(keys, key) {
			t.Errorf("%s.%s is in the schema, but never written", path, key)
		}
	}
}

func TestJUnitCountsWhatFails(t *testing.T) {
	report := incident(t)
	for _, on := range []FailOn{FailOnFail, FailOnUnknown, FailOnWarn} {
		var out bytes.Buffer
		if err := WriteJUnit(&out, report, on); err != nil {
			t.Fatal(err)
		}
		var doc junitSuites
		if err := xml.Unmarshal(out.Bytes(), &doc); err != nil {
			t.Fatal(err)
		}
		want := map[FailOn]int{FailOnFail: report.Summary.Fail, FailOnUnknown: report.Summary.Fail + report.Summary.Unknown,
			FailOnWarn: report.Summary.Fail + report.Summary.Unknown + report.Summary.Warn}[on]
		if doc.Failures != want || doc.Tests != len(report.Results) {
			t.Errorf("fail-on %s: %d failures of %d, want %d of %d", on, doc.Failures, doc.Tests, want, len(report.Results))
		}
		if on == FailOnFail && doc.Errors == 0 {
			t.Error("nothing tells that credentials could not be read")
		}
	}
}

func TestSARIFIsSARIF(t *testing.T) {
	report := incident(t)
	report.Environments[0].File, report.Environments[0].Line = "config.yaml", 3
	var out bytes.Buffer
	if err := WriteSARIF(&out, report, "1.2.3"); err != nil {
		t.Fatal(err)
	}
	var doc sarifLog
	dec := json.NewDecoder(&out)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&doc); err != nil || doc.Version != "2.1.0" || len(doc.Runs) != 1 {
		t.Fatalf("%+v, %v", doc, err)
	}
	if got, want := len(doc.Runs[0].Results), report.Summary.Fail+report.Summary.Warn+report.Summary.Unknown; got != want {
		t.Errorf("%d results, want %d", got, want)
	}
	if got, want := len(doc.Runs[0].Tool.Driver.Rules), len(Catalogue()); got != want {
		t.Errorf("%d rules, want %d", got, want)
	}
	if uri := doc.Runs[0].Results[0].Locations[0].PhysicalLocation.ArtifactLocation.URI; uri != "config.yaml" {
		t.Errorf("the first result is in %q", uri)
	}
}

// TestEverySARIFResultHasAPlace: GitHub takes no result without a file and a line, and shows it at a URI below the checkout.
func TestEverySARIFResultHasAPlace(t *testing.T) {
	for file, want := range map[string]string{"": "verifyctl.yaml", "./ops/verifyctl.yaml": "ops/verifyctl.yaml", "a b/50%.yaml": "a%20b/50%25.yaml",
		"a:b.yaml": "./a:b.yaml", "/checkout/a b.yaml": "file:///checkout/a%20b.yaml"} {
		report := incident(t)
		for i := range report.Environments {
			report.Environments[i].File = file
		}
		var out bytes.Buffer
		if err := WriteSARIF(&out, report, ""); err != nil {
			t.Fatal(err)
		}
		var doc sarifLog
		if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
			t.Fatal(err)
		}
		if len(doc.Runs[0].Results) == 0 {
			t.Fatal("nothing was found")
		}
		for _, result := range doc.Runs[0].Results {
			if len(result.Locations) != 1 {
				t.Fatalf("%s has %d places", result.RuleID, len(result.Locations))
			}
			place := result.Locations[0].PhysicalLocation
			if place.ArtifactLocation.URI != want || place.Region.StartLine < 1 {
				t.Errorf("%s is at %+v, want %s", result.RuleID, place, want)
			}
		}
	}
}

func TestBaselineLetsKnownFindingsPass(t *testing.T) {
	report := incident(t)
	text, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	known, err := ReadBaseline(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	again := incident(t)
	again.Compare(known)
	if err := again.Outcome(FailOnWarn); err != nil {
		t.Errorf("known findings fail the run: %v", err)
	}
	worse := incident(t)
	for i, r := range worse.Results {
		if r.Status == Warn {
			worse.Results[i].Status = Fail
		}
	}
	worse.Compare(known)
	if err := worse.Outcome(FailOnFail); verify.KindOf(err) != verify.KindFailed {
		t.Errorf("a finding that got worse passes: %v", err)
	}
	for _, bad := range []string{"", "[]", "{", `{"results":[]}`, `{"version":2,"results":[]}`, `{"version":1}`} {
		if _, err := ReadBaseline(strings.NewReader(bad)); verify.KindOf(err) != verify.KindUsage {
			t.Errorf("%q: got %v, want a usage error", bad, err)
		}
	}
}

func TestNothingFromTwilioControlsTheTerminal(t *testing.T) {
	var out bytes.Buffer
	for _, write := range []func() error{
		func() error { return WriteText(&out, incident(t), true, unpainted) },
		func() error { return WriteMarkdown(&out, incident(t), asIs) },
		func() error { return WriteJUnit(&out, incident(t), FailOnFail) },
		func() error { return WriteSARIF(&out, incident(t), "1") },
	} {
		if err := write(); err != nil {
			t.Fatal(err)
		}
	}
	if bytes.ContainsRune(out.Bytes(), 0x1b) {
		t.Error("an escape character got through")
	}
}

// asIs is a simple Markdown.
var asIs = Markdown{Text: strings.NewReplacer("*", `\*`, "_", `\_`, "[", `\[`).Replace, Code: func(s string) string { return "`" + s + "`" }}

func unpainted(_ Status, text string) string { return text }
