package simulator_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"encoding/json"

	twilio "github.com/twilio/twilio-go/client"

	"github.com/verifyctl/verifyctl/internal/simulator"
)

const (
	apnCredential = "CR11111111111111111111111111111111"
	fcmCredential = "CR22222222222222222222222222222222"
	fleetService  = "VA33333333333333333333333333333333"
)

// phones is a world of one Service whose pushes arrive, with an iPhone and an Android phone.
func phones(change func(*simulator.World)) simulator.Options {
	no := "False"
	w := simulator.World{
		Credentials: []simulator.WorldCredential{
			{SID: apnCredential, Type: "apn", Sandbox: &no, Contents: simulator.CredentialContents{Topic: "com.example.app"}},
			{SID: fcmCredential, Type: "fcm", Contents: simulator.CredentialContents{Project: "bank-example"}},
		},
		Services: []simulator.WorldService{{SID: fleetService, APN: apnCredential, FCM: fcmCredential, Entities: []simulator.WorldEntity{{
			Identity: "user-1001-amara",
			Factors: []simulator.WorldFactor{
				{SID: "YF" + strings.Repeat("a", 32), DeviceState: simulator.DeviceState{Build: "distribution"}},
				{SID: "YF" + strings.Repeat("b", 32), Platform: "fcm", DeviceState: simulator.DeviceState{Project: "bank-example"}},
				{SID: "YF" + strings.Repeat("c", 32), Platform: "none"},
			},
		}}}},
	}
	change(&w)
	return simulator.Options{World: w, Clock: simulator.Clock{Mode: simulator.ClockFrozen, At: start}}
}

// ring makes a challenge for one of the phones and gives what became of its push.
func ring(c *client, factor string) simulator.Push {
	c.t.Helper()
	sid := c.ok("POST", "/v2/Services/"+fleetService+"/Entities/user-1001-amara/Challenges", "FactorSid", factor, "Details.Message", "Sign in?").text("sid")
	pushes, err := c.sim.Pushes(c.t.Context(), simulator.PushFilter{Challenge: sid})
	if err != nil || len(pushes) != 1 {
		c.t.Fatalf("pushes: %v, %v", pushes, err)
	}
	return pushes[0]
}

// alertCodes are the error codes in the stream, newest first.
func alertCodes(c *client) []string {
	return column(c.ok("GET", "/v1/Alerts").items("alerts"), "error_code")
}

