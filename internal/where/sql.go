package where

import (
	"fmt"
	"strings"
	"time"
)

// Dialect is how a database is asked what a condition asks. Columns hold ” for a text and the zero time for a date that
// a factor does not have, never NULL.
type Dialect interface {
	// Column gives the expression for a field.
	Column(Field) (string, error)
	// SID gives the expression by which a SID, or a ? for one, compares without regard to letter case.
	SID(expression string) string
	// Like gives a test whether a column fits a pattern as [verify.Glob] says, with one ? for the argument.
	Like(column, pattern string) (test string, argument any)
	// Ordered gives a test of a column against a version, its one ?, as [verify.Version.Compare] orders them. It is false,
	// not NULL, where one is no version.
	Ordered(column, operator string) (test string)
}

// SQL writes a condition as SQL. Values only ever go into args, in the order of the ? for them; dates are a [time.Time].
func SQL(condition Condition, dialect Dialect) (sql string, args []any, err error) {
	if condition == nil {
		return "", nil, nil
	}
	c := compiler{dialect: dialect}
	sql = c.condition(condition)
	return sql, c.args, c.err
}

type compiler struct {
	dialect Dialect
	args    []any
	err     error
}

func (c *compiler) condition(condition Condition) string {
	switch condition := condition.(type) {
	case and:
		return c.join(condition, " AND ", "TRUE")
	case or:
		return c.join(condition, " OR ", "FALSE")
	case not:
		if twice, ok := condition.condition.(not); ok {
			return c.condition(twice.condition) // SQLite bounds how deep an expression may nest
		}
		return "NOT " + c.condition(condition.condition)
	case comparison:
		return c.comparison(condition)
	}
	c.fail(fmt.Errorf("the index cannot ask for %T", condition))
	return "FALSE"
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
	column, err := c.dialect.Column(compared.field)
	if err != nil {
		c.fail(err)
		return "FALSE"
	}
	switch compared.op {
	case opNotEqual, opNotIn:
		return "NOT " + c.oneOf(column, compared)
	case opEqual, opIn:
		return c.oneOf(column, compared)
	case opLike:
		return c.like(column, compared.values[0].text)
	case opNotLike:
		return "NOT " + c.like(column, compared.values[0].text)
	}
	if compared.field.kind == dateField {
		return c.dateOrder(column, compared.op, compared.values[0])
	}
	return c.ordered(column, compared.op, compared.values[0])
}

// oneOf is true when the column equals one of the comparison's values.
func (c *compiler) oneOf(column string, compared comparison) string {
	texts := make([]string, len(compared.values))
	word := " OR "
	for i, value := range compared.values {
		switch compared.field.kind {
		case dateField:
			texts[i] = "(" + column + " <> " + c.arg(time.Time{}) + " AND " + column + " >= " + c.date(value.from) + " AND " + column + " < " + c.date(value.until) + ")"
		case versionField:
			texts[i] = "(" + column + " = " + c.arg(value.text) + " OR " + c.ordered(column, opEqual, value) + ")"
		case sidField:
			texts[i], word = c.dialect.SID(c.arg(value.text)), ", "
		default:
			texts[i], word = c.arg(value.text), ", "
		}
	}
	if compared.field.kind == sidField {
		column = c.dialect.SID(column)
	}
	if word == ", " {
		return "(" + column + " IN (" + strings.Join(texts, word) + "))"
	}
	return "(" + strings.Join(texts, word) + ")"
}

// dateOrder compares a date with the beginning or the end of what the value names.
func (c *compiler) dateOrder(column string, op operator, value operand) string {
	known := "(" + column + " <> " + c.arg(time.Time{}) + " AND " + column
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
	return "FALSE"
}

func (c *compiler) arg(value any) string {
	c.args = append(c.args, value)
	return "?"
}

// date gives the first microsecond that is not before t.
func (c *compiler) date(t time.Time) string {
	return c.arg(t.Add(time.Microsecond - 1).Truncate(time.Microsecond))
}

func (c *compiler) like(column, pattern string) string {
	test, argument := c.dialect.Like(column, pattern)
	c.arg(argument)
	return test
}

func (c *compiler) ordered(column string, op operator, value operand) string {
	test := c.dialect.Ordered(column, string(op))
	c.arg(value.text)
	return test
}

func (c *compiler) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}
