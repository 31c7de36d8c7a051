package simulator

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"slices"
	"strings"
)

// table is where one kind of row is kept.
type table[T any] struct {
	name    string
	columns string         // of which the first is seq
	fields  func(*T) []any // where each column goes, in their order
}

func (k table[T]) query(where string) string {
	return "SELECT " + k.columns + " FROM " + k.name + " WHERE " + where
}

// find gives the row that a condition picks, nil when there is none.
func (k table[T]) find(t *tx, where string, args ...any) (*T, error) {
	key := rowKey{table: k.name, where: where}
	if copy(key.args[:], args) < len(args) {
		panic("simulator: a row is found by more than a key holds") // our own conditions: a programming error
	}
	return recall(t.known, key, func() (*T, error) {
		row := new(T)
		found, err := t.row(k.fields(row), k.query(where), args...)
		if err != nil || !found {
			return nil, err
		}
		return row, nil
	})
}

// named is find for what the path of a request names: that there is none is the 404 of the request.
func (k table[T]) named(c *call, where string, args ...any) (*T, error) {
	row, err := k.find(c.tx, where, args...)
	if err == nil && row == nil {
		err = c.notFound()
	}
	return row, err
}

// list reads the rows that a condition picks, which may end with an order.
func (k table[T]) list(t *tx, where string, args ...any) ([]*T, error) {
	return collect(t, func(rows *sql.Rows) (*T, error) {
		row := new(T)
		return row, rows.Scan(k.fields(row)...)
	}, k.query(where), args...)
}

// insert adds a row, which gets its seq.
func (k table[T]) insert(t *tx, row *T) error {
	seq, values, columns := k.split(row)
	places := strings.Join(slices.Repeat([]string{"?"}, len(values)), ", ")
	result, err := t.tx.ExecContext(t.ctx, "INSERT INTO "+k.name+" ("+columns+") VALUES ("+places+")", values...)
	if err != nil {
		return err
	}
	*seq, err = result.LastInsertId()
	return err
}

// update stores a row as it is now.
func (k table[T]) update(t *tx, row *T) error {
	seq, values, columns := k.split(row)
	columns = strings.ReplaceAll(columns, ", ", " = ?, ") + " = ?"
	_, err := t.exec("UPDATE "+k.name+" SET "+columns+" WHERE seq = ?", append(values, *seq)...)
	return err
}

func (k table[T]) delete(t *tx, row *T) error {
	seq, _, _ := k.split(row)
	_, err := t.exec("DELETE FROM "+k.name+" WHERE seq = ?", *seq)
	return err
}

// split parts the number of a row from the rest of it.
func (k table[T]) split(row *T) (seq *int64, values []any, columns string) {
	_, columns, _ = strings.Cut(k.columns, ", ")
	fields := k.fields(row)
	return fields[0].(*int64), fields[1:], columns
}

// collect reads one value out of every row. None is an empty list, not null.
func collect[T any](t *tx, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	rows, err := t.tx.QueryContext(t.ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	values := []T{}
	for rows.Next() {
		value, err := scan(rows)
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, rows.Err()
}

// asJSON keeps a field as JSON in its column.
type asJSON struct{ field any }

// Value gives the JSON of the field.
func (j asJSON) Value() (driver.Value, error) { return string(encode(j.field)), nil }

// Scan reads the field from its JSON.
func (j asJSON) Scan(stored any) error {
	var raw sql.NullString
	if err := raw.Scan(stored); err != nil {
		return err
	}
	return json.Unmarshal([]byte(raw.String), j.field)
}

// valid is a text in a column that may be NULL.
func valid(s string) sql.NullString { return sql.NullString{String: s, Valid: true} }

func textOrNull(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }

func nullable(s *string) sql.NullString {
	if s == nil {
		return sql.NullString{}
	}
	return valid(*s)
}

func orNull(s sql.NullString) *string {
	if !s.Valid {
		return nil
	}
	return &s.String
}

func rawOrNull(s sql.NullString) json.RawMessage {
	if !s.Valid {
		return json.RawMessage("null")
	}
	return json.RawMessage(s.String)
}
