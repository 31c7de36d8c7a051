package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Kind is one kind of thing that is kept about an environment, as `state list` and `state purge` name it.
type Kind string

// The kinds.
const (
	kindIndex       Kind = "index"       // entities, factors, and how they were crawled
	kindEvents      Kind = "events"      // debugger events, and the times they cover
	kindChallenges  Kind = "challenges"  // challenges created here, their resends and receipts, and claims
	kindDeletions   Kind = "deletions"   // factors deleted from here
	kindOutcomes    Kind = "outcomes"    // what became of the items of plans
	kindSeen        Kind = "seen"        // identities and SIDs that commands have met
	kindCredentials Kind = "credentials" // what credential files told before they were uploaded, and rotations
)

// kept tells where the things of a kind are. table and time are of what is counted and dated, identity its column of
// that name ("" when it has none); also are the tables that go with it.
type kept struct {
	kind     Kind
	table    string
	time     string
	identity string
	also     []string
}

var keptKinds = []kept{
	{kindIndex, "factors", "read_at", "identity", []string{"entities", "crawls"}},
	{kindEvents, "events", "at", "identity", []string{"coverage"}},
	{kindChallenges, "challenges", "created", "identity", []string{"claims", "resends", "receipts"}},
	{kindDeletions, "deletions", "at", "identity", nil},
	{kindOutcomes, "outcomes", "at", "", nil},
	{kindSeen, "seen", "at", "identity", nil},
	{kindCredentials, "credential_files", "at", "", []string{"rotations", "creations"}},
}

// Kinds gives every kind, in the order in which they are listed.
func Kinds() (kinds []Kind) {
	for _, k := range keptKinds {
		kinds = append(kinds, k.kind)
	}
	return kinds
}

// Kept is how much is kept of one kind.
type Kept struct {
	Kind   Kind      `json:"kind"`
	Rows   int       `json:"rows"`
	Oldest time.Time `json:"oldest,omitzero"`
	Newest time.Time `json:"newest,omitzero"`
}

// EnvironmentState is what is kept about one environment.
type EnvironmentState struct {
	Environment string `json:"environment"`
	Path        string `json:"path"`
	Bytes       int64  `json:"bytes"` // of the file and its log
	Kept        []Kept `json:"kept"`
}

// State tells how much is kept about the environment.
func (s *Store) State(ctx context.Context) (EnvironmentState, error) {
	state := EnvironmentState{Environment: s.environment}
	state.Path, state.Bytes = s.engine.place(ctx)
	for _, k := range keptKinds {
		entry := Kept{Kind: k.kind}
		err := s.read.queryRow(ctx, fmt.Sprintf(`SELECT count(*), coalesce(min(%[1]s), ?1), coalesce(max(%[1]s), ?1) FROM %[2]s`,
			k.time, k.table), time.Time{}).Scan(&entry.Rows, timeInto(&entry.Oldest), timeInto(&entry.Newest))
		if err != nil {
			return state, s.engine.failure("cannot read what is kept", err)
		}
		state.Kept = append(state.Kept, entry)
	}
	return state, nil
}

// Purge forgets everything of some kinds, none named means all, and gives how many rows of each went. What is purged is
// not left behind in the file's free space.
func (s *Store) Purge(ctx context.Context, kinds ...Kind) (map[Kind]int, error) {
	gone := map[Kind]int{}
	err := s.change(ctx, onBoth, "cannot purge", func(tx session) error {
		e := eraser{ctx: ctx, tx: tx}
		for _, k := range keptKinds {
			if len(kinds) > 0 && !slices.Contains(kinds, k.kind) {
				continue
			}
			gone[k.kind] = e.delete(k.table)
			for _, table := range k.also {
				e.delete(table)
			}
			if k.kind == kindIndex && e.err == nil {
				e.delete(`meta WHERE name IN ('index_account', 'index_service')`)
				e.err = errors.Join(e.err, forgetMetadata(ctx, tx))
			}
		}
		return e.err
	})
	if err != nil {
		return nil, err
	}
	return gone, s.engine.scrub(ctx)
}

// PurgeBefore forgets the events, challenges, deletions, outcomes or seen identities of before a time, and gives how many
// went. What events cover is cut to match. The index has no age of its own: it is purged whole.
func (s *Store) PurgeBefore(ctx context.Context, kind Kind, before time.Time) (gone int, err error) {
	i := slices.IndexFunc(keptKinds, func(k kept) bool { return k.kind == kind })
	if i < 0 || kind == kindIndex {
		return 0, verify.Usagef("%s cannot be purged by age", kind)
	}
	err = s.change(ctx, onBoth, "cannot purge", func(tx session) error {
		e := eraser{ctx: ctx, tx: tx}
		switch kind {
		case kindEvents:
			e.delete(`coverage WHERE until_time <= ?`, before)
			if e.err == nil {
				_, e.err = tx.exec(ctx, `UPDATE coverage SET from_time = ?1 WHERE from_time < ?1`, before)
			}
		case kindChallenges:
			e.challenges(`created < ?`, before)
		}
		gone = e.delete(keptKinds[i].table+` WHERE `+keptKinds[i].time+` < ?`, before)
		return e.err
	})
	if err != nil {
		return 0, err
	}
	return gone, s.engine.scrub(ctx)
}

