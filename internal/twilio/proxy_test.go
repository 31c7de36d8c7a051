package twilio

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// clearProxies leaves no proxy variable of whoever runs the tests.
func clearProxies(t *testing.T) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"} {
		t.Setenv(name, "")
		t.Setenv(strings.ToLower(name), "")
	}
}

func TestNobodyGoesAroundADeclaredProxy(t *testing.T) {
	clearProxies(t)
	const secret = "hunter2"
	for _, tc := range []struct{ variable, value, noProxy, want string }{ // want is the proxy, "" for none, "error" for a refusal
		{"HTTPS_PROXY", "http://proxy.example:3128", "", "http://proxy.example:3128"},
		{"https_proxy", "http://proxy.example:3128", "", "http://proxy.example:3128"},
		{"HTTPS_PROXY", "proxy.example:3128", "", "http://proxy.example:3128"},
		{"HTTPS_PROXY", "https://ann:hunter2%23@proxy.example", "", "https://ann:hunter2%23@proxy.example"},
		{"HTTPS_PROXY", "socks5://proxy.example:1080/", "", "socks5://proxy.example:1080/"},
		{"HTTP_PROXY", "http://proxy.example:3128", "", ""}, // is for http, and Twilio is https
		{"HTTPS_PROXY", "http://ann:hunter2#x@proxy.example:3128", "", "error"},
		{"HTTPS_PROXY", "http://ann:hunter2/x@proxy.example:3128", "", "error"},
		{"HTTPS_PROXY", "http://ann:12/hunter2@proxy.example:3128", "", "error"},
		{"HTTPS_PROXY", "http://ann:12?hunter2@proxy.example:3128", "", "error"},
		{"HTTPS_PROXY", "http://ann:hunter2%@proxy.example:3128", "", "error"},
		{"HTTPS_PROXY", "ftp://hunter2.example", "", "error"},
		{"HTTPS_PROXY", "http//hunter2.example:3128", "", "error"},
		{"HTTPS_PROXY", "http://", "", "error"},
		{"HTTPS_PROXY", "http://ann:hunter2/x@proxy.example:3128", ".twilio.com", ""},
		{"HTTPS_PROXY", "http://ann:hunter2/x@proxy.example:3128", "*", ""},
		{"ALL_PROXY", "socks5://ann:hunter2@proxy.example:1080", "", "error"},
		{"all_proxy", "socks5://ann:hunter2@proxy.example:1080", "", "error"},
		{"ALL_PROXY", "socks5://ann:hunter2@proxy.example:1080", "twilio.com", ""},
	} {
		t.Run(tc.variable+"="+tc.value+" NO_PROXY="+tc.noProxy, func(t *testing.T) {
			t.Setenv(tc.variable, tc.value)
			t.Setenv("NO_PROXY", tc.noProxy)
			proxy, err := Proxy(&url.URL{Scheme: "https", Host: "verify.twilio.com"})
			_, newErr := New(Options{Username: "AC" + strings.Repeat("0", 32), Password: "x"})
			switch {
			case tc.want == "error":
				for _, err := range []error{err, newErr} {
					if verify.KindOf(err) != verify.KindUsage || err == nil || strings.Contains(err.Error()+err.(*verify.Error).Hint, secret) {
						t.Errorf("got %v, want a usage error without the secret", err)
					}
				}
			case err != nil || newErr != nil:
				t.Errorf("got %v, %v", err, newErr)
			case tc.want == "" && proxy != nil || tc.want != "" && (proxy == nil || proxy.String() != tc.want):
				t.Errorf("got %v, want %q", proxy, tc.want)
			}
		})
	}
}

// TestOneWrongLogInIsEnough: many requests of several clients ask a proxy that refuses the log-in only once, and each says
// that it was the proxy.
func TestOneWrongLogInIsEnough(t *testing.T) {
	clearProxies(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	var asked atomic.Int32
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					asked.Add(1)
					conn.Write([]byte("HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
				}
			}()
		}
	}()
	t.Setenv("HTTPS_PROXY", "http://ann:wrong@"+listener.Addr().String())
	var gate ProxyGate
	var all sync.WaitGroup
	for range 5 {
		client, err := New(Options{Username: "AC" + strings.Repeat("0", 32), Password: "x", Gate: &gate,
			Sleep: func(context.Context, time.Duration) error { return nil }})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		for range 8 {
			all.Go(func() {
				_, err := client.Service(t.Context(), verify.ServiceSID("VA"+strings.Repeat("0", 32)))
				if verify.KindOf(err) != verify.KindAuth || !strings.Contains(err.Error(), "the proxy refuses the log-in (407") {
					t.Errorf("got %v", err)
				}
			})
		}
	}
	all.Wait()
	if asked.Load() != 1 {
		t.Errorf("the proxy was asked %d times", asked.Load())
	}
}
