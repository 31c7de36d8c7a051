package debugger

import (
	"iter"
	"sync"

	"github.com/verifyctl/verifyctl/internal/event"
)

// PrintQueue holds events on their way to the screen, so that receiving never waits for it. Make it with [NewPrintQueue].
type PrintQueue struct {
	mu     sync.Mutex
	ended  bool
	events chan event.Event
}

// NewPrintQueue makes a queue with room for 1,000 events.
func NewPrintQueue() *PrintQueue { return &PrintQueue{events: make(chan event.Event, 1000)} }

// Add takes an event without waiting, and tells whether there was room. After End it takes events and drops them.
func (q *PrintQueue) Add(e event.Event) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended {
		return true
	}
	select {
	case q.events <- e:
		return true
	default:
		return false
	}
}

// End lets Events end when it has given what is left. It is called once.
func (q *PrintQueue) End() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = true
	close(q.events)
}

// Events gives the events as they come, until End. The error is always nil.
func (q *PrintQueue) Events() iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		for e := range q.events {
			if !yield(e, nil) {
				return
			}
		}
	}
}
