package debugger

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

const formType = "application/x-www-form-urlencoded; charset=utf-8"

// signed makes a request to where a proxy would pass it on.
func signed(t *testing.T, at, contentType, body, signature string) *http.Request {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, at, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("X-Twilio-Signature", signature)
	return r
}

// TestSignatureVectors: the first is from twilio-go's tests, the others were made for this project and checked with it.
func TestSignatureVectors(t *testing.T) {
	zeros := strings.Repeat("0", 32)
	debuggerForm := url.Values{"AccountSid": {"AC" + zeros}, "Level": {"ERROR"}, "ParentAccountSid": {""},
		"Payload":     {`{"resource_sid":null,"service_sid":null,"error_code":"52141","more_info":{"bindingType":"apn"}}`},
		"PayloadType": {"application/json"}, "Sid": {"NO" + zeros}, "Timestamp": {"2026-01-02T03:04:05Z"}}.Encode()
	callForm := url.Values{"CallSid": {"CA1234567890ABCDE"}, "Caller": {"+14158675309"}, "Digits": {"1234"}, "From": {"+14158675309"},
		"Reason": {"Participant"}, "ReasonConferenceEnded": {"test"}, "To": {"+18005551212"}}.Encode()
	const hash = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
	const body = `{"property": "value", "boolean": true}`
	for _, tc := range []struct{ name, public, at, kind, body, signature string }{
		{"form with a query", "https://mycompany.com/myapp.php", "/myapp.php?foo=1&bar=2", formType, callForm, "vOEb5UThFn24KEfnOFLQY2AE5FY="},
		{"debugger form with an empty field", "https://ops.example.com/twilio/debugger", "/", formType, debuggerForm, "ym1MO1+gtpOzqtHXO14tXGnxy/4="},
		{"JSON", "https://ops.example.com/es", "/es?bodySHA256=" + hash, "application/json", body, "gb9Pzyd4FZK5aKmqZ8EW0RrNVMc="},
	} {
		for _, variant := range []struct {
			name    string
			secrets []string
			public  string
		}{
			{"", []string{"12345"}, tc.public},
			{"with the port", []string{"12345"}, strings.Replace(tc.public, ".com", ".com:443", 1)},
			{"while the token is replaced", []string{"new-token", "12345"}, tc.public},
		} {
			s, err := NewSignatures(variant.secrets, variant.public)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.check(signed(t, tc.at, tc.kind, tc.body, tc.signature), []byte(tc.body)); err != nil {
				t.Errorf("%s %s: %v", tc.name, variant.name, err)
			}
		}
		for name, forged := range map[string]struct {
			secrets             []string
			at, body, signature string
		}{
			"another secret":    {[]string{"54321"}, tc.at, tc.body, tc.signature},
			"another body":      {[]string{"12345"}, tc.at, strings.Replace(tc.body, "e", "f", 1), tc.signature},
			"another signature": {[]string{"12345"}, tc.at, tc.body, strings.ToLower(tc.signature)},
			"no signature":      {[]string{"12345"}, tc.at, tc.body, ""},
			"another query":     {[]string{"12345"}, tc.at + "&x=1", tc.body, tc.signature},
		} {
			s, err := NewSignatures(forged.secrets, tc.public)
			if err != nil {
				t.Fatal(err)
			}
			at := forged.at
			if !strings.Contains(at, "?") {
				at = strings.Replace(at, "&", "?", 1)
			}
			if err := s.check(signed(t, at, tc.kind, forged.body, forged.signature), []byte(forged.body)); err == nil {
				t.Errorf("%s: %s is taken", tc.name, name)
			}
		}
	}
}

func sign(secret []byte, text string) string { return signBy(sha1.New, secret, text) }

