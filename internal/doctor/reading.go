package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Reading is the outcome of one read: the value, or why there is none. The zero Reading was never asked for.
type Reading[T any] struct {
	Value T
	Err   error
	asked bool
}

// Got makes a reading that gave a value.
func Got[T any](value T) Reading[T] { return Reading[T]{Value: value, asked: true} }

// Failed makes a reading that gave an error.
func Failed[T any](err error) Reading[T] { return Reading[T]{Err: err, asked: true} }

// OK tells whether there is a value.
func (r Reading[T]) OK() bool { return r.asked && r.Err == nil }

// problem gives why there is no value, nil when there is one.
func (r Reading[T]) problem() error {
	if !r.asked {
		return errNotAsked
	}
	return r.Err
}

var (
	errNotAsked   = errors.New("it was not read")
	errNoEvidence = errors.New("push errors were not looked at (--no-evidence)")
	errNoSample   = errors.New("factors and challenges were not looked at; --sample N looks at N users")
	errNoLatency  = errors.New("latency was not measured; --latency measures it, with 20 requests")
	errNoHosts    = errors.New("no other hosts were given; latency --hosts compares them")
)

// isSkip tells that a resource was left out on purpose: checks that need it are skipped, not unknown.
func isSkip(err error) bool {
	return errors.Is(err, errNoEvidence) || errors.Is(err, errNoSample) || errors.Is(err, errNoLatency) || errors.Is(err, errNoHosts)
}

// isDenied tells a missing permission or a refused key from everything else.
func isDenied(err error) bool {
	var e *verify.Error
	return errors.As(err, &e) &&
		(e.Kind == verify.KindAuth || e.HTTPStatus == http.StatusUnauthorized || e.HTTPStatus == http.StatusForbidden)
}

func isNotFound(err error) bool { return verify.KindOf(err) == verify.KindNotFound }

// causedBy marks a read that could not be made because another one, on which it depends, failed.
type causedBy struct {
	resource Resource
	err      error
}

func (c *causedBy) Error() string { return fmt.Sprintf("%s could not be read: %v", c.resource, c.err) }
func (c *causedBy) Unwrap() error { return c.err }

// describe says in one line why a read failed.
func describe(err error) string {
	if errors.Is(err, context.DeadlineExceeded) && !isTyped(err) {
		return "no answer in time"
	}
	var e *verify.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	if e.HTTPStatus != 0 {
		return fmt.Sprintf("HTTP %d, %s", e.HTTPStatus, e.Error())
	}
	return e.Error()
}

func isTyped(err error) bool {
	var e *verify.Error
	return errors.As(err, &e)
}