// PurgeIdentity forgets everything about an identity and gives how many rows of each kind went: also events in whose body
// it stands without having been decoded, and outcomes of its factors. Nothing of it is left behind in the file's free
// space.
func (s *Store) PurgeIdentity(ctx context.Context, identity verify.Identity) (map[Kind]int, error) {
	gone := map[Kind]int{}
	err := s.change(ctx, onBoth, "cannot purge the identity", func(tx session) error {
		// Factors and challenges first lead to events and outcomes that do not name the identity itself.
		sids, err := sidsOf(ctx, tx, identity)
		if err != nil {
			return err
		}
		if gone[kindEvents], err = purgeEvents(ctx, tx, identity, sids); err != nil {
			return err
		}
		e := eraser{ctx: ctx, tx: tx}
		for sid := range sids {
			gone[kindOutcomes] += e.delete(`outcomes WHERE fold(sid) = fold(?)`, sid)
			e.delete(`claims WHERE fold(factor_sid) = fold(?)`, sid)
		}
		e.challenges(`identity = ?`, identity)
		for _, k := range keptKinds {
			if k.identity != "" && k.kind != kindEvents {
				gone[k.kind] = e.delete(k.table+` WHERE `+k.identity+` = ?`, identity)
			}
		}
		e.entity(identity)
		return e.err
	})
	if err != nil {
		return nil, err
	}
	return gone, s.engine.scrub(ctx)
}

// sidsOf gives every factor and challenge SID that this machine knows of an identity, in upper case.
func sidsOf(ctx context.Context, tx session, identity verify.Identity) (map[string]bool, error) {
	found, err := gather(ctx, tx, scanText[string], `
		SELECT sid FROM challenges WHERE identity = ?1
		UNION SELECT factor_sid FROM challenges WHERE identity = ?1
		UNION SELECT sid FROM seen WHERE identity = ?1
		UNION SELECT sid FROM factors WHERE identity = ?1
		UNION SELECT factor_sid FROM deletions WHERE identity = ?1
		UNION SELECT factor_sid FROM events WHERE identity = ?1
		UNION SELECT challenge_sid FROM events WHERE identity = ?1`, identity)
	if err != nil {
		return nil, err
	}
	sids := map[string]bool{}
	for _, sid := range found {
		// Only whole factor and challenge SIDs: a masked or wrongly decoded one could be anybody's.
		if prefix, ok := verify.SIDPrefix(sid); ok && (prefix == "YF" || prefix == "YC") {
			sids[strings.ToUpper(sid)] = true
		}
	}
	return sids, nil
}

// purgeEvents deletes the events that were decoded to an identity or to one of its SIDs, or in whose body the identity
// stands.
func purgeEvents(ctx context.Context, tx session, identity verify.Identity, sids map[string]bool) (gone int, err error) {
	matching, err := gather(ctx, tx, func(row scanner) (id int64, err error) { // 0 when it does not match
		var named verify.Identity
		var factor, challenge string
		var body []byte
		err = row.Scan(&id, &named, &factor, &challenge, &body)
		if named == identity || sids[strings.ToUpper(factor)] || sids[strings.ToUpper(challenge)] || names(body, string(identity)) {
			return id, err
		}
		return 0, err
	}, `SELECT id, identity, factor_sid, challenge_sid, body FROM events
		WHERE identity = ?1 OR factor_sid <> '' OR challenge_sid <> '' OR instr(body, ?2) > 0`, identity, []byte(identity))
	e := eraser{ctx: ctx, tx: tx, err: err}
	for _, id := range matching {
		if id != 0 {
			gone += e.delete(`events WHERE id = ?`, id)
		}
	}
	return gone, e.err
}

// names tells whether a body has the identity as a word. A letter that belongs to an escape before it, as in %2Cjane or
// \njane, does not make it part of a longer word; in doubt it is one, because forgetting too much is right here.
func names(body []byte, identity string) bool {
	for from := 0; ; {
		i := bytes.Index(body[from:], []byte(identity))
		if i < 0 {
			return false
		}
		start, end := from+i, from+i+len(identity)
		if startsWord(body, start) && (end == len(body) || !isWord(body[end])) {
			return true
		}
		from = start + 1
	}
}

func startsWord(body []byte, i int) bool {
	if i == 0 || !isWord(body[i-1]) {
		return true
	}
	escape := body[max(0, i-6):i] // the longest is \u002c
	return bytes.ContainsAny(escape, `%\`)
}

func isWord(c byte) bool {
	return c == '-' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