// TestSharedKeys: a delivery that names a shared key is checked by that key alone, by the hash it names.
func TestSharedKeys(t *testing.T) {
	const public, body = "https://ops.bank.example/d", "A=1"
	s, err := NewSignatures([]string{"token"}, public, SharedKey{"old", "one"}, SharedKey{"new", "two"}, SharedKey{"new", "three"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewSignatures(nil, public, SharedKey{"only", "one"}); err != nil {
		t.Errorf("a shared key alone: %v", err)
	}
	for _, tc := range []struct {
		settings, secret string
		by               func() hash.Hash
		ok               bool
	}{
		{"", "token", sha1.New, true},
		{"key=old,algorithm=HMAC_SHA256", "one", sha256.New, true},
		{"key=new, algorithm=HMAC_SHA256", "two", sha256.New, true},
		{"algorithm=HMAC_SHA256,key=new", "three", sha256.New, true},
		{"key=old,algorithm=HMAC_SHA256", "two", sha256.New, false},
		{"key=old,algorithm=HMAC_SHA256", "one", sha1.New, false},
		{"key=old,algorithm=HMAC_SHA256", "token", sha1.New, false},
		{"key=other,algorithm=HMAC_SHA256", "one", sha256.New, false},
		{"key=old,algorithm=NONE", "one", sha256.New, false},
		{"nonsense", "token", sha1.New, false},
		{"", "one", sha256.New, false},
	} {
		r := signed(t, "/d", formType, body, signBy(tc.by, []byte(tc.secret), public+"A1"))
		if tc.settings != "" {
			r.Header.Set("X-Twilio-Webhooks-Signature-Settings", tc.settings)
		}
		err := s.check(r, []byte(body))
		if (err == nil) != tc.ok {
			t.Errorf("%q by %s: %v", tc.settings, tc.secret, err)
		}
		var undeclared undeclaredKey
		if strings.Contains(tc.settings, "other") && (!errors.As(err, &undeclared) || !strings.Contains(err.Error(), `"other" by "HMAC_SHA256"`)) {
			t.Errorf("an undeclared key is told as %v", err)
		}
	}
}

// TestUndeclaredKeysAreCounted: by name and algorithm, but anybody can name one, so only so many.
func TestUndeclaredKeysAreCounted(t *testing.T) {
	a := newListener(t)
	for n := range 30 {
		r := signed(t, "/debugger", formType, "A=1", "x")
		r.Header.Set("X-Twilio-Webhooks-Signature-Settings", fmt.Sprintf("key=key-%d,algorithm=HMAC_SHA256", n))
		if status := a.do(r); status != http.StatusForbidden {
			t.Fatalf("status %d", status)
		}
	}
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	text := w.Body.String()
	if !strings.Contains(text, `verifyctl_undeclared_shared_keys_total{key="key-0",algorithm="HMAC_SHA256"} 1`) ||
		!strings.Contains(text, `verifyctl_undeclared_shared_keys_total{key="other",algorithm="other"} 10`) {
		t.Error(text)
	}
	if len(a.notes) == 0 || !strings.Contains(a.notes[0], `"key-0" by "HMAC_SHA256"`) {
		t.Errorf("%q", a.notes)
	}
}

// TestPortsAreTriedBothWays: some of Twilio's back ends sign the port, some do not.
func TestPortsAreTriedBothWays(t *testing.T) {
	for _, tc := range []struct{ signedURL, public string }{
		{"https://ops.bank.example:443/d", "https://ops.bank.example/d"},
		{"https://ops.bank.example/d", "https://ops.bank.example:443/d"},
		{"https://ops.bank.example/d", "https://ops.bank.example:8443/d"},
		{"https://ops.bank.example:8443/d", "https://ops.bank.example:8443/d"},
		{"http://ops.bank.example:80/d", "http://ops.bank.example/d"},
		{"https://user:pass@ops.bank.example/d", "https://user:pass@ops.bank.example/d"},
		{"https://ops.bank.example/d?team=o%27hara", "https://ops.bank.example/d?team=o'hara"},
		{"https://ops.bank.example/d?team=o'hara", "https://ops.bank.example/d?team=o%27hara"},
		{"https://ops.bank.example/", "https://ops.bank.example"},
	} {
		s, err := NewSignatures([]string{"secret"}, tc.public)
		if err != nil {
			t.Fatal(err)
		}
		r := signed(t, "/d", formType, "A=1", sign([]byte("secret"), tc.signedURL+"A1"))
		r.Host = "listener:8282"
		if err := s.check(r, []byte("A=1")); err != nil {
			t.Errorf("signed %s, told %s: %v", tc.signedURL, tc.public, err)
		}
	}
}

// TestRepeatedFields: each different value of a field counts once, sorted.
func TestRepeatedFields(t *testing.T) {
	s, err := NewSignatures([]string{"secret"}, "https://ops.bank.example/d")
	if err != nil {
		t.Fatal(err)
	}
	body := "B=2&A=y&A=x&A=y&C="
	r := signed(t, "/d", formType, body, sign([]byte("secret"), "https://ops.bank.example/d"+"AxAyB2C"))
	if err := s.check(r, []byte(body)); err != nil {
		t.Error(err)
	}
}

func TestSecretsThatAreNone(t *testing.T) {
	for _, secrets := range [][]string{nil, {}, {""}, {"good", " "}} {
		if _, err := NewSignatures(secrets, ""); verify.KindOf(err) != verify.KindUsage {
			t.Errorf("%q: %v", secrets, err)
		}
	}
	for _, public := range []string{"ops.bank.example", "ftp://ops.bank.example", "https://", "https://ops.bank.example/d#x", "", "://"} {
		if _, err := NewSignatures([]string{"s"}, public); verify.KindOf(err) != verify.KindUsage {
			t.Errorf("%s: %v", public, err)
		}
	}
}

// at is a listener with its memory.
type at struct {
	*Listener
	memory  *memory
	handler http.Handler
	notes   []string
	got     []event.Event
}

func newListener(t *testing.T) *at {
	t.Helper()
	s, err := NewSignatures([]string{"secret"}, "https://ops.bank.example/debugger")
	if err != nil {
		t.Fatal(err)
	}
	a := &at{memory: &memory{}}
	a.Listener = &Listener{
		Path: "/debugger", Signatures: s, Keeper: func(event.Event) Keeper { return a.memory }, Now: fixed(noon),
		Attribution: event.NewAttribution([]verify.Environment{{Name: "prod", ServiceSID: service}}, ""),
		Received:    func(e event.Event) { a.got = append(a.got, e) },
		Note:        func(format string, args ...any) { a.notes = append(a.notes, fmt.Sprintf(format, args...)) },
	}
	a.handler = a.Listener.handler()
	return a
}

// post delivers a signed body as Twilio would, and gives the status.
func (a *at) post(t *testing.T, kind, body string) int {
	t.Helper()
	target, fields := "/debugger", ""
	if kind == formType {
		form, err := url.ParseQuery(body)
		if err != nil {
			t.Fatal(err)
		}
		fields = fieldsText(form)
	} else {
		sum := sha256.Sum256([]byte(body))
		target += "?bodySHA256=" + hex.EncodeToString(sum[:])
	}
	return a.do(signed(t, target, kind, body, sign([]byte("secret"), "https://ops.bank.example"+target+fields)))
}

func (a *at) do(r *http.Request) int {
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	return w.Code
}

func debuggerForm(n int) string {
	payload := fmt.Sprintf(`{"resource_sid":"%s","service_sid":null,"error_code":"52103","more_info":{"bindingType":"fcm","correlationIds":"[%s, user-%06d, %s, %s]"}}`,
		sid("NT", n), service, n, sid("YF", n), sid("YC", n))
	return url.Values{"Sid": {sid("NO", n)}, "AccountSid": {sid("AC", 1)}, "Level": {"ERROR"}, "ParentAccountSid": {""},
		"PayloadType": {"application/json"}, "Timestamp": {"2026-11-20T11:59:00Z"}, "Payload": {payload}}.Encode()
}

func cloudEvent(n int) string {
	payload, _ := json.Marshal(fmt.Sprintf(`{"error_code":"52141","more_info":{"bindingType":"apn","correlationIds":"[%s, user-%06d, %s]"}}`, service, n, sid("YF", n)))
	return fmt.Sprintf(`{"specversion":"1.0","type":"com.twilio.error-logs.error.logged","id":"%s","time":"2026-11-20T11:59:30Z","data":{"sid":"%s","level":"ERROR","error_code":"52141","payload":%s}}`,
		sid("NO", n), sid("NO", n), payload)
}

func TestDeliveriesAreStoredOnce(t *testing.T) {
	a := newListener(t)
	verifyWebhook := `{"service_sid":"` + service + `","entity_identity":"user-000009","factor_sid":"` + sid("YF", 9) + `","type":"factor.deleted","uuid":"2c4f7a36-bf7a-4394-a241-3fccc024ab7a"}`
	for _, d := range []struct{ kind, body string }{
		{formType, debuggerForm(1)},
		{formType, debuggerForm(1)},
		{"application/json", cloudEvent(2)},
		{"application/json; charset=utf-8", "[" + cloudEvent(2) + "," + cloudEvent(3) + "," + cloudEvent(1) + "]"},
		{"application/json", verifyWebhook},
		{"application/json", verifyWebhook},
		{"application/json", `{"shape":"of tomorrow"}`},
	} {
		if status := a.post(t, d.kind, d.body); status != http.StatusOK {
			t.Fatalf("%s: %d %q", d.body, status, a.notes)
		}
	}
	sources := map[string]int{}
	for _, e := range a.memory.events {
		sources[e.Source]++
	}
	want := map[string]int{fromWebhook: 1, fromStream: 2, fromVerifyWebhook: 1, fromElsewhere: 1}
	if diff := gocmp.Diff(want, sources); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if len(a.got) != 4 || a.got[0].PruneEvidence != event.EvidenceStrong || *a.got[0].Environment != "prod" {
		t.Errorf("%d events were told: %+v", len(a.got), a.got)
	}
}

// TestForgedDeliveriesStoreNothing: what is not signed is 403, whatever it is.
func TestForgedDeliveriesStoreNothing(t *testing.T) {
	a := newListener(t)
	for name, r := range map[string]*http.Request{
		"wrong signature":       signed(t, "/debugger", formType, debuggerForm(1), "AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
		"no signature":          signed(t, "/debugger", formType, debuggerForm(1), ""),
		"signed with nothing":   signed(t, "/debugger", formType, debuggerForm(1), sign(nil, "https://ops.bank.example/debugger")),
		"another body":          signed(t, "/debugger", formType, debuggerForm(2), sign([]byte("secret"), "https://ops.bank.example/debugger"+debuggerForm(1))),
		"JSON without its hash": signed(t, "/debugger", "application/json", cloudEvent(1), sign([]byte("secret"), "https://ops.bank.example/debugger")),
		"JSON as plain text":    signed(t, "/debugger", "text/plain", cloudEvent(1), sign([]byte("secret"), "https://ops.bank.example/debugger")),
		"a form that is none":   signed(t, "/debugger", formType, "A=%zz;", sign([]byte("secret"), "https://ops.bank.example/debugger")),
	} {
		if status := a.do(r); status != http.StatusForbidden {
			t.Errorf("%s: %d", name, status)
		}
	}
	if len(a.memory.events) != 0 || len(a.got) != 0 {
		t.Errorf("%d events were stored, %d told", len(a.memory.events), len(a.got))
	}
	if !strings.Contains(a.metrics(), "verifyctl_bad_signatures_total 7") {
		t.Error(a.metrics())
	}
}

func (a *at) metrics() string {
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return w.Body.String()
}

// TestNotStoredIsNotAccepted: Twilio is told to try again, and when it does the event is there.
func TestNotStoredIsNotAccepted(t *testing.T) {
	a := newListener(t)
	a.memory.fail = errors.New("disk full")
	if status := a.post(t, formType, debuggerForm(1)); status != http.StatusServiceUnavailable || len(a.got) != 0 {
		t.Errorf("status %d, %d told", status, len(a.got))
	}
	a.memory.fail = nil
	if status := a.post(t, formType, debuggerForm(1)); status != http.StatusOK || len(a.got) != 1 {
		t.Errorf("again: status %d, %d told", status, len(a.got))
	}
}

func TestWhatTheListenerRefuses(t *testing.T) {
	a := newListener(t)
	if status := a.do(httptest.NewRequest(http.MethodGet, "/debugger", nil)); status != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", status)
	}
	if status := a.do(httptest.NewRequest(http.MethodPost, "/elsewhere", strings.NewReader("A=1"))); status != http.StatusNotFound {
		t.Errorf("another path: %d", status)
	}
	large := signed(t, "/debugger", formType, "A="+strings.Repeat("x", maxDelivery), "x")
	if status := a.do(large); status != http.StatusRequestEntityTooLarge {
		t.Errorf("large: %d", status)
	}
	for _, body := range []string{"", "not JSON", "[1,", "[]"} {
		want := http.StatusBadRequest
		if body == "[]" {
			want = http.StatusOK // an empty batch
		}
		if status := a.post(t, "application/json", body); status != want {
			t.Errorf("%q: %d", body, status)
		}
	}
	if status := a.do(httptest.NewRequest(http.MethodGet, "/healthz", nil)); status != http.StatusOK {
		t.Errorf("healthz: %d", status)
	}
}

// TestAStoreThatIsAwayIsSaid: by /healthz, by which load balancers choose, and by a metric.
func TestAStoreThatIsAwayIsSaid(t *testing.T) {
	a := newListener(t)
	asked := 0
	a.Reachable = func(context.Context) error { asked++; return errors.New("away") }
	for range 3 {
		if status := a.do(httptest.NewRequest(http.MethodGet, "/healthz", nil)); status != http.StatusServiceUnavailable {
			t.Errorf("healthz: %d", status)
		}
	}
	if text := a.metrics(); !strings.Contains(text, "verifyctl_store_up 0\n") || asked != 1 {
		t.Errorf("asked %d times, and told\n%s", asked, text)
	}
	a.Reachable, a.health.asked = func(context.Context) error { return nil }, time.Time{}
	if text := a.metrics(); !strings.Contains(text, "verifyctl_store_up 1\n") {
		t.Errorf("afterwards\n%s", text)
	}
}

// TestMetricsNameNobody: labels are environments, codes and verdicts.
func TestMetricsNameNobody(t *testing.T) {
	a := newListener(t)
	a.post(t, formType, debuggerForm(1))
	a.post(t, "application/json", "["+cloudEvent(2)+","+strings.ReplaceAll(cloudEvent(3), "52141", "52199")+"]")
	text := a.metrics()
	for _, want := range []string{
		`verifyctl_push_errors_total{environment="prod",code="52103",verdict="token_dead"} 1`,
		`verifyctl_push_errors_total{environment="prod",code="52141",verdict="token_dead"} 1`,
		`verifyctl_push_errors_total{environment="prod",code="other",verdict="unknown"} 1`,
		fmt.Sprintf("verifyctl_last_event_timestamp_seconds %d", time.Date(2026, 11, 20, 11, 59, 30, 0, time.UTC).Unix()),
		"verifyctl_events_stored_total 3",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if strings.Contains(text, "user-") || strings.Contains(text, "YF0") || strings.Contains(text, "VA0") {
		t.Errorf("somebody is named in\n%s", text)
	}
}

// TestServeStopsCleanly: what is in flight when the listener is stopped is finished.
func TestServeStopsCleanly(t *testing.T) {
	a := newListener(t)
	on, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Serve(ctx, on) }()
	resp, err := http.Get("http://" + on.Addr().String() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if string(text) != "ok\n" {
		t.Errorf("%q", text)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestASpoofedHostIsNotTaken: what the request says of host and path is not what was signed for.
func TestASpoofedHostIsNotTaken(t *testing.T) {
	s, err := NewSignatures([]string{"secret"}, "https://ops.bank.example/d")
	if err != nil {
		t.Fatal(err)
	}
	for _, elsewhere := range []string{"https://other.example/d", "http://ops.bank.example/d", "https://ops.bank.example/e", "http://127.0.0.1:8282/d"} {
		r := signed(t, "/d", formType, "A=1", sign([]byte("secret"), elsewhere+"A1"))
		u, err := url.Parse(elsewhere)
		if err != nil {
			t.Fatal(err)
		}
		r.Host, r.URL.Path = u.Host, u.Path
		if err := s.check(r, []byte("A=1")); err == nil {
			t.Errorf("a delivery signed for %s is taken", elsewhere)
		}
	}
}

// besiege holds connections to an address as slow, silent, half-sent and forging clients do, and gives what ends them.
func besiege(t testing.TB, address string, clients int) (end func()) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			for ctx.Err() == nil {
				conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
				if err != nil {
					return
				}
				switch i % 4 {
				case 0: // says nothing
				case 1:
					fmt.Fprint(conn, "POST /debugger HTTP/1.1\r\nHost: x\r\n")
				case 2:
					fmt.Fprint(conn, "POST /debugger HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100000\r\n\r\nA=")
				case 3:
					fmt.Fprint(conn, "POST /debugger HTTP/1.1\r\nHost: x\r\nX-Twilio-Signature: forged\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\nA=1")
				}
				closed := make(chan struct{})
				go func() { // until the listener closes it
					defer close(closed)
					io.Copy(io.Discard, conn)
				}()
				select {
				case <-closed:
				case <-ctx.Done():
				}
				conn.Close()
			}
		})
	}
	return func() {
		stop()
		all.Wait()
	}
}

// serving is a listener on a port of this machine.
func serving(t testing.TB, a *at) (address string) {
	t.Helper()
	on, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Serve(ctx, on) }()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	return on.Addr().String()
}

