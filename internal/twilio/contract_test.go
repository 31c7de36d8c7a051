package twilio_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/twilio"
	"github.com/verifyctl/verifyctl/internal/verify"
)

const (
	hex32     = "0123456789abcdef0123456789ABCDEF"
	account   = verify.AccountSID("AC" + hex32)
	service   = verify.ServiceSID("VA" + hex32)
	factor    = verify.FactorSID("YF" + hex32)
	challenge = verify.ChallengeSID("YC" + hex32)
	cred      = verify.CredentialSID("CR" + hex32)
	user      = verify.Identity("DD6840aec40ad01ebc2001c0330000aa33")
)

// The parts of an OpenAPI document that say what a request may be.
type (
	document struct {
		Paths      map[string]map[string]json.RawMessage `json:"paths"`
		Components struct {
			Schemas map[string]schema `json:"schemas"`
		} `json:"components"`
	}
	operation struct {
		product, method, template string

		ID          string      `json:"operationId"`
		Parameters  []parameter `json:"parameters"`
		RequestBody struct {
			Content map[string]struct {
				Schema struct {
					Properties map[string]schema `json:"properties"`
					Required   []string          `json:"required"`
				} `json:"schema"`
			} `json:"content"`
		} `json:"requestBody"`
		Responses map[string]struct {
			Content map[string]struct {
				Examples map[string]struct {
					Value json.RawMessage `json:"value"`
				} `json:"examples"`
			} `json:"content"`
		} `json:"responses"`
	}
	parameter struct {
		Name, In string
		Required bool
		Schema   schema
	}
	schema struct {
		Ref       string `json:"$ref"`
		Type      string
		Format    string
		Pattern   string
		Enum      []string
		MinLength *int
		MaxLength *int
		Minimum   *float64
		Maximum   *float64
		Items     *schema
	}
	contract struct {
		operations []operation
		schemas    map[string]schema
	}
)

// openContract reads Twilio's OpenAPI documents; without them the test is skipped, saying so.
func openContract(t *testing.T) contract {
	t.Helper()
	dir := os.Getenv("VERIFYCTL_OPENAPI")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "openapi")
	}
	c := contract{schemas: map[string]schema{}}
	for _, name := range []string{"verify_v2", "notify_v1", "monitor_v1"} {
		raw, err := os.ReadFile(filepath.Join(dir, "twilio_"+name+".json"))
		if errors.Is(err, fs.ErrNotExist) && os.Getenv("VERIFYCTL_OPENAPI") == "" {
			t.Skip("contract test skipped: no OpenAPI documents in VERIFYCTL_OPENAPI or ../shared/openapi")
		}
		if err != nil {
			t.Fatal(err)
		}
		var d document
		if err := json.Unmarshal(raw, &d); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		maps.Copy(c.schemas, d.Components.Schemas)
		product, _, _ := strings.Cut(name, "_")
		for template, methods := range d.Paths {
			for _, method := range []string{"get", "post", "delete"} {
				if methods[method] == nil {
					continue
				}
				op := operation{product: product, method: strings.ToUpper(method), template: template}
				if err := json.Unmarshal(methods[method], &op); err != nil {
					t.Fatalf("%s %s: %v", method, template, err)
				}
				c.operations = append(c.operations, op)
			}
		}
	}
	if len(c.operations) < 50 {
		t.Fatalf("the OpenAPI documents in %s have only %d operations", dir, len(c.operations))
	}
	return c
}

// find gives the operation of a request and its path parameters.
func (c contract) find(r *http.Request) (operation, map[string]string, error) {
	var matches []operation
	var args map[string]string
	for _, op := range c.operations {
		if op.method != r.Method || op.product == "notify" && !strings.Contains(op.template, "/Credentials") {
			continue
		}
		if found := matchTemplate(op.template, r.URL.EscapedPath()); found != nil {
			matches, args = append(matches, op), found
		}
	}
	if len(matches) != 1 {
		return operation{}, nil, fmt.Errorf("%s %s is %d operations", r.Method, r.URL.EscapedPath(), len(matches))
	}
	return matches[0], args, nil
}

