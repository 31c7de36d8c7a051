package twilio

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// decodeObject decodes a JSON object and nothing else: null, a list or a second value after it are errors.
func decodeObject(body []byte, into any) error {
	if trimmed := bytes.TrimLeft(body, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return errors.New("it is not a JSON object")
	}
	return json.Unmarshal(body, into)
}

// text is a string that may come as null, a number or a boolean, too.
type text string

// UnmarshalJSON keeps what is not a string as its JSON text, and takes null for "".
func (t *text) UnmarshalJSON(raw []byte) error {
	switch {
	case raw[0] == '"':
		if plain := raw[1 : len(raw)-1]; bytes.IndexByte(plain, '\\') < 0 && utf8.Valid(plain) { // as nearly always
			*t = text(plain)
			return nil
		}
		return json.Unmarshal(raw, (*string)(t))
	case string(raw) == "null":
		*t = ""
	default:
		*t = text(raw)
	}
	return nil
}

// stamp is a time that comes in ISO 8601 or as in RFC 2822; null and "" are the zero time. Twilio describes some dates
// one way and shows them the other (twilio_notify_v1.json, credential.date_created).
type stamp struct{ time.Time }

var stampLayouts = []string{
	time.RFC3339, // with fractions as well
	"2006-01-02T15:04:05Z0700",
	"2006-01-02T15:04:05",
	"2006-01-02 15:04:05",
	time.RFC1123Z,
	time.RFC1123,
	"Mon, 2 Jan 2006 15:04:05 -0700",
	"2 Jan 2006 15:04:05 -0700",
	time.DateOnly,
}

// UnmarshalJSON fails on what is no date in any known form: a date that is not understood must not pass for none.
func (s *stamp) UnmarshalJSON(raw []byte) error {
	var written text
	if err := written.UnmarshalJSON(raw); err != nil {
		return err
	}
	if s.Time = (time.Time{}); written == "" {
		return nil
	}
	for _, layout := range stampLayouts {
		if t, err := time.Parse(layout, string(written)); err == nil {
			s.Time = t.UTC()
			return nil
		}
	}
	return fmt.Errorf("%q is no date", visible(string(written), 60))
}

// part is a JSON object inside a reply that may as well be null, missing or something else, all of which leave it nil.
type part[T any] struct{ value *T }

// UnmarshalJSON takes only objects.
func (p *part[T]) UnmarshalJSON(raw []byte) error {
	p.value = nil
	if raw[0] != '{' {
		return nil
	}
	p.value = new(T)
	return json.Unmarshal(raw, p.value)
}

// or gives the part, or the zero value for none.
func (p part[T]) or() (value T) {
	if p.value != nil {
		return *p.value
	}
	return value
}

// pairs is an object of strings (twilio_verify_v2.json, metadata and hidden_details: "with only strings values").
type pairs map[string]text

func (p pairs) strings() map[string]string {
	if p == nil {
		return nil
	}
	plain := make(map[string]string, len(p))
	for key, value := range p {
		plain[key] = string(value)
	}
	return plain
}

// object is any JSON object, numbers kept as they were written.
type object map[string]any

// UnmarshalJSON decodes without turning numbers into floats.
func (o *object) UnmarshalJSON(raw []byte) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	return dec.Decode((*map[string]any)(o))
}

// rows is a list; null, or anything else that is no list, is an empty one.
type rows[T any] []T

// UnmarshalJSON takes only arrays.
func (r *rows[T]) UnmarshalJSON(raw []byte) error {
	*r = nil
	if raw[0] != '[' {
		return nil
	}
	return json.Unmarshal(raw, (*[]T)(r))
}

// plain gives the strings of a list of texts.
func plain(list rows[text]) []string {
	var values []string
	for _, t := range list {
		values = append(values, string(t))
	}
	return values
}

// isTrue reads a boolean that may be spelled as a string in any case.
func (t text) isTrue() bool { return strings.EqualFold(string(t), "true") }
