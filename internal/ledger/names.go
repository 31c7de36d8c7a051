package ledger

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/verifyctl/verifyctl/internal/statedir"
)

// identityName says whose keyed hash stands in audit lines.
type identityName struct {
	Who      string `json:"who"`
	Identity string `json:"identity"`
}

// name is [Ledger.appendName], once for all writes for an identity.
func (l *Ledger) name(who, identity string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.named[who] {
		return nil
	}
	if err := l.appendName(who, identity); err != nil {
		return err
	}
	l.named[who] = true
	return nil
}

// appendName writes down whose hash the next line has. It may stand there more than once. The caller holds the lock.
func (l *Ledger) appendName(who, identity string) error {
	text, err := json.Marshal(identityName{who, identity})
	if err != nil {
		return err
	}
	f, err := openAppend(filepath.Join(l.dir, namesFile))
	if err != nil {
		return err
	}
	// The newline goes first, so that a line that was cut off cannot spoil this one.
	_, err = f.Write(append([]byte{'\n'}, text...))
	return errors.Join(err, f.Sync(), f.Close())
}

// names gives the identities that were not erased, by their hash.
func (l *Ledger) names() (map[string]string, error) {
	names := map[string]string{}
	f, err := statedir.Open(filepath.Join(l.dir, namesFile), os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return names, nil
	}
	if err != nil {
		return nil, statedir.Failure("cannot read the names of the audit file", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var name identityName
		if json.Unmarshal(lines.Bytes(), &name) == nil { // not a line that was cut off
			names[name.Who] = name.Identity
		}
	}
	if err := lines.Err(); err != nil {
		return nil, statedir.Failure("cannot read the names of the audit file", err)
	}
	return names, nil
}

// EraseIdentity makes the audit file forget an identity: its lines stay, with the keyed hash as a tombstone. It tells
// whether the identity was there.
func (l *Ledger) EraseIdentity(ctx context.Context, identity string) (was bool, err error) {
	err = l.locked(ctx, func() error {
		l.mu.Lock()
		clear(l.named)
		l.mu.Unlock()
		names, err := l.names()
		if err != nil {
			return err
		}
		var kept []byte
		for who, name := range names {
			if name == identity {
				was = true
				continue
			}
			text, err := json.Marshal(identityName{who, name})
			if err != nil {
				return err
			}
			kept = append(append(kept, '\n'), text...)
		}
		if !was {
			return nil
		}
		if err := statedir.WriteNew(filepath.Join(l.dir, namesFile), kept); err != nil {
			return statedir.Failure("cannot erase the identity from the audit file", err)
		}
		return nil
	})
	return was && err == nil, err
}
