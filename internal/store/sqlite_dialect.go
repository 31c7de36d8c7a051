package store

import (
	"database/sql/driver"
	"encoding/json"
	"time"

	"modernc.org/sqlite"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// SQLite's side of the words that statements are written in; see [engine].

// dialect is the statement without fold: columns of SIDs are declared NOCASE.
func (e *sqliteEngine) dialect(statement string) string {
	return folded(statement, func(x string) string { return x })
}

func (e *sqliteEngine) argument(value any) any {
	switch value := value.(type) {
	case time.Time:
		if value.IsZero() {
			return int64(0)
		}
		return value.UnixMicro()
	case metadata:
		text, _ := json.Marshal(value) // a map of texts always can be written
		return string(text)
	}
	return value
}

func (e *sqliteEngine) scanned([]any) {}

// The functions that a condition needs.
func init() {
	sqlite.MustRegisterDeterministicScalarFunction("factor_like", 2, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		pattern, s := textOf(args[0]), textOf(args[1])
		return verify.Glob(pattern, s), nil
	})
	sqlite.MustRegisterDeterministicScalarFunction("version_order", 2, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		a, okA := verify.ParseVersion(textOf(args[0]))
		b, okB := verify.ParseVersion(textOf(args[1]))
		if !okA || !okB {
			return nil, nil
		}
		return int64(a.Compare(b)), nil
	})
}

// textOf gives an argument that is cast to a BLOB: as text it would end at U+0000.
func textOf(v driver.Value) string {
	s, _ := v.([]byte)
	return string(s)
}

func (e *sqliteEngine) like(column, pattern string) (string, any) {
	return "factor_like(CAST(? AS BLOB), CAST(" + column + " AS BLOB))", pattern
}

func (e *sqliteEngine) ordered(column, operator string) string {
	// Text that is no version is in no order: NULL, which is made false here so that NOT makes it true.
	return "coalesce(version_order(CAST(" + column + " AS BLOB), CAST(? AS BLOB)) " + operator + " 0, FALSE)"
}

func (e *sqliteEngine) metadata(key string) string {
	return "coalesce((SELECT value FROM json_each(metadata) WHERE key = " + key + "), '')"
}