// TestDelivery plays what can be wrong with a credential, a phone or the two together.
func TestDelivery(t *testing.T) {
	iPhone, androidPhone := "YF"+strings.Repeat("a", 32), "YF"+strings.Repeat("b", 32)
	apn := func(contents simulator.CredentialContents) func(*simulator.World) {
		return func(w *simulator.World) { w.Credentials[0].Contents = contents }
	}
	fcm := func(contents simulator.CredentialContents) func(*simulator.World) {
		return func(w *simulator.World) { w.Credentials[1].Contents = contents }
	}
	phone := func(n int, change func(*simulator.WorldFactor)) func(*simulator.World) {
		return func(w *simulator.World) { change(&w.Services[0].Entities[0].Factors[n]) }
	}
	yes := "True"
	for _, tt := range []struct {
		name    string
		change  func(*simulator.World)
		factor  string
		outcome simulator.Outcome
		code    int
	}{
		{"all well on iOS", func(*simulator.World) {}, iPhone, simulator.Delivered, 0},
		{"all well on Android", func(*simulator.World) {}, androidPhone, simulator.Delivered, 0},
		{"platform none", func(*simulator.World) {}, "YF" + strings.Repeat("c", 32), simulator.Skipped, 0},
		{"muted", phone(1, func(f *simulator.WorldFactor) { f.Muted = true }), androidPhone, simulator.Unseen, 0},
		{"lost on the way", phone(1, func(f *simulator.WorldFactor) { f.LosesPushes = true }), androidPhone, simulator.Lost, 0},
		{"no APN credential", func(w *simulator.World) { w.Services[0].APN = "" }, iPhone, simulator.Refused, 52004},
		{"no FCM credential", func(w *simulator.World) { w.Services[0].FCM = "" }, androidPhone, simulator.Refused, 52004},
		{"a dangling credential", func(w *simulator.World) { w.Credentials = w.Credentials[1:] }, iPhone, simulator.Refused, 52002},
		{"another account's credential", func(w *simulator.World) { w.Credentials[0].Account = "AC" + strings.Repeat("9", 32) }, iPhone, simulator.Refused, 52162},
		{"an FCM credential for iOS", func(w *simulator.World) { w.Services[0].APN = fcmCredential }, iPhone, simulator.Refused, 52003},
		{"an APN credential for Android", func(w *simulator.World) { w.Services[0].FCM = apnCredential }, androidPhone, simulator.Refused, 52003},
		{"an empty credential", apn(simulator.CredentialContents{Empty: true}), iPhone, simulator.Refused, 52161},
		{"a malformed credential", fcm(simulator.CredentialContents{Malformed: true}), androidPhone, simulator.Refused, 52005},
		{"a store build with a sandbox credential", func(w *simulator.World) { w.Credentials[0].Sandbox = &yes }, iPhone, simulator.Refused, 52134},
		{"a debug build with a live credential", phone(0, func(f *simulator.WorldFactor) { f.Build = "debug" }), iPhone, simulator.Refused, 52134},
		{"an expired certificate", apn(simulator.CredentialContents{Expires: start.Add(-time.Hour)}), iPhone, simulator.Refused, 52131},
		{"a revoked certificate", apn(simulator.CredentialContents{Revoked: true}), iPhone, simulator.Refused, 52145},
		{"a certificate without its key", apn(simulator.CredentialContents{KeyMismatch: true}), iPhone, simulator.Refused, 52145},
		{"a certificate of another app", apn(simulator.CredentialContents{Topic: "com.example.other"}), iPhone, simulator.Refused, 52143},
		{"a VoIP certificate", apn(simulator.CredentialContents{VoIP: true}), iPhone, simulator.Refused, 52143},
		{"a wrong APNs token", phone(0, func(f *simulator.WorldFactor) { f.BadToken = true }), iPhone, simulator.Refused, 52142},
		{"an APNs token that is no hexadecimal", phone(0, func(f *simulator.WorldFactor) { f.Token = strings.Repeat("xy", 32) }), iPhone, simulator.Refused, 52134},
		{"an APNs token that was cut", phone(0, func(f *simulator.WorldFactor) { f.Token = strings.Repeat("a1", 31) }), iPhone, simulator.Refused, 52134},
		{"a longer APNs token", phone(0, func(f *simulator.WorldFactor) { f.Token = strings.Repeat("a1", 80) }), iPhone, simulator.Delivered, 0},
		{"a legacy FCM key", fcm(simulator.CredentialContents{Legacy: true}), androidPhone, simulator.Refused, 52117},
		{"a gcm credential", func(w *simulator.World) { w.Credentials[1].Type = "gcm" }, androidPhone, simulator.Refused, 52117},
		{"a revoked FCM key", fcm(simulator.CredentialContents{Revoked: true}), androidPhone, simulator.Refused, 52109},
		{"an invalid FCM key", fcm(simulator.CredentialContents{KeyMismatch: true}), androidPhone, simulator.Refused, 52101},
		{"a service account without permission", fcm(simulator.CredentialContents{NoPermission: true}), androidPhone, simulator.Refused, 52115},
		{"another Firebase project", fcm(simulator.CredentialContents{Project: "other"}), androidPhone, simulator.Refused, 52104},
		{"a wrong FCM token", phone(1, func(f *simulator.WorldFactor) { f.BadToken = true }), androidPhone, simulator.Refused, 52102},
		{"an uninstalled Android app", phone(1, func(f *simulator.WorldFactor) { f.Uninstalled = true }), androidPhone, simulator.Refused, 52103},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := open(t, phones(tt.change))
			if p := ring(c, tt.factor); p.Outcome != tt.outcome || p.Code != tt.code {
				t.Errorf("the push was %s with %d, want %s with %d", p.Outcome, p.Code, tt.outcome, tt.code)
			}
			want := []string{}
			if tt.code != 0 {
				want = []string{fmt.Sprint(tt.code)}
			}
			if got := alertCodes(c); strings.Join(got, " ") != strings.Join(want, " ") {
				t.Errorf("alerts %v, want %v", got, want)
			}
		})
	}
}