func matchTemplate(template, path string) map[string]string {
	want, got := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return nil
	}
	args := map[string]string{}
	for i := range want {
		if name, isArg := strings.CutPrefix(want[i], "{"); isArg {
			args[strings.TrimSuffix(name, "}")], _ = url.PathUnescape(got[i])
		} else if want[i] != got[i] {
			return nil
		}
	}
	return args
}

// check lists what a request has that its operation does not document.
func (c contract) check(op operation, args map[string]string, r *http.Request) (problems []string) {
	place := map[string]url.Values{"query": r.URL.Query(), "path": {}}
	for name, value := range args {
		place["path"].Set(name, value)
	}
	known := map[string]bool{}
	for _, p := range op.Parameters {
		known[p.In+" "+p.Name] = true
		values := place[p.In][p.Name]
		if p.Required && len(values) == 0 {
			problems = append(problems, "the required "+p.In+" parameter "+p.Name+" is missing")
		}
		for _, v := range values {
			problems = append(problems, c.checkValue(p.Name, p.Schema, v)...)
		}
	}
	for name := range place["query"] {
		if !known["query "+name] {
			problems = append(problems, "the query parameter "+name+" is not documented")
		}
	}
	body := op.RequestBody.Content["application/x-www-form-urlencoded"].Schema
	for name, values := range r.PostForm {
		field, documented := body.Properties[name]
		if !documented {
			problems = append(problems, "the form field "+name+" is not documented")
		}
		if len(values) > 1 && field.Type != "array" {
			problems = append(problems, "the form field "+name+" is repeated")
		}
		for _, v := range values {
			problems = append(problems, c.checkValue(name, field, v)...)
		}
	}
	for _, name := range body.Required {
		if !r.PostForm.Has(name) {
			problems = append(problems, "the required form field "+name+" is missing")
		}
	}
	return problems
}

func (c contract) checkValue(name string, s schema, v string) (problems []string) {
	if s.Items != nil {
		s = *s.Items
	}
	if s.Ref != "" {
		s = c.schemas[s.Ref[strings.LastIndex(s.Ref, "/")+1:]]
	}
	bad := func(what string) { problems = append(problems, fmt.Sprintf("%s=%q %s", name, v, what)) }
	if s.Pattern != "" && !regexp.MustCompile(s.Pattern).MatchString(v) {
		bad("does not match " + s.Pattern)
	}
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, v) {
		bad("is none of " + strings.Join(s.Enum, ", "))
	}
	if s.MinLength != nil && len(v) < *s.MinLength || s.MaxLength != nil && len(v) > *s.MaxLength {
		bad("is of the wrong length")
	}
	if s.Format == "date-time" {
		if _, err := time.Parse(time.RFC3339, v); err != nil || !strings.HasSuffix(v, "Z") {
			bad("is not a date-time in UTC")
		}
	}
	if s.Type == "integer" {
		n, err := strconv.ParseFloat(v, 64)
		if err != nil || s.Minimum != nil && n < *s.Minimum || s.Maximum != nil && n > *s.Maximum {
			bad("is no integer in range")
		}
	}
	return problems
}

// example gives a documented reply, with the sid and the identity that were asked for.
func example(op operation, args map[string]string) (int, string) {
	for _, status := range []string{"200", "201", "204"} {
		answer, has := op.Responses[status]
		if !has {
			continue
		}
		code, _ := strconv.Atoi(status)
		for _, name := range slices.Sorted(maps.Keys(answer.Content["application/json"].Examples)) {
			var value map[string]any
			if json.Unmarshal(answer.Content["application/json"].Examples[name].Value, &value) != nil {
				continue
			}
			if meta, isList := value["meta"].(map[string]any); isList {
				meta["next_page_url"] = nil
			}
			if sid := args["Sid"]; sid != "" {
				value["sid"] = sid
			}
			if _, has := value["identity"]; has && args["Identity"] != "" {
				value["identity"] = args["Identity"]
			}
			text, _ := json.Marshal(value)
			return code, string(text)
		}
		return code, ""
	}
	return http.StatusInternalServerError, ""
}

