package simulator

import (
	"bytes"
	"net/http"
	"net/url"
	"time"
)

// Observed is one request to the API with its reply.
type Observed struct {
	At        time.Time // the time of day, whatever the simulated clock says
	Took      time.Duration
	Method    string
	Host      string
	URL       *url.URL // path and query
	User      string   // of the Basic credentials: an account, an API key, or "token" for a phone
	Operation string   // the operationId of Twilio's OpenAPI documents, "" where none is meant
	Form      url.Values
	Status    int // 0 when the connection was broken instead
	Reply     []byte
	RequestID string // Twilio-Request-Id
}

// maxObserved is how much of a reply is told.
const maxObserved = 16 << 10

func (s *Simulator) observed(r *http.Request, started time.Time, f frame, status int, body []byte) Observed {
	user, _, _ := r.BasicAuth()
	return Observed{
		At: started, Took: s.opts.Wall().Sub(started), Method: r.Method, Host: r.Host, URL: r.URL, User: user,
		Operation: f.operation, Form: url.Values(f.form), Status: status, RequestID: f.requestSID,
		Reply: bytes.Clone(body[:min(len(body), maxObserved)]),
	}
}
