package event

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/verifyctl/verifyctl/internal/verify"
)

const (
	hex32   = "0123456789abcdef0123456789abcdef"
	va      = "VA" + hex32
	yf      = "YF" + hex32
	yc      = "YC" + hex32
	nt      = "NT" + hex32
	cr      = "CR" + hex32
	ac      = "AC" + hex32
	no      = "NO" + hex32
	rq      = "RQ" + hex32
	bs      = "BS" + hex32
	person  = "7f9c2ba4-e88f-827d-6160-455cb0a4b1f1"
	printed = "[" + va + ", " + person + ", " + yf + ", " + yc + "]"
)

// The parts of one event of Verify Push, made for these tests, in the order of nesting.
func moreInfo() map[string]any {
	return map[string]any{
		"bindingType": "fcm", "primaryCorrelationId": yc, "correlationIds": printed, "notificationSid": nt, "requestId": rq,
		"module": "FCMBA", "description": "FCM failure='NotRegistered'", "isPassthrough": "false", "fromReference": cr,
	}
}

func payload() map[string]any {
	return map[string]any{"resource_sid": nt, "service_sid": va, "error_code": "52103", "more_info": moreInfo()}
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func form() url.Values {
	return url.Values{
		"Sid": {no}, "AccountSid": {ac}, "ParentAccountSid": {""}, "Level": {"ERROR"}, "PayloadType": {"application/json"},
		"Timestamp": {"2026-11-20T23:28:54Z"}, "Payload": {text(payload())},
	}
}

func alertText() string {
	values := url.Values{}
	for key, value := range moreInfo() {
		values.Set(key, value.(string))
	}
	return values.Encode()
}

func alert() map[string]any {
	return map[string]any{
		"sid": no, "account_sid": ac, "log_level": "error", "error_code": "52103", "alert_text": alertText(),
		"more_info": "https://www.twilio.com/docs/errors/52103", "date_created": "2026-11-20T23:28:54Z",
		"date_generated": "2026-11-20T23:28:54Z", "service_sid": nil, "resource_sid": nt, "request_method": nil,
	}
}

func cloudEvent() map[string]any {
	return map[string]any{
		"specversion": "1.0", "type": "com.twilio.error-logs.error.logged", "source": ac, "id": no,
		"dataschema":      "https://events-schemas.twilio.com/ErrorLogs.Error/2",
		"datacontenttype": "2025-10-08T07:17:02.363Z", "time": "2026-11-20T23:28:54Z",
		"data": map[string]any{
			"sid": no, "account_sid": ac, "date_created": "2026-11-20T23:28:54.000Z", "level": "ERROR",
			"product_name": "Verify", "error_code": "52103", "payload": text(payload()),
		},
	}
}

// camel gives an alert as Twilio's CLI prints it.
func camel() map[string]any {
	return map[string]any{
		"sid": no, "accountSid": ac, "logLevel": "error", "errorCode": "52103", "alertText": alertText(),
		"moreInfo": "https://www.twilio.com/docs/errors/52103", "dateCreated": "2026-11-20T23:28:54.000Z",
	}
}

func console(separator string) string {
	lines := []string{"Error 52103"}
	for key, value := range moreInfo() {
		lines = append(lines, key+separator+`"`+value.(string)+`"`)
	}
	return strings.Join(lines, "\n")
}

func kinesis(v any) map[string]any {
	return map[string]any{"Records": []any{map[string]any{"eventSource": "aws:kinesis",
		"kinesis": map[string]any{"data": base64.StdEncoding.EncodeToString([]byte(text(v)))}}}}
}

// withPayload gives a webhook's form whose Payload is replaced.
func withPayload(payload string) string {
	f := form()
	f.Set("Payload", payload)
	return f.Encode()
}

// TestEveryShapeGivesTheSameFactor: whoever pastes an event need not know what they have.
func TestEveryShapeGivesTheSameFactor(t *testing.T) {
	webhookJSON := map[string]any{"Sid": no, "AccountSid": ac, "Level": "ERROR", "Timestamp": "2026-11-20T23:28:54Z"}
	asText, asObject := copyOf(webhookJSON), copyOf(webhookJSON)
	asText["Payload"], asObject["Payload"] = text(payload()), payload()
	for _, tc := range []struct {
		name, source, in string
		evidence         Evidence
	}{
		{"webhook form", SourceWebhook, form().Encode(), EvidenceStrong},
		{"webhook as JSON with the payload as text", SourceWebhook, text(asText), EvidenceStrong},
		{"webhook as JSON with the payload as object", SourceWebhook, text(asObject), EvidenceStrong},
		{"payload", SourcePayload, text(payload()), EvidenceStrong},
		{"payload made text twice", SourceWebhook, withPayload(text(text(payload()))), EvidenceStrong},
		{"more_info in the payload as text", SourcePayload, text(map[string]any{"error_code": 52103, "more_info": text(moreInfo())}), EvidenceStrong},
		{"more_info", SourceMoreInfo, text(moreInfo()), EvidenceNone},
		{"more_info with its name", SourceMoreInfo, `{"more_info":` + text(moreInfo()) + `}`, EvidenceNone},
		{"alert", SourceAlert, text(alert()), EvidenceStrong},
		{"alert indented", SourceAlert, indented(alert()), EvidenceStrong},
		{"alert list", SourceAlert, text(map[string]any{"alerts": []any{alert()}, "meta": map[string]any{"key": "alerts"}}), EvidenceStrong},
		{"alert list indented", SourceAlert, indented(map[string]any{"meta": map[string]any{"key": "alerts"}, "alerts": []any{alert()}}), EvidenceStrong},
		{"CLI export", SourceAlert, text([]any{camel()}), EvidenceStrong},
		{"CLI export indented", SourceAlert, indented([]any{camel()}), EvidenceStrong},
		{"alert text", SourceAlertText, alertText(), EvidenceNone},
		{"alert with JSON inside", SourceAlert, text(map[string]any{"sid": no, "error_code": "52103", "alert_text": text(moreInfo())}), EvidenceStrong},
		{"CloudEvent", SourceCloudEvent, text(cloudEvent()), EvidenceStrong},
		{"CloudEvent list", SourceCloudEvent, text([]any{cloudEvent()}), EvidenceStrong},
		{"CloudEvents by number", SourceCloudEvent, text(map[string]any{"0": cloudEvent()}), EvidenceStrong},
		{"Kinesis", SourceCloudEvent, text(kinesis(cloudEvent())), EvidenceStrong},
		{"console with bars", SourceConsole, console(" | "), EvidenceStrong},
		{"console with spaces", SourceConsole, console(" "), EvidenceStrong},
		{"console with colons", SourceConsole, console(": "), EvidenceStrong},
		{"HTTP dump of the form", SourceWebhook, "POST /debugger HTTP/1.1\r\nHost: ops.bank.example\r\nX-Twilio-Signature: abc=\r\n\r\n" + form().Encode(), EvidenceStrong},
		{"HTTP dump of an alert", SourceAlert, "HTTP/1.1 200 OK\nContent-Type: application/json\n\n" + text(alert()), EvidenceStrong},
		{"curl", SourceWebhook, "curl -X POST https://ops.bank.example/debugger \\\n  --data-urlencode 'Sid=" + no + "' \\\n  --data-urlencode 'Payload=" + text(payload()) + "'", EvidenceStrong},
		{"code fence", SourcePayload, "```json\n" + text(payload()) + "\n```", EvidenceStrong},
		{"quoted mail", SourcePayload, "> " + strings.ReplaceAll(indented(payload()), "\n", "\n> "), EvidenceStrong},
		{"byte order mark", SourcePayload, "\ufeff" + text(payload()), EvidenceStrong},

		{"curly quotes", SourcePayload, strings.NewReplacer(`{"`, `{“`, `":`, `”:`, `,"`, `,“`, `",`, `”,`, `:"`, `:“`, `"}`, `”}`).Replace(text(payload())), EvidenceNone},
		{"entities", SourcePayload, strings.ReplaceAll(text(payload()), `"`, "&quot;"), EvidenceNone},
		{"no-break spaces", SourcePayload, strings.ReplaceAll(indented(payload()), "  ", "\u00a0 "), EvidenceNone},
		{"zero-width spaces", SourcePayload, strings.ReplaceAll(text(payload()), "89", "8\u200b9"), EvidenceNone},
		{"wrapped at 60 columns", SourcePayload, wrapped(text(payload()), 60), EvidenceNone},
		{"form wrapped at 72 columns", SourceWebhook, wrapped(form().Encode(), 72), EvidenceNone},
		{"python", SourcePayload, strings.ReplaceAll(strings.ReplaceAll(text(payload()), "'", ""), `"`, "'"), EvidenceNone},
		{"without outer braces", SourcePayload, strings.Trim(text(payload()), "{}"), EvidenceNone},
		{"cut at the end", SourcePayload, strings.TrimSuffix(text(payload()), `cdef"}`), EvidenceNone},
		{"log line", SourcePayload, "2026-11-20 23:28:54 INFO debugger event: " + text(payload()), EvidenceNone},
		{"chat with the payload inside", SourcePayload, "Hi, what is this?\n" + indented(payload()) + "\nthanks!", EvidenceNone},
		{"backslashes lost", SourceWebhook, `{"Sid":"` + no + `","Payload":"` + text(payload()) + `"}`, EvidenceNone},
		{"encoded again", SourceWebhook, withPayload(url.QueryEscape(text(payload()))), EvidenceNone},
		{"encoded again, first sign lost", SourceWebhook, withPayload(strings.TrimPrefix(url.QueryEscape(text(payload())), "%")), EvidenceNone},
		{"prose", SourceSalvaged, "error 52103 for " + printed + " since noon", EvidenceNone},
	} {
		t.Run(tc.name, func(t *testing.T) {
			events := Parse([]byte(tc.in))
			if len(events) != 1 {
				t.Fatalf("%d events of %s", len(events), tc.in)
			}
			e := events[0]
			type ids struct {
				Source, Service, Identity, Factor, Challenge string
				Product                                      Product
				Evidence                                     Evidence
				Ambiguous, Masked                            bool
			}
			got := ids{e.Source, e.ServiceSID, e.Identity, e.FactorSID, e.ChallengeSID, e.Product, e.PruneEvidence, e.Ambiguous, e.Masked}
			want := ids{tc.source, va, person, yf, yc, ProductVerifyPush, tc.evidence, false, false}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got\n%s\nreasons: %q\nof %s", diff, e.Reasons, tc.in)
			}
			if e.Verdict != TokenDead || e.Action != refreshToken {
				t.Errorf("verdict %s, action %s", e.Verdict, e.Action)
			}
		})
	}
}

