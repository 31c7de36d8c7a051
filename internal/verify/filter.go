package verify

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Condition is what a --where expression asks of a factor: a [Comparison], or several joined by [And], [Or] and [Not].
// Package fleet parses the text, package store turns it into SQL; what a Condition means is decided here, by Match.
type Condition interface {
	// Match tells whether the factor fits.
	Match(Factor) bool
	// String gives the condition as text that parses to the same condition.
	String() string
	sealed()
}

type (
	// And is true when all of its conditions are.
	And []Condition
	// Or is true when one of its conditions is.
	Or []Condition
	// Not is true when its condition is not.
	Not struct{ Condition Condition }
)

// Match tells whether all conditions fit.
func (c And) Match(f Factor) bool {
	return !slices.ContainsFunc(c, func(part Condition) bool { return !part.Match(f) })
}

// Match tells whether one of the conditions fits.
func (c Or) Match(f Factor) bool {
	return slices.ContainsFunc(c, func(part Condition) bool { return part.Match(f) })
}

// Match tells whether the condition does not fit.
func (c Not) Match(f Factor) bool { return !c.Condition.Match(f) }

// String gives the condition as a --where expression.
func (c And) String() string { return join(c, " and ") }

// String gives the condition as a --where expression.
func (c Or) String() string { return join(c, " or ") }

// String gives the condition as a --where expression.
func (c Not) String() string { return "not (" + c.Condition.String() + ")" }

