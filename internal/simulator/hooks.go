package simulator

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" // X-Twilio-Signature is HMAC-SHA1
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// hook is one call to a webhook of the user's, signed as Twilio signs.
type hook struct {
	url     string
	body    url.Values
	account string
	service string // the Verify Service whose webhook it is, "" for the account's debugger webhook
	due     int64
}

// post queues a webhook call in the transaction that causes it. One to another machine is dropped unless the options
// allow it: a simulator must not call out because somebody copied a configuration into it.
func (t *tx) post(h hook) error {
	if !t.s.opts.WebhooksAnywhere && !isLoopback(h.url) {
		return nil
	}
	t.s.hooks.queued()
	_, err := t.exec("INSERT INTO outbox (due, url, body, service_sid, account_sid) VALUES (?, ?, ?, ?, ?)",
		h.due, h.url, h.body.Encode(), h.service, h.account)
	return err
}

// isLoopback is the rule of verify.IsLoopback again, as this package imports nothing of ours.
func isLoopback(target string) bool {
	u, err := url.Parse(target)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return strings.ToLower(u.Hostname()) == "localhost" || err == nil && ip.Zone() == "" && ip.IsLoopback()
}

func isWebURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}

// sign gives X-Twilio-Signature of a form: the URL and all fields in order of their names, keyed by the auth token
// (twilio.com/docs/usage/security).
func sign(token, target string, body url.Values) string {
	base := target
	for _, name := range slices.Sorted(maps.Keys(body)) {
		for _, value := range body[name] {
			base += name + value
		}
	}
	mac := hmac.New(sha1.New, []byte(token))
	io.WriteString(mac, base) // a hash never fails
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func (t *tx) newUUID() string {
	h := t.newSID("")
	return fmt.Sprintf("%s-%s-4%s-a%s-%s", h[:8], h[8:12], h[13:16], h[17:20], h[20:])
}

// hookSender posts what is due, one call after the other, while the simulator is open. A call is taken out of the
// state before it is made: a process that dies then loses it rather than making it twice.
type hookSender struct {
	client  *http.Client
	stop    context.CancelFunc
	ctx     context.Context
	mu      sync.Mutex
	pending bool // something was queued since the last look
	running bool
	closing bool
	done    sync.WaitGroup
}

func newHookSender(opts Options) *hookSender {
	ctx, stop := context.WithCancel(context.Background())
	client := &http.Client{Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if !opts.WebhooksAnywhere {
		client.Transport = &http.Transport{Proxy: nil, MaxIdleConns: 4, IdleConnTimeout: 30 * time.Second}
	}
	return &hookSender{client: client, ctx: ctx, stop: stop}
}

func (h *hookSender) queued() {
	h.mu.Lock()
	h.pending = true
	h.mu.Unlock()
}

// wake starts posting if anything was queued. It is called after the transaction that queued it.
func (h *hookSender) wake(s *Simulator) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.pending || h.running || h.closing {
		return
	}
	h.running, h.pending = true, false
	h.done.Go(func() { h.run(s) })
}

// run posts until nothing is left; what falls due later is waited for while the simulator is open.
func (h *hookSender) run(s *Simulator) {
	for {
		sent, waiting, err := h.sendNext(s)
		h.mu.Lock()
		over := err != nil || !sent && (h.closing || !waiting && !h.pending)
		h.running, h.pending = !over, false
		h.mu.Unlock()
		if over {
			return
		}
		if !sent {
			wait(h.ctx, 200*time.Millisecond)
		}
	}
}

// sendNext posts the next call that is due and tells whether there was one, and whether others wait for their time.
func (h *hookSender) sendNext(s *Simulator) (sent, waiting bool, err error) {
	var next *hook
	var token string
	err = s.update(h.ctx, func(t *tx) error {
		var seq int64
		var body string
		candidate := hook{}
		found, err := t.row([]any{&seq, &candidate.due, &candidate.url, &body, &candidate.service, &candidate.account, &token},
			`SELECT o.seq, o.due, o.url, o.body, o.service_sid, o.account_sid, a.auth_token FROM outbox o JOIN accounts a ON a.sid = o.account_sid
			ORDER BY o.due, o.seq LIMIT 1`)
		if err != nil || !found {
			return err
		}
		if candidate.due > millis(t.now) {
			waiting = true
			return nil
		}
		if candidate.body, err = url.ParseQuery(body); err != nil {
			return err
		}
		next = &candidate
		_, err = t.exec("DELETE FROM outbox WHERE seq = ?", seq)
		return err
	})
	if err != nil || next == nil {
		return false, waiting, err
	}
	if problem := h.call(*next, token); problem != nil {
		s.opts.Log.Warn("webhook failed", "url", next.url, "error", problem)
		err = s.update(h.ctx, func(t *tx) error { return t.reportHook(*next, problem) })
	}
	return true, waiting, err
}

func (h *hookSender) call(next hook, token string) error {
	req, err := http.NewRequestWithContext(h.ctx, http.MethodPost, next.url, strings.NewReader(next.body.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	req.Header.Set("X-Twilio-Signature", sign(token, next.url, next.body))
	sum := derive("idempotency", next.url, next.body.Encode())
	req.Header.Set("I-Twilio-Idempotency-Token", fmt.Sprintf("%x", sum[:16]))
	req.Header.Set("User-Agent", "TwilioProxy/1.1")
	resp, err := h.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // only to keep the connection
	if resp.StatusCode != http.StatusOK && (next.service != "" || resp.StatusCode != http.StatusNoContent) {
		return errors.New(resp.Status)
	}
	return nil
}

// reportHook turns the failure of a Verify webhook into an alert (error 60330). One of the debugger webhook is silent.
func (t *tx) reportHook(failed hook, problem error) error {
	if failed.service == "" {
		return nil
	}
	text := url.Values{"Msg": {"Failed to invoke the webhook: " + problem.Error()}, "ErrorCode": {"60330"}, "LogLevel": {"ERROR"}, "url": {failed.url}}
	return t.insertAlert(&alert{
		sid: t.newSID("NO"), account: failed.account, level: "error", code: "60330", text: text.Encode(),
		resource: valid(failed.service), service: valid(failed.service),
		method: valid(http.MethodPost), requestURL: valid(failed.url),
		created: millis(t.now), generated: millis(t.now),
	})
}

// close posts what is due, for a moment at most, and stops.
func (h *hookSender) close() {
	h.mu.Lock()
	h.closing = true
	h.mu.Unlock()
	timer := time.AfterFunc(closingTime, h.stop)
	h.done.Wait()
	timer.Stop()
	h.stop()
	h.client.CloseIdleConnections()
}

// closingTime is how long webhooks under way are waited for.
const closingTime = 2 * time.Second
