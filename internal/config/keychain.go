package config

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/verifyctl/verifyctl/internal/statedir"
	"github.com/verifyctl/verifyctl/internal/verify"
)

const (
	keychainService  = "verifyctl"
	keychainPatience = 3 * time.Second
)

// keychainVariable names the variable that, set to "off", keeps secrets in the credentials file and leaves the system's
// keychain alone: for servers, containers and tests.
const keychainVariable = "VERIFYCTL_KEYCHAIN"

var (
	errNoEntry     = errors.New("no such entry")
	errNoKeychain  = errors.New("the keychain is not available")
	errKeychainOff = fmt.Errorf("%w: %s is off", errNoKeychain, keychainVariable)
)

// keychain keeps secrets by the SID they belong to: in the system's keychain where there is one, else in a file that only
// its owner can read. By SID, because a name of an environment may stand in two files for two accounts.
type keychain struct {
	ring ring
	file string // the credentials file
	off  bool

	patience time.Duration // how long to wait for the ring
}

type ring interface {
	Set(service, user, secret string) error
	Get(service, user string) (string, error)
	Delete(service, user string) error
}

type systemRing struct{}

func (systemRing) Set(service, user, secret string) error   { return keyring.Set(service, user, secret) }
func (systemRing) Get(service, user string) (string, error) { return keyring.Get(service, user) }
func (systemRing) Delete(service, user string) error        { return keyring.Delete(service, user) }

// get gives a secret, from the file or else from the keychain; errNoEntry when neither has it. What is in the file was
// put there later: a secret that goes into the keychain leaves the file.
func (k *keychain) get(ctx context.Context, name string) (string, error) {
	entries, err := k.readFile()
	if err != nil {
		return "", err
	}
	if secret, found := entries[name]; found {
		return secret, nil
	}
	secret, err := k.ask(ctx, func() (string, error) { return k.ring.Get(keychainService, name) })
	switch {
	case errors.Is(err, errKeychainOff):
		return "", errNoEntry
	case errors.Is(err, errNoKeychain):
		return "", &verify.Error{Kind: verify.KindAuth, Cause: err,
			Message: fmt.Sprintf("the secret of %s should be in the keychain, but %v, and %s does not have it", name, err, k.file)}
	}
	return secret, err
}

// set keeps a secret and says where.
func (k *keychain) set(ctx context.Context, name string, secret verify.Secret) (place string, err error) {
	_, ringErr := k.ask(ctx, func() (string, error) { return "", k.ring.Set(keychainService, name, secret.Reveal()) })
	switch {
	case ringErr == nil:
		_, err := k.dropFromFile(name)
		return "the keychain", err
	case !errors.Is(ringErr, errNoKeychain):
		return "", ringErr
	}
	entries, err := k.readFile()
	if err != nil {
		return "", err
	}
	entries[name] = secret.Reveal()
	if err := k.writeFile(entries); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s, readable by you alone (%v)", k.file, ringErr), nil
}

// remove forgets a secret in both places and tells whether there was one.
func (k *keychain) remove(ctx context.Context, name string) (bool, error) {
	_, ringErr := k.ask(ctx, func() (string, error) { return "", k.ring.Delete(keychainService, name) })
	inRing := ringErr == nil
	if errors.Is(ringErr, errNoEntry) || errors.Is(ringErr, errNoKeychain) {
		ringErr = nil
	}
	inFile, fileErr := k.dropFromFile(name)
	return inRing || inFile, errors.Join(ringErr, fileErr)
}

func (k *keychain) dropFromFile(name string) (bool, error) {
	entries, err := k.readFile()
	if err != nil {
		return false, err
	}
	if _, found := entries[name]; !found {
		return false, nil
	}
	delete(entries, name)
	return true, k.writeFile(entries)
}

// ask calls the system's keychain and waits a short while: its own wait for somebody to unlock it has no end.
// go-keyring's errors do not say "unavailable" in one way, so everything but "not found" counts as that.
func (k *keychain) ask(ctx context.Context, call func() (string, error)) (string, error) {
	if k.off {
		return "", errKeychainOff
	}
	ctx, cancel := context.WithTimeout(ctx, k.patience)
	defer cancel()
	type reply struct {
		secret string
		err    error
	}
	done := make(chan reply, 1) // an answer that comes too late is dropped
	go func() {
		secret, err := call()
		done <- reply{secret, err}
	}()
	select {
	case r := <-done:
		switch {
		case r.err == nil:
			return r.secret, nil
		case errors.Is(r.err, keyring.ErrNotFound):
			return "", errNoEntry
		}
		return "", fmt.Errorf("%w: %v", errNoKeychain, r.err)
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return "", fmt.Errorf("%w: it did not answer within %s", errNoKeychain, k.patience)
		}
		return "", ctx.Err()
	}
}

func (k *keychain) readFile() (map[string]string, error) {
	entries := map[string]string{}
	f, err := os.Open(k.file)
	if errors.Is(err, fs.ErrNotExist) {
		return entries, nil
	}
	if err != nil {
		return nil, verify.Usagef("the credentials file cannot be read: %w", err)
	}
	defer f.Close()
	ownerOnly, err := checkAccess(f)
	if err != nil {
		return nil, err
	}
	if !ownerOnly {
		return nil, othersCanReadSecrets(k.file)
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, verify.Usagef("the credentials file cannot be read: %w", err)
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return entries, nil
	}
	if err := json.Unmarshal(raw, &entries); err != nil || entries == nil {
		return nil, verify.Usagef("%s is not a valid credentials file: it should be a JSON object of SIDs and secrets", k.file)
	}
	return entries, nil
}

// writeFile replaces the credentials file at once; an empty one goes.
func (k *keychain) writeFile(entries map[string]string) error {
	if len(entries) == 0 {
		if err := os.Remove(k.file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("the credentials file cannot be removed: %w", err)
		}
		return nil
	}
	raw, err := json.MarshalIndent(entries, "", "  ")
	if err != nil {
		return err
	}
	return writeWhole(k.file, append(raw, '\n'), ownerReadWrite)
}

const (
	ownerReadWrite fs.FileMode = 0o600
	ownerDirectory fs.FileMode = 0o700
)

// writeWhole writes a file, and makes its folder.
func writeWhole(path string, data []byte, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), ownerDirectory); err != nil {
		return fmt.Errorf("%s cannot be written: %w", path, err)
	}
	return statedir.WriteFile(path, data, mode)
}

func othersCanReadSecrets(file string) *verify.Error {
	return verify.Refusedf("%s holds a secret and others can read it", file).
		WithHint("chmod 600 %s, and replace the secret: others may have seen it", verify.Quote(file))
}
