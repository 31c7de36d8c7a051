package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// exchanged is the reply to a request that the simulator made to itself.
type exchanged struct {
	status int
	header http.Header
	raw    []byte
	body   map[string]any
}

func (e *exchanged) text(name string) string {
	text, _ := e.body[name].(string)
	return text
}

// exchange makes a request through the same handler as any client's, so that simulated phones have no privileges.
func (s *Simulator) exchange(ctx context.Context, who login, method, path string, form url.Values) (*exchanged, error) {
	req, err := http.NewRequestWithContext(ctx, method, "https://verify.twilio.com"+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.SetBasicAuth(who.user, who.password)
	rec := &recorder{header: http.Header{}}
	if err := s.serveRecorded(rec, req); err != nil {
		return nil, err
	}
	e := &exchanged{status: rec.status, header: rec.header, raw: rec.body.Bytes()}
	if err := json.Unmarshal(e.raw, &e.body); err != nil && len(e.raw) > 0 {
		return nil, fmt.Errorf("%s %s: %d, not JSON", method, path, e.status)
	}
	if e.status >= 300 {
		code, _ := e.body["code"].(float64)
		return nil, &apiError{status: e.status, code: int(code), message: e.text("message")}
	}
	return e, nil
}

// serveRecorded turns a broken connection into an error.
func (s *Simulator) serveRecorded(rec *recorder, req *http.Request) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if p != http.ErrAbortHandler {
				panic(p)
			}
			err = errors.New("the connection was reset")
		}
	}()
	s.ServeHTTP(rec, req)
	return nil
}

// recorder is an [http.ResponseWriter] that keeps a reply.
type recorder struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *recorder) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(p)
}
