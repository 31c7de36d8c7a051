package twilio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	_ "github.com/verifyctl/verifyctl/internal/tmpdir" // for temporary folders
	"github.com/verifyctl/verifyctl/internal/verify"
)

func TestMain(m *testing.M) {
	if os.Getenv(asProxiedClient) != "" {
		os.Exit(proxiedClient())
	}
	goleak.VerifyTestMain(m)
}

const (
	hex32     = "0123456789abcdef0123456789abcdef"
	account   = verify.AccountSID("AC" + hex32)
	service   = verify.ServiceSID("VA" + hex32)
	factor    = verify.FactorSID("YF" + hex32)
	challenge = verify.ChallengeSID("YC" + hex32)
	cred      = verify.CredentialSID("CR" + hex32)
	user      = verify.Identity("user-1001")
	password  = "s3cretOfTheKey"
)

// sighting is one request as the server saw it.
type sighting struct {
	method, uri string
	host        string
	form        url.Values
	header      http.Header
}

func (s sighting) String() string { return s.method + " " + s.uri }

// world is a server on loopback that answers as the test says, a client for it, and a clock that only sleeping moves.
type world struct {
	*Client
	Writer
	server *httptest.Server

	mu     sync.Mutex
	seen   []sighting
	sleeps []time.Duration
	now    time.Time
}

// answer answers the nth request, counted from 1.
type answer func(w http.ResponseWriter, r *http.Request, n int)

func newWorld(t *testing.T, reply answer, adjust ...func(*Options)) *world {
	t.Helper()
	w := &world{now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)}
	w.server = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		uri := r.RequestURI
		if err := r.ParseForm(); err != nil {
			t.Errorf("a request has a broken form: %v", err)
		}
		w.mu.Lock()
		w.seen = append(w.seen, sighting{r.Method, uri, r.Host, r.PostForm, r.Header.Clone()})
		n := len(w.seen)
		w.mu.Unlock()
		rw.Header().Set("Twilio-Request-Id", fmt.Sprintf("RQ%032d", n))
		reply(rw, r, n)
	}))
	w.server.Config.ErrorLog = log.New(io.Discard, "", 0) // broken handshakes are part of the tests
	w.server.Start()
	t.Cleanup(w.server.Close)
	opts := Options{
		Username: string(account), Password: password, BaseURL: w.server.URL,
		Now:    func() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now },
		Random: func() float64 { return 0 },
		Sleep: func(ctx context.Context, d time.Duration) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.sleeps = append(w.sleeps, d)
			w.now = w.now.Add(d)
			return ctx.Err()
		},
	}
	for _, change := range adjust {
		change(&opts)
	}
	client, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	w.Client, w.Writer = client, client.Writer()
	t.Cleanup(func() { client.Close() })
	return w
}

func (w *world) sightings() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for _, s := range w.seen {
		all = append(all, s.String())
	}
	return all
}

func (w *world) last(t *testing.T) sighting {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.seen) == 0 {
		t.Fatal("no request was sent")
	}
	return w.seen[len(w.seen)-1]
}

func (w *world) wantRequests(t *testing.T, n int) {
	t.Helper()
	if got := w.sightings(); len(got) != n {
		t.Errorf("%d requests were sent instead of %d:\n%s", len(got), n, strings.Join(got, "\n"))
	}
}

// says answers every request alike.
func says(status int, body string) answer {
	return func(w http.ResponseWriter, _ *http.Request, _ int) { send(w, status, body) }
}

// inTurn gives each request its own answer, and the last one to those that follow.
func inTurn(answers ...answer) answer {
	return func(w http.ResponseWriter, r *http.Request, n int) { answers[min(n, len(answers))-1](w, r, n) }
}

func send(w http.ResponseWriter, status int, body string) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	fmt.Fprint(w, body)
}

// hangsUp closes the connection without an answer: the request has arrived.
func hangsUp(w http.ResponseWriter, _ *http.Request, _ int) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	conn.(*net.TCPConn).SetLinger(0) //nolint:errcheck // a reset instead of an orderly end, where it can be had
	conn.Close()
}

