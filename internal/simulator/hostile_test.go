package simulator_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/simulator"
)

// ports is one world on loopback: in the clear, with TLS, and behind the proxy.
type ports struct {
	sim                  *simulator.Simulator
	plain, secure, proxy string // addresses
	trust                *tls.Config
}

func onPorts(t *testing.T, change func(*simulator.Server)) ports {
	t.Helper()
	sim, err := simulator.Open(t.Context(), simulator.Options{Seed: simulator.SeedDemo})
	if err != nil {
		t.Fatal(err)
	}
	authority, err := simulator.OpenAuthority(t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	config, err := authority.TLS(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(authority.File)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	var listeners []net.Listener
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners = append(listeners, l)
	}
	server, proxy := sim.NewServer(), sim.NewConnectProxy(config)
	change(server)
	var serving sync.WaitGroup
	serving.Go(func() { server.Serve(listeners[0]) })            //nolint:errcheck // ends with the server
	serving.Go(func() { server.ServeTLS(listeners[1], config) }) //nolint:errcheck // the same
	serving.Go(func() { proxy.Serve(listeners[2]) })             //nolint:errcheck // the same
	t.Cleanup(func() {
		err := errors.Join(server.Close(), proxy.Close())
		serving.Wait()
		if err := errors.Join(err, sim.Close()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return ports{sim, listeners[0].Addr().String(), listeners[1].Addr().String(), listeners[2].Addr().String(),
		&tls.Config{RootCAs: roots, ServerName: "localhost"}}
}

// dial connects for a few seconds at most.
func dial(t *testing.T, addr string, config *tls.Config) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if config != nil {
		conn = tls.Client(conn, config)
	}
	conn.SetDeadline(time.Now().Add(20 * time.Second)) //nolint:errcheck // a connection just made
	t.Cleanup(func() { conn.Close() })
	return conn
}

const basic = "Authorization: Basic QUMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDowMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMA==\r\n"

// request is a request whose head is well formed.
func request(line, headers, body string) string {
	return fmt.Sprintf("%s HTTP/1.1\r\nHost: simulator.test\r\n%sConnection: close\r\nContent-Length: %d\r\n%s\r\n%s", line, basic, len(body), headers, body)
}

// TestMalformedRequests get Twilio's envelope, whoever finds them malformed: net/http or the simulator.
func TestMalformedRequests(t *testing.T) {
	p := onPorts(t, func(*simulator.Server) {})
	const nul = "\x00"
	entity := "/v2/Services/" + simulator.DemoServiceSID + "/Entities/" + simulator.DemoIdentity
	for _, tc := range []struct {
		name, raw string
		status    int
	}{
		{"a path that cannot be decoded", request("GET /v2/Services/%zz", "", ""), 400},
		{"NUL in a path", request("GET /v2/Services/%00", "", ""), 404},
		{"a raw NUL in a path", request("GET /v2/Services/"+nul, "", ""), 400},
		{"a path of 100 KiB", request("GET /v2/Services/"+strings.Repeat("a", 100<<10), "", ""), 431},
		{"no path", "GET\r\n\r\n", 400},
		{"an endless line of NUL", strings.Repeat(nul, 200<<10) + "\r\n\r\n", 431},
		{"another version", "GET / HTTP/9.9\r\n\r\n", 505},
		{"HTTP/2 by prior knowledge", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 404},
		{"no host", "GET / HTTP/1.1\r\n\r\n", 400},
		{"a host that is none", "GET / HTTP/1.1\r\nHost: a b/c\r\n\r\n", 400},
		{"a header without a name", request("GET /v2/Services", ": x\r\n", ""), 400},
		{"NUL in a header", request("GET /v2/Services", "X-Nul: a"+nul+"b\r\n", ""), 400},
		{"a header of 100 KiB", request("GET /v2/Services", "X-Flood: "+strings.Repeat("a", 100<<10)+"\r\n", ""), 431},
		{"20,000 headers", request("GET /v2/Services", strings.Repeat("X-Flood: aa\r\n", 20_000), ""), 431},
		{"a negative length", "POST /v2/Services HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400},
		{"two lengths", "POST /v2/Services HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
		{"an unknown transfer coding", "POST /v2/Services HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: nonsense\r\n\r\n", 501},
		{"chunks that are none", "POST /v2/Services HTTP/1.1\r\nHost: a\r\n" + basic + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
		{"a body of 300 KiB", request("POST /v2/Services", "", "FriendlyName="+strings.Repeat("a", 300<<10)), 413},
		{"the options of everything", request("OPTIONS *", "", ""), 404},
		{"a tunnel", "CONNECT www.example.com:443 HTTP/1.1\r\nHost: www.example.com:443\r\nConnection: close\r\n\r\n", 404},
		{"an unknown method", request("BREW /v2/Services", "", ""), 405},
		{"a token of 30 KiB", request("GET /v2/Services?PageToken="+strings.Repeat("f", 30<<10), "", ""), 400},
		{"a page below 0", request("GET /v2/Services?Page=-1", "", ""), 400},
		{"an endless page size", request("GET /v2/Services?PageSize="+strings.Repeat("9", 400), "", ""), 400},
		{"a password of 30 KiB", strings.Replace(request("GET /v2/Services", "", ""), "MA==", strings.Repeat("MDAw", 7<<10), 1), 401},
		{"a broken password", strings.Replace(request("GET /v2/Services", "", ""), "MA==", "%%%", 1), 401},
		{"JSON instead of a form", request("POST /v2/Services", "Content-Type: application/json\r\n", `{"FriendlyName":"Example Bank"}`), 400},
		{"NUL in an identity", request("POST /v2/Services/"+simulator.DemoServiceSID+"/Entities", "", "Identity=user-1%00-long"), 400},
		{"bytes that are no UTF-8", request("POST "+entity+"/Challenges", "", "FactorSid="+simulator.DemoTabletFactorSID+"&Details.Message=Sign+in%3F&HiddenDetails=%ff%fe"), 400},
		{"deep JSON", request("POST "+entity+"/Challenges", "", "FactorSid="+simulator.DemoTabletFactorSID+"&Details.Message=x&Details.Fields="+strings.Repeat("[", 100_000)), 400},
		{"100,000 parameters", request("POST /v2/Services", "", strings.Repeat("a&", 100_000)), 400},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, port := range []struct {
				addr  string
				trust *tls.Config
			}{{p.plain, nil}, {p.secure, p.trust}} {
				conn := dial(t, port.addr, port.trust)
				go io.WriteString(conn, tc.raw) //nolint:errcheck // what is refused need not be read to its end
				checkEnvelope(t, conn, tc.status)
				conn.Close()
			}
		})
	}
	t.Run("HTTP on the port of TLS", func(t *testing.T) {
		conn := dial(t, p.secure, nil)
		go io.WriteString(conn, request("GET /v2/Services", "", "")) //nolint:errcheck // the same
		checkEnvelope(t, conn, 400)
	})
}

// checkEnvelope reads a refusal and holds it against Twilio's form of one.
func checkEnvelope(t *testing.T, conn net.Conn, status int) {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("no reply: %v", err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("the reply breaks off: %v, %s", err, raw)
	}
	var envelope struct {
		Code     int    `json:"code"`
		Message  string `json:"message"`
		MoreInfo string `json:"more_info"`
		Status   int    `json:"status"`
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&envelope); err != nil {
		t.Fatalf("%d %s: %v", resp.StatusCode, raw, err)
	}
	switch {
	case resp.StatusCode != status || envelope.Status != status:
		t.Errorf("%d %s, want %d", resp.StatusCode, raw, status)
	case envelope.Code < 20000 || envelope.Message == "" || envelope.MoreInfo != fmt.Sprintf("https://www.twilio.com/docs/errors/%d", envelope.Code):
		t.Errorf("the envelope is %s", raw)
	case resp.Header.Get("Content-Type") != "application/json; charset=utf-8" || resp.Header.Get("Twilio-Request-Id") == "" || resp.Header.Get("Date") == "":
		t.Errorf("the headers are %v", resp.Header)
	}
}

// TestSlowClients hold their own connections only, and not for ever.
func TestSlowClients(t *testing.T) {
	var limits simulator.Server
	p := onPorts(t, func(s *simulator.Server) {
		limits.Server = &http.Server{ReadHeaderTimeout: s.ReadHeaderTimeout, ReadTimeout: s.ReadTimeout, WriteTimeout: s.WriteTimeout, IdleTimeout: s.IdleTimeout}
		s.ReadHeaderTimeout, s.ReadTimeout, s.IdleTimeout = time.Second, time.Second, time.Second
	})
	if limits.ReadHeaderTimeout <= 0 || limits.ReadTimeout <= 0 || limits.WriteTimeout <= 0 || limits.IdleTimeout <= 0 {
		t.Errorf("a server without limits: %+v", limits)
	}
	var slow []net.Conn
	for i := range 100 {
		addr, begin := p.plain, "GET /v2/Serv"
		switch i % 4 {
		case 1:
			begin = "POST /v2/Services HTTP/1.1\r\nHost: a\r\n" + basic + "Content-Length: 1000\r\n\r\nFriendly"
		case 2:
			addr, begin = p.secure, "\x16\x03\x01" // the begin of a TLS handshake
		case 3:
			begin = ""
		}
		conn := dial(t, addr, nil)
		if _, err := io.WriteString(conn, begin); err != nil {
			t.Fatal(err)
		}
		slow = append(slow, conn)
	}
	c := &client{t: t, sim: p.sim, http: http.DefaultClient, host: p.plain, user: simulator.DefaultAccountSID, pass: simulator.DefaultAuthToken}
	c.ok("GET", "/v2/Services")
	for _, conn := range slow { // each is ended by the server, before the deadline of dial
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("a slow client still has its connection")
		}
	}
}

// TestProxyGarbage ends the connections that sent it and nothing else.
func TestProxyGarbage(t *testing.T) {
	p := onPorts(t, func(*simulator.Server) {})
	for _, garbage := range []string{
		strings.Repeat("\x00", 100<<10) + "\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "GET / HTTP/1.1\r\nHost: verify.twilio.com\r\nConnection: close\r\n\r\n",
		"CONNECT verify.twilio.com HTTP/1.1\r\nHost: verify.twilio.com\r\nConnection: close\r\n\r\n", "CONNECT :443 HTTP/1.1\r\nHost: :443\r\nConnection: close\r\n\r\n",
		"CONNECT verify.twilio.com:443 HTTP/1.1\r\nHost: verify.twilio.com:443\r\n\r\nGET / HTTP/1.1\r\n\r\n", // HTTP where TLS should begin
		"CONNECT www.example.com:443 HTTP/1.1\r\nHost: verify.twilio.com:443\r\nConnection: close\r\n\r\n",
		"CONNECT verify.twilio.com:443 HTTP/1.1\r\nHost: verify.twilio.com:443\r\nX-Flood: " + strings.Repeat("a", 100<<10) + "\r\n\r\n",
	} {
		conn := dial(t, p.proxy, nil)
		go io.WriteString(conn, garbage) //nolint:errcheck // what is refused need not be read to its end
		reply, err := io.ReadAll(conn)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%.60q keeps its connection", garbage)
		}
		for _, ours := range []string{"goroutine", "panic", "net/http", "tls:", "HTTP/1.1 5"} {
			if bytes.Contains(reply, []byte(ours)) && !bytes.HasPrefix(reply, []byte("HTTP/1.1 505")) {
				t.Errorf("%.60q was answered with %s", garbage, reply)
			}
		}
		conn.Close()
	}
	tunnel := dial(t, p.proxy, nil)
	io.WriteString(tunnel, "CONNECT verify.twilio.com:443 HTTP/1.1\r\nHost: verify.twilio.com:443\r\n\r\n") //nolint:errcheck // the read tells
	if resp, err := http.ReadResponse(bufio.NewReader(tunnel), &http.Request{Method: "CONNECT"}); err != nil || resp.StatusCode != 200 {
		t.Fatalf("the proxy no longer works: %v", err)
	}
	trust := p.trust.Clone()
	trust.ServerName = "verify.twilio.com"
	inside := tls.Client(tunnel, trust)
	io.WriteString(inside, "GET /%zz HTTP/1.1\r\nHost: verify.twilio.com\r\n\r\n") //nolint:errcheck // the read tells
	checkEnvelope(t, inside, 400)
}

// TestAbuseLeavesNothing: thousands of refused requests on many connections leave neither memory nor goroutines behind.
func TestAbuseLeavesNothing(t *testing.T) {
	const workers = 20
	rounds := 15
	if testing.Short() {
		rounds = 3 // on as many connections at a time
	}
	p := onPorts(t, func(*simulator.Server) {})
	large := request("POST /v2/Services", "", "FriendlyName="+strings.Repeat("a", 300<<10))
	flood := request("GET /v2/Services", "X-Flood: "+strings.Repeat("a", 100<<10)+"\r\n", "")
	token := request("GET /v2/Services?PageToken="+strings.Repeat("f", 30<<10), "", "")
	abuse := func(rounds int) {
		var wg sync.WaitGroup
		for worker := range workers {
			wg.Go(func() {
				for range rounds {
					for _, raw := range []string{large, flood, token, "\x00\x01\x02\r\n\r\n"} {
						conn, err := net.Dial("tcp", p.plain)
						if err != nil {
							t.Errorf("worker %d: %v", worker, err)
							return
						}
						conn.SetDeadline(time.Now().Add(20 * time.Second)) //nolint:errcheck // a connection just made
						var sent sync.WaitGroup
						sent.Go(func() { io.WriteString(conn, raw) }) //nolint:errcheck // what is refused need not be read to its end
						io.Copy(io.Discard, conn)                     //nolint:errcheck // a reset is one way to refuse
						conn.Close()
						sent.Wait()
					}
				}
			})
		}
		wg.Wait()
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	abuse(2) // fills pools
	before := heap()
	abuse(rounds)
	const allowed = 16 << 20
	if after := heap(); after > before+allowed {
		t.Errorf("%d refused requests grew the heap from %d to %d bytes", workers*rounds*4, before, after)
	}
	c := &client{t: t, sim: p.sim, http: http.DefaultClient, host: p.plain, user: simulator.DefaultAccountSID, pass: simulator.DefaultAuthToken}
	c.ok("GET", "/v2/Services")
}
