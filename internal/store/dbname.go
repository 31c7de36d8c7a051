package store

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
)

const (
	databasePrefix = "env-"
	databaseSuffix = ".db"
	plainNameMax   = 120 // bytes of an escaped environment name, well below what file systems allow
)

// databaseName gives the file name of an environment's database. Two names never share a file, not even where the file
// system ignores letter case: capitals and everything but letters, digits, - and _ are written as = and two hex digits.
func databaseName(environment string) string {
	return databasePrefix + escapedName(environment, plainNameMax) + databaseSuffix
}

// FileOf gives the path of an environment's file in a state directory.
func FileOf(dir, environment string) string { return filepath.Join(dir, databaseName(environment)) }

// escapedName gives the name of an environment in small letters, digits and -_=, in at most so many bytes.
func escapedName(environment string, most int) string {
	var name strings.Builder
	for _, c := range []byte(environment) {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
			name.WriteByte(c)
		default:
			fmt.Fprintf(&name, "=%02x", c)
		}
	}
	escaped := name.String()
	if len(escaped) > most {
		// "==" is in no escaped name, so a shortened one cannot be taken for another's.
		sum := sha256.Sum256([]byte(environment))
		escaped = "==" + hex.EncodeToString(sum[:])
		escaped = escaped[:min(len(escaped), most)]
	}
	return escaped
}
