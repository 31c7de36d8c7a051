package verify

// PushToken is the address of one app on one phone at Apple or Google. It is a secret: printing, formatting and
// marshalling it gives "redacted", never its text. [PushToken.Reveal] gives the text to code that must hash it.
type PushToken string

// Reveal gives the token itself. Only for comparing and keyed hashing; never for output.
func (t PushToken) Reveal() string { return string(t) }

// String gives "redacted", or "" for an empty token.
func (t PushToken) String() string {
	if t == "" {
		return ""
	}
	return "redacted"
}

// GoString keeps %#v from showing the token.
func (t PushToken) GoString() string { return t.String() }

// MarshalText keeps every encoder from showing the token.
func (t PushToken) MarshalText() ([]byte, error) { return []byte(t.String()), nil }
