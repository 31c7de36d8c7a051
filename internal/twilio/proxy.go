package twilio

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/net/http/httpproxy"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Proxy gives the proxy that requests to a URL take, by HTTPS_PROXY, HTTP_PROXY and NO_PROXY, nil for none. A variable that
// names no proxy is a usage error and never quoted, because a password may be in it: Go's own reading would go around such a
// proxy, straight to Twilio with the keys.
func Proxy(to *url.URL) (*url.URL, error) {
	env := httpproxy.FromEnvironment()
	const some = "http://proxy.invalid"
	if through, err := (&httpproxy.Config{HTTPProxy: some, HTTPSProxy: some, NoProxy: env.NoProxy, CGI: env.CGI}).ProxyFunc()(to); err != nil || through == nil {
		return nil, err // this machine, or NO_PROXY
	}
	variable, value := "HTTPS_PROXY", env.HTTPSProxy
	if to.Scheme == "http" {
		variable, value = "HTTP_PROXY", env.HTTPProxy
	}
	switch {
	case value == "" && os.Getenv("ALL_PROXY")+os.Getenv("all_proxy") != "":
		return nil, verify.Usagef("ALL_PROXY is set and %s is not: verifyctl goes by %s only, and does not bypass a proxy", variable, variable).
			WithHint("set %s to the same proxy, or NO_PROXY=.twilio.com to go without one", variable)
	case value == "":
		return nil, nil
	}
	proxy, ok := parseProxy(value)
	if !ok {
		return nil, verify.Usagef("%s is not the URL of a proxy", variable).
			WithHint("write it like http://proxy.example:3128 or http://user:password@proxy.example:3128; in a password, write %%40 for @, %%23 for #, %%2F for / and %%3F for ?")
	}
	return proxy, nil
}

// parseProxy reads the value of a proxy variable: a URL that is nothing but scheme, user and host; without a scheme it is
// http. A password with a character that has to be percent-encoded looks like a path or a fragment.
func parseProxy(value string) (*url.URL, bool) {
	if !strings.Contains(value, "://") {
		value = "http://" + value
	}
	u, err := url.Parse(value)
	if err != nil || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return nil, false
	}
	switch u.Scheme {
	case "http", "https", "socks5", "socks5h":
		return u, true
	}
	return nil, false
}

// ProxyGate keeps the clients of one run from a proxy that has refused a log-in: asking again could lock the account there.
// Until the proxy has let one request through, the others wait. The zero value is ready.
type ProxyGate struct {
	once  sync.Once
	turn  chan struct{}
	state atomic.Int32 // one of those below
}

const (
	gateUntried = iota
	gateOpen
	gateRefused
)

// errProxyRefuses is a 407, which is final.
var errProxyRefuses = errors.New("the proxy refuses the log-in (407 Proxy Authentication Required)")

// gated is a transport whose requests pass the gate when they go through a proxy.
type gated struct {
	*http.Transport
	gate *ProxyGate
}

// RoundTrip sends a request; it fails with errProxyRefuses, unsent, once the proxy has refused one.
func (t gated) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.Proxy == nil {
		return t.Transport.RoundTrip(req)
	}
	if proxy, err := t.Proxy(req); err != nil || proxy == nil {
		return t.Transport.RoundTrip(req)
	}
	return t.gate.pass(req.Context(), func() (*http.Response, error) { return t.Transport.RoundTrip(req) })
}

// pass sends a request when the proxy may be asked.
func (g *ProxyGate) pass(ctx context.Context, send func() (*http.Response, error)) (*http.Response, error) {
	g.once.Do(func() { g.turn = make(chan struct{}, 1) })
	if g.state.Load() == gateOpen {
		return send()
	}
	select {
	case g.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-g.turn }()
	switch g.state.Load() {
	case gateOpen:
		return send()
	case gateRefused:
		return nil, errProxyRefuses
	}
	resp, err := send()
	if err == nil && resp.StatusCode == http.StatusProxyAuthRequired {
		resp.Body.Close()
		resp, err = nil, errProxyRefuses
	}
	switch {
	case errors.Is(err, errProxyRefuses):
		g.state.Store(gateRefused)
	case err == nil:
		g.state.Store(gateOpen)
	}
	return resp, err
}

// refuse407 tells a proxy's refusal of a CONNECT from every other failure.
func refuse407(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusProxyAuthRequired {
		return errProxyRefuses
	}
	return nil
}
