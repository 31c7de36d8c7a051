package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
)

// compare gives the contents of every table of a memory, and of its copy; nil is none.
func compare(ctx context.Context, from, to *instant) (result []CopiedTable, err error) {
	for _, t := range copyTables {
		had, err := t.contents(ctx, from, 0)
		if err != nil {
			return nil, err
		}
		row := CopiedTable{Table: t.name, Rows: had.Rows, Hash: had.Hash.String()}
		if to != nil {
			has, err := t.contents(ctx, to, 0)
			if err != nil {
				return nil, err
			}
			row.CopyRows, row.CopyHash = has.Rows, has.Hash.String()
		}
		result = append(result, row)
	}
	return result, nil
}

// copyTable is a table that is copied, in an order in which a copy that was cut off goes on.
type copyTable struct {
	name    string
	where   string // which rows; "" is all
	order   string
	columns []copyColumn
}

type copyColumn struct {
	name string
	kind columnKind
}

// columnKind is what a column has.
type columnKind int

const (
	textual columnKind = iota
	hashed             // a text that a key made
	number
	nullable // a number that may be NULL
	boolean
	moment
	blob
	attributes // of a factor
	worker     // who was at work, which is left out
)

// copyTables are all tables but those that say who works now.
var copyTables = []copyTable{
	tableOf("meta", "name", "name value").only(`name IN ('index_account', 'index_service')`),
	tableOf("deletions", "id", "id# factor_sid identity factor% token_hash* by reason at@ outcome finished_at@"),
	tableOf("challenges", "fold(sid)", "sid service_sid identity factor_sid action_id created@ expires@"),
	tableOf("claims", "fold(service_sid), action_id, fold(factor_sid)", "service_sid action_id factor_sid ticket# owner! challenge_sid at@"),
	tableOf("resends", "id", "id# challenge_sid at@ outcome notification_sid"),
	tableOf("receipts", "fold(challenge_sid), source", "challenge_sid source at@"),
	tableOf("seen", "identity, fold(sid)", "identity sid at@"),
	tableOf("events", "id", "id# key source received@ at@ body% service_sid identity factor_sid challenge_sid credential_sid code#"),
	tableOf("coverage", "source, from_time", "source from_time@ until_time@"),
	tableOf("entities", "identity", "identity sid date_created@ date_updated@ read_at@ listed_by# todo_for?"),
	tableOf("factors", "id", "id# sid identity entity_sid status factor_type platform app_id sdk_version friendly_name credential_sid token_hash* "+
		"date_created@ date_updated@ read_at@ metadata{"),
	tableOf("metadata_keys", "number", "number# key"),
	tableOf("crawls", "id", "id# service_sid kind owner! started@ finished@ cursor listed~ entities# factors#"),
	tableOf("outcomes", "plan, item", "plan item# sid outcome detail at@"),
	tableOf("credential_files", "fingerprint", "fingerprint* credential_sid platform not_after@ topics project key_id at@ updated@"),
	tableOf("rotations", "fold(service_sid), platform, began", "service_sid platform began@ fingerprint* old_sid new_sid attached@ outcome"),
	tableOf("creations", "id", "id# account_sid creation% begun@ outcome sid"),
}

// tableOf gives a table. A sign behind a column's name is its kind; without one it is a text.
func tableOf(name, order, columns string) copyTable {
	t := copyTable{name: name, order: order}
	for _, word := range strings.Fields(columns) {
		kind := columnKind(1 + strings.IndexByte("*#?~@%{!", word[len(word)-1]))
		if kind != textual {
			word = word[:len(word)-1]
		}
		t.columns = append(t.columns, copyColumn{word, kind})
	}
	return t
}

func (t copyTable) only(condition string) copyTable {
	t.where = " WHERE " + condition
	return t
}

func (t copyTable) names() (names []string) {
	for _, c := range t.columns {
		names = append(names, c.name)
	}
	return names
}

