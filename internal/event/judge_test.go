package event

import (
	"cmp"
	"strconv"
	"strings"
	"testing"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// pushEvent gives a whole Verify Push event with a code, a platform and a description.
func pushEvent(t testing.TB, code any, binding, description string) Event {
	info := moreInfo()
	info["bindingType"], info["description"] = binding, description
	p := payload()
	p["error_code"], p["more_info"] = code, info
	events := Parse([]byte(text(p)))
	if len(events) != 1 {
		t.Fatalf("%d events", len(events))
	}
	return events[0]
}

// TestWhatMayEverPrune: of all codes only these count, and only 52103 strongly.
func TestWhatMayEverPrune(t *testing.T) {
	want := map[int]Evidence{52103: EvidenceStrong, 52141: EvidenceWeak, 52119: EvidenceWeak}
	for _, code := range Codes() {
		expected, ok := want[code.Number]
		if !ok {
			expected = EvidenceNone
		}
		if code.Evidence != expected {
			t.Errorf("%d is %s in the catalogue, want %s", code.Number, code.Evidence, expected)
		}
		if code.Number < 10_000 {
			continue
		}
		binding := "fcm"
		if code.Area == areaAPNS {
			binding = "apn"
		}
		if e := pushEvent(t, code.Number, binding, ""); e.PruneEvidence != expected || e.Verdict != code.Verdict && !isFetchFailure(code.Number) {
			t.Errorf("%d gives %s with evidence %s, want %s with %s: %q", code.Number, e.Verdict, e.PruneEvidence, code.Verdict, expected, e.Reasons)
		}
	}
}

func TestVerdicts(t *testing.T) {
	for _, tc := range []struct {
		code                 any
		binding, description string
		verdict              Verdict
		action               Action
		evidence             Evidence
	}{
		{"52103", "fcm", "FCM failure='NotRegistered'", TokenDead, refreshToken, EvidenceStrong},
		{52103, "fcm", "UNREGISTERED", TokenDead, refreshToken, EvidenceStrong},
		{"52103", "fcm", "Requested entity was not found.", TokenDead, refreshToken, EvidenceStrong},
		{"52103", "gcm", "words nobody knows", TokenDead, refreshToken, EvidenceStrong},
		{"52103,NotRegistered", "fcm", "", TokenDead, refreshToken, EvidenceStrong},
		{"52141", "apn", "Unregistered", TokenDead, refreshToken, EvidenceWeak},
		{"52119", "fcm", "APNs token is unregistered", TokenDead, refreshToken, EvidenceWeak},
		{"52119", "apn", "", TokenDead, refreshToken, EvidenceWeak},

		// The description blames something else: the code is not believed.
		{"52103", "fcm", "401 http response from Fcm Service", CredentialBroken, fixCredential, EvidenceNone},
		{"52103", "fcm", "Unauthorized: NotRegistered", CredentialBroken, fixCredential, EvidenceNone},
		{"52141", "apn", "InvalidProviderToken", CredentialBroken, fixCredential, EvidenceNone},
		{"52103", "fcm", "FCM failure='SENDER_ID_MISMATCH'", VerdictUnknown, investigate, EvidenceNone},
		{"52103", "fcm", "503 from FCM", VerdictUnknown, investigate, EvidenceNone},
		{"52103", "fcm", "FCM failure='QUOTA_EXCEEDED'", VerdictUnknown, investigate, EvidenceNone},
		{"52103", "apn", "NotRegistered", VerdictUnknown, investigate, EvidenceNone},
		{"52141", "fcm", "Unregistered", VerdictUnknown, investigate, EvidenceNone},
		{"52102", "fcm", "403 Forbidden", CredentialBroken, fixCredential, EvidenceNone},

		// No code: the description alone never counts.
		{nil, "fcm", "FCM failure='NotRegistered'", TokenDead, refreshToken, EvidenceNone},
		{"", "fcm", "401 http response from Fcm Service", CredentialBroken, fixCredential, EvidenceNone},
		{nil, "apn", "The specified device token is either malformed or not valid for the given environment.", EnvironmentMismatch, checkEnvironment, EvidenceNone},
		{nil, "apn", "DeviceTokenNotForTopic", AppMismatch, checkApp, EvidenceNone},
		{nil, "fcm", "Invalid credential type(Can not use credentialType='apn' credentials for FCM notifications)", CredentialWrongType, fixCredential, EvidenceNone},
		{nil, "fcm", "", VerdictUnknown, investigate, EvidenceNone},
		{"52199", "fcm", "", VerdictUnknown, investigate, EvidenceNone},
		{"0", "fcm", "", VerdictUnknown, investigate, EvidenceNone},

		// Codes without a meaning of their own take the description's.
		{"52112", "fcm", "NotRegistered", TokenDead, refreshToken, EvidenceNone},
		{"52140", "apn", "BadDeviceToken", EnvironmentMismatch, checkEnvironment, EvidenceNone},
		{"52111", "fcm", "", VerdictUnknown, investigate, EvidenceNone},

		{"52134", "apn", "BadDeviceToken", EnvironmentMismatch, checkEnvironment, EvidenceNone},
		{"52142", "apn", "BadDeviceToken", TokenInvalid, refreshToken, EvidenceNone},
		{"52143", "apn", "TopicDisallowed", AppMismatch, checkApp, EvidenceNone},
		{"52005", "fcm", "The stored credential has invalid contents", CredentialBroken, fixCredential, EvidenceNone},
		{"52004", "fcm", "", CredentialMissing, fixCredential, EvidenceNone},
		{"52003", "fcm", "", CredentialWrongType, fixCredential, EvidenceNone},
		{"52108", "fcm", "", Throttled, wait, EvidenceNone},
		{"52110", "fcm", "", VerdictUnknown, wait, EvidenceNone},
	} {
		e := pushEvent(t, tc.code, tc.binding, tc.description)
		if e.Verdict != tc.verdict || e.Action != tc.action || e.PruneEvidence != tc.evidence {
			t.Errorf("%v %s %q: %s %s %s, want %s %s %s\n%q", tc.code, tc.binding, tc.description,
				e.Verdict, e.Action, e.PruneEvidence, tc.verdict, tc.action, tc.evidence, e.Reasons)
		}
		if len(e.Reasons) == 0 {
			t.Errorf("%v %s %q: no reason is given", tc.code, tc.binding, tc.description)
		}
	}
}

// TestDoubtIsNoEvidence: each of these is 52103 with a factor, and something about it is not as it should be.
func TestDoubtIsNoEvidence(t *testing.T) {
	good := text(payload())
	if e := Parse([]byte(good))[0]; e.PruneEvidence != EvidenceStrong {
		t.Fatalf("the event that the others are made of does not count: %q", e.Reasons)
	}
	replace := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%s is not in %s", old, good)
		}
		return strings.Replace(good, old, new, 1)
	}
	for name, in := range map[string]string{
		"a key twice":                     replace(`"error_code":"52103"`, `"error_code":"52103","error_code":"52141"`),
		"a key twice with one value":      replace(`"bindingType":"fcm"`, `"bindingType":"fcm","bindingType":"fcm"`),
		"two codes":                       replace(`"bindingType":"fcm"`, `"bindingType":"fcm","ErrorCode":"52141"`),
		"a comma too much":                replace(`"bindingType":"fcm",`, `"bindingType":"fcm",,`),
		"a number that is none":           replace(`"isPassthrough":"false"`, `"isPassthrough":01`),
		"a raw line break in a text":      replace("FCM failure", "FCM\nfailure"),
		"not UTF-8":                       replace("FCM failure", "FCM\xfffailure"),
		"another Service outside":         replace(`"service_sid":"`+va, `"service_sid":"`+other("VA")),
		"another factor outside":          replace(`"resource_sid":"`+nt, `"resource_sid":"`+other("YF")),
		"another challenge outside":       replace(`"primaryCorrelationId":"`+yc, `"primaryCorrelationId":"`+other("YC")),
		"no correlation ids":              replace(`"correlationIds"`, `"other"`),
		"the factor in another field":     strings.Replace(replace(`"correlationIds"`, `"other"`), `"resource_sid":"`+nt, `"resource_sid":"`+yf, 1),
		"no Service among the ids":        replace("["+va+", ", "["),
		"a masked factor":                 replace(yf, "YF0314fxxxxxxxxxxxxxxxxxx1349180db"),
		"a masked identity":               replace(person, "jane-******"),
		"text before it":                  "event: " + good,
		"a zero-width space in the ids":   replace(person, person[:9]+"\u200b"+person[9:]),
		"a number in front of the object": "1" + good,
	} {
		events := Parse([]byte(in))
		if len(events) == 0 {
			t.Errorf("%s: no event", name)
		}
		for _, e := range events {
			if e.PruneEvidence != EvidenceNone {
				t.Errorf("%s: evidence %s", name, e.PruneEvidence)
			}
			if e.Ambiguous && e.FactorSID != "" && e.FactorSID != yf {
				t.Errorf("%s: factor %s", name, e.FactorSID)
			}
		}
	}
}

