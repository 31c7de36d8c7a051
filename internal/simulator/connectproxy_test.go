package simulator

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// proxied gives a client that reaches every https host through a proxy in front of a demo simulator.
func proxied(t *testing.T) *http.Client {
	t.Helper()
	dir := t.TempDir()
	sim, err := Open(context.Background(), Options{Seed: SeedDemo})
	if err != nil {
		t.Fatal(err)
	}
	authority, err := OpenAuthority(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	config, err := authority.TLS(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	proxy := sim.NewConnectProxy(config)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go proxy.Serve(l)
	pem, err := os.ReadFile(authority.File)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	client := &http.Client{Transport: &http.Transport{
		Proxy:           http.ProxyURL(&url.URL{Scheme: "http", Host: l.Addr().String()}),
		TLSClientConfig: &tls.Config{RootCAs: roots},
	}}
	t.Cleanup(func() {
		client.CloseIdleConnections()
		proxy.Close()
		sim.Close()
	})
	return client
}

func TestTheProxyStandsForTwilioAndForwardsNothing(t *testing.T) {
	client := proxied(t)
	for target, want := range map[string]string{
		"https://verify.twilio.com/v2/Services/" + DemoServiceSID:                   `"sid":"` + DemoServiceSID,
		"https://notify.twilio.com/v1/Credentials/" + DemoAPNCredentialSID:          `"sandbox":"True"`,
		"https://conversations.twilio.com/v1/Credentials?PageSize=1":                `conversations.twilio.com/v1/Credentials?PageSize=1`,
		"https://monitor.twilio.com/v1/Alerts?PageSize=1":                           `"alerts":[`,
		"https://api.twilio.com/2010-04-01/Accounts/" + DefaultAccountSID + ".json": `"status":"active"`,
	} {
		req, _ := http.NewRequest(http.MethodGet, target, nil)
		req.SetBasicAuth(DefaultAccountSID, DefaultAuthToken)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if compact := strings.ReplaceAll(string(body), " ", ""); resp.StatusCode != 200 || !strings.Contains(compact, want) {
			t.Errorf("%s: %d %s, want %s in it", target, resp.StatusCode, body, want)
		}
	}
	for _, target := range []string{"https://www.example.com/", "https://verify.twilio.com:8443/", "http://verify.twilio.com/", "https://evil.twilio.com/"} {
		resp, err := client.Get(target)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode != http.StatusForbidden {
				t.Errorf("%s: %d, want 403", target, resp.StatusCode)
			}
		} else if !strings.Contains(err.Error(), "Forbidden") {
			t.Errorf("%s: %v, want it refused", target, err)
		}
	}
}

func TestTheAuthorityIsMadeOnceAndKeptPrivate(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	first, err := OpenAuthority(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	again, err := OpenAuthority(dir, now)
	if err != nil || !again.cert.Equal(first.cert) {
		t.Errorf("the authority was made twice (%v)", err)
	}
	if info, err := os.Stat(dir + "/simulator-ca.key"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key is not its owner's only: %v %v", info.Mode(), err)
	}
	later, err := OpenAuthority(dir, now.Add(caLife))
	if err != nil || later.cert.Equal(first.cert) {
		t.Errorf("an authority that has run out was not replaced (%v)", err)
	}
	if err := os.WriteFile(first.File, []byte("not PEM"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenAuthority(dir, now); err == nil || !strings.Contains(err.Error(), "delete both files") {
		t.Errorf("a damaged authority gave %v", err)
	}
}
