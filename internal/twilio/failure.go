package twilio

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unicode"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// failure is why an attempt did not succeed, and what that leaves open.
type failure struct {
	err         *verify.Error
	again       bool // sending the same again is safe and may help
	once        bool // but no more than once: whoever answers at once that nobody listens will answer so again
	perhapsDone bool // the request may have been carried out all the same
}

// judge gives nil for an attempt that did what was meant.
func (c *Client) judge(ctx context.Context, r request, a attempt) *failure {
	switch {
	case errors.Is(a.err, errProxyRefuses):
		return &failure{err: &verify.Error{Kind: verify.KindAuth, HTTPStatus: http.StatusProxyAuthRequired, Cause: a.err, Message: r.cannot() + errProxyRefuses.Error(),
			Hint: "put the user and password for the proxy into HTTPS_PROXY, with special characters percent-encoded; nothing more was sent"}}
	case a.err != nil && ctx.Err() != nil:
		return &failure{err: r.interrupted(ctx, a.err), perhapsDone: a.sent}
	case errors.Is(a.err, errTooLarge):
		err := r.failed(a.reply, verify.KindFailed, "the reply is larger than %d MiB", c.maxBody>>20)
		return &failure{err: err, perhapsDone: true}
	case a.err != nil:
		return c.unreachable(r, a)
	case a.reply.status == successOf(r.method) || r.method == http.MethodPost && a.reply.status == http.StatusOK:
		return c.understand(r, a.reply)
	case a.reply.status < 400:
		return c.unexpected(r, a.reply)
	}
	said, isTwilio := parseErrorBody(a.reply.body)
	err := c.refused(r, a.reply, said, isTwilio)
	return &failure{err: err, again: r.mayRepeat(a.reply.status, said.code), perhapsDone: brokeDown(a.reply.status)}
}

// brokeDown tells whether a status leaves open if the request was carried out.
func brokeDown(status int) bool { return status >= 500 || status == http.StatusRequestTimeout }

// successOf gives the status of a success (twilio_verify_v2.json: 200 for reads and updates, 201 for what is made, 204
// for deletes). Anything else did not do what was meant, whatever sent it.
func successOf(method string) int {
	switch method {
	case http.MethodPost:
		return http.StatusCreated
	case http.MethodDelete:
		return http.StatusNoContent
	}
	return http.StatusOK
}

// understand decodes a success.
func (c *Client) understand(r request, rep *reply) *failure {
	if r.decode == nil {
		return nil
	}
	err := r.decode(rep.body)
	if err == nil {
		return nil
	}
	var own *verify.Error
	if errors.As(err, &own) { // such as a paging link to another host
		own.Message = r.cannot() + own.Message
		own.HTTPStatus, own.RequestID = rep.status, rep.request
		return &failure{err: own}
	}
	f := &failure{perhapsDone: true}
	if json.Valid(rep.body) {
		f.err = r.failed(rep, verify.KindFailed, "the reply could not be understood: %v", err)
		return f
	}
	f.err = r.failed(rep, verify.KindUnreachable, "%s answered with %s, which is not a Twilio reply; something else may have answered", c.hosts.base(r.product).Host, describe(rep))
	f.err.Hint = "check the network for a login page or a proxy, and base_url"
	return f
}

// unexpected is about a 1xx, 2xx or 3xx that no operation answers with.
func (c *Client) unexpected(r request, rep *reply) *failure {
	f := &failure{perhapsDone: true}
	if rep.status >= 300 {
		f.err = r.failed(rep, verify.KindUnreachable, "%s answered with a redirect to %s, which is not followed because the account keys go to one host only",
			c.hosts.base(r.product).Host, visible(rep.header.Get("Location"), 200))
		f.err.Hint = "check base_url, and the network for a login page or a proxy"
		return f
	}
	f.err = r.failed(rep, verify.KindUnreachable, "%s answered with %d and %s instead of %d", c.hosts.base(r.product).Host, rep.status, describe(rep), successOf(r.method))
	return f
}

