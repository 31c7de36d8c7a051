// Package twilio is the real API behind the vocabulary of package verify: Verify v2, the push credentials of Notify and
// Conversations, Monitor, and what doctor reads of an account besides. Reads are methods of [Client], writes of [Writer].
//
// twilio-go knows the operations: their paths, the names of their parameters and how values are written. Everything
// below that is here, because twilio-go has no context, escapes no path parameter, follows paging links to any host with
// the account's keys, takes a redirect for success, retries nothing and loses headers and odd error bodies. So a [call]
// stands where twilio-go expects its HTTP client, and replies are decoded here into verify's types.
//
// All errors are *[verify.Error] with a Kind; those of an answer carry Twilio's code, the HTTP status and the
// Twilio-Request-Id.
package twilio

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Options say whose API to talk to and how. Username and Password are needed; all else has a default.
type Options struct {
	Username  string            // an AC or SK SID
	Password  string            // the auth token or the key's secret
	KeySource string            // where the keys came from, in words, for messages: "the keychain"
	Account   verify.AccountSID // the account the keys must belong to before anything is written; "" skips the check

	// BaseURL sends every product to one place, such as a simulator or a proxy. Empty means https://<product>.twilio.com;
	// a *.twilio.com host stands for the same host of each product. Elsewhere the path tells the product, except that
	// Conversations' credentials, whose path is Notify's too, are asked for under /conversations.
	BaseURL      string
	AllowBaseURL bool   // without it BaseURL has to be loopback, or https and *.twilio.com
	Region, Edge string // product.edge.region.twilio.com; the edge of ie1, au1 and jp1 may be left out
	CAFile       string // PEM certificates trusted beside the system's

	// Dial replaces the network, for a server inside this process: proxies are then ignored and any BaseURL is allowed.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	Timeout   time.Duration                                  // for one try, 0 means 30 seconds; a whole call is bounded by its ctx
	Gate      *ProxyGate                                     // share one between the clients of a run; nil makes an own
	Limiter   *Limiter                                       // share one between clients of one account; nil makes an own with the zero [Limits]
	Debug     io.Writer                                      // one redacted record for each try; nil writes none
	UserAgent string                                         // "" means "verifyctl"
	Met       func(identity verify.Identity, sids ...string) // told whom each reply was about, by several goroutines; nil is told of none
	Heard     func([]byte)                                   // told of the body of every reply, before Debug is; nil is told of none

	Now    func() time.Time                           // nil means [time.Now]
	Sleep  func(context.Context, time.Duration) error // nil sleeps for real; returns early with ctx's error
	Random func() float64                             // of [0,1), for the jitter between tries; nil means math/rand
}

const (
	defaultTimeout = 30 * time.Second
	largestBody    = 64 << 20 // a page of 1,000 alerts is a few MiB
	largestPage    = 1000     // twilio_verify_v2.json, twilio_notify_v1.json and twilio_monitor_v1.json, PageSize
)

// Client reads from one Twilio account. It may be used concurrently.
type Client struct {
	opts      Options
	hosts     hosts
	http      *http.Client
	transport *http.Transport
	account   accountCheck
	debugging sync.Mutex // keeps the records of concurrent calls apart

	maxBody  int64
	pageSize int
}

// New checks the options and makes a client, without any request. Wrong options are usage errors; a BaseURL to which
// keys may not go is a refusal.
func New(opts Options) (*Client, error) {
	if err := opts.checkKeys(); err != nil {
		return nil, err
	}
	where, err := opts.hosts()
	if err != nil {
		return nil, err
	}
	opts.complete()
	transport, err := opts.transport()
	if err != nil {
		return nil, err
	}
	c := &Client{opts: opts, hosts: where, transport: transport, maxBody: largestBody, pageSize: largestPage}
	if opts.Dial == nil {
		for _, product := range []string{productVerify, productMonitor} {
			if _, err := Proxy(where.base(product)); err != nil {
				return nil, err
			}
		}
	}
	c.http = &http.Client{
		Transport:     gated{transport, opts.Gate},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	c.account.want = opts.Account
	return c, nil
}

// Close closes idle connections. Calls under way are not disturbed.
func (c *Client) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}

