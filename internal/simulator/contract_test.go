package simulator_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/verifyctl/verifyctl/internal/simulator"
)

// documents finds Twilio's OpenAPI documents; a checkout alone does not have them.
func documents(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("VERIFYCTL_OPENAPI")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "openapi")
	}
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		t.Skip("skipped: Twilio's OpenAPI documents are not here; name their folder in VERIFYCTL_OPENAPI")
	}
	return dir
}

// contract is one document in its strict form: every property of a reply is required and no other is allowed.
type contract struct {
	t       *testing.T
	doc     *openapi3.T
	paths   map[string]*regexp.Regexp
	visited map[string]bool
}

// load reads a document and makes it strict before the library sees it.
func load(t *testing.T, file string) *contract {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(documents(t), file))
	if err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	if err := json.Unmarshal(raw, &tree); err != nil {
		t.Fatal(err)
	}
	repair(tree)
	paths := tree["paths"].(map[string]any)
	tighten(tree["components"].(map[string]any)["schemas"])
	for _, path := range paths {
		for _, operation := range path.(map[string]any) {
			if op, isOperation := operation.(map[string]any); isOperation {
				tighten(op["responses"])
			}
		}
	}
	if raw, err = json.Marshal(tree); err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(raw)
	if err != nil {
		t.Fatal(err)
	}
	c := &contract{t: t, doc: doc, paths: map[string]*regexp.Regexp{}, visited: map[string]bool{}}
	for path := range paths {
		c.paths[path] = regexp.MustCompile("^" + regexp.MustCompile(`\\\{[^}]*\}`).ReplaceAllString(regexp.QuoteMeta(path), `[^/]+`) + "$")
	}
	if len(c.paths) == 0 {
		t.Fatalf("%s holds no paths", file)
	}
	return c
}

// repair gives the untyped items of Details.Fields a type, without which the library takes no request.
func repair(node any) {
	switch v := node.(type) {
	case map[string]any:
		if items, isMap := v["items"].(map[string]any); isMap && len(items) == 0 {
			v["items"] = map[string]any{"type": "string"}
		}
		for _, child := range v {
			repair(child)
		}
	case []any:
		for _, child := range v {
			repair(child)
		}
	}
}

// tighten requires every property of every object and allows no other.
func tighten(node any) {
	switch v := node.(type) {
	case map[string]any:
		if properties, isSchema := v["properties"].(map[string]any); isSchema {
			v["required"] = slices.Sorted(maps.Keys(properties))
			v["additionalProperties"] = false
		}
		for name, child := range v {
			if name != "examples" {
				tighten(child)
			}
		}
	case []any:
		for _, child := range v {
			tighten(child)
		}
	}
}

// check holds a reply against the document and notes the operation as visited.
func (c *contract) check(method, path string, a answer) {
	c.t.Helper()
	path, _, _ = strings.Cut(path, "?")
	for template, pattern := range c.paths {
		if !pattern.MatchString(path) {
			continue
		}
		operation := c.doc.Paths.Find(template).GetOperation(method)
		if operation == nil {
			continue
		}
		response := operation.Responses.Status(a.status)
		if response == nil {
			c.t.Errorf("%s %s: the document has no status %d", method, path, a.status)
			return
		}
		c.visited[operation.OperationID] = true
		media := response.Value.Content["application/json"]
		if media == nil {
			if a.raw != "" {
				c.t.Errorf("%s %s: a body where the document has none: %s", method, path, a.raw)
			}
			return
		}
		if err := media.Schema.Value.VisitJSON(a.body, openapi3.MultiErrors()); err != nil {
			c.t.Errorf("%s %s: %v\n%s", method, path, err, a.raw)
		}
		c.checkFreeForm(operation, media, a)
		return
	}
	c.t.Errorf("%s %s is not in the document", method, path)
}

// freeForm are the properties that the document types as anything. Their keys are held to those of its examples,
// except where the user chooses them.
var freeForm = map[string]bool{"config": true, "details": true, "push": true, "totp": true, "whatsapp": true, "passkeys": true,
	"binding": true, "forms": true, "links": true}

func (c *contract) checkFreeForm(operation *openapi3.Operation, media *openapi3.MediaType, a answer) {
	c.t.Helper()
	examples := map[string]map[string]bool{}
	for _, example := range media.Examples {
		collectShapes(example.Value.Value, examples)
	}
	actual := map[string]map[string]bool{}
	collectShapes(a.body, actual)
	for name, shapes := range actual {
		for shape := range shapes {
			if len(examples[name]) > 0 && !examples[name][shape] {
				c.t.Errorf("%s: %s has the keys %q, the document's examples have %q", operation.OperationID, name, shape, slices.Sorted(maps.Keys(examples[name])))
			}
		}
	}
}

