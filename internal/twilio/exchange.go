package twilio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// request is what goes on the wire.
type request struct {
	what    string // for messages
	product string
	method  string
	path    string // escaped
	data    url.Values
	decode  func(body []byte) error // nil when the reply has no body
}

// reply is an answer, whatever it says.
type reply struct {
	status  int
	header  http.Header
	body    []byte
	request string // Twilio-Request-Id
}

// attempt is what came of sending a request once: a reply, or an error.
type attempt struct {
	reply *reply
	err   error
	sent  bool // the request had a connection, so it may have reached Twilio
}

// outcome turns the failure of a write that may have been carried out into one of unknown outcome.
func (r request) outcome(err *verify.Error, perhapsDone bool) error {
	if !perhapsDone || r.method == http.MethodGet {
		return err
	}
	unknown := *err
	unknown.Kind = verify.KindPartial
	unknown.Message = fmt.Sprintf("it is unknown whether Twilio carried this out: %s (%s)", r.what, strings.TrimPrefix(err.Message, r.cannot()))
	unknown.Hint = "check whether it happened before trying again"
	if r.method == http.MethodDelete {
		unknown.Hint = "deleting it again is safe"
	}
	unknown.Cause = err
	return &unknown
}

// cannot begins the messages of the request's failures.
func (r request) cannot() string { return "cannot " + r.what + ": " }

// try sends a request once and reads the whole answer.
func (c *Client) try(ctx context.Context, r request, number int) (a attempt) {
	release, err := c.opts.Limiter.acquire(ctx, c.opts.Now, c.opts.Sleep)
	if err != nil {
		return attempt{err: err}
	}
	defer func() { release(a.reply != nil && a.reply.status == http.StatusTooManyRequests) }()

	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		// net/http sends a POST again by itself only when nothing of it was written.
		GetConn: func(string) { a.sent = false },
		GotConn: func(httptrace.GotConnInfo) { a.sent = true },
	})
	req, err := c.httpRequest(ctx, r)
	if err != nil {
		return attempt{err: err}
	}
	started := c.opts.Now()
	a.reply, a.err = c.roundTrip(req)
	noteRequestID(ctx, a.requestID())
	if c.opts.Heard != nil && a.reply != nil {
		c.opts.Heard(a.reply.body)
	}
	c.debug(req, r, number, a, c.opts.Now().Sub(started))
	return a
}

func (a attempt) requestID() string {
	if a.reply == nil {
		return ""
	}
	return a.reply.request
}

func (c *Client) httpRequest(ctx context.Context, r request) (*http.Request, error) {
	target := c.hosts.base(r.product)
	prefix := target.EscapedPath()
	path, err := url.PathUnescape(r.path)
	if err != nil {
		return nil, err
	}
	target.Path, target.RawPath = target.Path+path, prefix+r.path
	var body io.Reader
	if r.method == http.MethodPost {
		body = strings.NewReader(r.data.Encode())
	} else {
		target.RawQuery = r.data.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target.String(), body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	c.sign(req)
	return req, nil
}

// sign says who asks, with the account keys.
func (c *Client) sign(req *http.Request) {
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.opts.UserAgent)
	req.SetBasicAuth(c.opts.Username, c.opts.Password)
}

func (c *Client) roundTrip(req *http.Request) (*reply, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	rep := &reply{status: resp.StatusCode, header: resp.Header, request: visible(resp.Header.Get("Twilio-Request-Id"), 64)}
	rep.body, err = io.ReadAll(io.LimitReader(resp.Body, c.maxBody+1))
	switch {
	case err != nil:
		return rep, fmt.Errorf("the reply broke off: %w", err)
	case int64(len(rep.body)) > c.maxBody:
		return rep, errTooLarge
	}
	return rep, nil
}

var errTooLarge = errors.New("the reply is too large")
