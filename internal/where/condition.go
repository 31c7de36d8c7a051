package where

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Condition is what a --where expression asks of a factor: a [comparison], or several joined by [and], [or] and [not].
// What a Condition means is decided by Match; SQL says the same in another language, and a test holds them together.
type Condition interface {
	// Match tells whether the factor fits.
	Match(verify.Factor) bool
	// String gives the condition as text that parses to the same condition.
	String() string
	sealed()
}

type (
	// and is true when all of its conditions are.
	and []Condition
	// or is true when one of its conditions is.
	or []Condition
	// not is true when its condition is not.
	not struct{ condition Condition }
)

func (c and) Match(f verify.Factor) bool {
	return !slices.ContainsFunc(c, func(part Condition) bool { return !part.Match(f) })
}

func (c or) Match(f verify.Factor) bool {
	return slices.ContainsFunc(c, func(part Condition) bool { return part.Match(f) })
}

func (c not) Match(f verify.Factor) bool { return !c.condition.Match(f) }

func (c and) String() string { return join(c, " and ") }
func (c or) String() string  { return join(c, " or ") }
func (c not) String() string { return "not (" + c.condition.String() + ")" }

func join(parts []Condition, word string) string {
	var texts []string
	for _, part := range parts {
		text := part.String()
		switch part.(type) {
		case and, or:
			text = "(" + text + ")"
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, word)
}

func (and) sealed()        {}
func (or) sealed()         {}
func (not) sealed()        {}
func (comparison) sealed() {}

// operator is how a comparison compares.
type operator string

// The operators. opIn is true when one of its values is equal.
const (
	opEqual        operator = "="
	opNotEqual     operator = "!="
	opLess         operator = "<"
	opLessEqual    operator = "<="
	opGreater      operator = ">"
	opGreaterEqual operator = ">="
	opLike         operator = "~"
	opNotLike      operator = "!~"
	opIn           operator = "in"
	opNotIn        operator = "not in"
)

// fieldKind is what kind of value a field has, which decides how it compares.
type fieldKind int

// The kinds of field.
const (
	textField     fieldKind = iota // textField compares letter by letter; it has no order.
	wordField                      // wordField is one of a few words.
	sidField                       // sidField is a SID; its hexadecimal digits may be in either case.
	versionField                   // versionField compares as [verify.Version].
	dateField                      // dateField is a point in time.
	metadataField                  // metadataField is text that orders as versions and numbers do.
)

// Field is one thing that a condition can ask of a factor.
type Field struct {
	Name  string // as conditions write it; "metadata.KEY" for metadata
	kind  fieldKind
	words []string // what a wordField can be

	text func(verify.Factor) string
	date func(verify.Factor) time.Time
}

// MetadataPrefix starts the name of a field that is a metadata key of the factor.
const MetadataPrefix = "metadata."

var fields = []Field{
	{Name: "sid", kind: sidField, text: func(f verify.Factor) string { return string(f.SID) }},
	{Name: "identity", kind: textField, text: func(f verify.Factor) string { return string(f.Identity) }},
	{Name: "entity_sid", kind: sidField, text: func(f verify.Factor) string { return string(f.EntitySID) }},
	{Name: "friendly_name", kind: textField, text: func(f verify.Factor) string { return f.FriendlyName }},
	{Name: "status", kind: wordField, words: []string{string(verify.FactorUnverified), string(verify.FactorVerified)},
		text: func(f verify.Factor) string { return string(f.Status) }},
	{Name: "factor_type", kind: wordField, words: []string{string(verify.FactorPush), string(verify.FactorTOTP), string(verify.FactorPasskeys)},
		text: func(f verify.Factor) string { return string(f.Type) }},
	{Name: "platform", kind: wordField, words: []string{string(verify.PlatformAPN), string(verify.PlatformFCM), string(verify.PlatformNone)},
		text: func(f verify.Factor) string { return string(f.Config.Platform) }},
	{Name: "app_id", kind: textField, text: func(f verify.Factor) string { return f.Config.AppID }},
	{Name: "sdk_version", kind: versionField, text: func(f verify.Factor) string { return f.Config.SDKVersion }},
	{Name: "created", kind: dateField, date: func(f verify.Factor) time.Time { return f.DateCreated }},
	{Name: "updated", kind: dateField, date: func(f verify.Factor) time.Time { return f.DateUpdated }},
}

// fieldAliases are the names that Twilio's replies have for what conditions call differently.
var fieldAliases = map[string]string{
	"factor_sid": "sid", "type": "factor_type", "notification_platform": "platform", "date_created": "created", "date_updated": "updated",
}

// Fields gives every field but the metadata ones, in the order in which help shows them.
func Fields() []Field { return slices.Clone(fields) }

// FieldOf finds a field by its name or by Twilio's name of it. "metadata.KEY" is a field for every KEY.
func FieldOf(name string) (Field, bool) {
	if key, ok := strings.CutPrefix(name, MetadataPrefix); ok && key != "" {
		return Field{Name: name, kind: metadataField, text: func(f verify.Factor) string { return f.Metadata[key] }}, true
	}
	if alias, ok := fieldAliases[name]; ok {
		name = alias
	}
	i := slices.IndexFunc(fields, func(f Field) bool { return f.Name == name })
	if i < 0 {
		return Field{}, false
	}
	return fields[i], true
}

// Text gives the factor's value of a field that is not a date; "" when the factor has none.
func (f Field) Text(factor verify.Factor) string { return f.text(factor) }

// IsDate tells whether the field is a time.
func (f Field) IsDate() bool { return f.kind == dateField }

// MetadataKey gives the key of a metadata field, and whether it is one.
func (f Field) MetadataKey() (string, bool) { return strings.CutPrefix(f.Name, MetadataPrefix) }

// operand is the right side of a comparison.
type operand struct {
	text string
	// For a date: the time it names begins at from and has ended at until. A day names all of itself, an instant only
	// itself.
	from, until time.Time

	version   verify.Version
	isVersion bool
}

// comparison asks one thing of a factor.
//
// A value that the factor does not have is the empty text: it equals "" and is in no order to anything, and a date it
// does not have equals nothing. [opNotEqual], [opNotLike] and [opNotIn] are true exactly where [opEqual], [opLike] and
// [opIn] are not.
type comparison struct {
	field  Field
	op     operator
	values []operand // one, or more with opIn and opNotIn
}

// newComparison checks that the operator and the values suit the field. Relative dates count from now. The error is a
// usage [verify.Error]; wrong is the index of the value at fault, or -1 when it is the operator.
func newComparison(field Field, op operator, now time.Time, values ...string) (c comparison, wrong int, err error) {
	if err := field.checkOp(op); err != nil {
		return comparison{}, -1, err
	}
	c = comparison{field: field, op: op}
	for i, value := range values {
		o, err := field.operand(op, value, now)
		if err != nil {
			return comparison{}, i, err
		}
		c.values = append(c.values, o)
	}
	return c, 0, nil
}

func (f Field) checkOp(op operator) error {
	switch ordered := f.kind == versionField || f.kind == dateField || f.kind == metadataField; {
	case op.orders() && !ordered:
		return verify.Usagef("%s has no order, so %s does not apply to it", f.Name, op).WithHint("compare it with = != ~ !~ or in (…)")
	case (op == opLike || op == opNotLike) && f.kind == dateField:
		return verify.Usagef("%s is a date and cannot match a pattern", f.Name).WithHint("compare it with = != < <= > or >=")
	}
	return nil
}

func (o operator) orders() bool {
	return o == opLess || o == opLessEqual || o == opGreater || o == opGreaterEqual
}

func (f Field) operand(op operator, value string, now time.Time) (o operand, err error) {
	o.text = value
	o.version, o.isVersion = verify.ParseVersion(value)
	like := op == opLike || op == opNotLike
	switch {
	case f.kind == dateField:
		return parseDate(value, now)
	case f.kind == wordField && !like && value != "" && !slices.Contains(f.words, value):
		err := verify.Usagef("%q is not a %s", value, f.Name).WithHint("it is one of %s", strings.Join(f.words, ", "))
		if near := verify.Nearest(value, f.words); near != "" {
			err = err.WithHint("did you mean %s?", near)
		}
		return operand{}, err
	case f.kind == versionField && !like && value != "" && !o.isVersion:
		return operand{}, verify.Usagef("%q is not a version", value).WithHint("a version is numbers and dots, such as 3.0.1; %s ~ '3.*' takes a pattern", f.Name)
	case op.orders() && !o.isVersion:
		return operand{}, verify.Usagef("%q is neither a version nor a number, and only these have an order", value)
	}
	return o, nil
}

// parseDate reads 2026-01-01, which is that day in UTC, an RFC 3339 instant, or now-30d, which is now less that [verify.Period].
func parseDate(s string, now time.Time) (operand, error) {
	from, until, ok := verify.ParseTime(s)
	if !ok {
		ago, err := verify.ParsePeriod(strings.TrimPrefix(s, "now-"))
		isAgo := err == nil && strings.HasPrefix(s, "now-")
		if !isAgo && s != "now" {
			problem := verify.Usagef("%q is not a date", s).WithHint("write 2026-01-31, 2026-01-31T08:00:00Z, or now-30d for 30 days ago")
			if err == nil {
				problem = problem.WithHint("write now-%s for %s ago", s, s)
			}
			return operand{}, problem
		}
		from = ago.Before(now).Truncate(time.Second).UTC()
		until = from.Add(1)
	}
	if until.Sub(from) == 1 {
		s = from.Format(time.RFC3339Nano)
	}
	return operand{text: s, from: from, until: until}, nil
}

func (c comparison) Match(f verify.Factor) bool {
	if c.field.kind == dateField {
		return c.matchDate(c.field.date(f))
	}
	return c.matchText(c.field.text(f))
}

// matchDate tells whether a value of the comparison's date field fits; the zero time is a date the factor does not have.
func (c comparison) matchDate(t time.Time) bool {
	is := func(o operand) bool { return !t.IsZero() && !t.Before(o.from) && t.Before(o.until) }
	first := c.values[0]
	switch c.op {
	case opEqual, opIn:
		return slices.ContainsFunc(c.values, is)
	case opNotEqual, opNotIn:
		return !slices.ContainsFunc(c.values, is)
	case opLess:
		return !t.IsZero() && t.Before(first.from)
	case opLessEqual:
		return !t.IsZero() && t.Before(first.until)
	case opGreater:
		return !t.IsZero() && !t.Before(first.until)
	case opGreaterEqual:
		return !t.IsZero() && !t.Before(first.from)
	}
	return false
}

// matchText tells whether a value of the comparison's field, which is not a date, fits.
func (c comparison) matchText(s string) bool {
	is := func(o operand) bool { return c.field.same(s, o) }
	switch c.op {
	case opEqual, opIn:
		return slices.ContainsFunc(c.values, is)
	case opNotEqual, opNotIn:
		return !slices.ContainsFunc(c.values, is)
	case opLike:
		return verify.Glob(c.values[0].text, s)
	case opNotLike:
		return !verify.Glob(c.values[0].text, s)
	}
	version, ok := verify.ParseVersion(s)
	if !ok {
		return false
	}
	switch order := version.Compare(c.values[0].version); c.op {
	case opLess:
		return order < 0
	case opLessEqual:
		return order <= 0
	case opGreater:
		return order > 0
	case opGreaterEqual:
		return order >= 0
	}
	return false
}

func (f Field) same(s string, o operand) bool {
	if s == o.text {
		return true
	}
	switch f.kind {
	case sidField:
		return verify.SameSID(s, o.text)
	case versionField:
		version, ok := verify.ParseVersion(s)
		return ok && o.isVersion && version.Compare(o.version) == 0
	}
	return false
}

func (c comparison) String() string {
	var values []string
	for _, o := range c.values {
		values = append(values, quoteOperand(o.text))
	}
	if c.op == opIn || c.op == opNotIn {
		return fmt.Sprintf("%s %s (%s)", c.field.Name, c.op, strings.Join(values, ", "))
	}
	return fmt.Sprintf("%s %s %s", c.field.Name, c.op, values[0])
}

func quoteOperand(s string) string {
	plain := func(r rune) bool {
		return r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) || strings.ContainsRune("-._:+", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return strconv.Quote(s)
}