// collectShapes notes the key sets of the free-form objects in a value.
func collectShapes(node any, shapes map[string]map[string]bool) {
	switch v := node.(type) {
	case map[string]any:
		for name, child := range v {
			if object, isObject := child.(map[string]any); isObject && freeForm[name] {
				if shapes[name] == nil {
					shapes[name] = map[string]bool{}
				}
				shapes[name][shape(name, object)] = true
			}
			collectShapes(child, shapes)
		}
	case []any:
		for _, child := range v {
			collectShapes(child, shapes)
		}
	}
}

// shape names an object's keys. Two keys may differ from the examples: details.date is there only for a Service that
// includes it, and config.credential_sid, which no example has, is what Twilio's mobile SDKs need.
func shape(name string, object map[string]any) string {
	keys := slices.Sorted(maps.Keys(object))
	keys = slices.DeleteFunc(keys, func(key string) bool {
		return name == "details" && key == "date" || name == "config" && key == "credential_sid"
	})
	return strings.Join(keys, " ")
}

// pushOperations picks the operations of the Verify document that concern push.
func pushOperations(path string) bool {
	for _, foreign := range []string{"/Verifications", "/VerificationCheck", "/RateLimits", "/MessagingConfigurations", "/Passkeys"} {
		if strings.Contains(path, foreign) {
			return false
		}
	}
	return strings.HasPrefix(path, "/v2/Services") || strings.HasPrefix(path, "/v2/Forms")
}

// unvisited are the operations that the tour left out.
func (c *contract) unvisited(wanted func(path string) bool) []string {
	var left []string
	count := 0
	for path, item := range c.doc.Paths.Map() {
		if !wanted(path) {
			continue
		}
		for _, operation := range item.Operations() {
			count++
			if !c.visited[operation.OperationID] {
				left = append(left, operation.OperationID)
			}
		}
	}
	if count == 0 {
		c.t.Fatal("the document has no operation that the tour should visit")
	}
	slices.Sort(left)
	return left
}

// tour is a client whose successful replies are all held against a contract.
type tour struct {
	*client
	contract *contract
}

func (c *contract) tour(on *client) tour { return tour{on, c} }

func (v tour) ok(method, path string, form ...string) answer {
	v.t.Helper()
	a := v.client.ok(method, path, form...)
	v.contract.check(method, path, a)
	return a
}

// TestVerifyContract goes through every push operation of Verify.
func TestVerifyContract(t *testing.T) {
	contract := load(t, "twilio_verify_v2.json")
	c := frozen(t).at("verify.twilio.com")
	v := contract.tour(c)

	for _, form := range [][]string{
		{},
		{"Push.IncludeDate", "true", "Push.ApnCredentialSid", "CR" + strings.Repeat("a", 32), "Totp.Issuer", "Example Bank", "Totp.TimeStep", "20",
			"Whatsapp.From", "whatsapp:+15005550006", "Passkeys.RelyingParty.Origins", "bank.example,login.bank.example"},
	} {
		service := v.ok("POST", "/v2/Services", append([]string{"FriendlyName", "Example Bank"}, form...)...).text("sid")
		tourService(t, v, "/v2/Services/"+service, service)
	}
	v.ok("GET", "/v2/Forms/form-push")
	v.ok("GET", "/v2/Services?PageSize=1")
	if left := contract.unvisited(pushOperations); len(left) > 0 {
		t.Errorf("not visited: %v", left)
	}
}

