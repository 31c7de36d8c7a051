package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// apiError is a refusal as Twilio words it: an HTTP status and Twilio's own code. Returning one from a handler undoes
// what the handler wrote.
type apiError struct {
	status  int
	code    int
	message string
	header  http.Header // beside the usual ones; nil for none
}

func (e *apiError) Error() string { return fmt.Sprintf("%d, %d: %s", e.status, e.code, e.message) }

func refuse(status, code int, format string, args ...any) *apiError {
	return &apiError{status: status, code: code, message: fmt.Sprintf(format, args...)}
}

// notFound words a 404 as Twilio does, with the path that was asked for.
func notFound(path string) *apiError {
	return refuse(http.StatusNotFound, 20404, "The requested resource %s was not found", path)
}

// missing refuses a request without a required parameter.
func missing(name string) *apiError {
	return refuse(http.StatusBadRequest, 20001, "Missing required parameter %s in the post body", name)
}

// invalid refuses a parameter under the code that Twilio documents for its kind.
func invalid(code int, format string, args ...any) *apiError {
	return refuse(http.StatusBadRequest, code, format, args...)
}

// reply is what a handler answers; a nil body is an empty one.
type reply struct {
	status int
	body   any
	header http.Header

	drip     func(time.Duration) // when set, waits between the pieces of a body that takes slowness to arrive
	slowness time.Duration
}

func ok(body any) reply      { return reply{status: http.StatusOK, body: body} }
func created(body any) reply { return reply{status: http.StatusCreated, body: body} }
func noContent() reply       { return reply{status: http.StatusNoContent} }

func (e *apiError) reply() reply {
	return reply{status: e.status, header: e.header, body: struct {
		Code     int    `json:"code"`
		Message  string `json:"message"`
		MoreInfo string `json:"more_info"`
		Status   int    `json:"status"`
	}{e.code, e.message, "https://www.twilio.com/docs/errors/" + strconv.Itoa(e.code), e.status}}
}

// frame is what every reply carries beside its own content.
type frame struct {
	now        time.Time
	requestSID string
	concurrent int64
	duration   time.Duration

	operation string // what was asked for, for those who observe
	form      form
}

// write sends a reply. Go would put the wall clock into Date; mobile SDKs set their clocks by it, so it is the
// simulator's. It gives the body.
func (p reply) write(w http.ResponseWriter, f frame) []byte {
	h := w.Header()
	for name, values := range p.header {
		h[name] = values
	}
	h.Set("Date", f.now.UTC().Format(http.TimeFormat))
	h.Set("Twilio-Request-Id", f.requestSID)
	h.Set("Twilio-Concurrent-Requests", strconv.FormatInt(f.concurrent, 10))
	h.Set("Twilio-Request-Duration", strconv.FormatFloat(f.duration.Seconds(), 'f', 3, 64))
	if p.body == nil {
		w.WriteHeader(p.status)
		return nil
	}
	contentType, raw := "application/json; charset=utf-8", []byte(nil)
	if page, isHTML := p.body.(htmlPage); isHTML {
		contentType, raw = "text/html", []byte(page)
	} else {
		raw = encode(p.body)
	}
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(raw)))
	w.WriteHeader(p.status)
	p.writeBody(w, raw)
	return raw
}

// writeBody writes at once, or in ten pieces when a fault makes the body slow.
func (p reply) writeBody(w http.ResponseWriter, raw []byte) {
	const pieces = 10
	for i := 0; p.drip != nil && i < pieces-1; i++ {
		n := len(raw) / (pieces - i)
		w.Write(raw[:n])                      // the client has gone; nobody is left to tell
		http.NewResponseController(w).Flush() // the same
		p.drip(p.slowness / time.Duration(pieces-1))
		raw = raw[n:]
	}
	w.Write(raw) // the same
}

// encode writes JSON without Go's escapes for HTML, which Twilio does not use.
func encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("simulator: a reply cannot be encoded: %v", err)) // our own types: a programming error
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}
