package ledger

import (
	"slices"
	"sync"
)

// waiting is what is put on disk together with what comes next, so that the disk is waited for once.
type waiting[T any] struct {
	mu  sync.Mutex
	all []T
}

func (w *waiting[T]) add(more ...T) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, more...)
}

// with takes what waits; it goes on waiting where do fails.
func (w *waiting[T]) with(do func([]T) error) error {
	w.mu.Lock()
	taken := w.all
	w.all = nil
	w.mu.Unlock()
	err := do(slices.Clip(taken))
	if err != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.all = append(taken, w.all...)
	}
	return err
}

func (w *waiting[T]) none() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.all) == 0
}
