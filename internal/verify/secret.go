package verify

import (
	"fmt"
	"io"
)

// Secret is the secret of account keys, of a push credential or a key of ours. Printing, formatting and marshalling it
// gives "redacted", never its text.
type Secret string

// Reveal gives the secret itself, for the code that signs in with it, uploads it or computes with it; never for output.
func (s Secret) Reveal() string { return string(s) }

// String gives "redacted", or "" for an empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "redacted"
}

// Format keeps every verb of fmt from showing the secret.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText keeps every encoder from showing the secret.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
