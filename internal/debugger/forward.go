package debugger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"sync"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// Forwarder hands an event on.
type Forwarder interface {
	Forward(ctx context.Context, e event.Event) error
}

// forwardTime bounds one attempt to hand an event on.
const forwardTime = 30 * time.Second

// Program runs a program for each event, with the event as JSON on its standard input. The arguments are given to the
// program as they are; no shell sees them.
type Program struct {
	Argv   []string
	Env    []string  // of the program, as NAME=value; nil for this process's
	Output io.Writer // of the program
}

// Forward runs the program once.
func (p Program) Forward(ctx context.Context, e event.Event) error {
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, forwardTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.Argv[0], p.Argv[1:]...)
	cmd.Env = p.Env
	cmd.Stdin = bytes.NewReader(append(text, '\n'))
	cmd.Stdout, cmd.Stderr = p.Output, p.Output
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", p.Argv[0], err)
	}
	return nil
}

// Post posts each event as JSON to a URL. It follows no redirect: events go to the host that was named and no other.
type Post struct {
	url    string
	client *http.Client
}

// NewPost checks the URL: https, or http to this machine. The error is a usage [verify.Error].
func NewPost(target string) (*Post, error) {
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && verify.IsLoopback(u.Hostname())) {
		return nil, verify.Usagef("--forward %q is neither an https URL nor http on this machine", target)
	}
	return &Post{url: target, client: &http.Client{
		Timeout:       forwardTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Forward posts the event once. Any answer but a 2xx is an error.
func (p *Post) Forward(ctx context.Context, e event.Event) error {
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := p.client.Do(req)
	if err != nil {
		return fmt.Errorf("cannot forward to %s: %w", req.URL.Host, errors.Unwrap(err))
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be used again
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("%s answered %s", req.URL.Host, resp.Status)
	}
	return nil
}

// queueLength is how many events may wait to be handed on. All of them are stored, so those beyond it are not lost.
const queueLength = 10_000

// Queue hands events on one after the other, apart from receiving them, and tries each a few times.
type Queue struct {
	to     Forwarder
	clock  clock
	failed func(event.Event, error)
	events chan event.Event
	done   sync.WaitGroup
}

// NewQueue starts handing on. failed is told of every event that could not be.
func NewQueue(ctx context.Context, to Forwarder, clock clock, failed func(event.Event, error)) *Queue {
	q := &Queue{to: to, clock: clock, failed: failed, events: make(chan event.Event, queueLength)}
	q.done.Go(func() { q.run(ctx) })
	return q
}

var errQueueFull = errors.New("too many events are waiting to be forwarded")

// Add takes an event without waiting.
func (q *Queue) Add(e event.Event) {
	select {
	case q.events <- e:
	default:
		q.failed(e, errQueueFull)
	}
}

// Close hands on what waits, and returns when that is done or its context ends.
func (q *Queue) Close() {
	close(q.events)
	q.done.Wait()
}

// pauses are between the attempts to hand on one event.
var pauses = []time.Duration{time.Second, 5 * time.Second}

func (q *Queue) run(ctx context.Context) {
	for e := range q.events {
		if err := q.forward(ctx, e); err != nil {
			q.failed(e, err)
		}
	}
}

func (q *Queue) forward(ctx context.Context, e event.Event) error {
	for _, pause := range pauses {
		err := q.to.Forward(ctx, e)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if q.clock.Sleep(ctx, pause) != nil {
			return err
		}
	}
	return q.to.Forward(ctx, e)
}