// TestUninstalled is what the account hears of apps that are gone: of Android's once, of Apple's late or never.
func TestUninstalled(t *testing.T) {
	c := open(t, phones(func(w *simulator.World) {
		factors := &w.Services[0].Entities[0].Factors
		(*factors)[1].Uninstalled = true
		for i := range 16 {
			*factors = append(*factors, simulator.WorldFactor{SID: fmt.Sprintf("YF%032x", i), DeviceState: simulator.DeviceState{Build: "distribution", Uninstalled: true}})
		}
	}))
	androidPhone := "YF" + strings.Repeat("b", 32)
	ring(c, androidPhone)
	if p := ring(c, androidPhone); p.Outcome != simulator.Skipped {
		t.Errorf("a second push to a dead token was %s", p.Outcome)
	}
	for i := range 16 {
		for range 2 {
			if p := ring(c, fmt.Sprintf("YF%032x", i)); p.Outcome != simulator.Lost {
				t.Errorf("a push to an iPhone without the app was %s", p.Outcome)
			}
		}
	}
	if got := alertCodes(c); len(got) != 1 || got[0] != "52103" {
		t.Errorf("at once the alerts are %v", got)
	}
	if err := c.sim.Advance(t.Context(), 4*24*time.Hour); err != nil {
		t.Fatal(err)
	}
	late := 0
	for _, code := range alertCodes(c) {
		if code == "52141" {
			late++
		}
	}
	if late == 0 || late == 16 {
		t.Errorf("%d of 16 uninstalled iPhones were reported: some should, and not all", late)
	}
	d, err := c.sim.RotateToken(t.Context(), "YF"+strings.Repeat("b", 32))
	if err == nil {
		t.Errorf("an uninstalled app got a new token: %+v", d)
	}
	if d, err = c.sim.Reinstall(t.Context(), androidPhone); err != nil || d.TokenDead || d.Uninstalled {
		t.Fatalf("a reinstalled app: %+v, %v", d, err)
	}
	if p := ring(c, androidPhone); p.Outcome != simulator.Delivered {
		t.Errorf("after a new token the push was %s", p.Outcome)
	}
}

// TestTokenUpdateShowsLife of an app from outside: only the app itself, by its own key, shows that it is back.
func TestTokenUpdateShowsLife(t *testing.T) {
	c := open(t, phones(func(*simulator.World) {}))
	h := newHandset(t, c, fleetService, "user-1001-amara")
	h.token = "android:" + strings.Repeat("x", 40)
	h.enrol("fcm")
	h.verify()
	gone := func(state *simulator.DeviceState) { state.Uninstalled = true }
	if _, err := c.sim.ChangeDevice(t.Context(), h.factor, gone); err != nil {
		t.Fatal(err)
	}
	if p := ring(c, h.factor); p.Code != 52103 {
		t.Fatalf("without the app the push was %s with %d", p.Outcome, p.Code)
	}
	if _, err := c.sim.Reinstall(t.Context(), h.factor); err == nil {
		t.Error("an app from outside was installed again from here")
	}
	at := h.entity() + "/Factors/" + h.factor
	c.ok("POST", at, "Config.NotificationToken", "backend:"+strings.Repeat("y", 40))
	if p := ring(c, h.factor); p.Code != 52103 {
		t.Errorf("the backend's token brought the app back: %s with %d", p.Outcome, p.Code)
	}
	h.signed().ok("POST", at, "Config.NotificationToken", "android:"+strings.Repeat("z", 40))
	if p := ring(c, h.factor); p.Outcome != simulator.Delivered {
		t.Errorf("after the app's own update the push was %s with %d", p.Outcome, p.Code)
	}
}

