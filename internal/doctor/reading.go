package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// reading is the outcome of one read: the value, or why there is none. The zero Reading was never asked for.
type reading[T any] struct {
	Value T
	Err   error
	asked bool
}

// got makes a reading that gave a value.
func got[T any](value T) reading[T] { return reading[T]{Value: value, asked: true} }

// failed makes a reading that gave an error.
func failed[T any](err error) reading[T] { return reading[T]{Err: err, asked: true} }

// ok tells whether there is a value.
func (r reading[T]) ok() bool { return r.asked && r.Err == nil }

// problem gives why there is no value, nil when there is one.
func (r reading[T]) problem() error {
	if !r.asked {
		return errNotAsked
	}
	return r.Err
}

var (
	errNotAsked   = errors.New("it was not read")
	errNoEvidence = errors.New("push errors were not looked at")
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
	resource resource
	err      error
}

func (c *causedBy) Error() string { return fmt.Sprintf("%s could not be read: %v", c.resource, c.err) }
func (c *causedBy) Unwrap() error { return c.err }

// describe says in one line why a read failed.
func describe(err error) string {
	var e *verify.Error
	switch {
	case errors.As(err, &e) && e.HTTPStatus != 0:
		return fmt.Sprintf("HTTP %d, %s", e.HTTPStatus, e.Error())
	case e != nil:
		return e.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	}
	return err.Error()
}
