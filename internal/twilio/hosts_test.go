package twilio

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

func options(change func(*Options)) Options {
	o := Options{Username: string(account), Password: password}
	change(&o)
	return o
}

// TestWhereKeysMayGo is promise 2: https to Twilio, loopback, and elsewhere only when allowed.
func TestWhereKeysMayGo(t *testing.T) {
	for _, tc := range []struct {
		base, region, edge string
		allow              bool
		verifyHost         string // where Verify requests go
		kind               verify.Kind
	}{
		{verifyHost: "https://verify.twilio.com"},
		{region: "us1", verifyHost: "https://verify.twilio.com"},
		{region: "ie1", verifyHost: "https://verify.dublin.ie1.twilio.com"},
		{region: "au1", verifyHost: "https://verify.sydney.au1.twilio.com"},
		{region: "jp1", edge: "tokyo", verifyHost: "https://verify.tokyo.jp1.twilio.com"},
		{edge: "ashburn", verifyHost: "https://verify.ashburn.us1.twilio.com"},
		{region: "br1", edge: "sao-paulo", verifyHost: "https://verify.sao-paulo.br1.twilio.com"},
		{region: "br1", kind: verify.KindUsage},
		{region: "evil.example/", edge: "x", kind: verify.KindUsage},
		{region: "us1.evil", kind: verify.KindUsage},
		{base: "http://127.0.0.1:8080", verifyHost: "http://127.0.0.1:8080"},
		{base: "http://localhost:8080/", verifyHost: "http://localhost:8080"},
		{base: "https://[::1]:8443", verifyHost: "https://[::1]:8443"},
		{base: "http://127.0.0.1:8080/twilio/", kind: verify.KindUsage},
		{base: "https://proxy.bank.example", kind: verify.KindRefused},
		{base: "https://proxy.bank.example", allow: true, verifyHost: "https://proxy.bank.example"},
		{base: "http://twilio.com.evil.example", kind: verify.KindRefused},
		{base: "https://eviltwilio.com", kind: verify.KindRefused},
		{base: "http://127.0.0.1.evil.example", kind: verify.KindRefused},
		{base: "http://localhost@evil.example", kind: verify.KindUsage},
		{base: "https://verify.twilio.com", verifyHost: "https://verify.twilio.com"},
		{base: "https://notify.dublin.ie1.twilio.com", verifyHost: "https://verify.dublin.ie1.twilio.com"},
		{base: "http://verify.twilio.com", kind: verify.KindRefused},
		{base: "http://verify.twilio.com", allow: true, kind: verify.KindRefused},
		{base: "https://verify.ie1.twilio.com", kind: verify.KindUsage},
		{base: "https://verify.twilio.com:8443", kind: verify.KindUsage},
		{base: "https://verify.twilio.com/v2", kind: verify.KindUsage},
		{base: "http://127.0.0.1:8080", region: "ie1", kind: verify.KindUsage},
		{base: "127.0.0.1:8080", kind: verify.KindUsage},
		{base: "ftp://127.0.0.1", kind: verify.KindUsage},
		{base: "http://127.0.0.1?x=1", kind: verify.KindUsage},
		{base: "http://", kind: verify.KindUsage},
	} {
		t.Run(fmt.Sprintf("%s %s %s %v", tc.base, tc.region, tc.edge, tc.allow), func(t *testing.T) {
			c, err := New(options(func(o *Options) {
				o.BaseURL, o.Region, o.Edge, o.AllowBaseURL = tc.base, tc.region, tc.edge, tc.allow
			}))
			if tc.verifyHost == "" {
				wantError(t, err, tc.kind)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := c.hosts.base(productVerify).String(); got != tc.verifyHost {
				t.Errorf("Verify requests go to %s, want %s", got, tc.verifyHost)
			}
			if !strings.Contains(tc.verifyHost, c.Host()) {
				t.Errorf("the host is said to be %s", c.Host())
			}
		})
	}
}

func TestEachProductHasItsHost(t *testing.T) {
	t.Setenv("TWILIO_EDGE", "sydney") // twilio-go would read these
	t.Setenv("TWILIO_REGION", "au1")
	for base, want := range map[string]string{
		"":                   "https://conversations.twilio.com",
		"http://127.0.0.1:1": "http://127.0.0.1:1/conversations",
	} {
		c, err := New(options(func(o *Options) { o.BaseURL = base }))
		if err != nil {
			t.Fatal(err)
		}
		if got := c.hosts.base(productConversations).String(); got != want {
			t.Errorf("with base %q Conversations is at %s, want %s", base, got, want)
		}
	}
}

func TestKeysAreChecked(t *testing.T) {
	for _, tc := range []struct{ username, password, want string }{
		{"", password, "neither an account SID"},
		{"jane", password, "neither an account SID"},
		{"VA" + hex32, password, "neither an account SID"},
		{"SK" + hex32 + "\n", password, "neither an account SID"},
		{"SK" + hex32, "", "is empty"},
		{"SK" + hex32, password + "\n", "such as a line break"},
		{"SK" + hex32, password + "\x00", "control characters"},
	} {
		_, err := New(Options{Username: tc.username, Password: tc.password})
		if e := wantError(t, err, verify.KindUsage); !strings.Contains(e.Message, tc.want) {
			t.Errorf("%q: %v, want %q in it", tc.username, err, tc.want)
		}
	}
}

func TestRedirectsAreRefused(t *testing.T) {
	var visits int
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visits++ }))
	defer elsewhere.Close()
	for _, status := range []int{300, 301, 302, 303, 307, 308, 304} {
		for name, operation := range operations {
			t.Run(fmt.Sprintf("%d/%s", status, name), func(t *testing.T) {
				w := newWorld(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
					w.Header().Set("Location", elsewhere.URL+"/v2/Services")
					w.WriteHeader(status)
				})
				kind := verify.KindPartial
				if name == "read" {
					kind = verify.KindUnreachable
				}
				e := wantError(t, operation(t.Context(), w), kind)
				if !strings.Contains(e.Message, "redirect to "+elsewhere.URL) {
					t.Errorf("the message does not name the redirect: %v", e)
				}
				w.wantRequests(t, 1)
			})
		}
	}
	if visits > 0 {
		t.Errorf("%d requests followed a redirect", visits)
	}
}