// TestBuildIsThePhones: how an app is signed is declared, by the phone or its Service, never guessed from the credential,
// and stays when the credential changes.
func TestBuildIsThePhones(t *testing.T) {
	for _, tt := range []struct {
		service, phone, want simulator.Build
	}{{"", "", ""}, {"", "debug", "debug"}, {"debug", "", "debug"}, {"debug", "distribution", "distribution"}} {
		c := open(t, phones(func(w *simulator.World) { w.Services[0].IOSBuild = tt.service }))
		e := simulator.Enrolment{Service: fleetService, Identity: "user-1001-amara", DeviceState: simulator.DeviceState{Build: tt.phone}}
		d, err := c.sim.Enroll(t.Context(), e)
		if err != nil || d.Build != tt.want {
			t.Fatalf("declared %q by the Service and %q by the phone, the build is %q, want %q (%v)", tt.service, tt.phone, d.Build, tt.want, err)
		}
		for _, sandbox := range []string{"false", "true", "false"} {
			c.ok("POST", "/v1/Credentials/"+apnCredential, "Sandbox", sandbox)
			want := 0
			if tt.want == simulator.BuildDebug && sandbox == "false" || tt.want == simulator.BuildDistribution && sandbox == "true" {
				want = 52134
			}
			if p := ring(c, d.Factor); p.Code != want {
				t.Errorf("build %q, sandbox %s: the push got %d, want %d", d.Build, sandbox, p.Code, want)
			}
		}
	}
	c := frozen(t)
	if _, err := c.sim.Enroll(t.Context(), simulator.Enrolment{Service: c.newService(), Identity: "user-1001-amara", DeviceState: simulator.DeviceState{Build: "adhoc"}}); err == nil {
		t.Error("an unknown build was taken")
	}
	if err := c.sim.Apply(t.Context(), simulator.World{Services: []simulator.WorldService{{IOSBuild: "adhoc"}}}); err == nil {
		t.Error("a Service with an unknown build was taken")
	}
}

// TestAlertShapes is how much an alert tells in each shape.
func TestAlertShapes(t *testing.T) {
	for _, tt := range []struct {
		shape              simulator.AlertShape
		factor, credential bool
	}{
		{simulator.AlertCorrelated, true, true}, {simulator.AlertCredentialOnly, false, true}, {simulator.AlertBare, false, false},
	} {
		t.Run(string(tt.shape), func(t *testing.T) {
			opts := phones(func(w *simulator.World) { w.Credentials[1].Contents.Revoked = true })
			opts.AlertShape = tt.shape
			c := open(t, opts)
			factor := "YF" + strings.Repeat("b", 32)
			ring(c, factor)
			a := c.ok("GET", "/v1/Alerts").items("alerts")[0]
			text, err := url.ParseQuery(a["alert_text"].(string))
			if err != nil {
				t.Fatal(err)
			}
			if text.Get("bindingType") != "fcm" || text.Get("description") != "401 http response from Fcm Service" || text.Get("module") != "FCMBA" {
				t.Errorf("alert_text %v", text)
			}
			if got := strings.Contains(text.Get("correlationIds"), factor) && a["service_sid"] == fleetService; got != tt.factor {
				t.Errorf("the factor is told: %v, want %v: %v", got, tt.factor, a)
			}
			if got := text.Get("fromReference") == fcmCredential; got != tt.credential {
				t.Errorf("the credential is told: %v, want %v", got, tt.credential)
			}
		})
	}
}

// hookCatcher is a backend that keeps the webhooks it gets.
type hookCatcher struct {
	mu     sync.Mutex
	calls  []url.Values
	errors []string
	status int
	got    chan struct{}
}

func catchHooks(t *testing.T, status int) (*hookCatcher, string) {
	h := &hookCatcher{status: status, got: make(chan struct{}, 100)}
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		values, parseErr := url.ParseQuery(string(raw))
		h.mu.Lock()
		defer h.mu.Unlock()
		validator := twilio.NewRequestValidator(simulator.DefaultAuthToken)
		if err != nil || parseErr != nil || !validator.ValidateBody(server.URL+r.URL.Path, raw, r.Header.Get("X-Twilio-Signature")) {
			h.errors = append(h.errors, string(raw))
		}
		h.calls = append(h.calls, values)
		w.WriteHeader(h.status)
		h.got <- struct{}{}
	}))
	t.Cleanup(server.Close)
	return h, server.URL
}