// TestContractOfEveryRequest sends every request this package can send to the products whose OpenAPI documents
// are at hand, and matches it by the operation's name; the replies are the documents' own examples.
func TestContractOfEveryRequest(t *testing.T) {
	c := openContract(t)
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		op, args, err := c.find(r)
		if err != nil {
			t.Error(err)
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		for _, problem := range c.check(op, args, r) {
			t.Errorf("%s: %s", op.ID, problem)
		}
		got = append(got, op.ID)
		status, body := example(op, args)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	defer server.Close()
	client, err := twilio.New(twilio.Options{Username: string(account), Password: "secret", BaseURL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()

	for _, tc := range calls(client) {
		t.Run(tc.operation, func(t *testing.T) {
			got = nil
			if err := tc.call(t.Context()); err != nil {
				t.Errorf("the documented example is an error: %v", err)
			}
			if !slices.Equal(got, []string{tc.operation}) {
				t.Errorf("sent %v", got)
			}
		})
	}
}

type namedCall struct {
	operation string
	call      func(ctx context.Context) error
}

func calls(c *twilio.Client) []namedCall {
	w := c.Writer()
	now := time.Date(2026, 11, 23, 10, 0, 0, 123, time.FixedZone("", 3600))
	webhook := verify.Webhook{SID: "YW" + hex32, FriendlyName: "errors", EventTypes: []string{"factor.created", "challenge.approved"},
		URL: "https://bank.example/verify", Status: "enabled", Version: "v2"}
	return []namedCall{
		{"ListService", func(ctx context.Context) error { return drain(c.Services(ctx)) }},
		{"FetchService", func(ctx context.Context) error { return second(c.Service(ctx, service)) }},
		{"UpdateService", func(ctx context.Context) error {
			return second(w.SetServiceCredential(ctx, service, verify.PlatformAPN, cred))
		}},
		{"UpdateService", func(ctx context.Context) error {
			return second(w.SetServiceCredential(ctx, service, verify.PlatformFCM, cred))
		}},
		{"CreateService", func(ctx context.Context) error { return second(w.CreateService(ctx, everySetting())) }},
		{"UpdateService", func(ctx context.Context) error { return second(w.UpdateService(ctx, service, everySetting())) }},
		{"ListEntity", func(ctx context.Context) error { return drain(c.Entities(ctx, service)) }},
		{"ListEntity", func(ctx context.Context) error {
			_, _, err := c.EntityPage(ctx, service, "Page=3&PageToken=PT.7", 50)
			return err
		}},
		{"FetchEntity", func(ctx context.Context) error { return second(c.Entity(ctx, service, user)) }},
		{"DeleteEntity", func(ctx context.Context) error { return w.DeleteEntity(ctx, service, user) }},
		{"ListFactor", func(ctx context.Context) error { return drain(c.Factors(ctx, service, user)) }},
		{"ListFactor", func(ctx context.Context) error { return drain(c.Factors(ctx, service, "abc?x=#{Sid}%2F")) }},
		{"FetchFactor", func(ctx context.Context) error { return second(c.Factor(ctx, service, user, factor)) }},
		{"DeleteFactor", func(ctx context.Context) error { return w.DeleteFactor(ctx, service, user, factor) }},
		{"DeleteFactor", func(ctx context.Context) error { return w.DeleteFactor(ctx, service, "abc?x=", factor) }},
		{"ListChallenge", func(ctx context.Context) error {
			return drain(c.Challenges(ctx, service, user, verify.ChallengeFilter{}))
		}},
		{"ListChallenge", func(ctx context.Context) error {
			return drain(c.Challenges(ctx, service, user, verify.ChallengeFilter{FactorSID: factor, Status: verify.ChallengeDenied, Newest: true}))
		}},
		{"FetchChallenge", func(ctx context.Context) error { return second(c.Challenge(ctx, service, user, challenge)) }},
		{"CreateChallenge", func(ctx context.Context) error {
			return second(w.CreateChallenge(ctx, service, user, verify.NewChallenge{FactorSID: factor, Message: "Log in?"}))
		}},
		{"CreateChallenge", func(ctx context.Context) error {
			return second(w.CreateChallenge(ctx, service, user, verify.NewChallenge{
				FactorSID: factor, Message: "Log in? <&>", ExpirationDate: now, HiddenDetails: map[string]string{"action_id": "a"},
				Fields: []verify.Field{{Label: "Place", Value: "Berlin"}, {Label: "Device", Value: `"laptop"`}},
			}))
		}},
		{"CreateNotification", func(ctx context.Context) error {
			return second(w.CreateNotification(ctx, service, user, challenge, 0))
		}},
		{"CreateNotification", func(ctx context.Context) error {
			return second(w.CreateNotification(ctx, service, user, challenge, 300*time.Second))
		}},
		{"ListWebhook", func(ctx context.Context) error { return drain(c.Webhooks(ctx, service)) }},
		{"UpdateWebhook", func(ctx context.Context) error { return second(w.UpdateWebhook(ctx, service, webhook)) }},
		{"CreateWebhook", func(ctx context.Context) error { return second(w.CreateWebhook(ctx, service, webhook)) }},
		{"DeleteWebhook", func(ctx context.Context) error { return w.DeleteWebhook(ctx, service, webhook.SID) }},
		{"CreateCredential", func(ctx context.Context) error {
			return second(w.CreateCredential(ctx, verify.CredentialWrite{Type: verify.CredentialAPN, FriendlyName: "iOS", Sandbox: verify.SandboxFalse, Certificate: "C", PrivateKey: "K"}))
		}},
		{"UpdateCredential", func(ctx context.Context) error {
			return second(w.UpdateCredential(ctx, cred, verify.CredentialWrite{Type: verify.CredentialFCM, FriendlyName: "Android", Secret: "{}"}))
		}},
		{"DeleteCredential", func(ctx context.Context) error { return w.DeleteCredential(ctx, verify.Credential{SID: cred}) }},
		{"ListCredential", func(ctx context.Context) error { return drain(c.Credentials(ctx)) }},
		{"FetchCredential", func(ctx context.Context) error { return second(c.Credential(ctx, cred)) }},
		{"ListAlert", func(ctx context.Context) error { return drain(c.Alerts(ctx, verify.AlertFilter{})) }},
		{"ListAlert", func(ctx context.Context) error {
			return drain(c.Alerts(ctx, verify.AlertFilter{Start: now.Add(-time.Hour), End: now, LogLevel: "error"}))
		}},
		{"FetchAlert", func(ctx context.Context) error { return second(c.Alert(ctx, "NO"+hex32)) }},
		{"ListEvent", func(ctx context.Context) error {
			return drain(c.AuditEvents(ctx, verify.AuditFilter{ResourceSID: string(service), Start: now.Add(-time.Hour), End: now}))
		}},
	}
}

// everySetting has a value that is allowed for each setting of a Service.
func everySetting() verify.ServiceSettings {
	settings := verify.ServiceSettings{}
	for _, s := range verify.ServiceSettingNames {
		settings[s.Name] = map[string]string{
			"push.apn_credential_sid": string(cred), "push.fcm_credential_sid": string(cred), "code_length": "6", "lookup_enabled": "true",
			"totp.time_step": "30", "totp.code_length": "6", "totp.skew": "0", "verify_event_subscription_enabled": "false",
		}[s.Name]
		if settings[s.Name] == "" {
			settings[s.Name] = "word"
		}
	}
	return settings
}

func drain[R any](seq func(func(R, error) bool)) error {
	for _, err := range seq {
		if err != nil {
			return err
		}
	}
	return nil
}

func second[R any](_ R, err error) error { return err }

// TestFormsCarryWhatWasMeant looks at the values of the forms, which the contract does not tell.
func TestFormsCarryWhatWasMeant(t *testing.T) {
	var form url.Values
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		form = r.PostForm
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"sid":"YC%s"}`, hex32)
	}))
	defer server.Close()
	client, err := twilio.New(twilio.Options{Username: string(account), Password: "secret", BaseURL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	_, err = client.Writer().CreateChallenge(t.Context(), service, user, verify.NewChallenge{
		FactorSID: factor, Message: "Log in & pay 5 €?", HiddenDetails: map[string]string{"ip": "192.0.2.1", "action_id": "<a>"},
		Fields:         []verify.Field{{Label: "Place", Value: "Berlin"}, {Label: "Shop", Value: `"x" & co`}},
		ExpirationDate: time.Date(2026, 11, 23, 12, 0, 0, 0, time.FixedZone("", 3600)),
	})
	if err != nil {
		t.Fatal(err)
	}
	var fields []map[string]string
	for _, text := range form["Details.Fields"] {
		var f map[string]string
		if err := json.Unmarshal([]byte(text), &f); err != nil {
			t.Fatal(err)
		}
		fields = append(fields, f)
	}
	var hidden map[string]string
	if err := json.Unmarshal([]byte(form.Get("HiddenDetails")), &hidden); err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(form.Get("FactorSid"), form.Get("Details.Message"), fields, hidden, form.Get("ExpirationDate"), len(form))
	want := string(factor) + `Log in & pay 5 €?` + fmt.Sprint([]map[string]string{{"label": "Place", "value": "Berlin"}, {"label": "Shop", "value": `"x" & co`}},
		map[string]string{"ip": "192.0.2.1", "action_id": "<a>"}) + "2026-11-23T11:00:00Z" + "5"
	if got != want {
		t.Errorf("sent\n%s, want\n%s", got, want)
	}

	_, err = client.Writer().CreateNotification(t.Context(), service, user, challenge, 0)
	if err != nil || form.Get("Ttl") != "0" || len(form) != 1 {
		t.Errorf("a ttl of nought is sent as %v (%v)", form, err)
	}
	_, err = client.Writer().CreateNotification(t.Context(), service, user, challenge, 119900*time.Millisecond)
	if err != nil || form.Get("Ttl") != "119" {
		t.Errorf("a ttl of 119.9 s is sent as %v (%v)", form, err)
	}
}

// TestContractOfOurWords holds the words of package verify against the enumerations of the documents.
func TestContractOfOurWords(t *testing.T) {
	c := openContract(t)
	for name, ours := range map[string][]string{
		"factor_enum_factor_statuses":            {string(verify.FactorUnverified), string(verify.FactorVerified)},
		"factor_enum_factor_types":               {string(verify.FactorPush), string(verify.FactorTOTP), string(verify.FactorPasskeys)},
		"new_factor_enum_notification_platforms": {string(verify.PlatformAPN), string(verify.PlatformFCM), string(verify.PlatformNone)},
		"challenge_enum_challenge_statuses":      {string(verify.ChallengePending), string(verify.ChallengeExpired), string(verify.ChallengeApproved), string(verify.ChallengeDenied)},
		"credential_enum_push_service":           {verify.CredentialGCM, verify.CredentialAPN, verify.CredentialFCM},
	} {
		theirs := slices.Sorted(slices.Values(c.schemas[name].Enum))
		if !slices.Equal(slices.Sorted(slices.Values(ours)), theirs) {
			t.Errorf("%s is %q in the document, %q here", name, theirs, ours)
		}
	}
}
