package debugger

import (
	"context"
	"sync"

	"github.com/verifyctl/verifyctl/internal/event"
)

// EventStores are the memories that events go to as they come: each environment has its own.
type EventStores struct {
	Environment string                                   // whose memory Own is
	Own         Keeper                                   // also for what belongs to no environment: the account's stream is for all
	Open        func(environment string) (Keeper, error) // opens another environment's memory; called once for each

	mu     sync.Mutex
	others map[string]Keeper
}

// For gives the memory of the environment that an event belongs to. One that cannot be opened accepts nothing.
func (s *EventStores) For(e event.Event) Keeper {
	if e.Environment == nil || *e.Environment == s.Environment {
		return s.Own
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if keeper := s.others[*e.Environment]; keeper != nil {
		return keeper
	}
	keeper, err := s.Open(*e.Environment)
	if err != nil {
		return failingStore{err}
	}
	if s.others == nil {
		s.others = map[string]Keeper{}
	}
	s.others[*e.Environment] = keeper
	return keeper
}

// failingStore is the memory of an environment that cannot be opened.
type failingStore struct{ err error }

func (f failingStore) PutEvent(context.Context, event.Stored, event.Event) (bool, error) {
	return false, f.err
}

func (f failingStore) AddCoverage(context.Context, string, event.Span) error { return f.err }
