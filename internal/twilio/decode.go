package twilio

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
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

// layouts are ISO 8601 and RFC 2822, in the forms that were met. Twilio describes some dates one way and shows them the
// other (twilio_notify_v1.json, credential.date_created).
var layouts = []string{
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

// time gives the zero time for "", and fails on what is no date: a date that is not understood must not pass for none.
func (t text) time() (time.Time, error) {
	if t == "" {
		return time.Time{}, nil
	}
	for _, layout := range layouts {
		if parsed, err := time.Parse(layout, string(t)); err == nil {
			return parsed.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no date", visible(string(t), 60))
}

// count gives 0 for "", and refuses what is no number (api.v2010.account.usage.usage_record: a number in a string).
func (t text) count() (int64, error) {
	if t == "" {
		return 0, nil
	}
	f, err := strconv.ParseFloat(string(t), 64)
	if err != nil || f < 0 || f >= 1<<53 {
		return 0, errors.New("a count is no number")
	}
	return int64(f), nil
}
