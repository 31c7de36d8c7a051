// Package where reads --where expressions, tells what they mean of a factor, and writes them as SQL for the index.
package where

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// These bound an expression in bytes, and a list in it, so that one from a script cannot grow without end.
const (
	maxWhere = 4096
	maxList  = 500
)

// The grammar of --where. "and" binds tighter than "or", "not" tightest; the words may be in any letter case.
type (
	anyOf struct {
		Parts []*allOf `parser:"@@ ('or' @@)*"`
	}
	allOf struct {
		Parts []*part `parser:"@@ ('and' @@)*"`
	}
	part struct {
		Not        *part           `parser:"  'not' @@"`
		Group      *anyOf          `parser:"| '(' @@ ')'"`
		Comparison *comparisonText `parser:"| @@"`
	}
	comparisonText struct {
		Field *text   `parser:"@@"`
		List  *list   `parser:"( @@"`
		Op    *opText `parser:"| @@"`
		Value *text   `parser:"  @@ )"`
	}
	list struct {
		Pos    lexer.Position
		Not    bool    `parser:"@'not'? 'in'"`
		Values []*text `parser:"'(' @@ (',' @@)* ')'"`
	}
	opText struct {
		Pos  lexer.Position
		Text string `parser:"@Op"`
	}
	text struct {
		Pos    lexer.Position
		Bare   *string `parser:"  @Word"`
		Quoted *string `parser:"| @Quoted"`
	}
)

// whereParser is built on first use: most commands never see an expression.
var whereParser = sync.OnceValue(func() *participle.Parser[anyOf] {
	return participle.MustBuild[anyOf](
		participle.Lexer(lexer.MustSimple([]lexer.SimpleRule{
			{Name: "Quoted", Pattern: `"(\\.|[^"\\])*"|'[^']*'`},
			{Name: "Op", Pattern: `[=!<>~&|]+`},
			{Name: "Punct", Pattern: `[(),]`},
			{Name: "Word", Pattern: `[^\s=!<>~&|(),'"]+`},
			{Name: "Space", Pattern: `\s+`},
		})),
		participle.Elide("Space"),
		participle.CaseInsensitive("Word"),
		participle.UseLookahead(2),
	)
})

// Parse reads a --where expression; now is what relative dates count from. The error is a usage error that shows
// the place of the mistake.
func Parse(expression string, now time.Time) (Condition, error) {
	w := source(expression)
	switch {
	case strings.TrimSpace(expression) == "":
		return nil, verify.Usagef("the expression is empty").WithHint("such as %s", whereExample)
	case len(expression) > maxWhere:
		return nil, verify.Usagef("the expression has %d bytes, at most %d are read", len(expression), maxWhere).
			WithHint("for a list of factors use --from FILE")
	case !utf8.ValidString(expression):
		return nil, verify.Usagef("the expression is not valid UTF-8")
	}
	tree, err := whereParser().ParseString("", expression)
	if err != nil {
		return nil, w.syntaxError(err)
	}
	return w.anyOf(tree, now)
}

const whereExample = `'platform = apn and sdk_version < 3.0.1 and updated < 2026-01-01'`

// source is the expression as it was typed, for messages.
type source string

func (w source) anyOf(tree *anyOf, now time.Time) (Condition, error) {
	return joined(tree.Parts, now, w.allOf, func(parts []Condition) Condition { return or(parts) })
}

func (w source) allOf(tree *allOf, now time.Time) (Condition, error) {
	return joined(tree.Parts, now, w.part, func(parts []Condition) Condition { return and(parts) })
}

// joined reads the parts of an expression; one alone stands for itself.
func joined[T any](list []*T, now time.Time, read func(*T, time.Time) (Condition, error), join func([]Condition) Condition) (Condition, error) {
	var parts []Condition
	for _, p := range list {
		c, err := read(p, now)
		if err != nil {
			return nil, err
		}
		parts = append(parts, c)
	}
	if len(parts) == 1 {
		return parts[0], nil
	}
	return join(parts), nil
}

func (w source) part(tree *part, now time.Time) (Condition, error) {
	switch {
	case tree.Not != nil:
		c, err := w.part(tree.Not, now)
		return not{c}, err
	case tree.Group != nil:
		return w.anyOf(tree.Group, now)
	}
	return w.comparison(tree.Comparison, now)
}

var whereOps = []operator{opEqual, opNotEqual, opLess, opLessEqual, opGreater,
	opGreaterEqual, opLike, opNotLike}

// mistakenOps are what people who know other languages write.
var mistakenOps = map[string]string{"==": "=", "<>": "!=", "=~": "~", "=<": "<=", "=>": ">=", "&&": "and", "&": "and", "||": "or", "|": "or", "!": "not"}

