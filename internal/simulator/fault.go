package simulator

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// FaultKind is what goes wrong.
type FaultKind string

// The kinds of fault.
const (
	FaultRateLimit   FaultKind = "rate-limit"   // 429 with code 20429, not processed
	FaultConcurrency FaultKind = "concurrency"  // the same, for requests beyond Limit at one time
	FaultError       FaultKind = "error"        // Status with an HTML page, not processed
	FaultErrorAfter  FaultKind = "error-after"  // Status with an HTML page, processed
	FaultResetBefore FaultKind = "reset-before" // the connection breaks, not processed
	FaultResetAfter  FaultKind = "reset-after"  // the connection breaks without a reply, processed
	FaultLatency     FaultKind = "latency"      // processed after Delay
	FaultSlowBody    FaultKind = "slow-body"    // processed; the body takes Delay to arrive
	FaultLosePush    FaultKind = "lose-push"    // a push that would have arrived gets lost
)

var faultKinds = []FaultKind{FaultRateLimit, FaultConcurrency, FaultError, FaultErrorAfter, FaultResetBefore, FaultResetAfter,
	FaultLatency, FaultSlowBody, FaultLosePush}

// Fault is a rule by which requests, or pushes, go wrong. Which of the matching ones it hits depends on the state's
// seed and the order of requests alone.
type Fault struct {
	ID   int64     `json:"id"` // given by AddFault
	Kind FaultKind `json:"kind"`
	// Operation is the operationId of Twilio's OpenAPI documents, such as CreateChallenge, or a pattern such as List*.
	// Empty matches every operation; lose-push takes none.
	Operation string `json:"operation,omitempty"`
	// Rate is the share of matching requests that are hit, 0 < Rate ≤ 1; zero means all.
	Rate float64 `json:"rate,omitempty"`
	// Skip is how many matching requests go well first; Count is how many are hit at most, zero for no end.
	Skip  int64 `json:"skip,omitempty"`
	Count int64 `json:"count,omitempty"`

	Status     int      `json:"status,omitempty"`      // of the reply; 502 when zero for error kinds, 429 for rate-limit and concurrency
	RetryAfter int      `json:"retry_after,omitempty"` // seconds, of rate-limit and concurrency; no header when zero
	Limit      int64    `json:"limit,omitempty"`       // requests at one time, of concurrency
	Delay      Duration `json:"delay,omitempty"`       // of latency and slow-body; real time, at most a minute

	Matched int64 `json:"matched"` // how many requests matched so far
	Fired   int64 `json:"fired"`   // how many of them were hit
}

const maxDelay = Duration(time.Minute)

