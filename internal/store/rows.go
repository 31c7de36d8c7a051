package store

import (
	"context"
	"database/sql"
	"iter"
)

// scanner is one row, from sql.Row or sql.Rows.
type scanner interface{ Scan(dest ...any) error }

// rows streams the answer to a query, from one view of the file: what is written meanwhile is not seen. The error comes
// last.
func rows[T any](ctx context.Context, s *Store, doing, query string, args []any, scan func(scanner) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		found, err := s.read.QueryContext(ctx, query, args...)
		if err != nil {
			yield(none, s.failure(doing, err))
			return
		}
		defer found.Close()
		for found.Next() {
			row, err := scan(found)
			if err != nil {
				yield(none, s.failure(doing, err))
				return
			}
			if !yield(row, nil) {
				return
			}
		}
		if err := found.Err(); err != nil {
			yield(none, s.failure(doing, err))
		}
	}
}

// all gives the rows of a short answer; never nil without an error.
func all[T any](ctx context.Context, s *Store, doing, query string, args []any, scan func(scanner) (T, error)) ([]T, error) {
	list := []T{}
	for row, err := range rows(ctx, s, doing, query, args, scan) {
		if err != nil {
			return nil, err
		}
		list = append(list, row)
	}
	return list, nil
}

// one gives the row of a query that has at most one, and whether there was one.
func one[T any](ctx context.Context, s *Store, doing, query string, args []any, scan func(scanner) (T, error)) (row T, found bool, err error) {
	row, err = scan(s.read.QueryRowContext(ctx, query, args...))
	if err == sql.ErrNoRows {
		return row, false, nil
	}
	return row, err == nil, s.failure(doing, err)
}

func scanText[T ~string](row scanner) (text T, err error) {
	err = row.Scan(&text)
	return text, err
}

// conditions collects what narrows a query.
type conditions struct {
	sql  string
	args []any
}

func (c *conditions) add(condition string, args ...any) {
	if c.sql == "" {
		c.sql = " WHERE "
	} else {
		c.sql += " AND "
	}
	c.sql += condition
	c.args = append(c.args, args...)
}

// limitOf gives a limit as SQLite takes it: 0 is none.
func limitOf(n int) int {
	if n <= 0 {
		return -1
	}
	return n
}
