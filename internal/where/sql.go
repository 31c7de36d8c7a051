package where

import (
	"fmt"
	"strings"
	"time"
)

// SQL writes a condition as SQL over columns that column gives for fields. Values only ever go into args. Text is compared
// by two functions that the database must have: factor_like(pattern, text), which is [verify.Glob], and
// version_order(a, b), which is negative, zero or positive as [verify.Version.Compare] is, and NULL where one is no version.
// Dates are microseconds since 1970, 0 for none.
func SQL(condition Condition, column func(Field) (string, error)) (sql string, args []any, err error) {
	if condition == nil {
		return "", nil, nil
	}
	c := compiler{column: column}
	sql = c.condition(condition)
	return sql, c.args, c.err
}

type compiler struct {
	column func(Field) (string, error)
	args   []any
	err    error
}

func (c *compiler) condition(condition Condition) string {
	switch condition := condition.(type) {
	case and:
		return c.join(condition, " AND ", "1")
	case or:
		return c.join(condition, " OR ", "0")
	case not:
		if twice, ok := condition.condition.(not); ok {
			return c.condition(twice.condition) // SQLite bounds how deep an expression may nest
		}
		return "NOT " + c.condition(condition.condition)
	case comparison:
		return c.comparison(condition)
	}
	c.fail(fmt.Errorf("the index cannot ask for %T", condition))
	return "0"
}

func (c *compiler) join(parts []Condition, word, none string) string {
	if len(parts) == 0 {
		return none
	}
	texts := make([]string, len(parts))
	for i, part := range parts {
		texts[i] = c.condition(part)
	}
	return "(" + strings.Join(texts, word) + ")"
}

func (c *compiler) comparison(compared comparison) string {
	column, err := c.column(compared.field)
	if err != nil {
		c.fail(err)
		return "0"
	}
	switch compared.op {
	case opNotEqual, opNotIn:
		return "NOT " + c.oneOf(column, compared)
	case opEqual, opIn:
		return c.oneOf(column, compared)
	case opLike:
		return "factor_like(" + c.arg(compared.values[0].text) + ", " + column + ")"
	case opNotLike:
		return "NOT factor_like(" + c.arg(compared.values[0].text) + ", " + column + ")"
	}
	if compared.field.kind == dateField {
		return c.dateOrder(column, compared.op, compared.values[0])
	}
	// Text that is no version is in no order: NULL, which is made false here so that NOT makes it true.
	return "coalesce(version_order(" + column + ", " + c.arg(compared.values[0].text) + ") " + string(compared.op) + " 0, 0)"
}

// oneOf is true when the column equals one of the comparison's values. SIDs compare as their columns do.
func (c *compiler) oneOf(column string, compared comparison) string {
	texts := make([]string, len(compared.values))
	word := " OR "
	for i, value := range compared.values {
		switch compared.field.kind {
		case dateField:
			texts[i] = "(" + column + " <> 0 AND " + column + " >= " + c.date(value.from) + " AND " + column + " < " + c.date(value.until) + ")"
		case versionField:
			texts[i] = "(" + column + " = " + c.arg(value.text) + " OR coalesce(version_order(" + column + ", " + c.arg(value.text) + ") = 0, 0))"
		default:
			texts[i], word = c.arg(value.text), ", "
		}
	}
	if word == ", " {
		return "(" + column + " IN (" + strings.Join(texts, word) + "))"
	}
	return "(" + strings.Join(texts, word) + ")"
}

// dateOrder compares a date with the beginning or the end of what the value names.
func (c *compiler) dateOrder(column string, op operator, value operand) string {
	known := "(" + column + " <> 0 AND " + column
	switch op {
	case opLess:
		return known + " < " + c.date(value.from) + ")"
	case opLessEqual:
		return known + " < " + c.date(value.until) + ")"
	case opGreater:
		return known + " >= " + c.date(value.until) + ")"
	case opGreaterEqual:
		return known + " >= " + c.date(value.from) + ")"
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
