package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/verifyctl/verifyctl/internal/statedir"
)

const ownerSuffix = ".lock"

// owner is the proof that a store is alive: a file of this machine that it keeps locked, which the operating system lets go
// of however the process ends. Of another machine's owner nobody can tell.
type owner struct {
	dir    string
	prefix string // of the files' names
	host   string // this machine, where a memory has several; "" where it has one
	mu     sync.Mutex
	file   *os.File // nil until the first claim
}

// life is what is known of an owner.
type life int

const (
	gone      life = iota // it has ended, or there never was one
	alive                 // it runs on this machine
	elsewhere             // it is another machine's, and may run or not
)

// name gives the name by which claims know this store, and locks the file of that name the first time. Then it also sweeps
// away those of owners that died on this machine, after release was told of them.
func (o *owner) name(ctx context.Context, release func(dead []string) error) (string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.file != nil {
		return o.named(filepath.Base(o.file.Name())), nil
	}
	// Under the lock of the directory, so that no other process sweeps the file away before we have locked it.
	unlock, err := statedir.Lock(ctx, o.dir)
	if err != nil {
		return "", err
	}
	defer unlock()
	if err := o.sweep(release); err != nil {
		return "", err
	}
	var id [8]byte
	rand.Read(id[:])
	path := filepath.Join(o.dir, o.prefix+hex.EncodeToString(id[:])+ownerSuffix)
	f, err := statedir.Open(path, os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return "", err
	}
	if _, err := statedir.TryLock(f); err != nil {
		f.Close()
		return "", err
	}
	o.file = f
	return o.named(filepath.Base(path)), nil
}

func (o *owner) named(file string) string {
	if o.host == "" {
		return file
	}
	return file + "@" + o.host
}

// hostOf gives the machine of an owner, "" where the memory has one.
func hostOf(owner string) string {
	_, host, _ := strings.Cut(owner, "@")
	return host
}

// sweep removes the files of owners that died.
func (o *owner) sweep(release func(dead []string) error) error {
	files, err := os.ReadDir(o.dir)
	if err != nil {
		return err
	}
	var dead []string
	for _, file := range files {
		if !strings.HasPrefix(file.Name(), o.prefix) {
			continue
		}
		state, err := o.state(o.named(file.Name()))
		if err != nil {
			return err
		}
		if state == gone {
			dead = append(dead, file.Name())
		}
	}
	if len(dead) == 0 {
		return nil
	}
	if o.host != "" { // without their files nobody could tell any more that they are gone
		var names []string
		for _, file := range dead {
			names = append(names, o.named(file))
		}
		if err := release(names); err != nil {
			return err
		}
	}
	for _, file := range dead {
		os.Remove(filepath.Join(o.dir, file)) // a file that stays does no harm
	}
	return nil
}

// state tells what is known of the owner of a name.
func (o *owner) state(name string) (life, error) {
	file, host, _ := strings.Cut(name, "@")
	switch {
	case name == "":
		return gone, nil
	case host != o.host || file != filepath.Base(file) || !strings.HasPrefix(file, o.prefix):
		return elsewhere, nil
	}
	f, err := statedir.Open(filepath.Join(o.dir, file), os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) {
		if o.host != "" { // it may be in another state directory
			return elsewhere, nil
		}
		return gone, nil
	}
	if err != nil {
		return gone, err
	}
	defer f.Close()
	free, err := statedir.TryLock(f)
	if err != nil || free {
		return gone, err
	}
	return alive, nil
}

// end lets go of the claims. Where the memory has several machines release is told first; when it fails the file stays,
// for the next one on this machine to see that its owner has died.
func (o *owner) end(release func(dead []string) error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.file == nil {
		return nil
	}
	path := o.file.Name()
	var err error
	if o.host != "" {
		err = release([]string{o.named(filepath.Base(path))})
	}
	keep := err != nil
	err = errors.Join(err, o.file.Close())
	o.file = nil
	if keep {
		return err
	}
	// Between the two another process may sweep the file away.
	if removeErr := os.Remove(path); !errors.Is(removeErr, fs.ErrNotExist) {
		err = errors.Join(err, removeErr)
	}
	return err
}