const asProxiedClient = "VERIFYCTL_TEST_PROXIED_CLIENT"

// proxiedClient is what the test below runs in another process, because net/http reads the proxy's variables once.
func proxiedClient() int {
	c, err := New(Options{Username: string(account), Password: password, CAFile: os.Getenv(asProxiedClient)})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer c.Close()
	s, err := c.Service(context.Background(), service)
	fmt.Println(s.FriendlyName, err)
	return 0
}

// TestProxyAndPrivateCA reaches verify.twilio.com through HTTPS_PROXY and a TLS server with a private CA.
func TestProxyAndPrivateCA(t *testing.T) {
	ca, cert := privateCA(t, "verify.twilio.com")
	origin := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, secret, _ := r.BasicAuth(); r.Host != "verify.twilio.com" || user != string(account) || secret != password {
			t.Errorf("the request is to %s as %s", r.Host, user)
		}
		send(w, 200, serviceJSON)
	}))
	origin.Config.ErrorLog = log.New(io.Discard, "", 0)
	origin.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	origin.StartTLS()
	defer origin.Close()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Host != "verify.twilio.com:443" || r.Header.Get("Authorization") != "" {
			t.Errorf("the proxy got %s %s %v", r.Method, r.Host, r.Header)
		}
		tunnel(t, w, origin.Listener.Addr().String())
	}))
	defer proxy.Close()

	for _, tc := range []struct{ name, caFile, sslCertFile, want string }{
		{"ca_file", ca, "", "Bank <nil>"},
		{"SSL_CERT_FILE", "-", ca, "Bank <nil>"},
		{"neither", "-", os.DevNull, "the certificate of verify.twilio.com is not trusted"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.sslCertFile != "" && (runtime.GOOS == "darwin" || runtime.GOOS == "windows") {
				t.Skipf("on %s Go takes the system's certificates and not SSL_CERT_FILE", runtime.GOOS)
			}
			cmd := exec.Command(os.Args[0])
			file := tc.caFile
			if file == "-" {
				file = writeFile(t, "other.pem", otherCA(t)) // a CA that signed something else
			}
			cmd.Env = append(os.Environ(), asProxiedClient+"="+file, "HTTPS_PROXY="+proxy.URL, "NO_PROXY=", "no_proxy=")
			if tc.sslCertFile != "" {
				cmd.Env = append(cmd.Env, "SSL_CERT_FILE="+tc.sslCertFile, "SSL_CERT_DIR="+os.DevNull)
			}
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), tc.want) {
				t.Errorf("got %s (%v), want %q", out, err, tc.want)
			}
		})
	}
}

func tunnel(t *testing.T, w http.ResponseWriter, address string) {
	upstream, err := net.Dial("tcp", address)
	if err != nil {
		t.Error(err)
		return
	}
	w.WriteHeader(http.StatusOK)
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		io.Copy(upstream, conn)              //nolint:errcheck // ends with either side
		upstream.(*net.TCPConn).CloseWrite() //nolint:errcheck // as above
	}()
	io.Copy(conn, upstream) //nolint:errcheck // ends with either side
	conn.Close()
	<-done
	upstream.Close()
}

func otherCA(t *testing.T) []byte {
	file, _ := privateCA(t, "bank.example")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func privateCA(t *testing.T, host string) (caFile string, leaf tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "A private CA of bank.example"}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	if err := pem.Encode(&buf, &pem.Block{Type: "CERTIFICATE", Bytes: der}); err != nil {
		t.Fatal(err)
	}
	return writeFile(t, "ca.pem", buf.Bytes()), tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func writeFile(t *testing.T, name string, content []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestCAFileIsChecked(t *testing.T) {
	for name, file := range map[string]string{
		"missing": filepath.Join(t.TempDir(), "none.pem"),
		"no PEM":  writeFile(t, "ca.pem", []byte("hello")),
	} {
		_, err := New(options(func(o *Options) { o.CAFile = file }))
		if e := wantError(t, err, verify.KindUsage); !strings.Contains(e.Message, file) {
			t.Errorf("%s: the message does not name the file: %v", name, err)
		}
	}
}

func TestUntrustedCertificateSaysWhatToDo(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	w := newWorld(t, says(500, ""), func(o *Options) { o.BaseURL = server.URL })
	e := wantError(t, w.DeleteFactor(t.Context(), service, user, factor), verify.KindUnreachable)
	if !strings.Contains(e.Hint, "ca_file") {
		t.Errorf("the hint is %q", e.Hint)
	}
	if len(w.sleeps) > 0 {
		t.Errorf("a certificate does not get better by waiting: %v", w.sleeps)
	}
}
