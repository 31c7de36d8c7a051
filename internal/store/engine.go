package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// engine is what differs between the databases that a memory can be in; everything else is written once. Statements are
// written in the SQL that all of them know, with ? or ?1, ?2 … for arguments and two words of our own, which [engine.write]
// turns into the engine's:
//
//   - fold(x) is a SID as it compares, without regard to letter case. x is a column or an argument.
//   - instr(x, y) is where in the bytes x the bytes y begin, from 1; 0 when they are not there.
type engine interface {
	// dialect gives the engine's text of a statement.
	dialect(statement string) string
	// argument gives a value as the engine takes it: text, numbers, bytes, a time (zero is unknown), or metadata.
	argument(value any) any
	// scanned mends, in place, what was read into dest.
	scanned(dest []any)

	// like asks whether a text fits a pattern as [verify.Glob] decides it; the pattern is the test's one argument.
	like(column, pattern string) (test string, argument any)
	// ordered compares a text with a version, the test's one argument, as [verify.Version] does; false where one is none.
	ordered(column, operator string) (test string)
	// metadata gives the value of a metadata key of a factor, '' for none; key is an argument or a quoted text.
	metadata(key string) string

	// transact runs a transaction that is done and durable when it returns without an error.
	transact(ctx context.Context, work work, change func(tx *sql.Tx) error) error
	// now gives the time by which leases end.
	now(ctx context.Context, on statements) (time.Time, error)
	// addColumn makes the column of a declared metadata key, dropColumn takes it away, and countBy makes counting by the
	// declared keys fast.
	addColumn(ctx context.Context, tx statements, number int) error
	dropColumn(ctx context.Context, tx statements, number int) error
	countBy(ctx context.Context, tx statements, numbers []int) error

	// idsAfter makes the next id that a table gives out the one after last.
	idsAfter(ctx context.Context, tx statements, table string, last int64) error

	// reader gives the connections that read.
	reader() *sql.DB
	// settle follows bulk work, so that the next process begins fast.
	settle(ctx context.Context) error
	// scrub makes what was deleted unreadable.
	scrub(ctx context.Context) error
	// check looks at what the memory stands on.
	check(ctx context.Context) ([]Finding, error)
	// place says where the memory is and how many bytes it takes.
	place(ctx context.Context) (path string, bytes int64)
	// removal is the command, or the SQL, that removes the memory.
	removal() string
	// failure says what could not be done and, where it helps, what to do. Typed errors, cancellation and nil pass through.
	failure(doing string, err error) error
	close() error
}

// work is what a transaction changes. No two transactions of the same work run at once, in whatever process, unless it is
// events, which need no order.
type work int

const (
	onRecords work = iota // what happened here: claims, resends, deletions …
	onIndex               // what can be read again from Twilio; a power loss may take back the last of these, as a whole
	onBoth                // records, with the index in a state that agrees
	onEvents              // events
	onMinor               // records of which a power loss may take back the last, those after the last change of onRecords
)

// session runs statements on a transaction, or on the connections that read.
type session struct {
	on     statements
	engine engine
}

// statements is a transaction, or the connections that read.
type statements interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// exec gives how many rows the statement changed.
func (s session) exec(ctx context.Context, statement string, args ...any) (changed int, err error) {
	result, err := s.on.ExecContext(ctx, s.engine.dialect(statement), s.arguments(args)...)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}

func (s session) query(ctx context.Context, statement string, args ...any) (*sql.Rows, error) {
	return s.on.QueryContext(ctx, s.engine.dialect(statement), s.arguments(args)...)
}

func (s session) queryRow(ctx context.Context, statement string, args ...any) scanner {
	return s.mending(s.on.QueryRowContext(ctx, s.engine.dialect(statement), s.arguments(args)...))
}

func (s session) arguments(args []any) []any {
	all := make([]any, len(args))
	for i, arg := range args {
		all[i] = s.engine.argument(arg)
	}
	return all
}

// mending gives a row that is read as it was written.
func (s session) mending(row scanner) scanner { return mendingScanner{row, s.engine} }

type mendingScanner struct {
	row    scanner
	engine engine
}

// Scan reads the row.
func (m mendingScanner) Scan(dest ...any) error {
	err := m.row.Scan(dest...)
	if err == nil {
		m.engine.scanned(dest)
	}
	return err
}

// manyRows bounds the rows of one INSERT, so that its arguments stay below what any engine takes.
const manyRows = 200

// insert puts rows into a table, many with each statement. into is the table and its columns, then is what follows the
// values, with arguments of its own. No two rows may be the same to the table where then changes rows.
func (s session) insert(ctx context.Context, into string, rows [][]any, then string, more ...any) error {
	for len(rows) > 0 {
		n := min(len(rows), manyRows)
		if _, err := s.exec(ctx, `INSERT INTO `+into+valuesOf(rows[:n])+then, append(flat(rows[:n]), more...)...); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// valuesOf gives the VALUES of some rows of the same length.
func valuesOf(rows [][]any) string {
	row := "(" + places(len(rows[0])) + ")"
	return " VALUES " + strings.TrimSuffix(strings.Repeat(row+", ", len(rows)), ", ") + " "
}

// places gives ?, ?, … for as many arguments.
func places(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

func flat(rows [][]any) (args []any) {
	for _, row := range rows {
		args = append(args, row...)
	}
	return args
}

// folded gives a statement with each fold(x) as an engine writes it.
func folded(statement string, fold func(x string) string) string {
	return unquoted(statement, func(part string) string {
		pieces := strings.Split(part, "fold(")
		for i, piece := range pieces[1:] {
			x, rest, _ := strings.Cut(piece, ")")
			pieces[i+1] = fold(x) + rest
		}
		return strings.Join(pieces, "")
	})
}

// unquoted changes the parts of a statement that are not between single quotes.
func unquoted(statement string, change func(part string) string) string {
	parts := strings.Split(statement, "'")
	for i := 0; i < len(parts); i += 2 {
		parts[i] = change(parts[i])
	}
	return strings.Join(parts, "'")
}

// quoted gives a text as SQL.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// metadata is what a factor carries, as the engine keeps it.
type metadata map[string]string

// Scan reads the column.
func (m *metadata) Scan(value any) error {
	text, ok := value.(string)
	if !ok {
		return fmt.Errorf("%v is no metadata", value)
	}
	return json.Unmarshal([]byte(text), m)
}