func (w source) comparison(tree *comparisonText, now time.Time) (Condition, error) {
	field, err := w.field(tree.Field)
	if err != nil {
		return nil, err
	}
	op, opPos, operands := opIn, lexer.Position{}, []*text{tree.Value}
	switch {
	case tree.List != nil:
		opPos, operands = tree.List.Pos, tree.List.Values
		if tree.List.Not {
			op = opNotIn
		}
	case slices.Contains(whereOps, operator(tree.Op.Text)):
		op, opPos = operator(tree.Op.Text), tree.Op.Pos
	default:
		return nil, w.operatorError(tree.Op.Text, tree.Op.Pos.Offset)
	}
	if len(operands) > maxList {
		return nil, w.errorAt(opPos.Offset, verify.Usagef("the list has %d values, at most %d are read", len(operands), maxList).
			WithHint("for a list of factors use --from FILE"))
	}
	var values []string
	for _, o := range operands {
		value, err := o.value()
		if err != nil {
			return nil, w.errorAt(o.Pos.Offset, verify.Usagef("%s is not quoted text: %w", *o.Quoted, err))
		}
		if o.Bare != nil && strings.ContainsAny(value, "*?") && op != opLike && op != opNotLike {
			return nil, w.errorAt(o.Pos.Offset, verify.Usagef("%s compares letter by letter, so * and ? stand for themselves", op).
				WithHint("for a pattern write %s ~ %q; to mean the sign itself, quote the value", field.Name, value))
		}
		values = append(values, value)
	}
	c, wrong, err := newComparison(field, op, now, values...)
	if err != nil {
		at := opPos.Offset
		if wrong >= 0 {
			at = operands[wrong].Pos.Offset
		}
		return nil, w.errorAt(at, err)
	}
	return c, nil
}

func (w source) field(name *text) (Field, error) {
	if name.Quoted != nil {
		return Field{}, w.errorAt(name.Pos.Offset, verify.Usagef("a comparison begins with the name of a field, not with quoted text"))
	}
	field, ok := FieldOf(*name.Bare)
	if ok {
		return field, nil
	}
	var names []string
	for _, f := range Fields() {
		names = append(names, f.Name)
	}
	problem := verify.Usagef("unknown field %q", *name.Bare)
	switch near := verify.Nearest(strings.ToLower(*name.Bare), names); {
	case near != "":
		problem = problem.WithHint("did you mean %s?", near)
	default:
		problem = problem.WithHint("the fields are %s and %sKEY", strings.Join(names, ", "), MetadataPrefix)
	}
	return Field{}, w.errorAt(name.Pos.Offset, problem)
}

func (t *text) value() (string, error) {
	switch {
	case t.Bare != nil:
		return *t.Bare, nil
	case strings.HasPrefix(*t.Quoted, "'"):
		return strings.Trim(*t.Quoted, "'"), nil
	}
	return strconv.Unquote(*t.Quoted)
}

func (w source) operatorError(operator string, at int) error {
	problem := verify.Usagef("unknown operator %s", operator).WithHint("the operators are = != < <= > >= ~ !~, in (…) and not in (…)")
	if meant := mistakenOps[operator]; meant != "" {
		problem = problem.WithHint("write %s", meant)
	}
	return w.errorAt(at, problem)
}

func (w source) syntaxError(err error) error {
	var unexpected *participle.UnexpectedTokenError
	var at participle.Error
	problem := verify.Usagef("the expression cannot be read").WithHint("such as %s", whereExample)
	offset := 0
	switch {
	case errors.As(err, &unexpected):
		token := unexpected.Unexpected
		offset = token.Pos.Offset
		if token.EOF() {
			problem.Message = "the expression is incomplete"
			break
		}
		if mistakenOps[token.Value] != "" {
			return w.operatorError(token.Value, offset)
		}
		problem.Message = token.Value + " was not expected here"
	case errors.As(err, &at):
		offset = at.Position().Offset
		if offset < len(w) && (w[offset] == '"' || w[offset] == '\'') {
			problem.Message = "the quote is not closed"
		}
	}
	return w.errorAt(offset, problem)
}

// errorAt adds the expression with a caret under the place of the mistake.
func (w source) errorAt(offset int, err error) error {
	var problem *verify.Error
	if !errors.As(err, &problem) {
		return err
	}
	before := strings.Map(func(r rune) rune { return ' ' }, string(w[:min(offset, len(w))]))
	shown := strings.Map(oneLine, string(w))
	problem.Excerpt = "  " + shown + "\n  " + before + "^"
	return problem
}

func oneLine(r rune) rune {
	if r == '\n' || r == '\t' || r == '\r' {
		return ' '
	}
	return r
}
