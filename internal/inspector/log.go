package inspector

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/simulator"
)

// maxLog is how many requests are kept: with the largest replies, a few megabytes.
const maxLog = 300

// requestLog keeps the last requests, numbered from 1.
type requestLog struct {
	mu    sync.Mutex
	last  int
	kept  [maxLog]simulator.Observed
	since int // the number of the last request before the log was emptied
}

func (l *requestLog) add(o simulator.Observed) {
	if len(o.Form.Encode()) > maxKept {
		o.Form = url.Values{"…": {"too large to be kept"}}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	l.kept[l.last%maxLog] = o
}

// maxKept is how large the parameters of a request may be that are kept, in bytes.
const maxKept = 16 << 10

func (l *requestLog) empty() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.since, l.kept = l.last, [maxLog]simulator.Observed{}
}

// after gives the requests behind a number, newest first.
func (l *requestLog) after(number int) (requests []request, last, since int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for n := l.last; n > max(number, l.since, l.last-maxLog); n-- {
		requests = append(requests, request{n, l.kept[n%maxLog]})
	}
	return requests, l.last, l.since
}

func (l *requestLog) find(number int) (request, bool) {
	requests, _, _ := l.after(number - 1)
	if len(requests) == 0 || requests[len(requests)-1].Number != number {
		return request{}, false
	}
	return requests[len(requests)-1], true
}

// request is one request as the page shows it.
type request struct {
	Number int
	simulator.Observed
}

// Time is when it came, by the machine's clock.
func (r request) Time() string { return r.At.Format("15:04:05.000") }

// Path is the path and query as they were sent.
func (r request) Path() string { return r.URL.RequestURI() }

// Duration is how long it took.
func (r request) Duration() string {
	if r.Took < time.Millisecond {
		return "<1 ms"
	}
	return fmt.Sprintf("%d ms", r.Took.Milliseconds())
}

// Tone is the kind of its outcome.
func (r request) Tone() string {
	switch {
	case r.Status == 0 || r.Status >= 500:
		return "bad"
	case r.Status >= 400:
		return "warn"
	}
	return "good"
}

// Outcome is the status that was answered.
func (r request) Outcome() string {
	if r.Status == 0 {
		return "dropped"
	}
	return strconv.Itoa(r.Status)
}

// StatusText is the outcome in words.
func (r request) StatusText() string {
	if r.Status == 0 {
		return "connection broken without a reply"
	}
	return strings.TrimSpace(r.Outcome() + " " + http.StatusText(r.Status))
}

// Who is who called.
func (r request) Who() string {
	switch {
	case r.User == "":
		return "nobody"
	case r.User == "token":
		return "phone"
	case strings.HasPrefix(r.User, "SK"):
		return "API key"
	}
	return "account"
}

// refusal is what Twilio answers a request that fails.
type refusal struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// Refusal is Twilio's error, without a code where the reply has none.
func (r request) Refusal() (e refusal) {
	if r.Status < 400 || json.Unmarshal(r.Reply, &e) != nil {
		return refusal{}
	}
	return e
}

// Explained is the catalogue's entry of the error.
func (r request) Explained() *event.Code {
	if code, known := event.Lookup(r.Refusal().Code); known {
		return &code
	}
	return nil
}

// Parameters are the parameters of the body, without secrets.
func (r request) Parameters() []parameter {
	var all []parameter
	for name, values := range r.Form {
		for _, value := range values {
			all = append(all, parameter{name, shown(name, value)})
		}
	}
	slices.SortStableFunc(all, func(a, b parameter) int { return strings.Compare(a.Name, b.Name) })
	return all
}

type parameter struct{ Name, Value string }
