package simulator_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/simulator"
)

// control sends a JSON body to the control API.
func (c *client) control(method, path, body string) answer {
	c.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, "http://"+c.host+"/__simulator/v1/"+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set(simulator.SecretHeader, controlSecret)
	resp, err := c.http.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, header: resp.Header}
	a.raw, a.body = readBody(c.t, resp)
	return a
}

// TestControlAPI does over HTTP what the methods do.
func TestControlAPI(t *testing.T) {
	c := frozen(t)
	must := func(method, path, body string) answer {
		t.Helper()
		a := c.control(method, path, body)
		if a.status != 200 {
			t.Fatalf("%s %s %s: %d %s", method, path, body, a.status, a.raw)
		}
		return a
	}
	if got := must("POST", "clock", `{"advance":"90s"}`); got.text("now") != "2026-05-04T10:01:30Z" || got.body["frozen"] != true {
		t.Errorf("clock: %s", got.raw)
	}
	if got := must("POST", "clock", `{"frozen":false}`); got.body["frozen"] != false {
		t.Errorf("resumed: %s", got.raw)
	}
	must("POST", "clock", `{"frozen":true}`)
	must("POST", "world", `{"services":[{"sid":"`+fleetService+`","fcm_credential_sid":"`+fcmCredential+`"}],"credentials":[{"sid":"`+fcmCredential+`","type":"fcm"}]}`)
	device := must("POST", "devices", `{"service_sid":"`+fleetService+`","identity":"user-1001-amara","notification_platform":"fcm","project":"bank"}`)
	factor := device.text("factor_sid")
	if device.text("status") != "verified" || device.body["has_key"] != true || device.text("project") != "bank" {
		t.Fatalf("device: %s", device.raw)
	}
	ring(c, factor)
	if got := must("GET", "devices/"+factor+"/pending", ""); !strings.HasPrefix(got.raw, `["YC`) {
		t.Errorf("pending: %s", got.raw)
	}
	must("POST", "devices/"+factor+"/answer", `{"status":"approved"}`)
	must("POST", "devices/"+factor, `{"muted":true}`)
	if got := must("GET", "devices?identity=user-1001-amara", ""); !strings.Contains(got.raw, `"muted":true`) || !strings.Contains(got.raw, `"project":"bank"`) {
		t.Errorf("after one change the device is %s", got.raw)
	}
	must("POST", "devices/"+factor+"/rotate-token", "")
	must("POST", "credentials/"+fcmCredential+"/contents", `{"revoked":true}`)
	if p := ring(c, factor); p.Code != 52109 {
		t.Errorf("with a revoked key the push got %d", p.Code)
	}
	if got := must("GET", "pushes?factor_sid="+factor+"&limit=1", ""); !strings.Contains(got.raw, "52109") || strings.Contains(got.raw, "delivered") {
		t.Errorf("the newest push: %s", got.raw)
	}
	must("POST", "settings", `{"alert_shape":"bare"}`)
	if got := must("GET", "settings", ""); got.text("alert_shape") != "bare" {
		t.Errorf("settings: %s", got.raw)
	}
	id := must("POST", "faults", `{"kind":"latency","delay":"1ms","operation":"FetchService"}`).raw
	if !strings.Contains(id, `"id":1`) || !strings.Contains(id, `"delay":"1ms"`) {
		t.Errorf("fault: %s", id)
	}
	must("DELETE", "faults/1", "")
	must("DELETE", "faults", "")
	if got := must("GET", "faults", ""); got.raw != "[]" {
		t.Errorf("faults: %s", got.raw)
	}
	must("POST", "generate", `{"service_sid":"`+fleetService+`","entities":2,"factors":1}`)

	for _, tt := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "clock", `{"advance":"-1s"}`, 400}, {"POST", "clock", `{"advance":90}`, 400}, {"POST", "clock", `{"forward":"1s"}`, 400},
		{"POST", "clock", ``, 400}, {"POST", "settings", `{"alert_shape":"round"}`, 400}, {"POST", "faults", `{"kind":"x"}`, 400},
		{"DELETE", "faults/7", ``, 404}, {"DELETE", "faults/x", ``, 404}, {"GET", "nothing", ``, 404}, {"PUT", "clock", ``, 404},
		{"POST", "devices/YF0", `{}`, 404}, {"POST", "devices/" + factor + "/answer", `{"status":"maybe"}`, 400},
		{"POST", "devices", `{"service_sid":"VA0","identity":"user-1001-amara"}`, 404},
		{"POST", "devices", `{"service_sid":"` + fleetService + `","identity":"x"}`, 400},
		{"POST", "credentials/CR0/contents", `{}`, 404}, {"POST", "world", `{"services":[{"created":"soon"}]}`, 400},
		{"POST", "generate", `{}`, 400}, {"GET", "pushes?identitty=x", ``, 400}, {"GET", "devices?challenge_sid=x", ``, 400},
		{"GET", "devices?limit=all", ``, 400}, {"GET", "pushes?limit=0", ``, 400}, {"GET", "clock?now=1", ``, 400}, {"DELETE", "faults?id=1", ``, 400},
	} {
		if a := c.control(tt.method, tt.path, tt.body); a.status != tt.status || a.text("message") == "" {
			t.Errorf("%s %s %s: %d %s, want %d", tt.method, tt.path, tt.body, a.status, a.raw, tt.status)
		}
	}
	if a := c.control("GET", "pushes?identitty=x", ""); !strings.Contains(a.text("message"), "challenge_sid, factor_sid, identity, limit, service_sid") {
		t.Errorf("an unknown parameter: %s", a.raw)
	}
}

