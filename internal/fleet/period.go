package fleet

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

const day = 24 * time.Hour

// Period is a stretch of time as operators count it: whole days or hours, written 14d or 36h. It is a flag value.
type Period time.Duration

// ParsePeriod reads 14d, 2w, 36h, or 0.
func ParsePeriod(s string) (Period, error) {
	units := map[string]time.Duration{"h": time.Hour, "d": day, "w": 7 * day}
	number, unit := strings.TrimRight(s, "hdw"), ""
	if len(number) < len(s) {
		unit = s[len(number):]
	}
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil || n > 0 && units[unit] == 0 {
		return 0, verify.Usagef("%q is not a period", s).WithHint("write hours, days or weeks, such as 36h, 14d or 8w")
	}
	return Period(time.Duration(n) * units[unit]), nil
}

// String gives the period as [ParsePeriod] reads it.
func (p Period) String() string {
	d := time.Duration(p)
	if d%day == 0 && d != 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	return fmt.Sprintf("%dh", d/time.Hour)
}

// Set reads the period from a flag.
func (p *Period) Set(s string) error {
	parsed, err := ParsePeriod(s)
	if err == nil {
		*p = parsed
	}
	return err
}

// Type names the kind of value for help.
func (p *Period) Type() string { return "period" }

// MarshalText writes the period as [ParsePeriod] reads it.
func (p Period) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads a period.
func (p *Period) UnmarshalText(text []byte) error { return p.Set(string(text)) }

// before gives the time that lies the period before t.
func (p Period) before(t time.Time) time.Time { return t.Add(-time.Duration(p)) }
