package twilio

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	twilio "github.com/twilio/twilio-go/client"
	conversationsv1 "github.com/twilio/twilio-go/rest/conversations/v1"
	monitorv1 "github.com/twilio/twilio-go/rest/monitor/v1"
	notifyv1 "github.com/twilio/twilio-go/rest/notify/v1"
	verifyv2 "github.com/twilio/twilio-go/rest/verify/v2"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// call is one operation. It is the [twilio.BaseClient] given to twilio-go, which forms the request; the call sends it
// and decodes the reply itself, and shows twilio-go an empty object.
type call struct {
	ctx      context.Context
	client   *Client
	what     string            // what is attempted, for messages: "delete factor YF…"
	writes   bool              // a call without it only reads
	writesTo verify.ServiceSID // by which the account of the keys is told before a write; "" for a write in the account itself
	identity verify.Identity   // whom the reply has to be about, "" for anybody
	product  string            // whose API was asked
	decode   func(body []byte) error
	err      error // the first thing that went wrong; no request is sent once it is set
}

// begin starts an operation. What is attempted completes the sentence "cannot …".
func (c *Client) begin(ctx context.Context, what string, args ...any) *call {
	return &call{ctx: ctx, client: c, what: fmt.Sprintf(what, args...)}
}

// about names the identity whose resources the operation is about.
func (c *call) about(identity verify.Identity) *call {
	c.identity = identity
	return c
}

func (c *call) handler() *twilio.RequestHandler { return &twilio.RequestHandler{Client: c} }

func (c *call) verify() *verifyv2.ApiService   { return verifyv2.NewApiService(c.handler()) }
func (c *call) notify() *notifyv1.ApiService   { return notifyv1.NewApiService(c.handler()) }
func (c *call) monitor() *monitorv1.ApiService { return monitorv1.NewApiService(c.handler()) }
func (c *call) conversations() *conversationsv1.ApiService {
	return conversationsv1.NewApiService(c.handler())
}

// SendRequest sends what twilio-go formed. It is the method of [twilio.BaseClient] that matters.
func (c *call) SendRequest(method, rawURL string, data url.Values, _ map[string]any, _ ...byte) (*http.Response, error) {
	target, err := url.Parse(rawURL)
	if err != nil {
		return nil, err
	}
	product, _, _ := strings.Cut(target.Host, ".")
	if err := c.send(product, method, target.EscapedPath(), data); err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("{}"))}, nil
}

// send sends one request and decodes the reply.
func (c *call) send(product, method, path string, data url.Values) error {
	c.product = product
	switch {
	case c.err != nil || method == http.MethodGet:
	case !c.writes:
		c.err = verify.Refusedf("cannot %s: it was not begun as a write, so nothing was sent", c.what)
	default:
		c.err = c.client.checkAccount(c.ctx, c.writesTo)
	}
	if c.err == nil {
		r := request{what: c.what, product: product, method: method, path: path, data: data, decode: c.decode}
		c.err = c.client.exchange(c.ctx, r)
	}
	return c.err
}

// end gives the error of the operation, given what twilio-go returned.
func (c *call) end(err error) error {
	if c.err == nil && err != nil {
		c.err = &verify.Error{Kind: verify.KindFailed, Message: fmt.Sprintf("cannot %s: %v", c.what, err), Cause: err}
	}
	return c.err
}

// AccountSid is part of [twilio.BaseClient]; the operations used here have no account in their paths.
func (c *call) AccountSid() string { return "" }

// SetTimeout is part of [twilio.BaseClient] and does nothing: the context bounds a call.
func (c *call) SetTimeout(time.Duration) {}

// SetOauth is part of [twilio.BaseClient] and does nothing: the keys are basic authentication.
func (c *call) SetOauth(twilio.OAuth) {}

// OAuth is part of [twilio.BaseClient].
func (c *call) OAuth() twilio.OAuth { return nil }

// fetch runs an operation that answers with one resource. Where key is given, the answer has to be that very resource.
func fetch[R any](c *call, key string, operation func() error) (resource R, err error) {
	c.decode = func(body []byte) error {
		if resource, err = decodeResource[R](body); err != nil {
			return err
		}
		return c.accept(identify(resource), key)
	}
	if err := c.end(operation()); err != nil {
		var none R
		return none, err
	}
	return resource, nil
}

// accept refuses a resource without a key, or with another one than was asked for, or of another identity: what is
// deleted next would be somebody else's. Letter case is left aside, as Twilio does not say whether it counts.
func (c *call) accept(got identified, key string) error {
	switch {
	case got.key == "":
		return errors.New("the resource in the reply has no sid")
	case key != "" && !verify.SameSID(got.key, key):
		return fmt.Errorf("the reply is about %s", strconv.Quote(clip(got.key, 80)))
	case c.identity != "" && got.whose != "" && !strings.EqualFold(string(got.whose), string(c.identity)):
		return fmt.Errorf("it is about the identity %s", strconv.Quote(clip(string(got.whose), 80)))
	}
	if identity := cmp.Or(got.whose, c.identity); got.sids != nil && identity != "" && c.client.opts.Met != nil {
		c.client.opts.Met(identity, got.sids...)
	}
	c.client.account.note(got.owner)
	return nil
}
