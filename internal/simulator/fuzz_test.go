package simulator_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/verifyctl/verifyctl/internal/simulator"
)

func readBody(t testing.TB, resp *http.Response) (string, map[string]any) {
	t.Helper()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var body map[string]any
	json.Unmarshal(raw, &body) // lists and texts have no map
	return string(raw), body
}

func textOf(v any) string {
	if v == nil {
		return "null"
	}
	return fmt.Sprint(v)
}

// FuzzRequests throws any method, path and body at every operation: whatever comes, the reply is Twilio's JSON, never a
// redirect, a text or a failure of ours.
func FuzzRequests(f *testing.F) {
	user := "/v2/Services/" + simulator.DemoServiceSID + "/Entities/" + simulator.DemoIdentity
	for _, seed := range [][3]string{
		{"GET", "/v2/Services?PageSize=2&PageToken=PTa000000000000000100000000", ""},
		{"POST", user + "/Factors", "FriendlyName=a;b&FactorType=push&Binding.Alg=ES256&Binding.PublicKey=AA==&Config.AppId=x"},
		{"POST", user + "/Challenges", "FactorSid=" + simulator.DemoTabletFactorSID + "&Details.Message=%ff%00&Details.Fields={\"label\":1}"},
		{"POST", user + "/Challenges/" + simulator.DemoPendingChallengeSID, "AuthPayload=a.b.c&Metadata={"},
		{"POST", user + "/Challenges/" + simulator.DemoPendingChallengeSID + "/Notifications", "Ttl=-1"},
		{"GET", "/v1/Alerts?StartDate=%zz&EndDate=0000-00-00", ""},
		{"POST", "/v1/Credentials", "Type=apn&Certificate=-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----&PrivateKey=x"},
		{"DELETE", user + "/Factors/..%2f..", "x=%"},
		{"GET", "/2010-04-01/Accounts/.json/Usage/Records.json", "&&==&"},
		{"POST", "/v1/Keys", "AccountSid=" + simulator.DefaultAccountSID + "&Policy=null"},
		{"POST", "/v1/Sinks", "Description=&SinkType=webhook&SinkConfiguration=null"},
		{"POST", "/v2/Services", "FriendlyName=ok&Totp.TimeStep=99999999999999999999"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	sim, err := simulator.Open(f.Context(), simulator.Options{Seed: simulator.SeedDemo})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { sim.Close() })
	f.Fuzz(func(t *testing.T, method, target, body string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || !strings.HasPrefix(target, "/") || strings.HasPrefix(u.Path, "/__simulator/") || strings.ContainsAny(method, " \r\n\t") || method == "" {
			return // net/http refuses these itself
		}
		raw := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: simulator.test\r\nContent-Length: %d\r\n\r\n%s", method, target, len(body), body)
		req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
		if err != nil {
			return
		}
		req.SetBasicAuth(simulator.DefaultAccountSID, simulator.DefaultAuthToken)
		rec := httptest.NewRecorder()
		sim.ServeHTTP(rec, req)
		status, reply := rec.Code, rec.Body.Bytes()
		switch {
		case status == 204 && len(reply) == 0:
		case status >= 500, status < 200, status >= 300 && status < 400:
			t.Errorf("%s %s: %d %s", method, target, status, reply)
		case !json.Valid(reply):
			t.Errorf("%s %s: not JSON: %s", method, target, reply)
		case rec.Header().Get("Twilio-Request-Id") == "" || rec.Header().Get("Date") == "":
			t.Errorf("%s %s: headers %v", method, target, rec.Header())
		}
	})
}

// TestLimits on what a client may send.
func TestLimits(t *testing.T) {
	c := frozen(t)
	status, _, body := c.try("POST", "/v2/Services", "FriendlyName="+strings.Repeat("a", 300<<10))
	if status != 413 || !strings.Contains(body, `"status":413`) {
		t.Errorf("a body of 300 KiB: %d %s", status, body)
	}
	req, err := http.NewRequest("GET", "http://simulator.test/v2/Services", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Flood", strings.Repeat("a", 100<<10))
	if resp, err := c.http.Do(req); err == nil {
		resp.Body.Close()
		if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("a header of 100 KiB: %d", resp.StatusCode)
		}
	}
	c.ok("GET", "/v2/Services")
}

// TestGarbage on a connection ends that connection and nothing else.
func TestGarbage(t *testing.T) {
	sim, err := simulator.Open(t.Context(), simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	pipe := simulator.NewPipeListener()
	served := make(chan error)
	go func() { served <- sim.Serve(pipe) }()
	for _, garbage := range []string{
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", strings.Repeat("\x00", 4096), "GET\r\n\r\n", "POST / HTTP/9.9\r\n\r\n",
		"GET /v2/Services HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n",
	} {
		conn, err := pipe.DialContext(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			io.WriteString(conn, garbage+"\r\n\r\n") // what the server does not want it need not read
		}()
		reply, _ := bufio.NewReader(conn).ReadString('\n')
		if !strings.HasPrefix(reply, "HTTP/1.1 4") && reply != "" && !strings.HasPrefix(reply, "HTTP/1.1 505") {
			t.Errorf("%q was answered with %q", garbage, reply)
		}
		conn.Close()
	}
	pipe.Close()
	if err := <-served; err != nil {
		t.Errorf("serving ended with %v", err)
	}
	if _, err := pipe.DialContext(t.Context(), "", ""); err == nil {
		t.Error("a closed listener was dialled")
	}
}