func tourService(t *testing.T, v tour, at, service string) {
	v.ok("GET", "/v2/Services")
	v.ok("GET", at)
	v.ok("POST", at, "FriendlyName", "Example Bank two")
	v.ok("GET", at+"/RateLimits")
	v.ok("GET", at+"/MessagingConfigurations")

	v.ok("POST", at+"/Entities", "Identity", "user-0001-empty")
	v.ok("GET", at+"/Entities/user-0001-empty")
	v.ok("GET", at+"/Entities/user-0001-empty/Factors")
	v.ok("GET", at+"/Entities/user-0001-empty/Challenges")
	v.ok("GET", at+"/Entities")

	token := v.ok("POST", at+"/AccessTokens", "Identity", "user-1001-amara", "FactorType", "push", "FactorFriendlyName", "Phone").text("sid")
	v.ok("GET", at+"/AccessTokens/"+token)

	hook := v.ok("POST", at+"/Webhooks", "FriendlyName", "backend", "EventTypes", "factor.created", "EventTypes", "challenge.denied", "WebhookUrl", "https://hooks.bank.example/v").text("sid")
	v.ok("GET", at+"/Webhooks")
	v.ok("GET", at+"/Webhooks/"+hook)
	v.ok("POST", at+"/Webhooks/"+hook, "Status", "disabled")
	v.ok("DELETE", at+"/Webhooks/"+hook)

	h := newHandset(t, v.client, service, "user-1001-amara")
	user := h.entity()
	h.account, h.factor, h.kid = enrolOnTour(v, h, "fcm")
	v.ok("POST", user+"/Factors/"+h.factor, "AuthPayload", h.proof(h.factor))
	v.ok("POST", user+"/Factors/"+h.factor, "FriendlyName", "New name")
	withoutPush := newHandset(t, v.client, service, h.identity)
	withoutPush.account, withoutPush.factor, withoutPush.kid = enrolOnTour(v, withoutPush, "none")
	v.ok("POST", user+"/Factors", "FriendlyName", "Authenticator", "FactorType", "totp", "Metadata", `{"os":"Android"}`)
	v.ok("GET", user+"/Factors")
	v.ok("GET", user+"/Factors/"+h.factor)
	v.ok("GET", at+"/Entities")

	bare := v.ok("POST", user+"/Challenges", "FactorSid", h.factor, "Details.Message", "Sign in?").text("sid")
	full := v.ok("POST", user+"/Challenges", "FactorSid", h.factor, "Details.Message", "Sign in?", "HiddenDetails", `{"ip":"192.0.2.1"}`,
		"Details.Fields", `{"label":"Location","value":"Lyon"}`, "Details.Fields", `{"label":"Device","value":"Firefox"}`).text("sid")
	v.ok("POST", user+"/Challenges/"+bare+"/Notifications", "Ttl", "150")
	for _, end := range []struct{ challenge, status string }{{bare, "denied"}, {full, "approved"}} {
		fetched := v.ok("GET", user+"/Challenges/"+end.challenge)
		v.ok("POST", user+"/Challenges/"+end.challenge, "AuthPayload", h.challengePayload(fetched, end.status, nil), "Metadata", `{"os":"Android"}`)
	}
	v.ok("GET", user+"/Challenges?Order=desc&Status=approved&FactorSid="+h.factor)
	v.ok("GET", user+"/Challenges?PageSize=1")

	v.ok("DELETE", user+"/Factors/"+withoutPush.factor)
	v.ok("DELETE", user)
	v.ok("DELETE", at)
	v.ok("POST", "/v2/Services", "FriendlyName", "Example Bank three")
}

func enrolOnTour(v tour, h *handset, platform string) (account, factor, kid string) {
	v.t.Helper()
	a := v.ok("POST", h.entity()+"/Factors", append(h.enrolmentForm(platform), "Metadata", `{"os":"iOS"}`)...)
	return a.text("account_sid"), a.text("sid"), a.body["config"].(map[string]any)["credential_sid"].(string)
}

// TestNotifyContract goes through the push credentials.
func TestNotifyContract(t *testing.T) {
	contract := load(t, "twilio_notify_v1.json")
	v := contract.tour(frozen(t).at("notify.twilio.com"))
	v.ok("GET", "/v1/Credentials")
	for _, form := range [][]string{
		{"Type", "fcm", "FriendlyName", "Android", "Secret", `{"type":"service_account","project_id":"bank-example"}`},
		{"Type", "GcM", "ApiKey", "legacy-key"},
		{"Type", "apn", "Sandbox", "true", "Certificate", testCertificate(t, "com.example.app"), "PrivateKey", "-"},
	} {
		at := "/v1/Credentials/" + v.ok("POST", "/v1/Credentials", form...).text("sid")
		v.ok("GET", at)
		v.ok("POST", at, "FriendlyName", "Renamed")
		v.ok("GET", "/v1/Credentials")
		v.ok("DELETE", at)
	}
	if left := contract.unvisited(func(path string) bool { return strings.HasPrefix(path, "/v1/Credentials") }); len(left) > 0 {
		t.Errorf("not visited: %v", left)
	}
}

// TestMonitorContract goes through alerts and audit events.
func TestMonitorContract(t *testing.T) {
	contract := load(t, "twilio_monitor_v1.json")
	v := contract.tour(demo(t).at("monitor.twilio.com"))
	alerts := v.ok("GET", "/v1/Alerts?LogLevel=error&StartDate=2026-10-30&EndDate=2026-11-02T09:30:00Z&PageSize=3").items("alerts")
	for _, sid := range append(column(alerts, "sid"), column(v.ok("GET", "/v1/Alerts").items("alerts"), "sid")...) {
		v.ok("GET", "/v1/Alerts/"+sid)
	}
	events := v.ok("GET", "/v1/Events").items("events")
	if len(alerts) == 0 || len(events) == 0 {
		t.Fatalf("%d alerts, %d events", len(alerts), len(events))
	}
	v.ok("GET", "/v1/Events/"+column(events, "sid")[0])
	if left := contract.unvisited(func(string) bool { return true }); len(left) > 0 {
		t.Errorf("not visited: %v", left)
	}
}