// rows streams rows of a table: so many (0 is all), behind the first ones.
func (t copyTable) rows(ctx context.Context, from *instant, most, behind int) iter.Seq2[[]any, error] {
	names := t.names()
	for i, c := range t.columns {
		if c.kind == worker {
			names[i] = `''`
		}
	}
	query := `SELECT ` + strings.Join(names, ", ") + ` FROM ` + t.name + t.where + ` ORDER BY ` + t.order + ` LIMIT ? OFFSET ?`
	return func(yield func([]any, error) bool) {
		failed := func(err error) { yield(nil, from.engine.failure("cannot read "+t.name, err)) }
		found, err := from.query(ctx, query, limitOf(most), behind)
		if err != nil {
			failed(err)
			return
		}
		defer found.Close()
		row := from.mending(found)
		for found.Next() {
			values, err := t.scan(row)
			if err != nil {
				failed(err)
				return
			}
			if !yield(values, nil) {
				return
			}
		}
		if err := found.Err(); err != nil {
			failed(err)
		}
	}
}

func (t copyTable) scan(row scanner) ([]any, error) {
	into := make([]any, len(t.columns))
	for i, c := range t.columns {
		into[i] = c.kind.empty()
	}
	if err := row.Scan(into...); err != nil {
		return nil, err
	}
	for i, v := range into {
		into[i] = valueIn(v)
	}
	return into, nil
}

// empty gives what a value of the kind is read into.
func (k columnKind) empty() any {
	switch k {
	case number:
		return new(int64)
	case nullable:
		return new(sql.NullInt64)
	case boolean:
		return new(bool)
	case moment:
		return new(timeColumn)
	case blob:
		return new([]byte)
	case attributes:
		return new(metadata)
	}
	return new(string)
}

// valueIn gives what was read into [columnKind.empty].
func valueIn(read any) any {
	switch v := read.(type) {
	case *int64:
		return *v
	case *sql.NullInt64:
		return *v
	case *bool:
		return *v
	case *timeColumn:
		return time.Time(*v)
	case *[]byte:
		return append([]byte{}, *v...) // never nil, which would be NULL
	case *metadata:
		return *v
	}
	return *read.(*string)
}

// contents gives what the first rows of a table say, 0 all of them.
func (t copyTable) contents(ctx context.Context, from *instant, most int) (c contents, err error) {
	for row, err := range t.rows(ctx, from, most, 0) {
		if err != nil {
			return c, err
		}
		c.add(row)
	}
	return c, nil
}

// contents are rows, in whatever order an engine gives them: how many, and the sum of their hashes.
type contents struct {
	Rows int    `json:"rows"`
	Hash digest `json:"hash"`
}

type digest [sha256.Size]byte

// String gives hexadecimal digits.
func (d digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText gives hexadecimal digits.
func (d digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads them.
func (d *digest) UnmarshalText(text []byte) error {
	_, err := hex.Decode(d[:], text[:min(len(text), 2*len(d))])
	return err
}

// add adds a row.
func (c *contents) add(row []any) {
	c.Rows++
	carry := 0
	for i, b := range slices.Backward(hashOf(row)) {
		carry += int(c.Hash[i]) + int(b)
		c.Hash[i] = byte(carry)
		carry >>= 8
	}
}

// hashOf hashes what a row says; the length before each value keeps two from being taken for others.
func hashOf(row []any) []byte {
	h := sha256.New()
	for _, value := range row {
		bytes := bytesOf(value)
		h.Write(binary.AppendUvarint(nil, uint64(len(bytes))))
		h.Write(bytes)
	}
	return h.Sum(nil)
}

func bytesOf(value any) []byte {
	switch v := value.(type) {
	case string:
		return []byte(v)
	case []byte:
		return v
	case metadata:
		text, _ := json.Marshal(v) // a map of texts always can be written, and its keys are sorted
		return text
	case time.Time:
		if v.IsZero() {
			return nil
		}
		return fmt.Append(nil, v.UnixMicro())
	}
	return fmt.Append(nil, value) // a number, a flag, or a number with whether there is one
}
