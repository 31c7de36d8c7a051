package doctor

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// source makes one read; nil when there is no way to make it.
type source[T any] func(context.Context) (T, error)

// listing makes a source of a list.
func listing[T any](available bool, list func(context.Context) iter.Seq2[T, error]) source[[]T] {
	if !available {
		return nil
	}
	return func(ctx context.Context) ([]T, error) { return collect(list(ctx)) }
}

// forTarget reads something once for everybody who names the same key.
func forTarget[T any](ctx context.Context, r *reader, o *once[T], key string, t Target, available bool, read source[T]) Reading[T] {
	if t.Err != nil {
		return Failed[T](t.Err)
	}
	return o.get(key, func() Reading[T] {
		if !available {
			return Failed[T](errUnavailable)
		}
		return bounded(ctx, r.planned, r.opts.Timeout, read)
	})
}

// forAccount reads something once for all environments of an account. When one environment's key may not read it, the
// next environment with another key is asked.
func forAccount[T any](ctx context.Context, r *reader, o *once[T], t Target, from func(Sources) source[T]) Reading[T] {
	return forAccountWithin(ctx, r, o, t, r.opts.Timeout, from)
}

func forAccountWithin[T any](ctx context.Context, r *reader, o *once[T], t Target, limit time.Duration, from func(Sources) source[T]) Reading[T] {
	return o.get(accountKey(t), func() Reading[T] {
		reading := Failed[T](errUnavailable)
		tried := map[string]bool{}
		for _, peer := range r.targets {
			if accountKey(peer) != accountKey(t) || tried[peer.Connection.KeySID] {
				continue
			}
			read := from(peer.Sources)
			switch {
			case peer.Err != nil && len(tried) == 0:
				reading = Failed[T](peer.Err)
			case peer.Err == nil && read != nil:
				tried[peer.Connection.KeySID] = true
				if reading = bounded(ctx, r.planned, limit, read); !isDenied(reading.Err) {
					return reading
				}
			}
		}
		return reading
	})
}

// bounded makes one read when there is room for it, and gives up on it after the time-out.
func bounded[T any](ctx context.Context, room chan struct{}, timeout time.Duration, read source[T]) Reading[T] {
	room <- struct{}{}
	defer func() { <-room }()
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, errTimeout)
	defer cancel()
	value, err := read(ctx)
	if err == nil {
		return Got(value)
	}
	if errors.Is(context.Cause(ctx), errTimeout) {
		err = &verify.Error{Kind: verify.KindUnreachable, Message: fmt.Sprintf("no answer within %s", timeout), Cause: err}
	}
	return Failed[T](err)
}

var errTimeout = errors.New("the read took too long")

func collect[T any](list iter.Seq2[T, error]) ([]T, error) {
	var all []T
	for item, err := range list {
		if err != nil {
			return all, err
		}
		all = append(all, item)
	}
	return all, nil
}

func firstOf[T any](n int, list iter.Seq2[T, error]) ([]T, error) {
	var first []T
	for item, err := range list {
		if err != nil {
			return first, err
		}
		if first = append(first, item); len(first) == n {
			break
		}
	}
	return first, nil
}