// check completes a rule and refuses one that means nothing.
func (f *Fault) check() error {
	switch {
	case !slices.Contains(faultKinds, f.Kind):
		return badInput("unknown fault %q: it is one of %v", f.Kind, faultKinds)
	case f.Rate < 0 || f.Rate > 1:
		return badInput("the rate %v is not between 0 and 1", f.Rate)
	case f.Skip < 0 || f.Count < 0 || f.RetryAfter < 0:
		return badInput("skip, count and retry_after cannot be negative")
	case f.Delay < 0 || f.Delay > maxDelay:
		return badInput("the delay %s is not between 0 and %s", time.Duration(f.Delay), time.Duration(maxDelay))
	case f.Kind == FaultConcurrency && f.Limit < 1:
		return badInput("a concurrency fault needs a limit of at least 1")
	}
	if strings.ContainsAny(f.Operation, `[]\`) {
		return badInput("the operation %q is not a pattern: * stands for any text, ? for one character", f.Operation)
	}
	if f.Operation != "" && !f.matchesAny() {
		return badInput("no operation matches %q", f.Operation)
	}
	return f.checkDetails()
}

// checkDetails refuses what a kind has no use for, and completes the status of those that reply.
func (f *Fault) checkDetails() error {
	limited, failing := f.Kind == FaultRateLimit || f.Kind == FaultConcurrency, f.Kind == FaultError || f.Kind == FaultErrorAfter
	for _, given := range []struct {
		name        string
		is, belongs bool
	}{
		{"a status", f.Status != 0, failing || limited && f.Status == http.StatusTooManyRequests},
		{"retry_after", f.RetryAfter != 0, limited},
		{"a limit", f.Limit != 0, f.Kind == FaultConcurrency},
		{"a delay", f.Delay != 0, f.Kind == FaultLatency || f.Kind == FaultSlowBody},
		{"an operation", f.Operation != "", f.Kind != FaultLosePush},
	} {
		if given.is && !given.belongs {
			return badInput("the fault %s does not take %s", f.Kind, given.name)
		}
	}
	switch {
	case limited:
		f.Status = http.StatusTooManyRequests
	case failing && f.Status == 0:
		f.Status = http.StatusBadGateway
	case failing && (f.Status < 400 || f.Status > 599):
		return badInput("%d is not the status of an error", f.Status)
	}
	return nil
}

func (f *Fault) matchesAny() bool {
	return slices.ContainsFunc(routes, func(r route) bool { return f.matches(r.name) })
}

func (f *Fault) matches(operation string) bool {
	if f.Operation == "" {
		return true
	}
	matched, err := path.Match(strings.ToLower(f.Operation), strings.ToLower(operation))
	return err == nil && matched
}

// AddFault puts a rule into the state and gives it with its number. Rules apply in the order they were added.
func (s *Simulator) AddFault(ctx context.Context, f Fault) (Fault, error) {
	f.Matched, f.Fired = 0, 0
	if err := f.check(); err != nil {
		return f, err
	}
	return f, s.update(ctx, func(t *tx) error {
		var err error
		f.ID, err = t.insert("INSERT INTO faults (rule) VALUES (?)", string(encode(f)))
		t.world.settings.Faults++
		return err
	})
}

// Faults are the rules of the state, with how often each matched and hit.
func (s *Simulator) Faults(ctx context.Context) ([]Fault, error) { return read(ctx, s, (*tx).faults) }

// RemoveFault takes a rule out of the state, all of them for the number 0.
func (s *Simulator) RemoveFault(ctx context.Context, id int64) error {
	return s.update(ctx, func(t *tx) error {
		removed, err := t.exec("DELETE FROM faults WHERE seq = ?1 OR ?1 = 0", id)
		if err == nil && removed == 0 && id != 0 {
			return fmt.Errorf("fault %d: %w", id, ErrNotFound)
		}
		t.world.settings.Faults -= int(removed)
		return err
	})
}

func (t *tx) faults() ([]Fault, error) {
	return collect(t, func(rows *sql.Rows) (f Fault, err error) {
		var id, matched, fired int64 // the stored rule has older ones
		err = rows.Scan(&id, asJSON{&f}, &matched, &fired)
		f.ID, f.Matched, f.Fired = id, matched, fired
		return f, err
	}, "SELECT seq, rule, matched, fired FROM faults ORDER BY seq")
}

// strike counts a match of a rule and tells whether it hits.
func (t *tx) strike(f *Fault) (bool, error) {
	f.Matched++
	hits := f.Matched > f.Skip && (f.Count == 0 || f.Fired < f.Count)
	if hits && f.Rate > 0 {
		sum := derive("fault", t.world.seed, strconv.FormatInt(f.ID, 10), strconv.FormatInt(f.Matched, 10))
		hits = float64(binary.BigEndian.Uint64(sum[:8])) < f.Rate*(1<<64)
	}
	if hits {
		f.Fired++
	}
	_, err := t.exec("UPDATE faults SET matched = ?, fired = ? WHERE seq = ?", f.Matched, f.Fired, f.ID)
	return hits, err
}

// losesPush tells whether a rule loses this push.
func (t *tx) losesPush() (bool, error) {
	if t.world.settings.Faults == 0 {
		return false, nil
	}
	faults, err := t.faults()
	if err != nil {
		return false, err
	}
	for _, f := range faults {
		if f.Kind != FaultLosePush {
			continue
		}
		if hits, err := t.strike(&f); hits || err != nil {
			return hits, err
		}
	}
	return false, nil
}

// firedFaults are the rules that hit one request.
type firedFaults []Fault

// errFaulty stops a request in a world with faults until it is known which of them hit it.
var errFaulty = errors.New("faults have to be decided first")

// decideFaults finds the rules that hit a request. A rule of concurrency matches those beyond its limit only.
func (s *Simulator) decideFaults(ctx context.Context, operation string, concurrent int64) (firedFaults, error) {
	fired := firedFaults{}
	err := s.update(ctx, func(t *tx) error {
		faults, err := t.faults()
		if err != nil {
			return err
		}
		for _, f := range faults {
			if f.Kind == FaultLosePush || !f.matches(operation) || f.Kind == FaultConcurrency && concurrent <= f.Limit {
				continue
			}
			hits, err := t.strike(&f)
			if err != nil {
				return err
			}
			if hits {
				fired = append(fired, f)
			}
		}
		return nil
	})
	return fired, err
}

// before plays what happens instead of a request, and delays it. It gives the reply when it is not to be processed.
func (fired firedFaults) before(ctx context.Context, w http.ResponseWriter) *reply {
	for _, f := range fired {
		switch f.Kind {
		case FaultLatency:
			wait(ctx, time.Duration(f.Delay))
		case FaultResetBefore:
			reset(w)
		case FaultRateLimit, FaultConcurrency:
			refusal := refuse(http.StatusTooManyRequests, 20429, "Too many requests")
			// The OpenAPI document has both headers with a 429, and no value of the second.
			refusal.header = http.Header{"Twilio-Reached-Rate-Limit": {"true"}}
			if f.RetryAfter > 0 {
				refusal.header.Set("Retry-After", strconv.Itoa(f.RetryAfter))
			}
			answer := refusal.reply()
			return &answer
		case FaultError:
			answer := gatewayError(f.Status)
			return &answer
		}
	}
	return nil
}

// after plays what happens to the reply of a processed request.
func (fired firedFaults) after(ctx context.Context, w http.ResponseWriter, answer *reply) {
	for _, f := range fired {
		switch f.Kind {
		case FaultResetAfter:
			reset(w)
		case FaultErrorAfter:
			*answer = gatewayError(f.Status)
		case FaultSlowBody:
			answer.drip = func(d time.Duration) { wait(ctx, d) }
			answer.slowness = time.Duration(f.Delay)
		}
	}
}

// htmlPage is a body that is no JSON, as gateways send it.
type htmlPage string

func gatewayError(status int) reply {
	title := strconv.Itoa(status) + " " + http.StatusText(status)
	return reply{status: status, body: htmlPage("<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" +
		title + "</h1></center>\r\n</body>\r\n</html>\r\n")}
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// reset breaks the connection of a request: with a TCP reset where there is TCP, else by closing it.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		if tcp, isTCP := conn.(interface{ SetLinger(int) error }); isTCP {
			tcp.SetLinger(0) // without it the client sees the end of the stream instead
		}
		conn.Close()
	}
	panic(http.ErrAbortHandler)
}
