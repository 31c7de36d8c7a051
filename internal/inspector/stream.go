package inspector

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// maxStreams bounds how many browsers look at once. The tabs of one share a stream.
const maxStreams = 32

// How often a stream looks: at most, because what happens in between is shown together, and at least, because challenges
// expire and other processes change the world without a request.
const (
	lookAtMost  = 100 * time.Millisecond
	lookAtLeast = time.Second
)

// parts are the parts of the page that are sent again when they change, by the names of their templates.
var parts = []string{"phones", "challenges", "alerts", "clock", "faults", "services"}

// message is one event of a stream.
type message struct {
	Part string `json:"part"`
	HTML string `json:"html"`
	All  bool   `json:"all,omitempty"`  // of requests: nothing that was there before stays
	Wall int64  `json:"wall,omitempty"` // the machine's time, in milliseconds
}

// stream tells a browser what changes, for as long as it listens.
func (p *Page) stream(w http.ResponseWriter, r *http.Request) {
	changes := make(chan struct{}, 1)
	if !p.watch(changes) {
		http.Error(w, "too many browsers look at this page", http.StatusServiceUnavailable)
		return
	}
	defer p.unwatch(changes)
	control := http.NewResponseController(w)
	if err := errors.Join(control.SetReadDeadline(time.Time{}), control.SetWriteDeadline(time.Time{})); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	s := stream{page: p, w: w, r: r, control: control, sent: map[string]string{}, since: -1}
	for {
		if s.send() != nil {
			return // the browser has gone, and comes back if it wants
		}
		if !s.pause(changes) {
			return
		}
	}
}

func (p *Page) watch(changes chan struct{}) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.watchers) >= maxStreams {
		return false
	}
	p.watchers[changes] = true
	return true
}

func (p *Page) unwatch(changes chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.watchers, changes)
}

// stream is what one browser was sent so far.
type stream struct {
	page    *Page
	w       http.ResponseWriter
	r       *http.Request
	control *http.ResponseController
	sent    map[string]string
	last    int // request
	since   int // the beginning of the log
}

// pause waits for something to look at; it tells whether anybody still listens.
func (s *stream) pause(changes <-chan struct{}) bool {
	for _, wait := range []struct {
		d    time.Duration
		wake <-chan struct{}
	}{{lookAtMost, nil}, {lookAtLeast - lookAtMost, changes}} {
		timer := time.NewTimer(wait.d)
		select {
		case <-timer.C:
		case <-wait.wake:
			timer.Stop()
		case <-s.r.Context().Done():
			return false
		case <-s.page.ended:
			return false
		}
	}
	return true
}

// send sends what changed since the last time.
func (s *stream) send() error {
	v, err := s.page.look(s.r.Context(), s.page.caller(s.r))
	if err != nil {
		return err
	}
	if len(s.sent) == 0 {
		if err := s.event(message{Wall: time.Now().UnixMilli()}); err != nil {
			return err
		}
	}
	for _, part := range parts {
		var b strings.Builder
		if err := templates().ExecuteTemplate(&b, part, v); err != nil {
			return err
		}
		if html := b.String(); html != s.sent[part] {
			s.sent[part] = html
			if err := s.event(message{Part: part, HTML: html}); err != nil {
				return err
			}
		}
	}
	if err := s.sendRequests(); err != nil {
		return err
	}
	return s.control.Flush()
}

func (s *stream) sendRequests() error {
	requests, last, since := s.page.log.after(s.last)
	if last == s.last && since == s.since {
		return nil
	}
	m := message{Part: "requests", All: since != s.since}
	s.last, s.since = last, since
	var b strings.Builder
	if err := templates().ExecuteTemplate(&b, "requests", requests); err != nil {
		return err
	}
	m.HTML = b.String()
	return s.event(m)
}

func (s *stream) event(m message) error {
	line, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.w, "data: %s\n\n", line)
	return err
}
