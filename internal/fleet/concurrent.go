package fleet

import (
	"context"
	"iter"

	"golang.org/x/sync/errgroup"
)

// heldPerWorker is how many finished results are held back, for each worker, while an earlier one is still being made.
const heldPerWorker = 4

// inOrder does one thing for each item, for at most workers items at the same time, and gives the results in the order
// of the items. It holds a bounded number of results. When the consumer stops, or ctx ends, everything it started has
// ended by the time the loop is left; after the end of ctx the loop just ends, so its caller looks at ctx.
func inOrder[T, R any](ctx context.Context, workers int, items func(context.Context) iter.Seq[T], do func(context.Context, T) R) iter.Seq2[T, R] {
	type job struct {
		item   T
		result chan R
	}
	return func(yield func(T, R) bool) {
		ctx, stop := context.WithCancel(ctx)
		jobs := make(chan job, heldPerWorker*workers)
		var all errgroup.Group
		all.Go(func() error {
			defer close(jobs)
			return forEach(workers, items(ctx), func(item T) func() {
				j := job{item, make(chan R, 1)}
				select {
				case jobs <- j:
					return func() { j.result <- do(ctx, item) }
				case <-ctx.Done():
					return nil
				}
			})
		})
		defer all.Wait() //nolint:errcheck // it has none
		defer stop()
		for j := range jobs {
			select {
			case result := <-j.result:
				if !yield(j.item, result) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

// asDone is [inOrder] with the results in the order in which they are ready, so that one that takes long holds up no
// other. After the end of ctx the results of what was under way still come.
func asDone[T, R any](ctx context.Context, workers int, items func(context.Context) iter.Seq[T], do func(context.Context, T) R) iter.Seq[R] {
	return func(yield func(R) bool) {
		ctx, stop := context.WithCancel(ctx)
		results, left := make(chan R, heldPerWorker*workers), make(chan struct{})
		var all errgroup.Group
		all.Go(func() error {
			defer close(results)
			return forEach(workers, items(ctx), func(item T) func() {
				return func() {
					select {
					case results <- do(ctx, item):
					case <-left:
					}
				}
			})
		})
		defer all.Wait() //nolint:errcheck // it has none
		defer close(left)
		defer stop()
		for result := range results {
			if !yield(result) {
				return
			}
		}
	}
}

// forEach runs the work on each item in a goroutine, for at most workers items at the same time, until the work on an item
// is nil, and waits for what it has started. Its error is always nil.
func forEach[T any](workers int, items iter.Seq[T], work func(T) func()) error {
	var pool errgroup.Group
	pool.SetLimit(workers)
	for item := range items {
		do := work(item)
		if do == nil {
			break
		}
		pool.Go(func() error {
			do()
			return nil
		})
	}
	return pool.Wait()
}
