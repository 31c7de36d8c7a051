package store

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// PostgreSQL's side of the words that statements are written in; see [engine].

func (e *postgresEngine) dialect(statement string) string {
	return numbered(folded(statement, func(x string) string { return `lower(` + x + ` COLLATE "C")` }))
}

// numbered gives a statement with $1, $2 … for its arguments.
func numbered(statement string) string {
	next := 1
	return unquoted(statement, func(part string) string {
		pieces := strings.Split(part, "?")
		for i, piece := range pieces[1:] {
			if piece != "" && '0' <= piece[0] && piece[0] <= '9' {
				pieces[i+1] = "$" + piece
			} else {
				pieces[i+1] = fmt.Sprintf("$%d%s", next, piece)
				next++
			}
		}
		return strings.Join(pieces, "")
	})
}

func (e *postgresEngine) argument(value any) any {
	switch value := value.(type) {
	case time.Time:
		if value.IsZero() {
			return time.Unix(0, 0).UTC()
		}
		return value.UTC()
	case metadata:
		var escaped map[string]string
		if value != nil {
			escaped = map[string]string{}
		}
		for key, v := range value {
			escaped[escapeText(key)] = escapeText(v)
		}
		text, _ := json.Marshal(escaped) // a map of texts always can be written
		return string(text)
	}
	if v := reflect.ValueOf(value); v.Kind() == reflect.String {
		return escapeText(v.String())
	}
	return value
}

// scanned turns what [escapeText] wrote back.
func (e *postgresEngine) scanned(dest []any) {
	for _, d := range dest {
		switch d := d.(type) {
		case *metadata:
			for key, value := range *d {
				if k, v := unescapeText(key), unescapeText(value); k != key || v != value {
					delete(*d, key)
					(*d)[k] = v
				}
			}
			continue
		case sql.Scanner:
			continue
		}
		if v := reflect.ValueOf(d).Elem(); v.Kind() == reflect.String && strings.Contains(v.String(), escapeMark) {
			v.SetString(unescapeText(v.String()))
		}
	}
}

// escapeMark begins what stands for a byte that text cannot hold in PostgreSQL: U+0000, and what is no UTF-8. So texts of
// attackers are kept as they came.
const escapeMark = "\x01"

func escapeText(s string) string {
	if utf8.ValidString(s) && !strings.ContainsAny(s, "\x00\x01") {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == 0:
			b.WriteString(escapeMark + "\x01")
		case r == 1:
			b.WriteString(escapeMark + "\x02")
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, escapeMark+"\x03%02x", s[0])
		default:
			b.WriteString(s[:size])
		}
		s = s[size:]
	}
	return b.String()
}

func unescapeText(s string) string {
	before, rest, found := strings.Cut(s, escapeMark)
	if !found {
		return s
	}
	var b strings.Builder
	for found {
		b.WriteString(before)
		switch {
		case strings.HasPrefix(rest, "\x01"):
			b.WriteByte(0)
			rest = rest[1:]
		case strings.HasPrefix(rest, "\x02"):
			b.WriteByte(1)
			rest = rest[1:]
		case strings.HasPrefix(rest, "\x03") && len(rest) >= 3:
			var c byte
			fmt.Sscanf(rest[1:3], "%02x", &c)
			b.WriteByte(c)
			rest = rest[3:]
		}
		before, rest, found = strings.Cut(rest, escapeMark)
	}
	b.WriteString(before)
	return b.String()
}

func (e *postgresEngine) like(column, pattern string) (string, any) {
	return "(" + column + " ~ ?)", globExpression(pattern)
}

// globExpression gives the regular expression of a pattern as [verify.Glob] reads it. Every letter stands for all that
// have the same small one, so that no collation of the server has a say.
func globExpression(pattern string) string {
	const anything = `(?:\x01[\x01\x02]|\x01\x03..|[^\x01])` // one character, also one that escapeText wrote
	var b strings.Builder
	b.WriteString("^")
	for _, r := range strings.ToLower(pattern) {
		switch {
		case r == '*':
			b.WriteString(".*")
		case r == '?':
			b.WriteString(anything)
		case r < 2:
			fmt.Fprintf(&b, `\x01\x0%d`, r+1)
		default:
			b.WriteString("[")
			for _, c := range sameSmall(r) {
				fmt.Fprintf(&b, `\U%08x`, c)
			}
			b.WriteString("]")
		}
	}
	b.WriteString("$")
	return b.String()
}

// sameSmall gives the letters whose small letter is r.
func sameSmall(r rune) (all []rune) {
	if r == 'i' {
		all = append(all, 'İ') // which is not among the letters that fold to i
	}
	for c := r; ; {
		if unicode.ToLower(c) == r {
			all = append(all, c)
		}
		if c = unicode.SimpleFold(c); c == r {
			return all
		}
	}
}

// ordered compares each version that occurs once, however many factors have it.
func (e *postgresEngine) ordered(column, operator string) string {
	return "(" + column + " IN (SELECT v FROM (SELECT DISTINCT " + column + " AS v FROM factors OFFSET 0) AS versions WHERE version_order(v, ?) " +
		operator + " 0))"
}

func (e *postgresEngine) metadata(key string) string {
	return `coalesce(metadata::json ->> (` + escapeText(key) + `)::text, '') COLLATE "C"`
}
