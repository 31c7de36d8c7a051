package store

import (
	"context"
	"iter"

	"github.com/verifyctl/verifyctl/internal/verify"
	"github.com/verifyctl/verifyctl/internal/where"
)

// FactorsWhere gives the factors of the index that fit a condition, ordered by identity; nil is every factor.
func (s *Store) FactorsWhere(ctx context.Context, condition where.Condition) iter.Seq2[verify.IndexedFactor, error] {
	return func(yield func(verify.IndexedFactor, error) bool) {
		where, args, err := s.compile(ctx, condition)
		if err != nil {
			yield(verify.IndexedFactor{}, err)
			return
		}
		s.factorQuery(ctx, where+` ORDER BY identity, fold(sid)`, args...)(yield)
	}
}

// compile gives the WHERE of a query on the table factors; "" when the condition is nil.
func (s *Store) compile(ctx context.Context, condition where.Condition) (sql string, args []any, err error) {
	sql, args, err = where.SQL(condition, asked{ctx, s})
	if sql != "" {
		sql = " WHERE " + sql
	}
	return sql, args, err
}

// asked tells package where how the index is asked.
type asked struct {
	ctx context.Context
	s   *Store
}

func (a asked) Column(field where.Field) (string, error) { return a.s.factorColumn(a.ctx, field) }

func (a asked) SID(expression string) string { return "fold(" + expression + ")" }

func (a asked) Like(column, pattern string) (string, any) { return a.s.engine.like(column, pattern) }

func (a asked) Ordered(column, operator string) string { return a.s.engine.ordered(column, operator) }