// TestControlIsGuarded: only whoever knows the server's secret gets in, and no page of another site, whatever it knows.
func TestControlIsGuarded(t *testing.T) {
	c := frozen(t)
	for _, tt := range []struct {
		name, method string
		header       http.Header
		status       int
	}{
		{"the secret", "POST", http.Header{simulator.SecretHeader: {controlSecret}}, 200},
		{"no secret", "POST", http.Header{}, 401},
		{"no secret to read", "GET", http.Header{}, 401},
		{"the account's credentials", "POST", http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(c.user+":"+c.pass))}}, 401},
		{"another secret", "POST", http.Header{simulator.SecretHeader: {"of-another-test"}}, 403},
		{"a page of another site", "POST", http.Header{simulator.SecretHeader: {controlSecret}, "Sec-Fetch-Site": {"cross-site"}}, 403},
		{"a page of another origin", "POST", http.Header{simulator.SecretHeader: {controlSecret}, "Origin": {"https://evil.example"}}, 403},
		{"what a browser asks first", "OPTIONS", http.Header{"Origin": {"https://evil.example"}, "Access-Control-Request-Headers": {simulator.SecretHeader}}, 404},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), tt.method, "http://"+c.host+"/__simulator/v1/clock", strings.NewReader(`{}`))
			if err != nil {
				t.Fatal(err)
			}
			req.Header = tt.header
			a := c.as("", "").send(req)
			if a.status != tt.status {
				t.Errorf("%d %s, want %d", a.status, a.raw, tt.status)
			}
			if (a.status == 401 || a.status == 403) && (a.text("message") == "" || a.body["more_info"] != nil || a.body["code"] != nil || a.header.Get("Access-Control-Allow-Origin") != "") {
				t.Errorf("the refusal is %v %s", a.header, a.raw)
			}
		})
	}
	without, err := simulator.Open(t.Context(), simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer without.Close()
	rec := httptest.NewRecorder()
	req := httptest.NewRequest("GET", "/__simulator/v1/clock", nil)
	req.Header.Set(simulator.SecretHeader, "")
	if without.ServeHTTP(rec, req); rec.Code != 403 {
		t.Errorf("a server without a secret answers %d", rec.Code)
	}
}

// TestControlClient does what the methods do, with their errors.
func TestControlClient(t *testing.T) {
	c := open(t, phones(func(*simulator.World) {}))
	ctx := t.Context()
	control := simulator.NewControl("http://"+c.host, controlSecret, c.http.Transport)
	frozen := true
	if r, err := control.ChangeClock(ctx, simulator.ClockChange{Frozen: &frozen, Advance: simulator.Duration(time.Minute)}); err != nil || !r.Frozen || !r.Now.Equal(start.Add(time.Minute)) {
		t.Errorf("clock %v, %v", r, err)
	}
	d, err := control.Enroll(ctx, simulator.Enrolment{Service: fleetService, Identity: "user-2001-new", Platform: "fcm", DeviceState: simulator.DeviceState{Muted: true}})
	if err != nil || !d.Muted {
		t.Fatalf("enrolled %+v, %v", d, err)
	}
	if d, err = control.ChangeDevice(ctx, d.Factor, map[string]any{"muted": false, "uninstalled": true}); err != nil || d.Muted || !d.Uninstalled {
		t.Errorf("changed %+v, %v", d, err)
	}
	if d, err = control.Reinstall(ctx, d.Factor); err != nil || d.Uninstalled {
		t.Errorf("reinstalled %+v, %v", d, err)
	}
	ring(c, "YF"+strings.Repeat("b", 32))
	if a, err := control.Answer(ctx, "YF"+strings.Repeat("b", 32), simulator.DeviceAnswer{Status: "denied"}); err != nil || a.Challenge == "" {
		t.Errorf("answered %+v, %v", a, err)
	}
	if pushes, err := control.Pushes(ctx, simulator.PushFilter{Identity: "user-1001-amara", Limit: 5}); err != nil || len(pushes) != 1 {
		t.Errorf("pushes %v, %v", pushes, err)
	}
	if devices, err := control.Devices(ctx, simulator.DeviceFilter{Service: fleetService, Limit: 2}); err != nil || len(devices) != 2 {
		t.Errorf("devices %v, %v", devices, err)
	}
	if f, err := control.AddFault(ctx, simulator.Fault{Kind: simulator.FaultRateLimit}); err != nil || f.ID != 1 || f.Status != 429 {
		t.Errorf("fault %+v, %v", f, err)
	}
	if err := control.RemoveFault(ctx, 0); err != nil {
		t.Error(err)
	}

	var input simulator.InputError
	if _, err := control.ChangeSettings(ctx, map[string]any{"alert_shape": "round"}); !errors.As(err, &input) {
		t.Errorf("a wrong setting: %v", err)
	}
	if err := control.RemoveFault(ctx, 9); !errors.Is(err, simulator.ErrNotFound) {
		t.Errorf("a fault that is not there: %v", err)
	}
	_, err = control.Enroll(ctx, simulator.Enrolment{Service: fleetService, Identity: "short"})
	if err == nil || errors.As(err, &input) || !strings.Contains(err.Error(), "60305") {
		t.Errorf("what the API refuses: %v", err)
	}
	if _, err := simulator.NewControl("http://"+c.host, "wrong", c.http.Transport).Clock(ctx); err == nil || !strings.Contains(err.Error(), "secret") {
		t.Errorf("with a wrong secret: %v", err)
	}
}