// failed makes the error of a request that was answered.
func (r request) failed(rep *reply, kind verify.Kind, format string, args ...any) *verify.Error {
	return &verify.Error{Kind: kind, Message: r.cannot() + fmt.Sprintf(format, args...), HTTPStatus: rep.status, RequestID: rep.request}
}

// interrupted is about a ctx that ended before the answer came.
func (r request) interrupted(ctx context.Context, cause error) *verify.Error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &verify.Error{Kind: verify.KindUnreachable, Message: r.cannot() + "there was no answer in the time given", Cause: errors.Join(ctx.Err(), cause)}
	}
	return &verify.Error{Kind: verify.KindInterrupted, Message: r.cannot() + "interrupted", Cause: errors.Join(ctx.Err(), cause)}
}

// unreachable is about an attempt that got no answer, or not all of it.
func (c *Client) unreachable(r request, a attempt) *failure {
	var wrapped *url.Error
	cause := a.err
	if errors.As(cause, &wrapped) {
		cause = wrapped.Err // the URL in it would tell the message nothing new
	}
	err := &verify.Error{Kind: verify.KindUnreachable, Cause: a.err}
	if a.reply != nil {
		err.HTTPStatus, err.RequestID = a.reply.status, a.reply.request
	}
	host := c.hosts.base(r.product).Host
	f := &failure{err: err, perhapsDone: a.sent, again: r.method != http.MethodPost}
	var dns *net.DNSError
	switch {
	case errors.Is(cause, context.DeadlineExceeded):
		err.Message = fmt.Sprintf("%s%s did not answer within %v", r.cannot(), host, c.opts.Timeout)
	case errors.As(cause, &dns) && dns.IsNotFound:
		f.again = false
		err.Message = fmt.Sprintf("%sthere is no host %s", r.cannot(), visible(dns.Name, 200))
		err.Hint = "check the network, HTTPS_PROXY, base_url and region"
	case isCertificateError(cause):
		f.again = false
		err.Message = fmt.Sprintf("%sthe certificate of %s is not trusted: %v", r.cannot(), host, cause)
		err.Hint = "if a proxy signs TLS connections anew, name its CA certificate with ca_file"
	default:
		f.once = errors.Is(cause, syscall.ECONNREFUSED)
		err.Message = fmt.Sprintf("%sno answer from %s: %s", r.cannot(), host, visible(cause.Error(), 300))
		err.Hint = "check the network, HTTPS_PROXY and base_url"
	}
	return f
}

func isCertificateError(err error) bool {
	var verification *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var hostname x509.HostnameError
	return errors.As(err, &verification) || errors.As(err, &authority) || errors.As(err, &hostname)
}

// Twilio's codes that decide more than their HTTP status does (https://www.twilio.com/docs/api/errors).
const (
	codeTooManyRequests = 20429 // the request was not processed
	codeTestCredentials = 20008
	codeExpired         = 60323
	codeTrialAccount    = 575001
)

// quotas are limits that the same request meets again however often it is sent.
var quotas = map[int]string{
	60308: "this challenge was attempted too often",
	60309: "Twilio allows 3 notifications for one challenge; create a new challenge instead",
	60310: "this factor was attempted too often",
	60312: "too many challenges were created for this factor; the limit lasts up to 24 hours",
	60326: "too many factors were created for this entity; the limit lasts 24 hours",
}

func isQuota(code int) bool { _, ok := quotas[code]; return ok }

// refusals come with status 403 but are about a factor or a challenge, not about the account keys.
var refusals = []int{60311, 60313, 60318, 60322, 60324, codeTrialAccount}

var notFound = []int{20404, 60390, 60391, 60392}

