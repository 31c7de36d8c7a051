package twilio

import (
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// segment writes a value as exactly one segment of a path. It is the only place where anything gets into a path. What
// no escaping can keep in one segment is refused before any request: nothing, "." and "..", and slashes and control
// characters, because there are proxies that decode them before they look at the path. Twilio documents no identity and
// no SID with any of these (twilio_verify_v2.json, CreateEntity, Identity).
func segment[T ~string](c *call, value T) string {
	s := string(value)
	unsafe := func(r rune) bool { return r == '/' || r == '\\' || unicode.IsControl(r) }
	if s == "" || s == "." || s == ".." || strings.ContainsFunc(s, unsafe) || !utf8.ValidString(s) {
		if c.err == nil {
			c.err = verify.Refusedf("cannot %s: %q cannot be part of a request's path, so nothing was sent", c.what, s)
		}
		return "refused"
	}
	return url.PathEscape(s)
}

// named writes an identity for a message: as it is, or quoted when it is not of the documented form.
func named(identity verify.Identity) string {
	if _, err := verify.ParseIdentity(string(identity)); err != nil {
		return strconv.Quote(clip(string(identity), 80))
	}
	return string(identity)
}