// deliverTo posts a signed delivery on a connection of its own, as Twilio does, and gives the status.
func deliverTo(t testing.TB, address string, n int) int {
	t.Helper()
	body := debuggerForm(n)
	form, err := url.ParseQuery(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/debugger", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", formType)
	req.Header.Set("X-Twilio-Signature", sign([]byte("secret"), "https://ops.bank.example/debugger"+fieldsText(form)))
	client := &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}} // Twilio waits so long
	resp, err := client.Do(req)
	if err != nil {
		t.Log(err)
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

// TestNobodyBlocksADelivery: whatever unsigned clients do, each signed delivery is acknowledged.
func TestNobodyBlocksADelivery(t *testing.T) {
	a := newListener(t)
	a.grace = 500 * time.Millisecond // a busy machine takes longer to send a signature
	address := serving(t, a)
	defer besiege(t, address, 600)()
	for n := range 40 {
		if status := deliverTo(t, address, n); status != http.StatusOK {
			t.Fatalf("delivery %d got %d", n, status)
		}
	}
}

// BenchmarkSiege is one signed delivery, alone and beside 1,000 slow, silent, half-sent and forging clients.
func BenchmarkSiege(b *testing.B) {
	a := &at{memory: &memory{}}
	s, err := NewSignatures([]string{"secret"}, "https://ops.bank.example/debugger")
	if err != nil {
		b.Fatal(err)
	}
	a.Listener = &Listener{Path: "/debugger", Signatures: s, Keeper: func(event.Event) Keeper { return a.memory }, Now: time.Now, Note: func(string, ...any) {}}
	address := serving(b, a)
	const deliveries = 200
	p99 := func() time.Duration {
		var took []time.Duration
		for n := range deliveries {
			began := time.Now()
			if status := deliverTo(b, address, n); status != http.StatusOK {
				b.Fatalf("delivery %d got %d", n, status)
			}
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		return took[deliveries*99/100]
	}
	for b.Loop() {
		alone := p99()
		end := besiege(b, address, 1000)
		beside := p99()
		end()
		b.ReportMetric(float64(alone.Microseconds())/1000, "alone-p99-ms")
		b.ReportMetric(float64(beside.Microseconds())/1000, "besieged-p99-ms")
		b.ReportMetric(float64(beside)/float64(alone), "x-alone")
	}
}

// fakeConn is a connection from an address.
type fakeConn struct {
	net.Conn
	from   string
	closed bool
}

func (c *fakeConn) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(c.from))
}
func (c *fakeConn) Close() error { c.closed = true; return nil }

