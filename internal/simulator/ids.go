package simulator

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// derive gives 32 bytes that look random and depend on the parts alone.
func derive(parts ...string) [sha256.Size]byte {
	h := sha256.New()
	var length [8]byte
	for _, part := range parts {
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		h.Write(length[:])
		h.Write([]byte(part))
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// deriveSID gives a SID that depends on the parts alone.
func deriveSID(prefix string, parts ...string) string {
	sum := derive(append([]string{"sid", prefix}, parts...)...)
	return prefix + hex.EncodeToString(sum[:16])
}

// deriveText gives n characters of base64url that depend on the parts alone.
func deriveText(n int, parts ...string) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		sum := derive(append([]string{"text", fmt.Sprint(i)}, parts...)...)
		b.WriteString(base64.RawURLEncoding.EncodeToString(sum[:]))
	}
	return b.String()[:n]
}

// deriveKey gives a P-256 private key that depends on the parts alone. (ecdsa.GenerateKey ignores a seeded reader.)
func deriveKey(parts ...string) *ecdsa.PrivateKey {
	for i := 0; ; i++ {
		sum := derive(append([]string{"key", fmt.Sprint(i)}, parts...)...)
		if key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), sum[:]); err == nil {
			return key
		}
	}
}

// isSID tells whether s is the prefix and 32 hexadecimal digits of either case (twilio_verify_v2.json, sid patterns).
func isSID(prefix, s string) bool {
	digits, found := strings.CutPrefix(s, prefix)
	return found && len(digits) == 32 && strings.Trim(digits, "0123456789abcdefABCDEF") == ""
}