func join(parts []Condition, word string) string {
	var texts []string
	for _, part := range parts {
		text := part.String()
		switch part.(type) {
		case And, Or:
			text = "(" + text + ")"
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, word)
}

func (And) sealed()        {}
func (Or) sealed()         {}
func (Not) sealed()        {}
func (Comparison) sealed() {}

// Op is how a comparison compares.
type Op string

// The operators. OpIn is true when one of its values is equal.
const (
	OpEqual        Op = "="
	OpNotEqual     Op = "!="
	OpLess         Op = "<"
	OpLessEqual    Op = "<="
	OpGreater      Op = ">"
	OpGreaterEqual Op = ">="
	OpLike         Op = "~"
	OpNotLike      Op = "!~"
	OpIn           Op = "in"
	OpNotIn        Op = "not in"
)

// FieldKind is what kind of value a field has, which decides how it compares.
type FieldKind int

// The kinds of field.
const (
	FieldText     FieldKind = iota // FieldText compares letter by letter; it has no order.
	FieldWord                      // FieldWord is one of a few words.
	FieldSID                       // FieldSID is a SID; its hexadecimal digits may be in either case.
	FieldVersion                   // FieldVersion compares as [Version].
	FieldDate                      // FieldDate is a point in time.
	FieldMetadata                  // FieldMetadata is text that orders as versions and numbers do.
)

// FactorField is one thing that a condition can ask of a factor.
type FactorField struct {
	Name  string // as conditions write it; "metadata.KEY" for metadata
	Kind  FieldKind
	About string   // for help
	Words []string // what a FieldWord can be

	text func(Factor) string
	date func(Factor) time.Time
}

// MetadataPrefix starts the name of a field that is a metadata key of the factor.
const MetadataPrefix = "metadata."

var factorFields = []FactorField{
	{Name: "sid", Kind: FieldSID, About: "the factor's SID", text: func(f Factor) string { return string(f.SID) }},
	{Name: "identity", Kind: FieldText, About: "the identity it belongs to", text: func(f Factor) string { return string(f.Identity) }},
	{Name: "entity_sid", Kind: FieldSID, About: "the SID of that entity", text: func(f Factor) string { return string(f.EntitySID) }},
	{Name: "friendly_name", Kind: FieldText, About: "the name the app gave it", text: func(f Factor) string { return f.FriendlyName }},
	{Name: "status", Kind: FieldWord, About: "whether the device has proved its key", Words: []string{string(FactorUnverified), string(FactorVerified)},
		text: func(f Factor) string { return string(f.Status) }},
	{Name: "factor_type", Kind: FieldWord, About: "the kind of factor", Words: []string{string(FactorPush), string(FactorTOTP), string(FactorPasskeys)},
		text: func(f Factor) string { return string(f.Type) }},
	{Name: "platform", Kind: FieldWord, About: "how pushes reach it", Words: []string{string(PlatformAPN), string(PlatformFCM), string(PlatformNone)},
		text: func(f Factor) string { return string(f.Config.Platform) }},
	{Name: "app_id", Kind: FieldText, About: "the bundle or package of the app", text: func(f Factor) string { return f.Config.AppID }},
	{Name: "sdk_version", Kind: FieldVersion, About: "of Twilio's SDK, not of the app", text: func(f Factor) string { return f.Config.SDKVersion }},
	{Name: "created", Kind: FieldDate, About: "when it was created", date: func(f Factor) time.Time { return f.DateCreated }},
	{Name: "updated", Kind: FieldDate, About: "when anything of it changed last", date: func(f Factor) time.Time { return f.DateUpdated }},
}

// fieldAliases are the names that Twilio's replies have for what conditions call differently.
var fieldAliases = map[string]string{
	"factor_sid": "sid", "type": "factor_type", "notification_platform": "platform", "date_created": "created", "date_updated": "updated",
}

// FactorFields gives every field but the metadata ones, in the order in which help shows them.
func FactorFields() []FactorField { return slices.Clone(factorFields) }

// FactorFieldOf finds a field by its name or by Twilio's name of it. "metadata.KEY" is a field for every KEY.
func FactorFieldOf(name string) (FactorField, bool) {
	if key, ok := strings.CutPrefix(name, MetadataPrefix); ok && key != "" {
		return FactorField{Name: name, Kind: FieldMetadata, text: func(f Factor) string { return f.Metadata[key] }}, true
	}
	if alias, ok := fieldAliases[name]; ok {
		name = alias
	}
	i := slices.IndexFunc(factorFields, func(f FactorField) bool { return f.Name == name })
	if i < 0 {
		return FactorField{}, false
	}
	return factorFields[i], true
}

// Text gives the factor's value of a field that is not a date; "" when the factor has none.
func (f FactorField) Text(factor Factor) string { return f.text(factor) }

// MetadataKey gives the key of a metadata field, and whether it is one.
func (f FactorField) MetadataKey() (string, bool) { return strings.CutPrefix(f.Name, MetadataPrefix) }

// Operand is the right side of a comparison.
type Operand struct {
	Text string
	// For a date: the time it names begins at From and has ended at Until. A day names all of itself, an instant only
	// itself.
	From, Until time.Time

	version   Version
	isVersion bool
}

// Comparison asks one thing of a factor.
//
// A value that the factor does not have is the empty text: it equals "" and is in no order to anything, and a date it
// does not have equals nothing. [OpNotEqual], [OpNotLike] and [OpNotIn] are true exactly where [OpEqual], [OpLike] and
// [OpIn] are not.
type Comparison struct {
	Field  FactorField
	Op     Op
	Values []Operand // one, or more with OpIn and OpNotIn
}

// NewComparison checks that the operator and the values suit the field. Relative dates count from now. The error is a
// usage [Error]; operand is the index of the value at fault, or -1 when it is the operator.
func NewComparison(field FactorField, op Op, now time.Time, values ...string) (c Comparison, operand int, err error) {
	if err := field.checkOp(op); err != nil {
		return Comparison{}, -1, err
	}
	c = Comparison{Field: field, Op: op}
	for i, value := range values {
		o, err := field.operand(op, value, now)
		if err != nil {
			return Comparison{}, i, err
		}
		c.Values = append(c.Values, o)
	}
	return c, 0, nil
}

func (f FactorField) checkOp(op Op) error {
	switch ordered := f.Kind == FieldVersion || f.Kind == FieldDate || f.Kind == FieldMetadata; {
	case op.orders() && !ordered:
		return Usagef("%s has no order, so %s says nothing about it", f.Name, op).WithHint("compare it with = != ~ !~ or in (…)")
	case (op == OpLike || op == OpNotLike) && f.Kind == FieldDate:
		return Usagef("%s is a date, which no pattern fits", f.Name).WithHint("compare it with = != < <= > or >=")
	}
	return nil
}

func (o Op) orders() bool {
	return o == OpLess || o == OpLessEqual || o == OpGreater || o == OpGreaterEqual
}

func (f FactorField) operand(op Op, value string, now time.Time) (o Operand, err error) {
	o.Text = value
	o.version, o.isVersion = ParseVersion(value)
	like := op == OpLike || op == OpNotLike
	switch {
	case f.Kind == FieldDate:
		return parseDate(value, now)
	case f.Kind == FieldWord && !like && value != "" && !slices.Contains(f.Words, value):
		err := Usagef("%q is not a %s", value, f.Name).WithHint("it is one of %s", strings.Join(f.Words, ", "))
		if near := Nearest(value, f.Words); near != "" {
			err = err.WithHint("did you mean %s?", near)
		}
		return Operand{}, err
	case f.Kind == FieldVersion && !like && value != "" && !o.isVersion:
		return Operand{}, Usagef("%q is not a version", value).WithHint("a version is numbers and dots, such as 3.0.1; %s ~ '3.*' takes a pattern", f.Name)
	case op.orders() && !o.isVersion:
		return Operand{}, Usagef("%q is neither a version nor a number, and only these have an order", value)
	}
	return o, nil
}

// parseDate reads 2026-01-01, which is that day in UTC, an RFC 3339 instant, or now-30d, which is now less that [Period].
func parseDate(s string, now time.Time) (Operand, error) {
	from, until, ok := parseTime(s)
	if !ok {
		ago, err := ParsePeriod(strings.TrimPrefix(s, "now-"))
		isAgo := err == nil && strings.HasPrefix(s, "now-")
		if !isAgo && s != "now" {
			problem := Usagef("%q is not a date", s).WithHint("write 2026-01-31, 2026-01-31T08:00:00Z, or now-30d for 30 days ago")
			if err == nil {
				problem = problem.WithHint("write now-%s for %s ago", s, s)
			}
			return Operand{}, problem
		}
		from = ago.Before(now).Truncate(time.Second).UTC()
		until = from.Add(1)
	}
	if until.Sub(from) == 1 {
		s = from.Format(time.RFC3339Nano)
	}
	return Operand{Text: s, From: from, Until: until}, nil
}

// Match tells whether the factor fits.
func (c Comparison) Match(f Factor) bool {
	if c.Field.Kind == FieldDate {
		return c.MatchDate(c.Field.date(f))
	}
	return c.MatchText(c.Field.text(f))
}

// MatchDate tells whether a value of the comparison's date field fits; the zero time is a date the factor does not have.
func (c Comparison) MatchDate(t time.Time) bool {
	is := func(o Operand) bool { return !t.IsZero() && !t.Before(o.From) && t.Before(o.Until) }
	first := c.Values[0]
	switch c.Op {
	case OpEqual, OpIn:
		return slices.ContainsFunc(c.Values, is)
	case OpNotEqual, OpNotIn:
		return !slices.ContainsFunc(c.Values, is)
	case OpLess:
		return !t.IsZero() && t.Before(first.From)
	case OpLessEqual:
		return !t.IsZero() && t.Before(first.Until)
	case OpGreater:
		return !t.IsZero() && !t.Before(first.Until)
	case OpGreaterEqual:
		return !t.IsZero() && !t.Before(first.From)
	}
	return false
}

// MatchText tells whether a value of the comparison's field, which is not a date, fits.
func (c Comparison) MatchText(s string) bool {
	is := func(o Operand) bool { return c.Field.same(s, o) }
	switch c.Op {
	case OpEqual, OpIn:
		return slices.ContainsFunc(c.Values, is)
	case OpNotEqual, OpNotIn:
		return !slices.ContainsFunc(c.Values, is)
	case OpLike:
		return Glob(c.Values[0].Text, s)
	case OpNotLike:
		return !Glob(c.Values[0].Text, s)
	}
	version, ok := ParseVersion(s)
	if !ok {
		return false
	}
	switch order := version.Compare(c.Values[0].version); c.Op {
	case OpLess:
		return order < 0
	case OpLessEqual:
		return order <= 0
	case OpGreater:
		return order > 0
	case OpGreaterEqual:
		return order >= 0
	}
	return false
}

func (f FactorField) same(s string, o Operand) bool {
	if s == o.Text {
		return true
	}
	switch f.Kind {
	case FieldSID:
		return SameSID(s, o.Text)
	case FieldVersion:
		version, ok := ParseVersion(s)
		return ok && o.isVersion && version.Compare(o.version) == 0
	}
	return false
}

// String gives the comparison as text that parses to the same comparison.
func (c Comparison) String() string {
	var values []string
	for _, o := range c.Values {
		values = append(values, quoteOperand(o.Text))
	}
	if c.Op == OpIn || c.Op == OpNotIn {
		return fmt.Sprintf("%s %s (%s)", c.Field.Name, c.Op, strings.Join(values, ", "))
	}
	return fmt.Sprintf("%s %s %s", c.Field.Name, c.Op, values[0])
}

func quoteOperand(s string) string {
	plain := func(r rune) bool { return isIdentityRune(r) || strings.ContainsRune("._:+", r) }
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return strconv.Quote(s)
}

// Glob tells whether s fits a pattern in which * stands for any text and ? for one character. Letter case does not
// matter.
func Glob(pattern, s string) bool {
	p, t := []rune(strings.ToLower(pattern)), []rune(strings.ToLower(s))
	star, resume := -1, 0 // the last * seen, and where in t to try again behind it
	i, j := 0, 0
	for j < len(t) {
		switch {
		case i < len(p) && p[i] == '*':
			star, resume = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == t[j]):
			i, j = i+1, j+1
		case star >= 0:
			resume++
			i, j = star+1, resume
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}
