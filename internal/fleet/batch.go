package fleet

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Outcome is what became of one item of a batch.
type Outcome string

// The outcomes. Deleted, Gone and Kept are final: running the batch again does nothing about them.
const (
	Deleted  Outcome = "deleted"
	Gone     Outcome = "already gone" // it was not there when it was read again
	Kept     Outcome = "kept"         // it was there, but must not be deleted any more; the detail says why
	Deferred Outcome = "deferred"     // as Kept, until a storm is over
	Failed   Outcome = "failed"       // it is still there, or could not be read
	Unknown  Outcome = "unknown"      // the delete may have reached Twilio
	NotTried Outcome = "not tried"
	sending  Outcome = "sending" // the delete was about to be sent when the record was made
)

func (o Outcome) final() bool { return o == Deleted || o == Gone || o == Kept }

// Result is the outcome of one item, as reported while the batch runs.
type Result struct {
	Item     int             `json:"item"`
	Identity verify.Identity `json:"identity"`
	SID      string          `json:"sid"` // of the factor, or of an entity with all its factors
	Name     string          `json:"friendly_name"`
	Outcome  Outcome         `json:"outcome"`
	Reason   Reason          `json:"reason,omitempty"`
	Detail   string          `json:"detail,omitempty"`
	Error    string          `json:"error,omitempty"` // of Err
	Err      error           `json:"-"`
}

// outcomeMemory remembers what became of the items of a plan, across processes.
type outcomeMemory interface {
	RecordOutcome(ctx context.Context, o verify.ItemOutcome) error
	Outcomes(ctx context.Context, plan string) iter.Seq2[verify.ItemOutcome, error]
}

// batch does one thing that cannot be undone for each item of a plan.
type batch struct {
	plan     string // under which outcomes are remembered
	workers  int
	now      func() time.Time
	outcomes outcomeMemory
	do       func(ctx context.Context, item int) Result
	report   func(Result)

	mu         sync.Mutex
	fatal      error
	failing    int // results in a row that failed
	unanswered int // results in a row that failed because nothing answered
}

// unansweredInARow ends a batch: each attempt has its own retries, and what does not answer will not answer the next.
const unansweredInARow = 3

// run does every item, several at the same time, and gives what made it stop before the last. It starts nothing after
// ctx ends or after a fatal error, and waits for what it has started. The outcome of an item is kept before its worker
// begins another.
func (b *batch) run(ctx context.Context, items []int) error {
	var pool errgroup.Group
	pool.SetLimit(b.workers)
	for _, item := range items {
		if ctx.Err() != nil || b.stopped() != nil {
			break
		}
		pool.Go(func() error {
			if ctx.Err() != nil || b.stopped() != nil {
				return nil
			}
			if r := b.do(ctx, item); ctx.Err() == nil || r.Outcome != Failed {
				b.finish(ctx, r) // what Ctrl-C kept from being read was not tried
			}
			return nil
		})
	}
	pool.Wait() //nolint:errcheck // the workers report through finish
	return b.stopped()
}

func (b *batch) stopped() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.fatal
}

// finish keeps a result and reports it. It stops the batch when results can no longer be remembered, when the
// account keys are refused, when one item after the other fails, or when nothing answers.
func (b *batch) finish(ctx context.Context, r Result) {
	err := b.record(ctx, r)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count(r)
	switch {
	case r.Err == nil:
	case verify.KindOf(r.Err) == verify.KindAuth || verify.KindOf(r.Err) == verify.KindRefused:
		b.fatal = r.Err
	case b.failing >= failuresInARow, b.unanswered >= unansweredInARow:
		b.fatal = fmt.Errorf("stopped after %d failures in a row: %w", b.failing, r.Err)
	}
	if err != nil {
		b.fatal = err
	}
	b.report(r)
}

func (b *batch) count(r Result) {
	b.failing++
	b.unanswered++
	if r.Err == nil {
		b.failing = 0
	}
	if e, ok := errors.AsType[*verify.Error](r.Err); !ok || r.Outcome != Failed || e.Kind != verify.KindUnreachable || e.HTTPStatus != 0 {
		b.unanswered = 0
	}
}

func (b *batch) record(ctx context.Context, r Result) error {
	if b.outcomes == nil {
		return nil
	}
	detail := r.Detail
	if r.Reason != "" {
		detail = string(r.Reason) + ": " + detail
	}
	return b.outcomes.RecordOutcome(ctx, verify.ItemOutcome{
		Plan: b.plan, Item: r.Item, SID: r.SID, Outcome: string(r.Outcome), Detail: detail, At: b.now(),
	})
}
