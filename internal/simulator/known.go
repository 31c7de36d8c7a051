package simulator

import (
	"context"
	"database/sql/driver"
	"errors"
)

// knownRows are the rows that a connection found and has to read again only once the state was changed.
type knownRows map[rowKey]any

// rowKey is what a row was found by.
type rowKey struct {
	table, where string
	args         [3]any
}

// maxKnown is how many rows a connection knows before it begins anew.
const maxKnown = 1000

// BeginTx begins to write, after which nothing that is known needs to hold.
func (c *keepingConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	c.known = nil
	return c.sqliteConn.BeginTx(ctx, opts)
}

// beginReading begins a transaction that only reads, and gives the rows that hold in the state that it sees.
func (c *keepingConn) beginReading() (knownRows, error) {
	if err := c.run("BEGIN"); err != nil {
		return nil, err
	}
	version, err := c.dataVersion()
	if err != nil {
		return nil, errors.Join(err, c.run("ROLLBACK"))
	}
	if c.known == nil || c.version != version || len(c.known) >= maxKnown {
		c.known, c.version = knownRows{}, version
	}
	return c.known, nil
}

// dataVersion gives a number that is another one once another connection has changed the state that this one sees.
func (c *keepingConn) dataVersion() (driver.Value, error) {
	stmt, err := c.PrepareContext(context.Background(), "PRAGMA data_version")
	if err != nil {
		return nil, err
	}
	defer stmt.Close() // keeps it
	rows, err := stmt.(sqliteStmt).QueryContext(context.Background(), nil)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	version := make([]driver.Value, 1)
	err = rows.Next(version)
	return version[0], err
}

// recall gives the row of a key, which read is asked for unless it is known. It is the caller's own.
func recall[T any](known knownRows, key rowKey, read func() (*T, error)) (*T, error) {
	if row, isKnown := known[key].(*T); isKnown {
		given := *row
		return &given, nil
	}
	row, err := read()
	if err == nil && row != nil && known != nil {
		kept := *row
		known[key] = &kept
	}
	return row, err
}
