package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Saw remembers that a command has met identities, and SIDs of them, for shell completion and for finding the identity of
// a bare SID later.
func (s *Store) Saw(ctx context.Context, at time.Time, met map[verify.Identity][]string) error {
	return s.update(ctx, "cannot remember the identities", func(tx *sql.Tx) error {
		for identity, sids := range met {
			for _, sid := range append(sids, "") {
				_, err := tx.ExecContext(ctx, `INSERT INTO seen (identity, sid, at) VALUES (?, ?, ?)
					ON CONFLICT DO UPDATE SET at = max(at, excluded.at)`, identity, sid, micros(at))
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// RecentIdentities gives identities that begin with prefix: those met last first, then those of the index.
func (s *Store) RecentIdentities(ctx context.Context, prefix string, limit int) ([]verify.Identity, error) {
	from, until := prefixRange(prefix)
	return all(ctx, s, "cannot look up identities", `
		SELECT identity FROM (
			SELECT * FROM (SELECT identity, at FROM seen WHERE sid = '' AND identity >= ?1 AND identity < ?2 ORDER BY at DESC LIMIT ?3)
			UNION ALL
			SELECT * FROM (SELECT identity, max(created) FROM challenges WHERE identity >= ?1 AND identity < ?2
				GROUP BY identity ORDER BY 2 DESC LIMIT ?3)
			UNION ALL
			SELECT * FROM (SELECT identity, 0 FROM entities WHERE identity >= ?1 AND identity < ?2 LIMIT ?3)
		) GROUP BY identity ORDER BY max(at) DESC, identity LIMIT ?3`,
		[]any{from, until, limitOf(limit)}, scanText[verify.Identity])
}

// RecentSIDs gives SIDs of an identity that begin with prefix, such as "YF" or "YC03": those met last first.
func (s *Store) RecentSIDs(ctx context.Context, identity verify.Identity, prefix string, limit int) ([]string, error) {
	from, until := prefixRange(prefix)
	return all(ctx, s, "cannot look up SIDs", `
		SELECT sid FROM (
			SELECT sid, at FROM seen WHERE identity = ?1
			UNION ALL SELECT sid, created FROM challenges WHERE identity = ?1
			UNION ALL SELECT sid, 0 FROM factors WHERE identity = ?1
		) WHERE sid <> '' AND sid >= ?2 AND sid < ?3 GROUP BY sid ORDER BY max(at) DESC, sid LIMIT ?4`,
		[]any{identity, from, until, limitOf(limit)}, scanText[string])
}

// IdentityOf gives the identity that a bare factor, challenge or entity SID belongs to, as far as this machine knows:
// from challenges created here, SIDs that commands met, deletions, and the index, in this order. Stored events are not
// asked: what they say has to be decoded and judged.
func (s *Store) IdentityOf(ctx context.Context, sid string) (verify.Identity, bool, error) {
	return one(ctx, s, "cannot look up the identity", `
		SELECT identity FROM (
			SELECT 1 AS rank, identity FROM challenges WHERE sid = ?1
			UNION ALL SELECT 2, identity FROM seen WHERE sid = ?1
			UNION ALL SELECT 3, identity FROM deletions WHERE factor_sid = ?1
			UNION ALL SELECT 4, identity FROM factors WHERE sid = ?1
			UNION ALL SELECT 5, identity FROM entities WHERE sid = ?1
		) ORDER BY rank LIMIT 1`, []any{sid}, scanText[verify.Identity])
}

// prefixRange gives the bounds between which all texts with the prefix are, as SQLite orders UTF-8.
func prefixRange(prefix string) (from, until string) { return prefix, prefix + "\U0010FFFF" }
