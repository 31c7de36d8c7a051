package cli

import (
	"context"
	"iter"

	"github.com/verifyctl/verifyctl/internal/render"
)

// rowsOf is a list as it comes from Twilio.
type rowsOf[T any] = iter.Seq2[T, error]

// listFrom is a whole command that prints a list. An empty one is said on standard error, and is no error.
func listFrom[T any](ctx context.Context, s *shell, need needs, r render.Resource[T], noun string, rows func(context.Context, *connection) rowsOf[T]) error {
	if err := r.CheckColumns(s.flags.columns); err != nil {
		return err
	}
	c, p, err := s.begin(ctx, need)
	if err != nil {
		return err
	}
	n, err := render.List(p, r, rows(ctx, c))
	if err == nil && n == 0 {
		s.note("no %s in %s", noun, c.label())
	}
	return err
}

// showFrom is a whole command that prints one value.
func showFrom[T any](ctx context.Context, s *shell, need needs, r render.Resource[T], fetch func(context.Context, *connection) (T, error)) error {
	if err := r.CheckColumns(s.flags.columns); err != nil {
		return err
	}
	c, p, err := s.begin(ctx, need)
	if err != nil {
		return err
	}
	value, err := fetch(ctx, c)
	if err != nil {
		return err
	}
	return render.One(p, r, value)
}
