package simulator

import (
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxBody is the largest request body that is read; the largest documented parameters fit many times.
const maxBody = 256 << 10

// form is a list of parameters by name, in the order sent. It is parsed by hand because url.ParseQuery drops a pair
// that holds a raw semicolon, which Twilio's iOS SDK sends: it escapes neither ; nor = nor / in a value.
type form map[string][]string

// parseForm reads name=value pairs between ampersands. What cannot be unescaped is taken as it stands, so no input is
// an error.
func parseForm(s string) form {
	f := form{}
	for s != "" {
		var pair string
		pair, s, _ = strings.Cut(s, "&")
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name = unescape(name)
		f[name] = append(f[name], unescape(value))
	}
	return f
}

func unescape(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}

// readForm reads the body of a request, which is a form whatever its Content-Type says.
func readForm(w http.ResponseWriter, r *http.Request) (form, *apiError) {
	if r.Body == nil || r.Body == http.NoBody {
		return form{}, nil
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, refuse(http.StatusRequestEntityTooLarge, 20001, "The request body is larger than %d bytes", maxBody)
	case err != nil:
		return nil, refuse(http.StatusBadRequest, 20001, "The request body could not be read")
	}
	return parseForm(string(raw)), nil
}

// get gives the first value of a parameter and whether it was sent.
func (f form) get(name string) (string, bool) {
	values, sent := f[name]
	if !sent {
		return "", false
	}
	return values[0], true
}

// text gives the first value of a parameter, or "".
func (f form) text(name string) string {
	value, _ := f.get(name)
	return value
}

// params takes typed values out of a form and remembers the first that is wrong.
type params struct {
	form  form
	code  int // the error code of a bad value
	wrong *apiError
}

func (p *params) err() error {
	if p.wrong != nil {
		return p.wrong
	}
	return nil
}

func (p *params) check(name, problem string) {
	if problem != "" && p.wrong == nil {
		p.wrong = invalid(p.code, "Invalid parameter `%s`: %s", name, problem)
	}
}

func (p *params) bool(name string, into *bool) {
	text, sent := p.form.get(name)
	if !sent {
		return
	}
	value, err := strconv.ParseBool(strings.ToLower(text))
	if err != nil {
		p.check(name, "it is neither true nor false")
		return
	}
	*into = value
}

func (p *params) int(name string, into *int, least, most int) {
	text, sent := p.form.get(name)
	if !sent {
		return
	}
	value, err := strconv.Atoi(text)
	if err != nil || value < least || value > most {
		p.check(name, "it is not a number from "+strconv.Itoa(least)+" to "+strconv.Itoa(most))
		return
	}
	*into = value
}

func (p *params) text(name string, into **string) {
	if text, sent := p.form.get(name); sent {
		*into = &text
	}
}

func (p *params) sid(name, prefix string, into **string) {
	text, sent := p.form.get(name)
	switch {
	case !sent:
	case text == "":
		*into = nil
	case !isSID(prefix, text):
		p.check(name, "it is not a SID that starts with "+prefix)
	default:
		*into = &text
	}
}

// credential takes a push credential SID. That an empty one clears the setting is an assumption; that the credential
// need not exist or fit is one too.
func (p *params) credential(name string, into *sql.NullString) {
	var sid *string
	if _, sent := p.form.get(name); !sent {
		return
	}
	p.sid(name, "CR", &sid)
	*into = nullable(sid)
}

// stringMap reads a parameter that is the text of a JSON object with string values only; not sent or empty is NULL.
func (c *call) stringMap(name string, maxRunes int) (sql.NullString, error) {
	text, sent := c.form.get(name)
	if !sent || text == "" {
		return sql.NullString{}, nil
	}
	if utf8.RuneCountInString(text) > maxRunes {
		return sql.NullString{}, invalid(60306, "Invalid %s: it has more than %d characters", name, maxRunes)
	}
	var values map[string]string
	if err := json.Unmarshal([]byte(text), &values); err != nil || values == nil {
		return sql.NullString{}, invalid(60306, "Invalid %s: it must be a JSON object with string values only", name)
	}
	return valid(string(encode(values))), nil
}
