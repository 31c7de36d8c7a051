package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/statedir"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// Saw remembers that a command has met identities, and SIDs of them, for shell completion and for finding the identity of
// a bare SID later.
func (s *Store) Saw(ctx context.Context, at time.Time, met map[verify.Identity][]string) error {
	return s.sawAll(ctx, []sighting{{at, met}})
}

// sighting is whom a command has met.
type sighting struct {
	At  time.Time                    `json:"at"`
	Met map[verify.Identity][]string `json:"met"`
}

func (s *Store) sawAll(ctx context.Context, sightings []sighting) error {
	return s.change(ctx, onMinor, "cannot remember the identities", func(tx session) error {
		for _, seen := range sightings {
			err := tx.insert(ctx, `seen (identity, sid, at)`, seen.rows(),
				`ON CONFLICT (identity, fold(sid)) DO UPDATE SET at = excluded.at WHERE seen.at < excluded.at`)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func (g sighting) rows() (rows [][]any) {
	for identity, sids := range g.Met {
		known := map[string]bool{}
		for _, sid := range append(sids, "") {
			if folded := strings.ToUpper(sid); !known[folded] {
				known[folded] = true
				rows = append(rows, []any{identity, sid, g.At})
			}
		}
	}
	return rows
}

// jottedSuffix names the file beside a memory's that [Jot] writes to, mostJotted is how many bytes it may have before the memory
// is to be opened instead.
const (
	jottedSuffix = "-seen"
	mostJotted   = 64 << 10
)

// Jot is [Store.Saw] without opening the memory, which takes longer than a short read from Twilio: a line in a file beside the
// memory's, which whoever opens that one next takes in. It is not synced: a power loss may take it back. An error is a reason to
// open the memory and call Saw: there is no such file yet, or enough is jotted down.
func Jot(ctx context.Context, dir, environment string, at time.Time, met map[verify.Identity][]string) error {
	line, err := json.Marshal(sighting{at, met})
	if err != nil {
		return err
	}
	path := FileOf(dir, environment)
	if err := errors.Join(statedir.CheckFile(path), statedir.Prepare(dir)); err != nil {
		return err
	}
	unlock, err := statedir.Lock(ctx, dir)
	if err != nil {
		return err
	}
	defer unlock()
	f, err := statedir.Open(path+jottedSuffix, os.O_WRONLY|os.O_APPEND|os.O_CREATE)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size()+int64(len(line)) > mostJotted {
		return fmt.Errorf("%s is full", f.Name())
	}
	_, err = f.Write(append(line, '\n'))
	return err
}

// takeIn remembers what was jotted down beside the memory's file.
func (s *Store) takeIn(ctx context.Context, path string) error {
	if _, err := os.Lstat(path + jottedSuffix); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	unlock, err := statedir.Lock(ctx, filepath.Dir(path))
	if err != nil {
		return err
	}
	defer unlock()
	text, err := statedir.ReadFile(path + jottedSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // another process took it in while we waited
	}
	if err != nil {
		return err
	}
	var jotted []sighting
	for line := range bytes.Lines(text) {
		var seen sighting
		if json.Unmarshal(line, &seen) == nil { // not what a power loss cut off
			jotted = append(jotted, seen)
		}
	}
	if err := s.sawAll(ctx, jotted); err != nil {
		return err
	}
	return os.Remove(path + jottedSuffix)
}

// RecentIdentities gives identities that begin with prefix: those met last first, then those of the index.
func (s *Store) RecentIdentities(ctx context.Context, prefix string, limit int) ([]verify.Identity, error) {
	from, until := prefixRange(prefix)
	return all(ctx, s, "cannot look up identities", `
		SELECT identity FROM (
			SELECT * FROM (SELECT identity, at, 1 AS met FROM seen WHERE sid = '' AND identity >= ?1 AND identity < ?2 ORDER BY at DESC LIMIT ?3) AS seen
			UNION ALL
			SELECT * FROM (SELECT identity, max(created), 1 FROM challenges WHERE identity >= ?1 AND identity < ?2
				GROUP BY identity ORDER BY 2 DESC LIMIT ?3) AS asked
			UNION ALL
			SELECT * FROM (SELECT identity, read_at, 0 FROM entities WHERE identity >= ?1 AND identity < ?2 LIMIT ?3) AS indexed
		) AS known GROUP BY identity ORDER BY max(CASE WHEN met = 1 THEN at ELSE ?4 END) DESC, identity LIMIT ?3`,
		[]any{from, until, limitOf(limit), time.Time{}}, scanText[verify.Identity])
}

// RecentSIDs gives SIDs of an identity that begin with prefix, such as "YF" or "YC03": those met last first.
func (s *Store) RecentSIDs(ctx context.Context, identity verify.Identity, prefix string, limit int) ([]string, error) {
	from, until := prefixRange(prefix)
	return all(ctx, s, "cannot look up SIDs", `
		SELECT max(sid) FROM (
			SELECT sid, at, 1 AS met FROM seen WHERE identity = ?1
			UNION ALL SELECT sid, created, 1 FROM challenges WHERE identity = ?1
			UNION ALL SELECT sid, read_at, 0 FROM factors WHERE identity = ?1
		) AS known WHERE sid <> '' AND fold(sid) >= fold(?2) AND fold(sid) < fold(?3)
		GROUP BY fold(sid) ORDER BY max(CASE WHEN met = 1 THEN at ELSE ?5 END) DESC, fold(sid) LIMIT ?4`,
		[]any{identity, from, until, limitOf(limit), time.Time{}}, scanText[string])
}

// IdentityOf gives the identity that a bare factor, challenge or entity SID belongs to, as far as this machine knows:
// from challenges created here, SIDs that commands met, deletions, and the index, in this order. Stored events are not
// asked: what they say has to be decoded and judged.
func (s *Store) IdentityOf(ctx context.Context, sid string) (verify.Identity, bool, error) {
	return one(ctx, s, "cannot look up the identity", `
		SELECT identity FROM (
			SELECT 1 AS rank, identity FROM challenges WHERE fold(sid) = fold(?1)
			UNION ALL SELECT 2, identity FROM seen WHERE fold(sid) = fold(?1)
			UNION ALL SELECT 3, identity FROM deletions WHERE fold(factor_sid) = fold(?1)
			UNION ALL SELECT 4, identity FROM factors WHERE fold(sid) = fold(?1)
			UNION ALL SELECT 5, identity FROM entities WHERE fold(sid) = fold(?1)
		) AS known ORDER BY rank LIMIT 1`, []any{sid}, scanText[verify.Identity])
}

// prefixRange gives the bounds between which all texts with the prefix are, as bytes order UTF-8.
func prefixRange(prefix string) (from, until string) { return prefix, prefix + "\U0010FFFF" }
