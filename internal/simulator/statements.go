package simulator

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"

	"modernc.org/sqlite"
)

// openStatements opens a database whose connections keep their statements: a request runs a dozen of always the same, and
// compiling them took longer than running them.
func openStatements(dsn string) (*sql.DB, error) {
	connector, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(keepingConnector{connector}), nil
}

type keepingConnector struct{ driver.Connector }

// Connect gives a connection of the driver's that keeps its statements.
func (c keepingConnector) Connect(ctx context.Context) (driver.Conn, error) {
	connected, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &keepingConn{sqliteConn: connected.(sqliteConn), idle: map[string]driver.Stmt{}}, nil
}

// sqliteConn is what database/sql asks of a connection here. That it can run a query without preparing it is left out, so
// that every query goes through PrepareContext.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.SessionResetter
	driver.Validator
}

// keepingConn keeps each statement that is not in use, by its text, and what it knows of the state.
type keepingConn struct {
	sqliteConn
	idle    map[string]driver.Stmt
	known   knownRows
	version driver.Value // of the state that known is of
}

// PrepareContext takes the statement that is kept, which nobody else uses until it is closed, or makes it.
func (c *keepingConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	stmt := c.idle[query]
	delete(c.idle, query)
	if stmt == nil {
		var err error
		if stmt, err = c.sqliteConn.PrepareContext(ctx, query); err != nil {
			return nil, err
		}
	}
	return &keptStmt{stmt.(sqliteStmt), c, query}, nil
}

// run runs a statement that needs nothing and gives nothing.
func (c *keepingConn) run(query string) error {
	stmt, err := c.PrepareContext(context.Background(), query)
	if err != nil {
		return err
	}
	defer stmt.Close() // keeps it
	_, err = stmt.(sqliteStmt).ExecContext(context.Background(), nil)
	return err
}

// Close ends the statements that are kept, and the connection.
func (c *keepingConn) Close() error {
	var errs []error
	for _, stmt := range c.idle {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(append(errs, c.sqliteConn.Close())...)
}

type sqliteStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// keptStmt goes back to its connection when it is closed.
type keptStmt struct {
	sqliteStmt
	conn  *keepingConn
	query string
}

// ExecContext runs the statement to its end: the driver would start a goroutine to watch ctx, which takes longer than most of
// these statements run.
func (s *keptStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.sqliteStmt.ExecContext(context.WithoutCancel(ctx), args)
}

// QueryContext is [keptStmt.ExecContext] for a statement that gives rows.
func (s *keptStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.sqliteStmt.QueryContext(context.WithoutCancel(ctx), args)
}

// Close keeps the statement, unless another of the same text is kept already.
func (s *keptStmt) Close() error {
	if s.conn.idle[s.query] != nil {
		return s.sqliteStmt.Close()
	}
	s.conn.idle[s.query] = s.sqliteStmt
	return nil
}