// queue is a listener of given connections.
type queue struct{ conns []net.Conn }

func (q *queue) Accept() (net.Conn, error) {
	conn := q.conns[0]
	q.conns = q.conns[1:]
	return conn, nil
}
func (q *queue) Close() error   { return nil }
func (q *queue) Addr() net.Addr { return nil }

// TestTheSlowestLosesItsPlace: one address has so many places, a trusted proxy has more, and what is being stored stays.
func TestTheSlowestLosesItsPlace(t *testing.T) {
	var conns []*fakeConn
	q := &queue{}
	add := func(n int, from string) {
		for range n {
			c := &fakeConn{from: from}
			conns, q.conns = append(conns, c), append(q.conns, c)
		}
	}
	add(maxPerAddress+2, "192.0.2.1:1")
	add(2*maxPerAddress, "198.51.100.7:1")
	places := newConnections(q, []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}, defaultGrace)
	for i := range conns {
		conn, err := places.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			protect(withPlace(t.Context(), conn))
		}
	}
	for i, c := range conns {
		if want := i == 1 || i == 2; c.closed != want {
			t.Errorf("connection %d is closed: %v, want %v", i, c.closed, want)
		}
	}
}

// TestProgramGetsItsArgumentsAsTheyAre: no shell sees them, and the event is on its standard input.
func TestProgramGetsItsArgumentsAsTheyAre(t *testing.T) {
	if os.Getenv("DEBUGGER_TEST_PROGRAM") != "" {
		text, _ := io.ReadAll(os.Stdin)
		fmt.Printf("ARGS %q STDIN %s", os.Args[len(os.Args)-2:], text)
		os.Exit(0)
	}
	t.Setenv("DEBUGGER_TEST_PROGRAM", "1")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	p := Program{Argv: []string{self, "-test.run=TestProgramGetsItsArgumentsAsTheyAre", "$(reboot)", "a;b"}, Output: &out}
	e := event.Parse([]byte(debuggerForm(1)))[0]
	if err := p.Forward(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), `ARGS ["$(reboot)" "a;b"]`) || !strings.Contains(out.String(), `"factor_sid":"`+sid("YF", 1)) {
		t.Error(out.String())
	}
	if err := (Program{Argv: []string{"/nonexistent/program"}, Output: io.Discard}).Forward(t.Context(), e); err == nil {
		t.Error("a program that does not exist runs")
	}
}

