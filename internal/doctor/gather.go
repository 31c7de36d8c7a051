package doctor

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"sync"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// once makes a read once for everybody who asks for the same thing by the same key, however many do at the same time.
func once[T any](g *gathering, what resource, key string, read func() reading[T]) reading[T] {
	key = string(what) + " " + key
	g.mu.Lock()
	cell, ok := g.cells[key].(func() reading[T])
	if !ok {
		cell = sync.OnceValue(read)
		g.cells[key] = cell
	}
	g.mu.Unlock()
	return cell()
}

// forTarget reads something once for everybody who names the same key.
func forTarget[T any](ctx context.Context, g *gathering, what resource, key string, t Target, read func(context.Context) (T, error)) reading[T] {
	if t.Err != nil {
		return failed[T](t.Err)
	}
	return once(g, what, key, func() reading[T] { return bounded(ctx, g.planned, g.opts.Timeout, read) })
}

// forAccount reads something once for all environments of an account, each read within the limit. When one environment's
// key may not read it, the next environment with another key is asked.
func forAccount[T any](ctx context.Context, g *gathering, what resource, t Target, limit time.Duration, read func(context.Context, Target) (T, error)) reading[T] {
	return once(g, what, accountKey(t), func() (reading reading[T]) {
		tried := map[string]bool{}
		for _, peer := range g.targets {
			if accountKey(peer) != accountKey(t) || tried[peer.Connection.KeySID] {
				continue
			}
			if peer.Err != nil {
				if len(tried) == 0 {
					reading = failed[T](peer.Err)
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
func listForAccount[T any](ctx context.Context, g *gathering, what resource, t Target, list func(reader, context.Context) iter.Seq2[T, error]) reading[[]T] {
	return forAccount(ctx, g, what, t, g.opts.Timeout, func(ctx context.Context, peer Target) ([]T, error) { return collect(list(peer.Twilio, ctx)) })
}

// bounded makes one read when there is room for it, and gives up on it after the time-out.
func bounded[T any](ctx context.Context, room chan struct{}, timeout time.Duration, read func(context.Context) (T, error)) reading[T] {
	room <- struct{}{}
	defer func() { <-room }()
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, errTimeout)
	defer cancel()
	value, err := read(ctx)
	if err == nil {
		return got(value)
	}
	if errors.Is(context.Cause(ctx), errTimeout) {
		err = &verify.Error{Kind: verify.KindUnreachable, Message: fmt.Sprintf("no answer within %s", timeout), Cause: err}
	}
	return failed[T](err)
}

var errTimeout = errors.New("the read took too long")

func collect[T any](list iter.Seq2[T, error]) ([]T, error) { return firstOf(math.MaxInt, list) }

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
