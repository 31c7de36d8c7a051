package simulator_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/simulator"
)

// start is where the clocks of test worlds stand.
var start = time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)

const controlSecret = "of-this-test"

// client talks to a simulator through its in-memory network.
type client struct {
	t    testing.TB
	sim  *simulator.Simulator
	http *http.Client
	host string // of requests; the path decides about the product unless it is Twilio's
	user string
	pass string
}

// open opens a world and serves it in memory for the length of a test.
func open(t testing.TB, opts simulator.Options) *client {
	t.Helper()
	opts.ControlSecret = controlSecret
	sim, err := simulator.Open(t.Context(), opts)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	listener := simulator.NewPipeListener()
	server := sim.NewServer()
	served := make(chan struct{})
	go func() { defer close(served); server.Serve(listener) }() // ends with the server
	transport := &http.Transport{DialContext: listener.DialContext}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
		<-served
		if err := sim.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	c := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &client{t: t, sim: sim, http: c, host: "simulator.test", user: simulator.DefaultAccountSID, pass: simulator.DefaultAuthToken}
}

// frozen is an empty world whose clock stands still.
func frozen(t testing.TB) *client {
	return open(t, simulator.Options{Clock: simulator.Clock{Mode: simulator.ClockFrozen, At: start}})
}

func demo(t testing.TB) *client { return open(t, simulator.Options{Seed: simulator.SeedDemo}) }

// as is the same world for another caller.
func (c client) as(user, pass string) *client { c.user, c.pass = user, pass; return &c }

// at is the same world asked by another host name.
func (c client) at(host string) *client { c.host = host; return &c }

type answer struct {
	status int
	header http.Header
	raw    string
	body   map[string]any
}

// do sends a request; form values are alternating names and values.
func (c *client) do(method, path string, form ...string) answer {
	c.t.Helper()
	var body io.Reader
	if len(form) > 0 {
		values := url.Values{}
		for i := 0; i < len(form); i += 2 {
			values.Add(form[i], form[i+1])
		}
		body = strings.NewReader(values.Encode())
	}
	req, err := http.NewRequestWithContext(context.Background(), method, "http://"+c.host+path, body)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return c.send(req)
}

func (c *client) send(req *http.Request) answer {
	c.t.Helper()
	if c.user != "" {
		req.SetBasicAuth(c.user, c.pass)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		c.t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, raw: string(raw)}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &a.body); err != nil {
			c.t.Fatalf("%s %s: not JSON: %s", req.Method, req.URL, raw)
		}
	}
	return a
}

// plain sends a request without a test around it.
func (c *client) plain(method, path string, form ...string) (int, string, error) {
	values := url.Values{}
	for i := 0; i < len(form); i += 2 {
		values.Add(form[i], form[i+1])
	}
	req, err := http.NewRequest(method, "http://"+c.host+path, strings.NewReader(values.Encode()))
	if err != nil {
		return 0, "", err
	}
	req.SetBasicAuth(c.user, c.pass)
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(raw), err
}

// ok is do for requests that must succeed.
func (c *client) ok(method, path string, form ...string) answer {
	c.t.Helper()
	a := c.do(method, path, form...)
	if a.status >= 300 {
		c.t.Fatalf("%s %s: %d %s", method, path, a.status, a.raw)
	}
	return a
}

// refused is do for requests that must fail with a status and a code.
func (c *client) refused(status, code int, method, path string, form ...string) answer {
	c.t.Helper()
	a := c.do(method, path, form...)
	if a.status != status || a.body["code"] != float64(code) {
		c.t.Errorf("%s %s %q: got %d %s; want %d with code %d", method, path, form, a.status, a.raw, status, code)
	}
	return a
}

func (a answer) text(name string) string {
	s, _ := a.body[name].(string)
	return s
}

// items gives the array of a list reply.
func (a answer) items(key string) []map[string]any {
	list, _ := a.body[key].([]any)
	var items []map[string]any
	for _, item := range list {
		items = append(items, item.(map[string]any))
	}
	return items
}

func column(items []map[string]any, name string) []string {
	var values []string
	for _, item := range items {
		value, _ := item[name].(string)
		values = append(values, value)
	}
	return values
}

var _ net.Listener = (*simulator.PipeListener)(nil)

// TestDemoWorld reads the seed as an operator would: what the documentation says about it must be in it.
func TestDemoWorld(t *testing.T) {
	c := demo(t)
	services := c.ok("GET", "/v2/Services").items("services")
	if got := len(services); got != 3 {
		t.Fatalf("the demo has %d Services, want 3", got)
	}
	for _, env := range simulator.DemoEnvironments() {
		if s := c.ok("GET", "/v2/Services/"+env.ServiceSID); s.text("account_sid") != simulator.DefaultAccountSID {
			t.Errorf("%s: %s", env.Name, s.raw)
		}
	}
	if got := c.ok("GET", "/v1/Credentials/"+simulator.DemoAPNCredentialSID).text("sandbox"); got != "True" {
		t.Errorf("the live credential has sandbox %q, want the wrong one, True", got)
	}
	if got := c.ok("GET", "/v1/Credentials/"+simulator.DemoSpareCredentialSID).text("sandbox"); got != "False" {
		t.Errorf("the spare credential has sandbox %q, want False", got)
	}
	user := "/v2/Services/" + simulator.DemoServiceSID + "/Entities/" + simulator.DemoIdentity
	if got := column(c.ok("GET", user+"/Factors").items("factors"), "status"); len(got) != 3 {
		t.Errorf("%s has %d factors, want 3", simulator.DemoIdentity, len(got))
	}
	for sid, want := range map[string]string{
		simulator.DemoPendingChallengeSID: "pending", simulator.DemoExpiredChallengeSID: "expired",
		simulator.DemoApprovedChallengeSID: "approved", simulator.DemoDeniedChallengeSID: "denied",
	} {
		if got := c.ok("GET", user+"/Challenges/"+sid).text("status"); got != want {
			t.Errorf("challenge %s is %s, want %s", sid, got, want)
		}
	}
	codes := map[string]int{}
	for _, a := range c.ok("GET", "/v1/Alerts").items("alerts") {
		codes[a["error_code"].(string)]++
	}
	if codes["52134"] < 5 || codes["52103"] != 3 || codes["11200"] != 2 {
		t.Errorf("alerts by code: %v; want at least five 52134, three 52103 (two of them Voice's), two 11200", codes)
	}
}

// TestManyMakeOneState opens a state that does not exist from many places at once: one makes it, all use it.
func TestManyMakeOneState(t *testing.T) {
	file := filepath.Join(t.TempDir(), "world.sqlite")
	failed := make(chan error, 16)
	for range cap(failed) {
		go func() {
			sim, err := simulator.Open(context.Background(), simulator.Options{State: file, Seed: simulator.SeedDemo})
			if err == nil {
				err = sim.Close()
			}
			failed <- err
		}()
	}
	for range cap(failed) {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
}
