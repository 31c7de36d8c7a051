package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// jot jots down that a command met an identity with a factor.
func jot(t testing.TB, dir string, at time.Time, n int) error {
	return Jot(t.Context(), dir, "production", at, map[verify.Identity][]string{identityOf(n): {string(factorSID(n))}})
}

// ownerOf gives the identity that a memory has of a factor, "" for none.
func ownerOf(t testing.TB, s *Store, n int) verify.Identity {
	t.Helper()
	identity, _, err := s.IdentityOf(t.Context(), string(factorSID(n)))
	check(t, err)
	return identity
}

func TestWhoWasJottedDownIsRemembered(t *testing.T) {
	dir := t.TempDir()
	check(t, openStore(t, dir).Close())
	check(t, jot(t, dir, noon, 1))
	check(t, jot(t, dir, noon.Add(time.Hour), 2))
	check(t, jot(t, dir, noon.Add(-time.Hour), 2))
	jotted := FileOf(dir, "production") + jottedSuffix
	f := must[*os.File](t)(os.OpenFile(jotted, os.O_WRONLY|os.O_APPEND, 0))
	must[int](t)(f.WriteString(`{"at":"2026-03-01T1`)) // a power loss cut it off
	check(t, f.Close())

	s := openStore(t, dir)
	if a, b := ownerOf(t, s, 1), ownerOf(t, s, 2); a != identityOf(1) || b != identityOf(2) {
		t.Errorf("of the factors, one is %q's and one %q's", a, b)
	}
	if recent := must[[]verify.Identity](t)(s.RecentIdentities(t.Context(), "", 1)); recent[0] != identityOf(2) {
		t.Errorf("the identity met last is %s", recent)
	}
	if _, err := os.Lstat(jotted); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was taken in stays in the file beside: %v", err)
	}
	check(t, jot(t, dir, noon, 3))
	s = openStore(t, dir)
	must[map[Kind]int](t)(s.PurgeIdentity(t.Context(), identityOf(3)))
	if got := ownerOf(t, openStore(t, dir), 3); got != "" {
		t.Errorf("what was purged is remembered again: %s", got)
	}
}

func TestWhereTheMemoryHasToBeOpenedNothingIsJottedDown(t *testing.T) {
	dir := t.TempDir()
	if err := jot(t, dir, noon, 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a memory: %v", err)
	}
	if files := must[[]os.DirEntry](t)(os.ReadDir(dir)); len(files) > 0 {
		t.Errorf("without a memory there is %s", files)
	}
	check(t, openStore(t, dir).Close())
	last, full := 0, error(nil)
	for ; full == nil; last++ {
		full = jot(t, dir, noon, last)
	}
	if info := must[os.FileInfo](t)(os.Lstat(FileOf(dir, "production") + jottedSuffix)); info.Size() > mostJotted {
		t.Errorf("the file has %d bytes", info.Size())
	}
	s := openStore(t, dir)
	if first, end := ownerOf(t, s, 0), ownerOf(t, s, last-2); first == "" || end == "" {
		t.Errorf("of %d, the first is %q and the last %q", last, first, end)
	}
	check(t, jot(t, dir, noon, last))
}

func TestNothingJottedDownIsLostToWhoOpensTheMemory(t *testing.T) {
	dir := t.TempDir()
	check(t, openStore(t, dir).Close())
	const each = 25
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for i := range each {
				if err := jot(t, dir, noon, worker*each+i); err != nil {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			for range each / 5 {
				s, err := Open(t.Context(), dir, "production")
				if err != nil {
					t.Error(err)
					return
				}
				s.Close()
			}
		})
	}
	all.Wait()
	s := openStore(t, dir)
	for n := range 4 * each {
		if ownerOf(t, s, n) == "" {
			t.Errorf("identity %d is lost", n)
		}
	}
}

func TestWhatWasJottedDownIsCopied(t *testing.T) {
	dir, to := t.TempDir(), t.TempDir()
	check(t, openStore(t, dir).Close())
	check(t, jot(t, dir, noon, 1))
	env := verify.Environment{Name: "production"}
	_, err := Copy(t.Context(), Place{Environment: env, File: FileOf(dir, env.Name)}, Place{Environment: env, File: filepath.Join(to, databaseName(env.Name))},
		CopyOptions{OtherKey: true})
	check(t, err)
	if got := ownerOf(t, openStore(t, to), 1); got != identityOf(1) {
		t.Errorf("the copy has %q", got)
	}
}