// refused is about an answer of status 400 or more. Twilio's code decides before the status.
func (c *Client) refused(r request, rep *reply, said errorBody, isTwilio bool) *verify.Error {
	err := r.failed(rep, verify.KindFailed, "%s", said.message)
	err.TwilioCode = said.code
	err.RetryAfter = retryAfter(rep.header, c.opts.Now())
	if !isTwilio {
		err.Message = fmt.Sprintf("%s%s answered with %d %s and %s instead of Twilio's error", r.cannot(), c.hosts.base(r.product).Host,
			rep.status, http.StatusText(rep.status), describe(rep))
	}
	switch status := rep.status; {
	case isQuota(said.code):
		err.Kind, err.Hint = verify.KindLimit, quotas[said.code]
	case said.code == codeExpired:
		err.Kind = verify.KindExpired
	case slices.Contains(refusals, said.code):
	case slices.Contains(notFound, said.code):
		err.Kind = verify.KindNotFound
	case status == http.StatusTooManyRequests:
		err.Kind = verify.KindLimit
		err.Hint = "users' logins share this limit; wait a little and try again with fewer requests at once"
	case status == http.StatusProxyAuthRequired: // of a proxy that no variable names
		err.Kind, err.Hint = verify.KindAuth, "a proxy requires a login; see HTTPS_PROXY"
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		err.Kind, err.Hint = verify.KindAuth, c.authHint(status, said.code)
	case status == http.StatusNotFound && isTwilio:
		err.Kind = verify.KindNotFound
	case status == http.StatusNotFound: // not Twilio's way to say so; taking it for "gone" would be dangerous
		err.Kind, err.Hint = verify.KindUnreachable, "check base_url, and the network for a proxy"
	case status >= 500:
		err.Kind, err.Hint = verify.KindUnreachable, "see https://status.twilio.com, and try again later"
	}
	if err.Kind == verify.KindNotFound {
		err.Cause = notThere{r}
	}
	return err
}

func (c *Client) authHint(status, code int) string {
	keys := c.opts.Username
	if c.opts.KeySource != "" {
		keys += " from " + c.opts.KeySource
	}
	switch {
	case code == codeTestCredentials:
		return "these are test credentials, which look like live ones but work on none of these resources; use live account keys instead of " + keys
	case status == http.StatusForbidden:
		return "the account keys " + keys + " are not allowed to do this, or the account is not active"
	}
	return "check the account keys " + keys + ": the secret, the region, and whether the key was revoked"
}

// errorBody is Twilio's error envelope, with whatever types it came in.
type errorBody struct {
	code    int
	message string
}

// parseErrorBody reads an error body. The second result tells whether it is Twilio's: a JSON object with a code or a
// message.
func parseErrorBody(body []byte) (errorBody, bool) {
	var raw struct {
		Code    text `json:"code"`
		Message text `json:"message"`
	}
	if decodeObject(body, &raw) != nil || raw.Code == "" && raw.Message == "" {
		return errorBody{message: "no reason was given"}, false
	}
	code, err := strconv.Atoi(string(raw.Code))
	if err != nil {
		code = 0
	}
	message := strings.TrimRight(visible(string(raw.Message), 500), ". ")
	return errorBody{code, cmp.Or(message, "no reason was given")}, true
}

// describe says what a body that is not the JSON we wanted is.
func describe(rep *reply) string {
	if len(bytes.TrimSpace(rep.body)) == 0 {
		return "an empty body"
	}
	kind, _, err := mime.ParseMediaType(rep.header.Get("Content-Type"))
	switch {
	case err != nil || kind == "":
		return "an unknown kind of body"
	case kind == "application/json" && !json.Valid(rep.body):
		return "broken JSON"
	case kind == "application/json":
		return "other JSON"
	}
	return visible(kind, 60)
}

// visible makes foreign text fit for one line of a message: no control characters, and not too long.
func visible(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, s)
	return clip(strings.TrimSpace(s), limit)
}

// clip cuts text to a number of characters.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	runes := []rune(s)
	if len(runes) <= limit {
		return s
	}
	return string(runes[:limit]) + "…"
}