func TestFromAlertGivesWhatDecodingTheAlertGives(t *testing.T) {
	created := time.Date(2026, 11, 20, 23, 28, 54, 0, time.UTC)
	got := FromAlert(verify.Alert{SID: no, AccountSID: ac, LogLevel: "error", ErrorCode: "52103", AlertText: alertText(),
		ResourceSID: nt, DateCreated: created, DateGenerated: created})
	want := Parse([]byte(text(alert())))[0]
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-JSON +alert\n%s", diff)
	}
	if got.PruneEvidence != EvidenceStrong || !got.Timestamp.Equal(created) {
		t.Errorf("%+v", got)
	}
}

// TestThePagesSample: the sample of Twilio's best-practices page, exactly as it stands there. Its code is not shown and
// its description is a refused credential, so no factor may ever be deleted for it.
func TestThePagesSample(t *testing.T) {
	sample, err := os.ReadFile("testdata/page-sample.txt")
	if err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]string{
		"as it stands":   string(sample),
		"with its brace": "{" + string(sample) + "}}",
		"in a fence":     "```\n" + string(sample) + "\n```\n",
		"quoted":         "> " + strings.ReplaceAll(string(sample), "\n", "\n> "),
	} {
		events := Parse([]byte(in))
		if len(events) != 1 {
			t.Fatalf("%s: %d events", name, len(events))
		}
		e := events[0]
		e.Reasons, e.Repaired = nil, false
		want := Event{
			Source: SourceMoreInfo, Product: ProductVerifyPush, Platform: verify.PlatformFCM,
			ServiceSID: "VAf510xxxxxxxxxxxxxxxxxxb8ae2e7251", Identity: "test-identity",
			FactorSID: "YF0314fxxxxxxxxxxxxxxxxxx1349180db", ChallengeSID: "YC03b4fxxxxxxxxxxxxxxxxxx13491tf45",
			NotificationSID: "NT033xxxxxxxxxxxxxxxxxx487ed02cd34", CredentialSID: "CRe07eaxxxxxxxxxxxxxxxxxx59d45351c",
			Description: "401 http response from Fcm Service", Verdict: CredentialBroken, Action: fixCredential,
			PruneEvidence: EvidenceNone, Masked: true, Candidates: []Candidate{},
		}
		if diff := cmp.Diff(want, e); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

// TestNeighbours: what looks like an event of a push and is none is named.
func TestNeighbours(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		want     Event
	}{
		{"non-push webhook", withPayload(`{"resource_sid":"CA` + hex32 + `","service_sid":null,"error_code":"11200","more_info":{"msg":"got 404","Msg":"got 404","sourceComponent":"12000","ErrorCode":"11200","httpResponse":"404","url":"https://app.bank.example","LogLevel":"ERROR"},"webhook":{"type":"application/json","request":{}}}`),
			Event{Source: SourceWebhook, Product: ProductOther, Verdict: NotPush, Action: noAction}},
		{"alert trigger", "AccountSid=" + ac + "&AppMonitorTriggerSid=AM" + hex32 + "&Log=0&ErrorCode=52103&TriggerValue=10&CurrentValue=11",
			Event{Source: SourceAlertTrigger, Product: ProductOther, Verdict: NotPush, Action: noAction}},
		{"Verify webhook", text(map[string]string{"service_sid": va, "entity_identity": person, "account_sid": ac, "factor_sid": yf, "type": "challenge.approved", "uuid": "2c4f7a36-bf7a-4394-a241-3fccc024ab7a", "challenge_sid": yc}),
			Event{Source: SourceVerifyWebhook, Product: ProductVerifyPush, Verdict: NotPush, Action: noAction, ServiceSID: va, Identity: person, FactorSID: yf, ChallengeSID: yc}},
		{"Verify webhook as form", url.Values{"service_sid": {va}, "entity_identity": {person}, "factor_sid": {yf}, "type": {"factor.deleted"}, "uuid": {"1"}}.Encode(),
			Event{Source: SourceVerifyWebhook, Product: ProductVerifyPush, Verdict: NotPush, Action: noAction, ServiceSID: va, Identity: person, FactorSID: yf}},
		{"REST error", `{"code":60306,"message":"Invalid parameter","more_info":"https://www.twilio.com/docs/errors/60306","status":400}`,
			Event{Source: SourceRESTError, Product: ProductVerifyPush, Verdict: NotPush, Action: investigate}},
		{"REST error, API standard", `{"code":20429,"message":"Too many requests","httpStatusCode":429,"params":{},"userError":false}`,
			Event{Source: SourceRESTError, Product: ProductOther, Verdict: Throttled, Action: wait}},
		{"OTP stream", `{"specversion":"1.0","type":"com.twilio.accountsecurity.verify.verification.pending","id":"EZ1","data":{"service_sid":"` + va + `"}}`,
			Event{Source: SourceCloudEvent, Product: ProductOther, Verdict: NotPush, Action: noAction, ServiceSID: va}},
		{"Event Streams' own error", `{"specversion":"1.0","type":"com.twilio.error-logs.error.logged","id":"` + no + `","data":{"sid":"` + no + `","level":"INFO","service_sid":"ZH` + hex32 + `","product_name":"Event Streams","error_code":"93101","payload":"{\"error_code\":93101,\"message\":\"500 Internal Server Error\"}"}}`,
			Event{Source: SourceCloudEvent, Product: ProductOther, Verdict: WebhookFailed, Action: fixWebhook}},
		{"SMS by Notify", `{"bindingType":"sms","primaryCorrelationId":"any words","module":"SMS_BA"}`,
			Event{Source: SourceMoreInfo, Product: ProductNotify, Verdict: VerdictUnknown, Action: investigate}},
		{"alert of the CLI with its text replaced", `{"sid":"` + no + `","errorCode":"11210","logLevel":"error","alertText":"HTTP bad host name","dateCreated":"Tue, 09 Feb 2010 01:23:53 +0000"}`,
			Event{Source: SourceAlert, Product: ProductOther, Verdict: NotPush, Action: noAction}},
		{"webhook of a Service failed", `{"sid":"` + no + `","error_code":"60330","alert_text":"Msg=Failed","service_sid":"` + va + `"}`,
			Event{Source: SourceAlert, Product: ProductVerifyPush, Verdict: WebhookFailed, Action: fixWebhook, ServiceSID: va}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			events := Parse([]byte(tc.in))
			if len(events) != 1 {
				t.Fatalf("%d events", len(events))
			}
			e := events[0]
			got := Event{Source: e.Source, Product: e.Product, Verdict: e.Verdict, Action: e.Action, ServiceSID: e.ServiceSID,
				Identity: e.Identity, FactorSID: e.FactorSID, ChallengeSID: e.ChallengeSID}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got\n%s\n%q", diff, e.Reasons)
			}
			if e.PruneEvidence != EvidenceNone {
				t.Error("it counts as evidence")
			}
		})
	}
}

