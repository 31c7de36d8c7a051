package fleet

import (
	"io"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Activity is a backend's word on when it last saw each app. What it has seen is never deleted for silence, and what it
// says it has not seen for long needs less other proof.
type Activity struct {
	Columns string // which columns of its file were taken, in words

	factors    map[string]time.Time          // by SID in upper case
	identities map[verify.Identity]time.Time // rows that name no factor: they speak for all of the identity's
}

// LastSeen gives when the backend last saw a factor; zero when it says nothing about it.
func (a Activity) LastSeen(identity verify.Identity, factor verify.FactorSID) time.Time {
	seen := a.factors[fold(factor)]
	if other := a.identities[identity]; other.After(seen) {
		return other
	}
	return seen
}

// Len gives the number of factors and identities it speaks of.
func (a Activity) Len() int { return len(a.factors) + len(a.identities) }

// ParseActivity reads a backend's activity file: CSV with a header line, or JSON objects, with identity, factor_sid and
// last_seen (RFC 3339, or a day, which counts to its end in UTC). Other columns are ignored; a row without a factor_sid
// speaks for all factors of its identity. Any row that cannot be read is a usage error that names its line, and nothing
// of the file is used: half an activity file would delete what the other half protects.
func ParseActivity(r io.Reader) (Activity, error) {
	a := Activity{factors: map[string]time.Time{}, identities: map[verify.Identity]time.Time{}}
	var err error
	if a.Columns, err = readTable(r, "the activity file", []string{"identity", "factor_sid", "last_seen"}, a.add); err != nil {
		return Activity{}, err
	}
	return a, nil
}

func (a Activity) add(line int, row []string) error {
	identity, factor, seen := row[0], row[1], row[2]
	at, err := parseSeen(seen)
	if err != nil {
		return verify.Usagef("line %d of the activity file: last_seen %q is neither an RFC 3339 time nor a date", line, seen)
	}
	id, err := verify.ParseIdentity(identity)
	if err != nil {
		return verify.Usagef("line %d of the activity file: %w", line, err)
	}
	if factor == "" {
		a.identities[id] = later(a.identities[id], at)
		return nil
	}
	sid, err := verify.ParseFactorSID(factor)
	if err != nil {
		return verify.Usagef("line %d of the activity file: %w", line, err)
	}
	key := fold(sid)
	a.factors[key] = later(a.factors[key], at)
	return nil
}

// parseSeen reads a time; a day counts to its end, because nobody says when on that day it was.
func parseSeen(s string) (time.Time, error) {
	if d, err := time.Parse(time.DateOnly, s); err == nil {
		return d.Add(day - time.Second), nil
	}
	return time.Parse(time.RFC3339, s)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