// wait waits for n calls.
func (h *hookCatcher) wait(t *testing.T, n int) []url.Values {
	t.Helper()
	for range n {
		select {
		case <-h.got:
		case <-t.Context().Done():
			t.Fatal("the test ended before the webhook came")
		case <-time.After(20 * time.Second):
			t.Fatal("no webhook came")
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.errors) > 0 {
		t.Errorf("badly signed: %v", h.errors)
	}
	return h.calls
}

// TestVerifyWebhooks is what a backend hears of factors and challenges.
func TestVerifyWebhooks(t *testing.T) {
	hooks, at := catchHooks(t, 200)
	c := frozen(t)
	service := c.newService()
	c.ok("POST", "/v2/Services/"+service+"/Webhooks", "FriendlyName", "backend", "EventTypes", "*", "WebhookUrl", at+"/verify")
	c.ok("POST", "/v2/Services/"+service+"/Webhooks", "FriendlyName", "elsewhere", "EventTypes", "*", "WebhookUrl", "https://hooks.bank.example/never")
	h := newHandset(t, c, service, "user-1001-amara")
	h.enrol("fcm")
	h.verify()
	sid := h.newChallenge().text("sid")
	h.signed().ok("POST", h.entity()+"/Challenges/"+sid, "AuthPayload", h.challengePayload(h.fetch(sid), "denied", nil))
	c.ok("DELETE", h.entity()+"/Factors/"+h.factor)
	var types []string
	for _, call := range hooks.wait(t, 4) {
		types = append(types, call.Get("type"))
		if call.Get("entity_identity") != h.identity || call.Get("factor_sid") != h.factor || call.Get("service_sid") != service || call.Get("uuid") == "" {
			t.Errorf("call %v", call)
		}
	}
	if got := strings.Join(types, " "); got != "factor.created factor.verified challenge.denied factor.deleted" {
		t.Errorf("events %s", got)
	}
}

// TestFailedWebhook makes an alert of a backend that does not answer 200.
func TestFailedWebhook(t *testing.T) {
	hooks, at := catchHooks(t, 500)
	c := frozen(t)
	service := c.newService()
	c.ok("POST", "/v2/Services/"+service+"/Webhooks", "FriendlyName", "backend", "EventTypes", "factor.created", "WebhookUrl", at+"/verify")
	newHandset(t, c, service, "user-1001-amara").enrol("fcm")
	hooks.wait(t, 1)
	deadline := time.After(20 * time.Second)
	for len(alertCodes(c)) == 0 {
		select {
		case <-deadline:
			t.Fatal("no alert came")
		case <-time.After(5 * time.Millisecond):
		}
	}
	if a := c.ok("GET", "/v1/Alerts").items("alerts")[0]; a["error_code"] != "60330" || a["service_sid"] != service {
		t.Errorf("alert %v", a)
	}
}

// TestDebuggerWebhook carries what the alert tells, as JSON inside a form.
func TestDebuggerWebhook(t *testing.T) {
	hooks, at := catchHooks(t, 204)
	opts := phones(func(w *simulator.World) { w.Services[0].FCM = "" })
	c := open(t, opts)
	if _, err := c.sim.ChangeSettings(t.Context(), func(g *simulator.Settings) error { g.DebuggerWebhookURL = at + "/debugger"; return nil }); err != nil {
		t.Fatal(err)
	}
	ring(c, "YF"+strings.Repeat("b", 32))
	call := hooks.wait(t, 1)[0]
	var payload struct {
		Code     string            `json:"error_code"`
		MoreInfo map[string]string `json:"more_info"`
	}
	if err := json.Unmarshal([]byte(call.Get("Payload")), &payload); err != nil {
		t.Fatal(err)
	}
	sid := c.ok("GET", "/v1/Alerts").items("alerts")[0]["sid"]
	if call.Get("Sid") != sid || call.Get("Level") != "ERROR" || payload.Code != "52004" || payload.MoreInfo["bindingType"] != "fcm" {
		t.Errorf("call %v, alert %v", call, sid)
	}
	if _, present := call["ParentAccountSid"]; !present || call.Get("ParentAccountSid") != "" {
		t.Errorf("ParentAccountSid %v, want it empty", call["ParentAccountSid"])
	}
}