// TestForwardGoesToTheNamedHostOnly: a redirect is not followed.
func TestForwardGoesToTheNamedHostOnly(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the event went elsewhere") }))
	defer elsewhere.Close()
	var got []byte
	here := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, _ = io.ReadAll(r.Body)
		if r.URL.Path == "/away" {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}
	}))
	defer here.Close()
	e := event.Parse([]byte(debuggerForm(1)))[0]
	good, err := NewPost(here.URL + "/in")
	if err != nil {
		t.Fatal(err)
	}
	if err := good.Forward(t.Context(), e); err != nil || !bytes.Contains(got, []byte(`"verdict":"token_dead"`)) {
		t.Errorf("%v %s", err, got)
	}
	away, err := NewPost(here.URL + "/away")
	if err != nil {
		t.Fatal(err)
	}
	if err := away.Forward(t.Context(), e); err == nil || !strings.Contains(err.Error(), "307") {
		t.Errorf("%v", err)
	}
	for _, bad := range []string{"http://ops.bank.example/x", "ops.bank.example", "ftp://127.0.0.1/x", ""} {
		if _, err := NewPost(bad); verify.KindOf(err) != verify.KindUsage {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

type forwarderFunc func(event.Event) error

func (f forwarderFunc) Forward(_ context.Context, e event.Event) error { return f(e) }

// TestQueueTriesAgain: an event that cannot be handed on is tried three times, then reported; the others go on.
func TestQueueTriesAgain(t *testing.T) {
	var mu sync.Mutex
	tries := map[string]int{}
	var failed []string
	q := NewQueue(t.Context(), forwarderFunc(func(e event.Event) error {
		mu.Lock()
		defer mu.Unlock()
		tries[e.EventSID]++
		if e.EventSID == "bad" || e.EventSID == "slow" && tries["slow"] < 3 {
			return errors.New("no")
		}
		return nil
	}), &ticking{now: noon, sleeps: 100}, func(e event.Event, _ error) { failed = append(failed, e.EventSID) })
	for _, id := range []string{"good", "bad", "slow", "last"} {
		q.Add(event.Event{EventSID: id})
	}
	q.Close()
	want := map[string]int{"good": 1, "bad": 3, "slow": 3, "last": 1}
	if diff := gocmp.Diff(want, tries); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if diff := gocmp.Diff([]string{"bad"}, failed); diff != "" {
		t.Errorf("failed: -want +got\n%s", diff)
	}
}

// FuzzDelivery: whatever is signed, the listener answers, and what it stored can be decoded again.
func FuzzDelivery(f *testing.F) {
	const longest = 200 // Go's fuzzing needs a minute to shorten each long text that it keeps
	event52103 := `{"error_code":"52103","more_info":{"correlationIds":"[YF00000000000000000000000000000001]"}}`
	f.Add("Sid=NO1&Payload="+url.QueryEscape(event52103), true)
	f.Add(`{"specversion":"1.0","id":"NO1","data":{"payload":`+event52103+`}}`, false)
	f.Add("["+event52103+",null,[],{}]", false)
	f.Add(`{"a":`, false)
	f.Add("Payload=%7B", true)
	f.Fuzz(func(t *testing.T, body string, form bool) {
		if len(body) > longest {
			return
		}
		all, err := takeApart([]byte(body), form, noon)
		if err != nil {
			return
		}
		for _, d := range all {
			again := event.Parse(d.stored.Body)
			if d.known != (len(again) > 0) || d.known && gocmp.Diff(d.event, again[0]) != "" {
				t.Fatalf("%q was decoded as %+v and is again %+v", d.stored.Body, d.event, again)
			}
		}
	})
}
