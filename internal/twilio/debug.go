package twilio

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

const redacted = "[redacted]"

// shownParams are the parameters whose values a debug record shows; they name things or choose among Twilio's words. All
// others are hidden.
var shownParams = []string{
	"PageSize", "Page", "PageToken", "Order", "Status", "LogLevel", "StartDate", "EndDate", "ResourceSid", "AccountSid",
	"Category", "FactorSid", "ExpirationDate", "Ttl", "Push.ApnCredentialSid", "Push.FcmCredentialSid", "EventTypes", "Version",
}

// hiddenKeys are parts of the names of JSON members whose values a debug record hides: secrets, push tokens, keys, and
// what users are asked.
var hiddenKeys = []string{"token", "secret", "binding", "password", "private", "certificate", "authorization", "details", "metadata", "api_key"}

// shownBody is how much of a body that is not JSON a debug record shows, in characters.
const shownBody = 300

// debug writes what was sent and what came back.
func (c *Client) debug(req *http.Request, r request, number int, a attempt, took time.Duration) {
	if c.opts.Debug == nil {
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "> %s %s (try %d)\n", req.Method, visible(req.URL.Redacted(), 2000), number)
	fmt.Fprintf(&b, ">   Authorization: Basic %s; User-Agent: %s\n", redacted, visible(req.UserAgent(), 200))
	if r.method == http.MethodPost {
		fmt.Fprintf(&b, ">   %s\n", redactForm(r.data))
	}
	switch {
	case a.err != nil:
		fmt.Fprintf(&b, "< %s, after %v\n", visible(a.err.Error(), 500), took)
	default:
		h := a.reply.header
		fmt.Fprintf(&b, "< %d %s, %s, after %v", a.reply.status, http.StatusText(a.reply.status), a.reply.request, took)
		for _, name := range []string{"Retry-After", "Twilio-Concurrent-Requests", "Twilio-Request-Duration"} {
			if v := h.Get(name); v != "" {
				fmt.Fprintf(&b, ", %s %s", name, visible(v, 60))
			}
		}
		fmt.Fprintf(&b, "\n<   %s\n", redactBody(a.reply.body))
	}
	c.debugging.Lock()
	defer c.debugging.Unlock()
	io.WriteString(c.opts.Debug, b.String()) //nolint:errcheck // nowhere to tell
}

// redactForm writes parameters in order, with the values of only those that may be shown.
func redactForm(form url.Values) string {
	var parts []string
	for name, values := range form {
		for _, v := range values {
			if !slices.Contains(shownParams, name) {
				v = redacted
			}
			parts = append(parts, name+"="+visible(v, 200))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

// redactBody writes a JSON body on one line without what must not be seen. Of any other body it shows the beginning,
// quoted, unless it looks as if it held a secret.
func redactBody(body []byte) string {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err == nil && !dec.More() {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if enc.Encode(redactJSON(value)) == nil {
			return escapeUnprintable(strings.TrimSpace(b.String()))
		}
	}
	if isHidden(string(body)) {
		return fmt.Sprintf("%s, %d bytes", redacted, len(body))
	}
	return fmt.Sprintf("%q", clip(string(body), shownBody))
}

// escapeUnprintable writes what a terminal could act on, and what JSON leaves as it is, as Go escapes.
func escapeUnprintable(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

func redactJSON(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, member := range v {
			if isHidden(key) && member != nil {
				v[key] = redacted
				continue
			}
			v[key] = redactJSON(member)
		}
	case []any:
		for i, element := range v {
			v[i] = redactJSON(element)
		}
	}
	return value
}

func isHidden(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(hiddenKeys, func(part string) bool { return strings.Contains(name, part) })
}
