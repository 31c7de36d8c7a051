package verify

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// The length of an Identity in characters (twilio_verify_v2.json, CreateEntity, Identity).
const (
	minIdentity = 8
	maxIdentity = 64
)

// Identity is the caller's own name for an entity, and the part of every entity, factor and challenge path that
// addresses it. Twilio documents 8 to 64 characters, letters, digits and dashes, without personal data
// (twilio_verify_v2.json, CreateEntity, Identity). What [ParseIdentity] accepts is that and nothing else; an Identity
// read from a Twilio reply is kept as it came, because older data may be outside the rule.
type Identity string

// ParseIdentity accepts an identity as Twilio documents it. The error is a usage [Error] that says what is wrong and
// at which character, so that nothing which could change a request path is ever sent.
func ParseIdentity(s string) (Identity, error) {
	problem := identityProblem(s)
	if problem == "" {
		return Identity(s), nil
	}
	err := &Error{
		Kind:    KindUsage,
		Message: fmt.Sprintf("%q is not an identity: %s", s, problem),
		Hint:    "an identity is 8 to 64 letters, digits and dashes",
	}
	if strings.ContainsAny(s, "@+_. ") && !strings.ContainsAny(s, "/?#\\") && strings.Trim(s, ".") != "" {
		err.Hint += "; if this is your own name for the user, write " + Quote("user:"+s)
	}
	return "", err
}

func identityProblem(s string) string {
	if !utf8.ValidString(s) {
		return "it is not valid UTF-8"
	}
	for i, r := range []rune(s) {
		if !isIdentityRune(r) {
			return fmt.Sprintf("character %d, %q, is not a letter, a digit or a dash", i+1, r)
		}
	}
	switch n := len(s); {
	case n == 0:
		return "it is empty"
	case n < minIdentity:
		return fmt.Sprintf("it has %d characters, at least %d are needed", n, minIdentity)
	case n > maxIdentity:
		return fmt.Sprintf("it has %d characters, at most %d are allowed", n, maxIdentity)
	}
	return ""
}

func isIdentityRune(r rune) bool {
	return r == '-' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}
