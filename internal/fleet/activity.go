package fleet

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Activity is a backend's word on when it last saw each app. What it has seen is never deleted for silence, and what it
// says it has not seen for long needs less other proof.
type Activity struct {
	factors    map[string]time.Time          // by SID in upper case
	identities map[verify.Identity]time.Time // rows that name no factor: they speak for all of the identity's
}

// LastSeen gives when the backend last saw a factor; zero when it says nothing about it.
func (a Activity) LastSeen(identity verify.Identity, factor verify.FactorSID) time.Time {
	seen := a.factors[strings.ToUpper(string(factor))]
	if other := a.identities[identity]; other.After(seen) {
		return other
	}
	return seen
}

// Len gives the number of factors and identities it speaks of.
func (a Activity) Len() int { return len(a.factors) + len(a.identities) }

// ParseActivity reads a backend's activity file: CSV with a header line, or NDJSON, with identity, factor_sid and
// last_seen (RFC 3339, or a day, which counts to its end in UTC). Other columns are ignored; a row without a factor_sid
// speaks for all factors of its identity. Any row that cannot be read is a usage error that names its line, and nothing
// of the file is used: half an activity file would delete what the other half protects.
func ParseActivity(r io.Reader) (Activity, error) {
	a := Activity{factors: map[string]time.Time{}, identities: map[verify.Identity]time.Time{}}
	in := bufio.NewReaderSize(r, 64<<10)
	first, err := firstByte(in)
	switch {
	case errors.Is(err, io.EOF):
		return Activity{}, verify.Usagef("the activity file is empty")
	case err != nil:
		return Activity{}, err
	case first == '{':
		err = a.readNDJSON(in)
	default:
		err = a.readCSV(in)
	}
	if err != nil {
		return Activity{}, err
	}
	return a, nil
}

// firstByte gives the first byte that is neither white space nor a byte order mark, without consuming it.
func firstByte(in *bufio.Reader) (byte, error) {
	if mark, _ := in.Peek(3); string(mark) == "\ufeff" {
		in.Discard(3) //nolint:errcheck // just peeked
	}
	for {
		b, err := in.Peek(1)
		if err != nil {
			return 0, err
		}
		if !strings.ContainsRune(" \t\r\n", rune(b[0])) {
			return b[0], nil
		}
		in.Discard(1) //nolint:errcheck // just peeked
	}
}

func (a Activity) readCSV(in io.Reader) error {
	rows := csv.NewReader(in)
	rows.ReuseRecord = true
	header, err := rows.Read()
	if err != nil {
		return verify.Usagef("the activity file cannot be read: %w", err)
	}
	column := func(name string) int { return slices.Index(header, name) }
	identity, factor, seen := column("identity"), column("factor_sid"), column("last_seen")
	if identity < 0 || factor < 0 || seen < 0 {
		return verify.Usagef("the header of the activity file is %q", strings.Join(header, ",")).
			WithHint("it needs the columns identity, factor_sid and last_seen")
	}
	for {
		row, err := rows.Read()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return verify.Usagef("the activity file cannot be read: %w", err)
		}
		line, _ := rows.FieldPos(0)
		if err := a.add(line, row[identity], row[factor], row[seen]); err != nil {
			return err
		}
	}
}

func (a Activity) readNDJSON(in io.Reader) error {
	lines := json.NewDecoder(in)
	for n := 1; ; n++ {
		var row struct {
			Identity string `json:"identity"`
			Factor   string `json:"factor_sid"`
			LastSeen string `json:"last_seen"`
		}
		switch err := lines.Decode(&row); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return verify.Usagef("object %d of the activity file cannot be read: %w", n, err)
		}
		if err := a.add(n, row.Identity, row.Factor, row.LastSeen); err != nil {
			return err
		}
	}
}

func (a Activity) add(line int, identity, factor, seen string) error {
	at, err := parseSeen(seen)
	if err != nil {
		return verify.Usagef("line %d of the activity file: last_seen %q is neither an RFC 3339 time nor a day", line, seen)
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
	key := strings.ToUpper(string(sid))
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
