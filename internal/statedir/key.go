package statedir

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/verifyctl/verifyctl/internal/verify"
)

const (
	keyFile   = "key"
	keyLength = 32
)

// Key is the secret by which this machine hashes what it must recognise but not keep: push tokens and erased identities.
// It never leaves the state directory, so its hashes mean nothing elsewhere.
type Key struct {
	secret []byte
	id     string // names the key in its hashes, so that those of two keys are never taken for equal
}

// OpenKey reads the key of a state directory, and makes it the first time, when it makes the directory too. A damaged key
// is an error and is never replaced, nor is a lost one: what was written with it would not be recognised any more.
func OpenKey(ctx context.Context, dir string) (*Key, error) { return openKey(ctx, dir, refuseLostKey) }

// ReplaceLostKey is [OpenKey] for somebody who knows that the key was lost: it makes a new one.
func ReplaceLostKey(ctx context.Context, dir string) (*Key, error) {
	return openKey(ctx, dir, func(string) error { return nil })
}

// refuseLostKey refuses to make a key where there are files that were written with one.
func refuseLostKey(dir string) error {
	for _, pattern := range []string{"audit.jsonl", "env-*.db"} {
		files, err := fs.Glob(os.DirFS(dir), pattern)
		if err != nil {
			return err
		}
		if len(files) > 0 {
			return verify.Refusedf("the key of the state directory is gone: %s was written with it", filepath.Join(dir, files[0])).
				WithHint("restore %s from a backup; without one: verifyctl audit acknowledge --reason TEXT makes a new key and records that the old one was lost",
					filepath.Join(dir, keyFile))
		}
	}
	return nil
}

func openKey(ctx context.Context, dir string, allowed func(dir string) error) (*Key, error) {
	if err := Prepare(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, keyFile)
	key, err := readKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	unlock, err := Lock(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if key, err = readKey(path); !errors.Is(err, fs.ErrNotExist) {
		return key, err // another process made it while we waited
	}
	if err := allowed(dir); err != nil {
		return nil, err
	}
	secret := make([]byte, keyLength)
	rand.Read(secret)
	if err := WriteNew(path, secret); err != nil {
		return nil, Failure("cannot make the key of the state directory", err)
	}
	return readKey(path)
}

func readKey(path string) (*Key, error) {
	secret, err := ReadFile(path)
	if err != nil {
		if _, refused := errors.AsType[*verify.Error](err); refused || errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		return nil, Failure("cannot read the key of the state directory", err)
	}
	if len(secret) != keyLength {
		return nil, &verify.Error{Kind: verify.KindFailed,
			Message: fmt.Sprintf("the key %s is damaged: %d bytes instead of %d", path, len(secret), keyLength),
			Hint: "restore it from a backup; without it, move it away: a new one is made, and what was hashed with the " +
				"old one is not recognised any more"}
	}
	return newKey(secret), nil
}

// leastSecret is how long a secret has to be that people make, in bytes.
const leastSecret = 32

// TeamKey makes a key of the secret that a team shares, the same on every machine.
func TeamKey(secret verify.Secret) (*Key, error) {
	if n := len(secret.Reveal()); n < leastSecret {
		return nil, verify.Usagef("the key of the team's store has %d bytes, and needs %d", n, leastSecret).
			WithHint("make one once, and give it to everybody as a secret: openssl rand -hex 32")
	}
	return newKey([]byte(secret.Reveal())), nil
}

func newKey(secret []byte) *Key {
	key := &Key{secret: secret}
	key.id = key.hash("key", "")[:8]
	return key
}

// Proof gives a keyed hash of nothing, by which a store knows its key again. It does not give the key away.
func (k *Key) Proof() string { return k.mac("store", nil) }

// HashToken gives a keyed hash of a push token, which tells two tokens apart and gives neither away; "" for "".
func (k *Key) HashToken(token verify.PushToken) string {
	if token == "" {
		return ""
	}
	return k.id + "." + k.hash("token", token.Reveal())
}

// Mark is what every hash of a push token or a credential file begins with that was made with this key.
func (k *Key) Mark() string { return k.id + "." }

// HashCredential gives a keyed hash of what is in a credential file.
func (k *Key) HashCredential(contents []byte) string {
	return k.id + "." + k.mac("credential", contents)
}

// Tombstone gives a keyed hash of an identity, which stands for it where it must not be kept.
func (k *Key) Tombstone(identity string) string {
	return k.id + "." + k.hash("identity", identity)
}

// Link gives the keyed hash of a line of the audit file, 64 hexadecimal digits, which the line behind it carries.
func (k *Key) Link(line []byte) string { return k.mac("audit", line) }

// hash gives 32 hexadecimal digits.
func (k *Key) hash(use, text string) string { return k.mac(use, []byte(text))[:32] }

// mac gives 64 hexadecimal digits. The use keeps the same text from hashing alike in two roles.
func (k *Key) mac(use string, text []byte) string {
	mac := hmac.New(sha256.New, k.secret)
	mac.Write([]byte(use + "\x00"))
	mac.Write(text)
	return hex.EncodeToString(mac.Sum(nil))
}