// documentedKeys are the reply keys of products whose documents are not among those above (twilio_api_v2010.json,
// twilio_iam_v1.json, twilio_events_v1.json, twilio_conversations_v1.json).
var documentedKeys = map[string]string{
	"account":         "auth_token date_created date_updated friendly_name owner_account_sid sid status subresource_uris type uri",
	"usage":           "account_sid api_version as_of category count count_unit description end_date price price_unit start_date subresource_uris uri usage usage_unit",
	"key":             "date_created date_updated friendly_name policy sid",
	"key item":        "date_created date_updated flags friendly_name sid",
	"new key":         "date_created date_updated friendly_name policy secret sid",
	"sink":            "date_created date_updated description links sid sink_configuration sink_type status url",
	"subscription":    "account_sid date_created date_updated description links sid sink_sid url",
	"subscribed type": "account_sid schema_version subscription_sid type url",
	"credential":      "account_sid date_created date_updated friendly_name sandbox sid type url",
}

// TestOtherProducts goes through what doctor reads beside Verify, Notify and Monitor.
func TestOtherProducts(t *testing.T) {
	c := demo(t)
	keys := func(kind string, object map[string]any) {
		t.Helper()
		if got := strings.Join(slices.Sorted(maps.Keys(object)), " "); got != documentedKeys[kind] {
			t.Errorf("%s has the keys %q, want %q", kind, got, documentedKeys[kind])
		}
	}
	account := "/2010-04-01/Accounts/" + simulator.DefaultAccountSID
	keys("account", c.ok("GET", account+".json").body)
	keys("usage", c.ok("GET", account+"/Usage/Records.json?Category=verify-push&StartDate=2026-10-01&EndDate=2026-11-02").items("usage_records")[0])

	keys("key item", c.ok("GET", "/v1/Keys?AccountSid="+simulator.DefaultAccountSID).items("keys")[0])
	made := c.ok("POST", "/v1/Keys", "AccountSid", simulator.DefaultAccountSID, "FriendlyName", "ci", "Policy", `{"allow":["/twilio/verify/*"]}`)
	keys("new key", made.body)
	keys("key", c.ok("GET", "/v1/Keys/"+made.text("sid")).body)
	keys("key", c.ok("POST", "/v1/Keys/"+made.text("sid"), "FriendlyName", "renamed").body)
	restricted := c.as(made.text("sid"), made.text("secret"))
	restricted.ok("GET", "/v2/Services")
	restricted.refused(http.StatusForbidden, 20006, "GET", "/v1/Credentials")
	c.ok("DELETE", "/v1/Keys/"+made.text("sid"))
	restricted.refused(http.StatusUnauthorized, 20003, "GET", "/v2/Services")

	keys("sink", c.ok("GET", "/v1/Sinks?Status=active").items("sinks")[0])
	sink := c.ok("POST", "/v1/Sinks", "Description", "d", "SinkType", "webhook", "SinkConfiguration", `{"destination":"https://hooks.bank.example"}`)
	keys("sink", sink.body)
	keys("sink", c.ok("POST", "/v1/Sinks/"+sink.text("sid"), "Description", "other").body)
	sub := c.ok("POST", "/v1/Subscriptions", "Description", "d", "SinkSid", sink.text("sid"), "Types", `{"type":"com.twilio.error-logs.error.logged"}`)
	keys("subscription", sub.body)
	keys("subscription", c.ok("GET", "/v1/Subscriptions?SinkSid="+sink.text("sid")).items("subscriptions")[0])
	events := "/v1/Subscriptions/" + sub.text("sid") + "/SubscribedEvents"
	keys("subscribed type", c.ok("POST", events, "Type", "com.twilio.other").body)
	if got := c.ok("GET", events).items("types"); len(got) != 2 {
		t.Errorf("%d subscribed types, want 2", len(got))
	}
	keys("subscribed type", c.ok("GET", events+"/com.twilio.other").body)
	c.ok("DELETE", events+"/com.twilio.other")
	c.ok("DELETE", "/v1/Subscriptions/"+sub.text("sid"))
	c.ok("DELETE", "/v1/Sinks/"+sink.text("sid"))

	conversations := c.at("conversations.twilio.com")
	keys("credential", conversations.ok("GET", "/v1/Credentials?PageSize=100").items("credentials")[0])
	conversations.refused(http.StatusBadRequest, 20007, "GET", "/v1/Credentials?PageSize=101")
	byPath := c.ok("GET", "/conversations/v1/Credentials/"+simulator.DemoAPNCredentialSID)
	if !strings.HasSuffix(byPath.text("url"), "simulator.test/conversations/v1/Credentials/"+simulator.DemoAPNCredentialSID) {
		t.Errorf("the url of a credential by path: %s", byPath.text("url"))
	}
}
