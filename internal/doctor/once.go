package doctor

import "sync"

// once gives each key its reading once, however many ask for it at the same time. The zero value is ready.
type once[T any] struct {
	mu    sync.Mutex
	cells map[string]func() Reading[T]
}

func (o *once[T]) get(key string, read func() Reading[T]) Reading[T] {
	o.mu.Lock()
	if o.cells == nil {
		o.cells = make(map[string]func() Reading[T])
	}
	cell, ok := o.cells[key]
	if !ok {
		cell = sync.OnceValue(read)
		o.cells[key] = cell
	}
	o.mu.Unlock()
	return cell()
}