func TestCodes(t *testing.T) {
	for in, want := range map[string]int{
		`"52103"`: 52103, `52103`: 52103, `"52103,some text"`: 52103, `" 52103 "`: 52103, `null`: 0, `""`: 0, `"x52103"`: 0,
		`-52103`: 0, `"0"`: 0, `99999999999999999999`: 0, `5.2103e4`: 5, `true`: 0, `"52103abc"`: 52103,
	} {
		events := Parse([]byte(`{"resource_sid":"x","more_info":{"bindingType":"fcm"},"error_code":` + in + `}`))
		if len(events) != 1 {
			t.Fatalf("%s: %d events", in, len(events))
		}
		e := events[0]
		got := 0
		if e.ErrorCode != nil {
			got = *e.ErrorCode
		}
		if got != want {
			t.Errorf("%s is %d, want %d", in, got, want)
		}
	}
	fallback := Parse([]byte(`{"error_code":null,"more_info":{"ErrorCode":"32009,Your TwiML tried","Msg":"x"}}`))[0]
	if fallback.ErrorCode == nil || *fallback.ErrorCode != 32009 || fallback.Verdict != NotPush {
		t.Errorf("%+v", fallback)
	}
}

func TestAttribution(t *testing.T) {
	otherVA := other("VA")
	attribution := NewAttribution([]verify.Environment{
		{Name: "prod", AccountSID: ac, ServiceSID: va},
		{Name: "staging", AccountSID: verify.AccountSID(other("AC")), ServiceSID: verify.ServiceSID(otherVA)},
		{Name: "dev", AccountSID: verify.AccountSID(other("AC")), ServiceSID: verify.ServiceSID("VA" + strings.Repeat("d", 32))},
	}, "")
	attribution.AddCredentials(verify.Service{SID: va, Push: &verify.PushConfig{APNCredentialSID: cr, FCMCredentialSID: verify.CredentialSID(other("CR"))}})
	attribution.AddCredentials(verify.Service{SID: verify.ServiceSID(otherVA), Push: &verify.PushConfig{FCMCredentialSID: verify.CredentialSID(other("CR"))}})

	withFrom := func(from, account string) string {
		return text(map[string]any{"Sid": no, "AccountSid": account, "Payload": map[string]any{"error_code": "52103",
			"more_info": map[string]any{"bindingType": "apn", "fromReference": from}}})
	}
	for _, tc := range []struct {
		name, in, environment, service string
		inferred                       bool
		evidence                       Evidence
		next                           string
	}{
		{"by Service", text(payload()), "prod", va, false, EvidenceStrong, "verifyctl -e prod factors show " + person + " " + yf},
		{"by Service in another case", strings.ReplaceAll(text(payload()), va, strings.ToUpper(va)), "prod", strings.ToUpper(va), false, EvidenceStrong, "verifyctl -e prod factors show " + person + " " + yf},
		{"by credential", withFrom(cr, ""), "prod", va, true, EvidenceNone, "verifyctl debugger explain 52103"},
		{"credential of two Services, account of one", withFrom(other("CR"), ac), "prod", "", true, EvidenceNone, "verifyctl debugger explain 52103"},
		{"credential of two Services, account of two", withFrom(other("CR"), other("AC")), "", "", false, EvidenceNone, "verifyctl debugger explain 52103"},
		{"another Service", strings.ReplaceAll(text(payload()), va, "VA"+strings.Repeat("c", 32)), "", "VA" + strings.Repeat("c", 32), false, EvidenceStrong, "verifyctl debugger explain 52103"},
		{"nothing known", `{"error_code":"52103","more_info":{"bindingType":"fcm"}}`, "", "", false, EvidenceNone, "verifyctl debugger explain 52103"},
		{"broken credential", text(map[string]any{"error_code": "52131", "more_info": map[string]any{"correlationIds": printed}}), "prod", va, false, EvidenceNone, "verifyctl -e prod doctor"},
	} {
		for e, err := range Decode(strings.NewReader(tc.in), Options{Attribution: attribution}) {
			if err != nil {
				t.Fatal(err)
			}
			environment := ""
			if e.Environment != nil {
				environment = *e.Environment
			}
			if environment != tc.environment || e.ServiceSID != tc.service || e.Inferred != tc.inferred || e.PruneEvidence != tc.evidence || e.Next != tc.next {
				t.Errorf("%s: environment %q service %q inferred %v evidence %s next %q\n%q", tc.name, environment, e.ServiceSID, e.Inferred, e.PruneEvidence, e.Next, e.Reasons)
			}
		}
	}
}

