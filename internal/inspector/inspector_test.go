package inspector_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/verifyctl/verifyctl/internal/inspector"
	"github.com/verifyctl/verifyctl/internal/simulator"
)

// world is a simulator with its page, served on loopback.
type world struct {
	*testing.T
	sim     *simulator.Simulator
	handler http.Handler
	address string
	open    atomic.Int64 // streams
}

var account = simulator.Account{SID: simulator.DefaultAccountSID, AuthToken: simulator.DefaultAuthToken}

func newWorld(t *testing.T, hosts ...string) *world {
	t.Helper()
	page := inspector.New(hosts)
	sim, err := simulator.Open(t.Context(), simulator.Options{Seed: simulator.SeedDemo, Clock: simulator.Clock{Mode: simulator.ClockWall}, Observe: page.Observe})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	ctx, cancel := context.WithCancel(context.Background())
	w := &world{T: t, sim: sim, handler: page.Mount(ctx, sim, account, "")}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/stream") {
			w.open.Add(1)
			defer w.open.Add(-1)
		}
		w.handler.ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	t.Cleanup(cancel) // ends the streams, which the server waits for
	w.address = server.URL
	return w
}

func (w *world) streams() int64 { return w.open.Load() }

// request makes a request of a browser, or of an API client where it has an account.
func (w *world) request(method, path string, form url.Values) *http.Request {
	w.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	r.Host, r.RemoteAddr = "127.0.0.1:8281", "127.0.0.1:5000"
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

func (w *world) answer(r *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	return rec
}

// serve is a request to the API.
func (w *world) serve(method, path string, form url.Values) *httptest.ResponseRecorder {
	w.Helper()
	r := w.request(method, path, form)
	r.SetBasicAuth(account.SID, account.AuthToken)
	return w.answer(r)
}

// send is a request to the API over the network.
func (w *world) send(method, path string, form url.Values) (int, string) {
	w.Helper()
	r, err := http.NewRequest(method, w.address+path, strings.NewReader(form.Encode()))
	if err != nil {
		w.Fatal(err)
	}
	r.SetBasicAuth(account.SID, account.AuthToken)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// browse is a request of the page.
func (w *world) browse(method, path string, form url.Values) *httptest.ResponseRecorder {
	w.Helper()
	r := w.request(method, path, form)
	r.Header.Set("Accept", "text/html")
	return w.answer(r)
}

func (w *world) glance() simulator.Glance {
	w.Helper()
	g, err := w.sim.Glance(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return g
}

func (w *world) factorOf(identity string) string {
	w.Helper()
	devices, err := w.sim.Devices(w.Context(), simulator.DeviceFilter{Identity: identity})
	if err != nil || len(devices) == 0 {
		w.Fatalf("%s has no phone: %v", identity, err)
	}
	return devices[0].Factor
}

const entities = "/v2/Services/" + simulator.DemoServiceSID + "/Entities/"

func (w *world) challenge(identity, factor, message string) string {
	w.Helper()
	status, body := w.send(http.MethodPost, entities+identity+"/Challenges", url.Values{"FactorSid": {factor}, "Details.Message": {message}})
	var made struct{ SID string }
	if err := json.Unmarshal([]byte(body), &made); status != http.StatusCreated || err != nil {
		w.Fatalf("%d %s", status, body)
	}
	return made.SID
}

func (w *world) isStatus(identity, challenge, want string) {
	w.Helper()
	if _, body := w.send(http.MethodGet, entities+identity+"/Challenges/"+challenge, nil); !strings.Contains(body, `"status":"`+want+`"`) {
		w.Fatalf("the API does not say %s: %s", want, body)
	}
}

// TestAPIStaysAsItWas: what asks for no page is answered by the simulator, byte for byte.
func TestAPIStaysAsItWas(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/", "/v2", "/index.html"} {
		if got := w.serve(http.MethodGet, path, nil); got.Code != http.StatusNotFound || !strings.Contains(got.Body.String(), `"code":20404`) {
			t.Errorf("%s: %d %s", path, got.Code, got.Body)
		}
	}
	r := w.request(http.MethodGet, "/v2/Services", nil)
	r.Header.Set("Accept", "text/html")
	if got := w.answer(r); got.Code != http.StatusUnauthorized || got.Header().Get("Content-Security-Policy") != "" {
		t.Errorf("a browser on the API: %d %v", got.Code, got.Header())
	}
}

// TestPageIsGuarded: only expected hosts see the page, and other sites change nothing.
func TestPageIsGuarded(t *testing.T) {
	w := newWorld(t, "simulator.internal")
	for _, c := range []struct {
		host, remote, origin, site string
		method, path               string
		want                       int
	}{
		{host: "127.0.0.1:8281", want: 200},
		{host: "localhost", want: 200},
		{host: "[::1]:8281", want: 200},
		{host: "simulator.internal", remote: "10.0.0.9:1", want: 200},
		{host: "rebound.example:8281", want: 403},
		{host: "127.0.0.1.rebound.example", want: 403},
		{host: "127.0.0.1:8281", remote: "10.0.0.9:1", want: 403},
		{host: "verify.twilio.com", want: 403},
		{host: "rebound.example", method: "POST", path: "/__page/clock", want: 403},
		{host: "rebound.example", path: "/__page/stream", want: 403},
		{host: "127.0.0.1:8281", path: "/__page/requests/1", site: "cross-site", want: 403},
		{host: "127.0.0.1:8281", path: "/__page/assets/script.js", site: "same-site", want: 403},
		{host: "127.0.0.1:8281", method: "POST", path: "/__page/clock", origin: "http://127.0.0.1:9999", want: 403},
		{host: "127.0.0.1:8281", method: "POST", path: "/__page/clock", site: "cross-site", want: 403},
		{host: "127.0.0.1:8281", method: "POST", path: "/__page/clock", origin: "http://127.0.0.1:8281", want: 303},
	} {
		method, path := "GET", "/"
		if c.method != "" {
			method = c.method
		}
		if c.path != "" {
			path = c.path
		}
		r := w.request(method, path, url.Values{"to": {"frozen"}})
		r.Host = c.host
		r.Header.Set("Accept", "text/html")
		for name, value := range map[string]string{"Origin": c.origin, "Sec-Fetch-Site": c.site} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		if c.remote != "" {
			r.RemoteAddr = c.remote
		}
		if c.want == 303 && w.glance().Clock.Frozen {
			t.Error("the clock was frozen by a request that was refused")
		}
		got := w.answer(r)
		if got.Code != c.want {
			t.Errorf("%+v: %d %s", c, got.Code, got.Body)
		}
		if policy := got.Header().Get("Content-Security-Policy"); c.want == 200 && (!strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe")) {
			t.Errorf("policy %q", policy)
		}
	}
}

// TestPageWithoutScript: every form works in a browser that runs no script.
func TestPageWithoutScript(t *testing.T) {
	w := newWorld(t)
	post := func(path string, pairs ...string) {
		t.Helper()
		form := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			form.Set(pairs[i], pairs[i+1])
		}
		if got := w.browse(http.MethodPost, "/__page/"+path, form); got.Code != http.StatusSeeOther {
			t.Fatalf("%s %q: %d %s", path, pairs, got.Code, got.Body)
		}
	}
	const identity = "user-2001-new"
	post("devices", "identity", identity, "name", "Pixel 10", "platform", "fcm", "service", simulator.DemoServiceSID)
	factor := w.factorOf(identity)
	device := func() simulator.Device { return w.glance().Devices[slicesIndex(w.glance().Devices, factor)] }
	post("devices/"+factor+"/muted", "to", "on")
	if !device().Muted {
		t.Error("notifications are not off")
	}
	muted := w.challenge(identity, factor, "Unseen?")
	if page := w.browse(http.MethodGet, "/", nil).Body.String(); !strings.Contains(page, "push unseen") || !strings.Contains(page, "Notifications") {
		t.Error("the page does not tell that the push came unseen")
	}
	post("devices/"+factor+"/answer", "challenge", muted, "answer", "approved")
	w.isStatus(identity, muted, "approved")
	post("devices/"+factor+"/app", "to", "uninstalled")
	if !device().Uninstalled {
		t.Error("the app is still there")
	}
	post("devices/"+factor+"/app", "to", "installed")
	if device().Uninstalled {
		t.Error("the app is not back")
	}
	for _, fault := range []string{"500", "dropped", "slow", "429"} {
		post("faults", "fault", fault, "to", "on")
	}
	if faults := w.glance().Faults; len(faults) != 4 {
		t.Errorf("faults: %v", faults)
	}
	if status, _ := w.send(http.MethodGet, "/v2/Services", nil); status != http.StatusInternalServerError {
		t.Errorf("with faults on: %d", status)
	}
	post("faults", "fault", "500", "to", "off")
	if faults := w.glance().Faults; len(faults) != 3 {
		t.Errorf("faults: %v", faults)
	}
	post("reset")
	if g := w.glance(); len(g.Faults) != 0 || slicesIndex(g.Devices, factor) >= 0 || len(g.Devices) == 0 {
		t.Errorf("after the reset: %+v", g)
	}
	if got := w.browse(http.MethodPost, "/__page/clock", url.Values{"advance": {"soon"}}); got.Code != http.StatusBadRequest || !strings.Contains(got.Body.String(), "90s, 6m or 1h") {
		t.Errorf("a mistake: %d", got.Code)
	}
}

func slicesIndex(devices []simulator.Device, factor string) int {
	for i, d := range devices {
		if d.Factor == factor {
			return i
		}
	}
	return -1
}

// TestHostileTextsAreText: what clients send is shown as text, wherever it is shown.
func TestHostileTextsAreText(t *testing.T) {
	w := newWorld(t)
	const evil = `"><script>alert(1)</script><b onclick=x>`
	const identity = "<i>user-2001</i>"
	world, err := simulator.ParseWorld([]byte(`{"services":[{"sid":"VA00000000000000000000000000000009","friendly_name":"<script>","entities":[{"identity":"<i>user-2001</i>",
		"factors":[{"friendly_name":"\"><script>alert(1)</script><b onclick=x>","notification_platform":"fcm","status":"verified"}]}]}],
		"alerts":[{"error_code":"52103","alert_text":"Msg=%3Cscript%3Ealert(3)%3C/script%3E&description=<script>"}]}`))
	if err == nil {
		err = w.sim.Apply(t.Context(), world)
	}
	if err != nil {
		t.Fatal(err)
	}
	made := w.serve(http.MethodPost, "/v2/Services/VA00000000000000000000000000000009/Entities/"+url.PathEscape(identity)+"/Challenges",
		url.Values{"FactorSid": {w.factorOf(identity)}, "Details.Message": {evil}, "Details.Fields": {`{"label":"<script>","value":"</script><script>"}`}})
	if made.Code != http.StatusCreated {
		t.Fatal(made.Body)
	}
	w.serve(http.MethodGet, "/v2/%3Cscript%3Ealert(2)%3C%2Fscript%3E?q=<script>", nil)
	for _, path := range []string{"/", "/__page/requests/1", "/__page/requests/2"} {
		page := w.browse(http.MethodGet, path, nil).Body.String()
		if !strings.Contains(page, "&lt;script&gt;") {
			t.Errorf("%s does not show the text of a client", path)
		}
		if strings.Contains(page, "<script>") || strings.Contains(page, "<b onclick") || strings.Contains(page, "<i>user") {
			t.Errorf("%s holds the markup of a client", path)
		}
	}
}

const pushToken = "push-token-that-nobody-else-may-ever-see"

// TestRequestDetail: a request is shown without secrets, with its error explained and the commands that repeat it.
func TestRequestDetail(t *testing.T) {
	w := newWorld(t)
	if _, err := w.sim.Enroll(t.Context(), simulator.Enrolment{Service: simulator.DemoServiceSID, Identity: "user-2001-new", Platform: "fcm", Token: pushToken}); err != nil {
		t.Fatal(err)
	}
	w.serve(http.MethodPost, entities+"user-2001-new/Challenges", url.Values{"FactorSid": {"YF00000000000000000000000000000000"}, "Details.Message": {"It's you?"}})
	var all strings.Builder
	for _, number := range []string{"1", "2", "3", "4"} {
		all.WriteString(w.browse(http.MethodGet, "/__page/requests/"+number, nil).Body.String())
	}
	page := all.String()
	for _, want := range []string{"[redacted]", "20404", "curl -u", "challenge create user-2001-new --factor YF00000000000000000000000000000000 --message", "CreateNewFactor"} {
		if !strings.Contains(page, want) {
			t.Errorf("the details lack %q", want)
		}
	}
	if strings.Contains(page, pushToken) || strings.Contains(page, "eyJ") {
		t.Error("the details hold a token")
	}
	gone := w.browse(http.MethodGet, "/__page/requests/999", nil)
	if gone.Code != http.StatusNotFound {
		t.Errorf("a request that is not kept: %d", gone.Code)
	}
	// A browser that finds no icon on a page asks the API for one, and that would stand in the log.
	if icon := `rel="icon"`; strings.Count(page, icon) != 4 || !strings.Contains(gone.Body.String(), icon) {
		t.Error("a page has no icon")
	}
}

// TestLogIsBounded: what a storm of requests leaves in memory does not grow with it.
func TestLogIsBounded(t *testing.T) {
	w := newWorld(t)
	storm := func() uint64 {
		for range 1000 {
			w.serve(http.MethodGet, "/v2/Services/"+simulator.DemoServiceSID, nil)
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := storm()
	if after := storm(); after > before+2<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
	if rows := strings.Count(w.browse(http.MethodGet, "/", nil).Body.String(), `id="request-`); rows != 300 {
		t.Errorf("the page has %d requests, want the last 300", rows)
	}
}

// TestStream: a browser gets the page's parts when it comes, and afterwards what changes; the end of the server ends it.
func TestStream(t *testing.T) {
	w := newWorld(t)
	resp, err := http.Get(w.address + "/__page/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	events := bufio.NewScanner(resp.Body)
	events.Buffer(nil, 1<<20)
	until := func(part, text string) {
		t.Helper()
		for events.Scan() {
			line, isData := strings.CutPrefix(events.Text(), "data: ")
			var m struct{ Part, HTML string }
			if isData && json.Unmarshal([]byte(line), &m) == nil && m.Part == part && strings.Contains(m.HTML, text) {
				return
			}
		}
		t.Fatalf("no %s with %q: %v", part, text, events.Err())
	}
	until("phones", "iPhone")
	until("requests", "")
	if status, _ := w.send(http.MethodGet, "/v2/Services/VA00000000000000000000000000000000", nil); status != http.StatusNotFound {
		t.Fatal(status)
	}
	until("requests", "20404")
	if err := w.sim.Freeze(t.Context()); err != nil { // by another way than a request
		t.Fatal(err)
	}
	until("clock", `aria-checked="true"`)
}
