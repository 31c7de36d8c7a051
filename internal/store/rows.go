package store

import (
	"context"
	"database/sql"
	"iter"
	"math"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// scanner is one row, from sql.Row or sql.Rows.
type scanner interface{ Scan(dest ...any) error }

// telling gives a row that tells Met of the identities in it.
func (s *Store) telling(row scanner) scanner {
	if s.Met == nil {
		return row
	}
	return tellingScanner{row, s.Met}
}

type tellingScanner struct {
	row scanner
	met func(verify.Identity)
}

// Scan reads the row.
func (t tellingScanner) Scan(dest ...any) error {
	err := t.row.Scan(dest...)
	for _, d := range dest {
		if identity, ok := d.(*verify.Identity); ok && err == nil {
			t.met(*identity)
		}
	}
	return err
}

// rows streams the answer to a query, from one view of the file: what is written meanwhile is not seen. The error comes
// last.
func rows[T any](ctx context.Context, s *Store, doing, query string, args []any, scan func(scanner) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		found, err := s.read.query(ctx, query, args...)
		if err != nil {
			yield(none, s.engine.failure(doing, err))
			return
		}
		defer found.Close()
		for found.Next() {
			row, err := scan(s.telling(s.read.mending(found)))
			if err != nil {
				yield(none, s.engine.failure(doing, err))
				return
			}
			if !yield(row, nil) {
				return
			}
		}
		if err := found.Err(); err != nil {
			yield(none, s.engine.failure(doing, err))
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
	row, err = scan(s.telling(s.read.queryRow(ctx, query, args...)))
	if err == sql.ErrNoRows {
		return row, false, nil
	}
	return row, err == nil, s.engine.failure(doing, err)
}

func scanText[T ~string](row scanner) (text T, err error) {
	err = row.Scan(&text)
	return text, err
}

// gather gives all rows of an answer, read within a transaction for example; [all] also says what could not be done.
func gather[T any](ctx context.Context, from session, scan func(scanner) (T, error), query string, args ...any) (list []T, err error) {
	found, err := from.query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	for found.Next() {
		row, err := scan(from.mending(found))
		if err != nil {
			return nil, err
		}
		list = append(list, row)
	}
	return list, found.Err()
}

// eraser deletes rows within a transaction. Once a statement has failed it does nothing more.
type eraser struct {
	ctx context.Context
	tx  session
	err error
}

// delete gives how many rows went; from is a table, and which of its rows.
func (e *eraser) delete(from string, args ...any) int {
	if e.err != nil {
		return 0
	}
	n, err := e.tx.exec(e.ctx, `DELETE FROM `+from, args...)
	e.err = err
	return n
}

// entity takes an entity out of the index, with its factors.
func (e *eraser) entity(identity verify.Identity) {
	e.delete(`factors WHERE identity = ?`, identity)
	e.delete(`entities WHERE identity = ?`, identity)
}

// challenges deletes what hangs on the challenges that fit a condition; the challenges themselves are left to the caller.
func (e *eraser) challenges(condition string, arg any) {
	for _, table := range []string{"resends", "receipts", "claims"} {
		e.delete(table+` WHERE fold(challenge_sid) IN (SELECT fold(sid) FROM challenges WHERE `+condition+`)`, arg)
	}
}

// conditions collects what narrows a query.
type conditions struct {
	sql  string
	args []any
}

func (c *conditions) addIf(wanted bool, condition string, args ...any) {
	if !wanted {
		return
	}
	if c.sql == "" {
		c.sql = " WHERE "
	} else {
		c.sql += " AND "
	}
	c.sql += condition
	c.args = append(c.args, args...)
}

// limitOf gives a limit of rows: 0 is none.
func limitOf(n int) int {
	if n <= 0 {
		return math.MaxInt64
	}
	return n
}
