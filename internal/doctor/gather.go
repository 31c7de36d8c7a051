package doctor

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// forTarget reads something once for everybody who names the same key.
func forTarget[T any](ctx context.Context, g *gathering, o *once[T], key string, t Target, read func(context.Context) (T, error)) Reading[T] {
	if t.Err != nil {
		return Failed[T](t.Err)
	}
	return o.get(key, func() Reading[T] { return bounded(ctx, g.planned, g.opts.Timeout, read) })
}

// forAccount reads something once for all environments of an account, each read within the limit. When one environment's
// key may not read it, the next environment with another key is asked.
func forAccount[T any](ctx context.Context, g *gathering, o *once[T], t Target, limit time.Duration, read func(context.Context, Target) (T, error)) Reading[T] {
	return o.get(accountKey(t), func() (reading Reading[T]) {
		tried := map[string]bool{}
		for _, peer := range g.targets {
			if accountKey(peer) != accountKey(t) || tried[peer.Connection.KeySID] {
				continue
			}
			if peer.Err != nil {
				if len(tried) == 0 {
					reading = Failed[T](peer.Err)
				}
				continue
			}
			tried[peer.Connection.KeySID] = true
			reading = bounded(ctx, g.planned, limit, func(ctx context.Context) (T, error) { return read(ctx, peer) })
			if !isDenied(reading.Err) {
				return reading
			}
		}
		return reading
	})
}

// listForAccount is [forAccount] for a list.
func listForAccount[T any](ctx context.Context, g *gathering, o *once[[]T], t Target, list func(context.Context, Reader) iter.Seq2[T, error]) Reading[[]T] {
	return forAccount(ctx, g, o, t, g.opts.Timeout, func(ctx context.Context, peer Target) ([]T, error) { return collect(list(ctx, peer.Twilio)) })
}

// bounded makes one read when there is room for it, and gives up on it after the time-out.
func bounded[T any](ctx context.Context, room chan struct{}, timeout time.Duration, read func(context.Context) (T, error)) Reading[T] {
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
