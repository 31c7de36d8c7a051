package config

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zalando/go-keyring"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// fakeRing is a keychain in memory; err makes it fail, hang makes it never answer.
type fakeRing struct {
	entries map[string]string
	err     error
	hang    chan struct{}
}

func (r *fakeRing) wait() error {
	if r.hang != nil {
		<-r.hang
	}
	return r.err
}

func (r *fakeRing) Get(_, user string) (string, error) {
	if err := r.wait(); err != nil {
		return "", err
	}
	secret, ok := r.entries[user]
	if !ok {
		return "", keyring.ErrNotFound
	}
	return secret, nil
}

func (r *fakeRing) Set(_, user, secret string) error {
	if err := r.wait(); err != nil {
		return err
	}
	r.entries[user] = secret
	return nil
}

func (r *fakeRing) Delete(_, user string) error {
	if err := r.wait(); err != nil {
		return err
	}
	if _, ok := r.entries[user]; !ok {
		return keyring.ErrNotFound
	}
	delete(r.entries, user)
	return nil
}

// openWith opens the configuration with a keychain of the test's.
func openWith(t *testing.T, r ring, args ...string) *Config {
	t.Helper()
	c := open(t, args...)
	c.keychain.ring, c.keychain.off = r, false
	return c
}

func TestASecretIsNeverShown(t *testing.T) {
	keys := accountKeys{Username: keySID, Secret: "hunter2", Source: "here"}
	text, err := json.Marshal(keys)
	if err != nil {
		t.Fatal(err)
	}
	shown := []string{string(text), fmt.Sprint(keys), keys.Secret.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		shown = append(shown, fmt.Sprintf(verb, keys.Secret), fmt.Sprintf(verb, keys))
	}
	for _, s := range shown {
		if strings.Contains(s, "hunter2") || strings.Contains(s, "68756e746572") {
			t.Errorf("shown in %s", s)
		}
	}
}

func TestAStrayCharacterNamesTheSource(t *testing.T) {
	ownFile(t, environment("auth_token_env: S_TOKEN"))
	for value, want := range map[string]string{
		"abc\n": "line break", "abc\r": "line break", " abc": "space", "abc ": "space", "a\tbc": "space", "ab\u00a0c": "space",
		"ab-c": "position 3", "äbc": "position 1", "abc\x00": "",
	} {
		if strings.Contains(value, "\x00") {
			continue // no variable can hold it
		}
		t.Setenv("S_TOKEN", value)
		got, err := open(t, "-e", "s").Choose()
		if err != nil {
			t.Fatal(err)
		}
		keys, err := got.Keys(t.Context())
		wantError(t, err, verify.KindAuth, "the environment variable S_TOKEN", want)
		if keys.Secret != "" || strings.Contains(err.Error(), strings.TrimSpace(value)) {
			t.Errorf("%q: shown in %q", value, err)
		}
	}
}

func TestAMissingSecretSaysWhereItShouldBe(t *testing.T) {
	ownFile(t, environment("auth_token_env: S_TOKEN"))
	got, err := open(t, "-e", "s").Choose()
	if err != nil {
		t.Fatal(err)
	}
	_, err = got.Keys(t.Context())
	wantError(t, err, verify.KindAuth, "the environment variable S_TOKEN", "not set")

	ownFile(t, environment("api_key: "+keySID))
	got, err = open(t, "-e", "s").Choose()
	if err != nil {
		t.Fatal(err)
	}
	_, err = got.Keys(t.Context())
	wantError(t, err, verify.KindAuth, "keychain entry "+keySID, "verifyctl env add s --secret-stdin")
}

func TestACommandIsRunWithoutAShell(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "give")
	for _, tc := range []struct {
		name, body string
		args       string
		want       string
		problem    string
	}{
		{"printed with a line end", `echo "$1"`, `[GIVE, abc123]`, "abc123", ""},
		{"windows line end", `printf 'abc\r\n'`, `[GIVE]`, "abc", ""},
		{"two lines", `printf 'abc\n\n'`, `[GIVE]`, "", "line break"},
		{"arguments are not expanded", `printf %s "${1#?}"`, `[GIVE, '$HOME']`, "HOME", ""},
		{"stdin is empty", `cat; echo abc`, `[GIVE]`, "abc", ""},
		{"fails", `echo no >&2; exit 3`, `[GIVE]`, "", "exit status 3"},
		{"prints nothing", `true`, `[GIVE]`, "", "is empty"},
		{"prints too much", `while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa || exit; done | head -c 100000`, `[GIVE]`, "", "more than"},
		{"does not exist", ``, `[/no/such/program]`, "", "no such file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := os.WriteFile(script, []byte("#!/bin/sh\n"+tc.body+"\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			ownFile(t, environment("auth_token_command: "+strings.ReplaceAll(tc.args, "GIVE", script)))
			got, err := open(t, "-e", "s").Choose()
			if err != nil {
				t.Fatal(err)
			}
			keys, err := got.Keys(t.Context())
			if tc.problem != "" {
				wantError(t, err, verify.KindAuth, tc.problem, ":5")
				return
			}
			if err != nil || keys.Secret.Reveal() != tc.want {
				t.Errorf("right secret: %v, %v", keys.Secret.Reveal() == tc.want, err)
			}
		})
	}
}

