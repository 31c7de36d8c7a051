package store

import (
	"context"
	"database/sql/driver"
	"fmt"
	"iter"
	"strings"
	"time"

	"modernc.org/sqlite"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// The comparisons that SQLite does not know are made by the Go code that decides what conditions mean.
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
func (s *Store) FactorsWhere(ctx context.Context, condition verify.Condition) iter.Seq2[verify.IndexedFactor, error] {
	return func(yield func(verify.IndexedFactor, error) bool) {
		sql, args, err := s.compile(ctx, condition)
		if err != nil {
			yield(verify.IndexedFactor{}, err)
			return
		}
		s.factorQuery(ctx, whereOf(sql)+` ORDER BY identity, sid`, args...)(yield)
	}
}

// FactorGroupsWhere counts the factors of the index that fit a condition by the values they have in some fields, most
// first; nil is every factor.
func (s *Store) FactorGroupsWhere(ctx context.Context, by []verify.FactorField, condition verify.Condition) ([]verify.FactorGroup, error) {
	sql, args, err := s.compile(ctx, condition)
	if err != nil {
		return nil, err
	}
	return s.factorGroups(ctx, by, sql, args...)
}

// compile writes a condition as SQL over the columns of the table factors. Values only ever go into args.
func (s *Store) compile(ctx context.Context, condition verify.Condition) (sql string, args []any, err error) {
	if condition == nil {
		return "", nil, nil
	}
	c := compiler{ctx: ctx, store: s}
	sql = c.condition(condition)
	return sql, c.args, c.err
}

type compiler struct {
	ctx   context.Context
	store *Store
	args  []any
	err   error
}

func (c *compiler) condition(condition verify.Condition) string {
	switch condition := condition.(type) {
	case verify.And:
		return c.join(condition, " AND ", "1")
	case verify.Or:
		return c.join(condition, " OR ", "0")
	case verify.Not:
		if twice, ok := condition.Condition.(verify.Not); ok {
			return c.condition(twice.Condition) // SQLite bounds how deep an expression may nest
		}
		return "NOT " + c.condition(condition.Condition)
	case verify.Comparison:
		return c.comparison(condition)
	}
	c.fail(fmt.Errorf("the index cannot ask for %T", condition))
	return "0"
}

func (c *compiler) join(parts []verify.Condition, word, none string) string {
	if len(parts) == 0 {
		return none
	}
	texts := make([]string, len(parts))
	for i, part := range parts {
		texts[i] = c.condition(part)
	}
	return "(" + strings.Join(texts, word) + ")"
}

func (c *compiler) comparison(comparison verify.Comparison) string {
	column, err := c.store.factorColumn(c.ctx, comparison.Field)
	if err != nil {
		c.fail(err)
		return "0"
	}
	switch comparison.Op {
	case verify.OpNotEqual, verify.OpNotIn:
		return "NOT " + c.oneOf(column, comparison)
	case verify.OpEqual, verify.OpIn:
		return c.oneOf(column, comparison)
	case verify.OpLike:
		return "factor_like(" + c.arg(comparison.Values[0].Text) + ", " + column + ")"
	case verify.OpNotLike:
		return "NOT factor_like(" + c.arg(comparison.Values[0].Text) + ", " + column + ")"
	}
	if comparison.Field.Kind == verify.FieldDate {
		return c.dateOrder(column, comparison.Op, comparison.Values[0])
	}
	// Text that is no version is in no order: NULL, which is made false here so that NOT makes it true.
	return "coalesce(version_order(" + column + ", " + c.arg(comparison.Values[0].Text) + ") " + string(comparison.Op) + " 0, 0)"
}

// oneOf is true when the column equals one of the comparison's values. SIDs compare as their columns do.
func (c *compiler) oneOf(column string, comparison verify.Comparison) string {
	texts := make([]string, len(comparison.Values))
	word := " OR "
	for i, value := range comparison.Values {
		switch comparison.Field.Kind {
		case verify.FieldDate:
			texts[i] = "(" + column + " <> 0 AND " + column + " >= " + c.date(value.From) + " AND " + column + " < " + c.date(value.Until) + ")"
		case verify.FieldVersion:
			texts[i] = "(" + column + " = " + c.arg(value.Text) + " OR coalesce(version_order(" + column + ", " + c.arg(value.Text) + ") = 0, 0))"
		default:
			texts[i], word = c.arg(value.Text), ", "
		}
	}
	if word == ", " {
		return "(" + column + " IN (" + strings.Join(texts, word) + "))"
	}
	return "(" + strings.Join(texts, word) + ")"
}

// dateOrder compares a date with the beginning or the end of what the value names.
func (c *compiler) dateOrder(column string, op verify.Op, value verify.Operand) string {
	known := "(" + column + " <> 0 AND " + column
	switch op {
	case verify.OpLess:
		return known + " < " + c.date(value.From) + ")"
	case verify.OpLessEqual:
		return known + " < " + c.date(value.Until) + ")"
	case verify.OpGreater:
		return known + " >= " + c.date(value.Until) + ")"
	case verify.OpGreaterEqual:
		return known + " >= " + c.date(value.From) + ")"
	}
	c.fail(fmt.Errorf("the index cannot compare dates with %s", op))
	return "0"
}

func (c *compiler) arg(value any) string {
	c.args = append(c.args, value)
	return "?"
}

// date gives the first microsecond that is not before t.
func (c *compiler) date(t time.Time) string { return c.arg(t.Add(time.Microsecond - 1).UnixMicro()) }

func (c *compiler) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}
