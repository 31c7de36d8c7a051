package simulator

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
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
