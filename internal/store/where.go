package store

import (
	"context"
	"database/sql/driver"
	"iter"

	"modernc.org/sqlite"

	"github.com/verifyctl/verifyctl/internal/verify"
	"github.com/verifyctl/verifyctl/internal/where"
)

// The functions that [where.SQL] needs.
func init() {
	sqlite.MustRegisterDeterministicScalarFunction("factor_like", 2, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		pattern, s := textOf(args[0]), textOf(args[1])
		return verify.Glob(pattern, s), nil
	})
	sqlite.MustRegisterDeterministicScalarFunction("version_order", 2, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		a, okA := verify.ParseVersion(textOf(args[0]))
		b, okB := verify.ParseVersion(textOf(args[1]))
		if !okA || !okB {
			return nil, nil
		}
		return int64(a.Compare(b)), nil
	})
}

func textOf(v driver.Value) string {
	s, _ := v.(string)
	return s
}

// FactorsWhere gives the factors of the index that fit a condition, ordered by identity; nil is every factor.
func (s *Store) FactorsWhere(ctx context.Context, condition where.Condition) iter.Seq2[verify.IndexedFactor, error] {
	return func(yield func(verify.IndexedFactor, error) bool) {
		where, args, err := s.compile(ctx, condition)
		if err != nil {
			yield(verify.IndexedFactor{}, err)
			return
		}
		s.factorQuery(ctx, where+` ORDER BY identity, sid`, args...)(yield)
	}
}

// compile gives the WHERE of a query on the table factors; "" when the condition is nil.
func (s *Store) compile(ctx context.Context, condition where.Condition) (sql string, args []any, err error) {
	sql, args, err = where.SQL(condition, func(f where.Field) (string, error) { return s.factorColumn(ctx, f) })
	if sql != "" {
		sql = " WHERE " + sql
	}
	return sql, args, err
}