func TestACommandSpeaksToThePerson(t *testing.T) {
	ownFile(t, environment("auth_token_command: [sh, -c, 'echo touch your key >&2; echo abc']"))
	var stderr strings.Builder
	c, err := Open(Options{Flags: flagsOf(t, "-e", "s"), Stderr: &stderr})
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Choose()
	if err != nil {
		t.Fatal(err)
	}
	if stderr.Len() > 0 {
		t.Error("the command ran before its secret was needed")
	}
	if _, err := got.Keys(t.Context()); err != nil || stderr.String() != "touch your key\n" {
		t.Errorf("%q, %v", stderr.String(), err)
	}
}

func TestACancelledCommandEnds(t *testing.T) {
	ownFile(t, environment("auth_token_command: [sleep, '600']"))
	got, err := open(t, "-e", "s").Choose()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := got.Keys(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestTheKeychainKeepsSecretsBySID(t *testing.T) {
	ownFile(t, "environments:\n  a:\n"+minimal+"    api_key: "+keySID+"\n")
	r := &fakeRing{entries: map[string]string{}}
	c := openWith(t, r, "-e", "a")
	change, err := c.SetCredentials(t.Context(), "a", Credentials{APIKey: keySID, Source: Source{Secret: "abc"}})
	if err != nil || change.Secret != "the keychain" || r.entries[keySID] != "abc" {
		t.Fatalf("%+v, %v", change, err)
	}
	got, err := c.Choose()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := got.Keys(t.Context())
	if err != nil || keys.Secret.Reveal() != "abc" || !strings.HasPrefix(keys.Source, "the keychain entry "+keySID) {
		t.Errorf("%+v, %v", keys, err)
	}
}

func TestTheSecretStoredLastCounts(t *testing.T) {
	ownFile(t, "environments:\n  a:\n"+minimal)
	r := &fakeRing{entries: map[string]string{}}
	c := openWith(t, r, "-e", "a")
	store := func(secret verify.Secret) {
		t.Helper()
		if _, err := c.SetCredentials(t.Context(), "a", Credentials{Source: Source{Secret: secret}}); err != nil {
			t.Fatal(err)
		}
	}
	want := func(secret string) {
		t.Helper()
		target, err := c.Choose()
		if err != nil {
			t.Fatal(err)
		}
		if keys, err := target.Keys(t.Context()); err != nil || keys.Secret.Reveal() != secret {
			t.Errorf("it is %s: %v, %v", secret, keys.Secret.Reveal() == secret, err)
		}
	}
	store("first")
	want("first")
	r.err = errors.New("locked")
	store("second")
	r.err = nil // unlocked again, and still holding the first
	want("second")
	store("third")
	want("third")
}

func TestInterruptingTheKeychainStoresNothing(t *testing.T) {
	path := ownFile(t, "environments:\n  a:\n"+minimal)
	before := read(t, path)
	c := openWith(t, &fakeRing{hang: make(chan struct{})}, "-e", "a")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.SetCredentials(ctx, "a", Credentials{Source: Source{Secret: "abc"}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(c.keychain.file); !errors.Is(err, os.ErrNotExist) || read(t, path) != before {
		t.Errorf("something was written: %v", err)
	}
}

func TestAnUnavailableKeychainSaysHowToStoreTheSecret(t *testing.T) {
	ownFile(t, "environments:\n  a:\n"+minimal)
	target, err := openWith(t, &fakeRing{err: errors.New("no bus")}, "-e", "a").Choose()
	if err != nil {
		t.Fatal(err)
	}
	_, err = target.Keys(t.Context())
	wantError(t, err, verify.KindAuth, "the keychain is not available: no bus", "verifyctl env add a --secret-stdin")
}

func TestWithoutAKeychainAFileKeepsSecrets(t *testing.T) {
	for name, r := range map[string]*fakeRing{
		"broken":  {err: errors.New("org.freedesktop.secrets was not provided")},
		"hanging": {hang: make(chan struct{})},
	} {
		t.Run(name, func(t *testing.T) {
			path := ownFile(t, "environments:\n  a:\n"+minimal)
			file := filepath.Join(filepath.Dir(path), "credentials")
			c := openWith(t, r, "-e", "a")
			c.keychain.patience = 1 // a nanosecond
			change, err := c.SetCredentials(t.Context(), "a", Credentials{Source: Source{Secret: "abc"}})
			if err != nil || !strings.HasPrefix(change.Secret, file+", readable by you alone") {
				t.Fatalf("%+v, %v", change, err)
			}
			info, err := os.Stat(file)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("mode %v, %v", info.Mode(), err)
			}
			got, err := c.Choose()
			if err != nil {
				t.Fatal(err)
			}
			if keys, err := got.Keys(t.Context()); err != nil || keys.Secret.Reveal() != "abc" {
				t.Errorf("%+v, %v", keys, err)
			}
			if err := os.Chmod(file, 0o640); err != nil {
				t.Fatal(err)
			}
			_, err = got.Keys(t.Context())
			wantError(t, err, verify.KindRefused, file, "others can read it", "chmod 600")
			if err := os.Chmod(file, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Remove(t.Context(), "a"); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the credentials file is still there: %v", err)
			}
		})
	}
}

func TestABrokenCredentialsFileIsNotTakenForAnEmptyOne(t *testing.T) {
	path := ownFile(t, "environments:\n  a:\n"+minimal)
	file := write(t, filepath.Join(filepath.Dir(path), "credentials"), "SK1 abc")
	got, err := open(t, "-e", "a").Choose()
	if err != nil {
		t.Fatal(err)
	}
	_, err = got.Keys(t.Context())
	wantError(t, err, verify.KindUsage, file)
}
