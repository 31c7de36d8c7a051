package twilio

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

const (
	tries       = 5
	firstWait   = 500 * time.Millisecond
	longestWait = time.Minute // beyond it the caller is told to come back instead
)

// exchange sends a request, again where that is safe, and decodes the reply.
//
// Reads and deletes are sent again after a network error, a 429 or a 5xx. A POST is sent again only when Twilio says
// that it was not processed (20429), because it may make a phone ring. When a write may have been carried out though no
// usable answer came, the error is of [verify.KindPartial]. A delete that is sent again and then finds nothing has
// succeeded before.
func (c *Client) exchange(ctx context.Context, r request) error {
	perhapsDone := false
	for try := 1; ; try++ {
		a := c.try(ctx, r, try)
		f := c.judge(ctx, r, a)
		switch {
		case f == nil:
			return nil
		case perhapsDone && r.method == http.MethodDelete && f.err.Kind == verify.KindNotFound:
			return nil
		}
		perhapsDone = perhapsDone || f.perhapsDone
		wait := c.wait(try, f.err.RetryAfter)
		if !f.again || try == tries || f.once && try > 1 || f.err.RetryAfter > longestWait {
			return r.outcome(f.err, perhapsDone)
		}
		if err := c.opts.Sleep(ctx, wait); err != nil {
			return r.outcome(r.interrupted(ctx, err), perhapsDone)
		}
	}
}

// wait gives how long to wait after a try: twice as long each time, between half of that and all of it, and never less
// than Twilio asked for.
func (c *Client) wait(try int, asked time.Duration) time.Duration {
	full := firstWait << (try - 1)
	return max(asked, full/2+time.Duration(c.opts.Random()*float64(full/2)))
}

// mayRepeat tells whether sending the request again, after an answer of status 400 or more, is safe and may help.
func (r request) mayRepeat(status, code int) bool {
	switch {
	case status != http.StatusTooManyRequests:
		return brokeDown(status) && r.method != http.MethodPost
	case r.method == http.MethodPost:
		return code == codeTooManyRequests
	}
	return !isQuota(code)
}

// retryAfter reads Retry-After, which is a number of seconds or a date; the date counts from the reply's own Date, so
// that a wrong clock here does not matter. 0 means that there is none.
func retryAfter(h http.Header, now time.Time) time.Duration {
	raw := h.Get("Retry-After")
	if seconds, err := strconv.ParseFloat(raw, 64); err == nil {
		return time.Duration(min(max(seconds, 0), 24*3600) * float64(time.Second)) // NaN gives 0
	}
	at, err := http.ParseTime(raw)
	if err != nil {
		return 0
	}
	if sent, err := http.ParseTime(h.Get("Date")); err == nil {
		now = sent
	}
	return max(at.Sub(now), 0)
}