// TestAttributionOfASharedService: the environment that was named wins; without one nobody guesses.
func TestAttributionOfASharedService(t *testing.T) {
	shared := []verify.Environment{{Name: "local", AccountSID: ac, ServiceSID: va}, {Name: "demo", AccountSID: ac, ServiceSID: va},
		{Name: "far", AccountSID: ac, ServiceSID: verify.ServiceSID(other("VA"))}}
	for chosen, want := range map[string]string{"local": "local", "demo": "demo", "far": "", "": ""} {
		e := Parse([]byte(text(payload())))[0]
		NewAttribution(shared, chosen).Apply(&e)
		if got := cmp.Or(e.Environment, new(string)); *got != want {
			t.Errorf("-e %s: attributed to %q, want %q", chosen, *got, want)
		}
		if told := strings.Contains(strings.Join(e.Reasons, " "), "several environments: local, demo"); told != (want == "") {
			t.Errorf("-e %s: %q", chosen, e.Reasons)
		}
	}
}

// TestNextIsSafeToPaste: an identity may hold anything, and none of it may reach a shell.
func TestNextIsSafeToPaste(t *testing.T) {
	attribution := NewAttribution([]verify.Environment{{Name: "prod us", ServiceSID: va}}, "")
	for _, identity := range []string{"$(reboot)", "a;reboot", "`id`", "..", "--yes-----", "x\x1b[2Jxxxxxxx"} {
		e := eventOf(t, printList([]string{va, identity, yf}))
		attribution.Apply(&e)
		if strings.Contains(e.Next, identity) && identity != "--yes-----" || !strings.HasPrefix(e.Next, "verifyctl ") {
			t.Errorf("%q: %s", identity, e.Next)
		}
	}
	e := eventOf(t, printed)
	attribution.Apply(&e)
	if want := "verifyctl -e 'prod us' factors show " + person + " " + yf; e.Next != want {
		t.Errorf("%s, want %s", e.Next, want)
	}
}

func TestUnknownCodeSaysSo(t *testing.T) {
	e := pushEvent(t, "52199", "fcm", "")
	if !strings.Contains(strings.Join(e.Reasons, " "), strconv.Itoa(52199)) {
		t.Errorf("%q", e.Reasons)
	}
}