// Host gives the host that Verify requests go to, for messages.
func (c *Client) Host() string { return c.hosts.base(productVerify).Host }

func (o *Options) complete() {
	o.Timeout = cmp.Or(max(o.Timeout, 0), defaultTimeout)
	o.UserAgent = cmp.Or(o.UserAgent, "verifyctl")
	o.Gate = cmp.Or(o.Gate, &ProxyGate{})
	if o.Limiter == nil {
		o.Limiter = NewLimiter(Limits{})
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
}

func (o *Options) checkKeys() error {
	if prefix, ok := verify.SIDPrefix(o.Username); !ok || prefix != "AC" && prefix != "SK" {
		return verify.Usagef("%q is neither an account SID (AC…) nor an API key SID (SK…)", o.Username)
	}
	isBad := func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }
	switch {
	case o.Password == "":
		return verify.Usagef("the secret of %s is empty", o.Username)
	case strings.ContainsFunc(o.Password, isBad):
		return verify.Usagef("the secret of %s contains white space or control characters, such as a line break", o.Username)
	}
	return nil
}

// transport keeps connections open and speaks HTTP/1.1 only, so that a broken connection concerns one request and not
// all that share it.
func (o *Options) transport() (*http.Transport, error) {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	t := &http.Transport{
		Proxy: func(req *http.Request) (*url.URL, error) { return Proxy(req.URL) },

		OnProxyConnectResponse: refuse407,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxIdleConnsPerHost:    64,
		IdleConnTimeout:        90 * time.Second,
		Protocols:              protocols,
	}
	if o.Dial != nil {
		t.Proxy, t.DialContext = nil, o.Dial
	}
	if o.CAFile != "" {
		roots, err := trustedRoots(o.CAFile)
		if err != nil {
			return nil, err
		}
		t.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	return t, nil
}

func trustedRoots(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, verify.Usagef("cannot read the CA file: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool() // a system without certificates; the file still counts
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, verify.Usagef("the CA file %s holds no PEM certificate", file)
	}
	return roots, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// accountCheck compares the account of replies with the one the environment names, so that keys of another account
// never write (https://www.twilio.com/docs/iam/api-keys: a key implies its account, and cannot tell it).
type accountCheck struct {
	want verify.AccountSID

	mu   sync.Mutex
	seen verify.AccountSID // of a reply; one that differs from want stays
}

func (a *accountCheck) note(account verify.AccountSID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if account != "" && (a.seen == "" || verify.SameSID(a.seen, a.want)) {
		a.seen = account
	}
}

func (a *accountCheck) known() verify.AccountSID {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seen
}

// checkAccount makes sure, before something is written, that the keys belong to the expected account.
func (c *Client) checkAccount(ctx context.Context, service verify.ServiceSID) error {
	want := c.account.want
	if want == "" {
		return nil
	}
	if c.account.known() == "" {
		if err := c.learnAccount(ctx, service); err != nil {
			return err
		}
	}
	switch seen := c.account.known(); {
	case verify.SameSID(seen, want):
		return nil
	case seen == "":
		return verify.Refusedf("Twilio does not say which account the keys belong to, so nothing is written")
	default:
		refusal := verify.Refusedf("the account keys belong to %s, but the environment is of %s: nothing was written", seen, want)
		if c.opts.KeySource != "" {
			refusal.Hint = fmt.Sprintf("the keys came from %s", c.opts.KeySource)
		}
		return refusal
	}
}

// learnAccount reads something whose reply tells the account of the keys: the Service, or without one the account's list of
// Services. Of an account without Services its own usage is asked: keys of another account do not get it
// (https://www.twilio.com/docs/iam/api-keys).
func (c *Client) learnAccount(ctx context.Context, service verify.ServiceSID) error {
	if service != "" {
		_, err := c.Service(ctx, service)
		return err
	}
	for _, err := range c.Services(ctx) {
		return err
	}
	if want := c.account.want; !verify.SameSID(verify.AccountSID(c.opts.Username), want) {
		now := c.opts.Now()
		for _, err := range c.UsageRecords(ctx, want, verify.UsageVerifyPush, now, now) {
			if err != nil {
				return err
			}
		}
	}
	c.account.note(c.account.want)
	return nil
}
