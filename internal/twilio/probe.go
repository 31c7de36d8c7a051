package twilio

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Probe measures count requests for the list of Services, one after the other: the first on a new connection, the rest
// on the same one as far as the server keeps it. An empty host means the one that Verify requests go to; another has to
// be one of Twilio's. What went wrong stands in the result's Error beside what could be measured; the error is only for
// a host that must not be asked, and for the end of ctx.
func (c *Client) Probe(ctx context.Context, host string, count int) (verify.Probe, error) {
	target := c.hosts.base(productVerify)
	if host != "" && !strings.EqualFold(host, target.Host) {
		if !verify.IsTwilioHost(host) || !hostLabel().MatchString(strings.ReplaceAll(strings.ToLower(host), ".", "")) {
			return verify.Probe{}, verify.Refusedf("%q is not a host of Twilio's, and the account keys go to no other", host)
		}
		target = &url.URL{Scheme: "https", Host: strings.ToLower(host)}
	}
	target.Path += "/v2/Services"
	target.RawQuery = "PageSize=1"
	transport := gated{c.transport.Clone(), c.opts.Gate} // connections of its own, so that the first is new
	defer transport.CloseIdleConnections()
	p := verify.Probe{Host: target.Host}
	for range count {
		if err := c.probeOnce(ctx, transport, target, &p); err != nil {
			if ctx.Err() != nil {
				return p, request{what: "measure " + target.Host}.interrupted(ctx, err)
			}
			p.Error = visible(err.Error(), 300)
			break
		}
	}
	return p, nil
}

func (c *Client) probeOnce(ctx context.Context, transport http.RoundTripper, target *url.URL, p *verify.Probe) error {
	release, err := c.opts.Limiter.acquire(ctx, c.opts.Now, c.opts.Sleep)
	if err != nil {
		return err
	}
	throttled := false
	defer func() { release(throttled) }()
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	watch := &stopwatch{}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, watch.trace()), http.MethodGet, target.String(), nil)
	if err != nil {
		return err
	}
	c.sign(req)
	started, before := time.Now(), c.opts.Now()
	resp, err := transport.RoundTrip(req) // no client, so no redirects
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	middle := before.Add(c.opts.Now().Sub(before) / 2)
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, c.maxBody)); err != nil {
		return err
	}
	throttled = resp.StatusCode == http.StatusTooManyRequests
	sample, address := watch.result()
	sample.Total, sample.Status = time.Since(started), resp.StatusCode
	if seconds, err := strconv.ParseFloat(resp.Header.Get("Twilio-Request-Duration"), 64); err == nil && seconds >= 0 && seconds < 3600 {
		sample.Server, sample.HasServer = time.Duration(seconds*float64(time.Second)), true
	}
	p.Samples = append(p.Samples, sample)
	p.Address = address
	if resp.TLS != nil && len(resp.TLS.PeerCertificates) > 0 {
		p.Issuer = visible(resp.TLS.PeerCertificates[0].Issuer.String(), 200)
	}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil && !p.HasDate {
		p.Skew, p.HasDate = middle.Sub(date), true
	}
	return nil
}

// stopwatch notes when the parts of one request happened. The parts report from several goroutines, a dial that lost a
// race even after the reply.
type stopwatch struct {
	mu                            sync.Mutex
	dns, connect, handshake, sent time.Time
	address                       string
	sample                        verify.Timing
}

func (w *stopwatch) locked(note func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	note()
}

func (w *stopwatch) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		DNSStart:     func(httptrace.DNSStartInfo) { w.locked(func() { w.dns = time.Now() }) },
		DNSDone:      func(httptrace.DNSDoneInfo) { w.locked(func() { w.sample.DNS = time.Since(w.dns) }) },
		ConnectStart: func(string, string) { w.locked(func() { w.connect = time.Now() }) },
		ConnectDone: func(_, _ string, err error) {
			if err == nil {
				w.locked(func() { w.sample.Connect = time.Since(w.connect) })
			}
		},
		TLSHandshakeStart: func() { w.locked(func() { w.handshake = time.Now() }) },
		TLSHandshakeDone: func(tls.ConnectionState, error) {
			w.locked(func() { w.sample.TLS = time.Since(w.handshake) })
		},
		GotConn: func(info httptrace.GotConnInfo) {
			w.locked(func() { w.sample.Reused, w.address = info.Reused, info.Conn.RemoteAddr().String() })
		},
		WroteRequest:         func(httptrace.WroteRequestInfo) { w.locked(func() { w.sent = time.Now() }) },
		GotFirstResponseByte: func() { w.locked(func() { w.sample.FirstByte = time.Since(w.sent) }) },
	}
}

// result gives what was measured so far and the address that answered.
func (w *stopwatch) result() (verify.Timing, string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sample, w.address
}