func failed(status, code int, header ...string) answer {
	return func(w http.ResponseWriter, _ *http.Request, _ int) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		send(w, status, fmt.Sprintf(`{"code":%d,"message":"It was refused.","more_info":"https://www.twilio.com/docs/errors/%d","status":%d}`, code, code, status))
	}
}

// The replies of a healthy API. Ids are those of the constants above.
var (
	serviceJSON      = `{"sid":"` + string(service) + `","account_sid":"` + string(account) + `","friendly_name":"Bank","push":{"include_date":false,"apn_credential_sid":"` + string(cred) + `","fcm_credential_sid":null},"totp":{"issuer":"x"},"passkeys":null,"date_created":"2026-01-02T03:04:05Z","date_updated":"Fri, 02 Jan 2026 03:04:05 +0000"}`
	factorJSON       = `{"sid":"` + string(factor) + `","account_sid":"` + string(account) + `","service_sid":"` + string(service) + `","entity_sid":"YE` + hex32 + `","identity":"` + string(user) + `","friendly_name":"Jane's phone","status":"verified","factor_type":"push","config":{"sdk_version":"3.0.2","app_id":"com.bank.example","notification_platform":"apn","notification_token":"tokenOfThePhone"},"metadata":{"app_version":"4.1","build":7},"date_created":"2026-01-02T03:04:05Z","date_updated":"2026-01-02T03:04:05Z"}`
	challengeJSON    = `{"sid":"` + string(challenge) + `","account_sid":"` + string(account) + `","service_sid":"` + string(service) + `","entity_sid":"YE` + hex32 + `","identity":"` + string(user) + `","factor_sid":"` + string(factor) + `","date_created":"2026-01-02T03:04:05Z","date_updated":"2026-01-02T03:04:05Z","date_responded":null,"expiration_date":"2026-01-02T03:09:05Z","status":"pending","responded_reason":"none","details":{"message":"Log in?","fields":[{"label":"Place","value":"Berlin"}],"date":"2026-01-02T03:04:05Z"},"hidden_details":{"ip":"192.0.2.1"},"metadata":null,"factor_type":"push","links":{"notifications":"x"}}`
	notificationJSON = `{"sid":"NT` + hex32 + `","account_sid":"` + string(account) + `","challenge_sid":"` + string(challenge) + `","identity":"` + string(user) + `","priority":"high","ttl":120,"date_created":"2026-01-02T03:04:05Z"}`
	credentialJSON   = `{"sid":"` + string(cred) + `","account_sid":"` + string(account) + `","friendly_name":"APNs","type":"apn","sandbox":"True","date_created":"2015-10-07T17:50:01Z","date_updated":"2015-10-07T17:50:01Z"}`
)

func page(array string, rows []string, next string) string {
	link := "null"
	if next != "" {
		link = `"` + next + `"`
	}
	return `{"` + array + `":[` + strings.Join(rows, ",") + `],"meta":{"page":0,"page_size":50,"next_page_url":` + link + `,"key":"` + array + `"}}`
}

// wantError checks an error's kind and gives it.
func wantError(t *testing.T, err error, kind verify.Kind) *verify.Error {
	t.Helper()
	var e *verify.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want a *verify.Error of kind %s", err, kind)
	}
	if e.Kind != kind {
		t.Errorf("got kind %s, want %s: %v", e.Kind, kind, err)
	}
	if strings.ContainsAny(e.Message, "\n\r\x1b") || strings.HasSuffix(e.Message, ".") || e.Message == "" {
		t.Errorf("not a message of one line without a full stop: %q", e.Message)
	}
	if strings.Contains(fmt.Sprintf("%v %s %+v", err, e.Hint, e.Cause), password) {
		t.Errorf("the error shows the secret: %v", err)
	}
	return e
}

func collect[R any](seq func(func(R, error) bool)) (got []R, err error) {
	for r, e := range seq {
		if e != nil {
			if err != nil {
				panic("something follows the error that ends a list")
			}
			err = e
			continue
		}
		got = append(got, r)
	}
	return got, err
}