// TestRefusedControlCalls change nothing, not even by the part that was understood.
func TestRefusedControlCalls(t *testing.T) {
	c := frozen(t)
	c.control("POST", "world", `{"services":[{"sid":"`+fleetService+`"}]}`)
	factor := c.control("POST", "devices", `{"service_sid":"`+fleetService+`","identity":"user-1001-amara"}`).text("factor_sid")
	for _, tt := range []struct{ path, body, look string }{
		{"settings", `{"alert_shape":"bare","no_such_setting":1}`, "settings"},
		{"devices/" + factor, `{"muted":true,"no_such_state":1}`, "devices"},
		{"clock", `{"frozen":false,"advance":"-1h"}`, "clock"},
	} {
		before := c.control("GET", tt.look, "")
		if got := c.control("POST", tt.path, tt.body); got.status != 400 {
			t.Errorf("%s %s: %d %s", tt.path, tt.body, got.status, got.raw)
		}
		if after := c.control("GET", tt.look, ""); before.status != 200 || after.raw != before.raw {
			t.Errorf("%s %s left %s, was %s", tt.path, tt.body, after.raw, before.raw)
		}
	}
}

// TestWorlds are put in whole or not at all.
func TestWorlds(t *testing.T) {
	c := frozen(t)
	world, err := simulator.ParseWorld([]byte(`{"services":[{"friendly_name":"first"}, {"friendly_name":"second","entities":[{"identity":"user-1001-amara","challenges":[{"factor":0}]}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.sim.Apply(t.Context(), world); err == nil {
		t.Error("a challenge for no factor was taken")
	}
	if got := c.ok("GET", "/v2/Services").items("services"); len(got) != 0 {
		t.Errorf("half a world was put in: %v", got)
	}
	for _, raw := range []string{``, `[]`, `{"service":[]}`, `{} {}`, `{"services":[{"friendly_name":1}]}`} {
		if _, err := simulator.ParseWorld([]byte(raw)); err == nil {
			t.Errorf("%q was taken", raw)
		}
	}

	err = c.sim.Apply(t.Context(), simulator.World{Events: []simulator.WorldEvent{{Type: "account.updated", Resource: simulator.DefaultAccountSID, Date: "-1h"}}})
	if err != nil {
		t.Fatal(err)
	}
	if got := column(c.ok("GET", "/v1/Events?EventType=account.updated").items("events"), "event_date"); len(got) != 1 || got[0] != "2026-05-04T09:00:00Z" {
		t.Errorf("events of %v", got)
	}

	odd := "yes"
	err = c.sim.Apply(t.Context(), simulator.World{Credentials: []simulator.WorldCredential{
		{SID: "CR" + strings.Repeat("1", 32), Type: "apn", Sandbox: &odd}, {SID: "CR" + strings.Repeat("2", 32), Type: "apn", OmitSandbox: true},
		{SID: "CR" + strings.Repeat("3", 32), Type: "apn"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, item := range c.ok("GET", "/v1/Credentials").items("credentials") {
		value, present := item["sandbox"]
		got = append(got, strings.TrimSpace(strings.Join([]string{map[bool]string{true: "has"}[present], textOf(value)}, " ")))
	}
	if want := "[has yes,null,has null]"; "["+strings.Join(got, ",")+"]" != want {
		t.Errorf("sandbox values %v, want %s", got, want)
	}
}