// TestVoiceIsVoice: Voice shares codes and senders with Verify Push, and its events name no factor.
func TestVoiceIsVoice(t *testing.T) {
	for name, in := range map[string]string{
		"alert text":  "bindingType=fcm&primaryCorrelationId=CA" + hex32 + "&bindingSid=" + bs + "&module=FCMV1OABA&description=FCM+failure='NotRegistered'&isPassthrough=true",
		"alert":       text(map[string]any{"sid": no, "error_code": "52103", "alert_text": "bindingType=fcm&primaryCorrelationId=CAxxxxxxxx&description=FCM+failure='NotRegistered'"}),
		"masked":      `{"bindingType":"apn","primaryCorrelationId":"CA96617cxxxxxxxxxxxxxxxxxxxx9b08","module":"APNSBA"}`,
		"by resource": text(map[string]any{"resource_sid": "CA" + hex32, "service_sid": nil, "error_code": "52134", "more_info": map[string]any{"bindingType": "apn"}}),
	} {
		events := Parse([]byte(in))
		if len(events) != 1 {
			t.Fatalf("%s: %d events", name, len(events))
		}
		if e := events[0]; e.Product != ProductVoice || e.FactorSID != "" || e.Identity != "" || e.PruneEvidence != EvidenceNone {
			t.Errorf("%s: %+v", name, e)
		}
	}
	contradictory := moreInfo()
	contradictory["primaryCorrelationId"] = "CA" + hex32
	e := Parse([]byte(text(map[string]any{"error_code": "52103", "more_info": contradictory})))[0]
	if !e.Ambiguous || e.PruneEvidence != EvidenceNone || e.Product != ProductUnknown {
		t.Errorf("an event of a call and a factor: %+v", e)
	}
}

func copyOf(m map[string]any) map[string]any {
	c := map[string]any{}
	for k, v := range m {
		c[k] = v
	}
	return c
}

func indented(v any) string {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic(err)
	}
	return string(b)
}

// wrapped breaks a text into lines as a terminal or mail program does: anywhere.
func wrapped(s string, width int) string {
	var lines []string
	for len(s) > width {
		lines = append(lines, s[:width])
		s = s[width:]
	}
	return strings.Join(append(lines, s), "\n")
}

func ExampleParse() {
	for _, e := range Parse([]byte(`{"error_code":"52103","more_info":{"bindingType":"fcm","correlationIds":"` + printed + `","description":"FCM failure='NotRegistered'"}}`)) {
		fmt.Println(e.Product, e.Verdict, e.Identity, e.FactorSID)
	}
	// Output: verify_push token_dead 7f9c2ba4-e88f-827d-6160-455cb0a4b1f1 YF0123456789abcdef0123456789abcdef
}

func jsonIndent(b *bytes.Buffer, s string) error { return json.Indent(b, []byte(s), "", "  ") }
