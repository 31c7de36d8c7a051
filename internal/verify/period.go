package verify

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// Period is a length of time as operators write it: 90m, 12h, 7d, 2w. It is a flag value.
type Period time.Duration

// ParsePeriod reads whole days or weeks, or what [time.ParseDuration] reads and is not negative.
func ParsePeriod(s string) (Period, error) {
	text := s
	for unit, hours := range map[string]uint64{"d": 24, "w": 7 * 24} {
		number, _ := strings.CutSuffix(s, unit)
		if n, err := strconv.ParseUint(number, 10, 32); err == nil && number != s {
			text = fmt.Sprintf("%dh", n*hours)
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, Usagef("%q is not a duration", s).WithHint("write it like 30s, 90m, 12h, 7d or 2w")
	}
	return Period(d), nil
}

// String gives the period as [ParsePeriod] reads it.
func (p Period) String() string {
	d := time.Duration(p)
	for _, unit := range []struct {
		name   string
		length time.Duration
	}{{"d", day}, {"h", time.Hour}, {"m", time.Minute}} {
		if d != 0 && d%unit.length == 0 {
			return fmt.Sprintf("%d%s", d/unit.length, unit.name)
		}
	}
	if d == 0 {
		return "0" // what help takes for no default
	}
	return d.String()
}

// Before gives the time that lies the period before t.
func (p Period) Before(t time.Time) time.Time { return t.Add(-time.Duration(p)) }

// Set reads the period from a flag.
func (p *Period) Set(s string) error {
	parsed, err := ParsePeriod(s)
	if err == nil {
		*p = parsed
	}
	return err
}

// Type names the kind of value for help.
func (p *Period) Type() string { return "duration" }

// MarshalText writes the period as [ParsePeriod] reads it.
func (p Period) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads a period.
func (p *Period) UnmarshalText(text []byte) error { return p.Set(string(text)) }

// Since is a time in the past as operators write it: how long ago, a day in UTC, or an RFC 3339 time. The zero value is
// none. It is a flag value.
type Since struct {
	text string
	ago  Period
	at   time.Time
}

// Ago gives the time that lies a period back.
func Ago(p Period) Since { return Since{text: p.String(), ago: p} }

// IsZero tells whether no time was given.
func (s Since) IsZero() bool { return s == Since{} }

// Time gives the time; zero when none was given. The error is a usage [Error], for one that is not before now.
func (s Since) Time(now time.Time) (time.Time, error) {
	switch {
	case s.ago > 0:
		return s.ago.Before(now), nil
	case !s.at.IsZero() && !s.at.Before(now):
		return time.Time{}, Usagef("%s is not in the past: it is %s", s.text, now.UTC().Format(time.RFC3339))
	}
	return s.at, nil
}

// String gives the time as it was written.
func (s Since) String() string { return s.text }

// Set reads the time from a flag.
func (s *Since) Set(text string) error {
	ago, err := ParsePeriod(text)
	at, _, isTime := ParseTime(text)
	if err != nil && !isTime || err == nil && ago == 0 {
		return Usagef("%q is not a time in the past", text).
			WithHint("write how long ago, such as 90m, 12h, 7d or 2w, or a time: 2026-01-31, or 2026-01-31T08:00:00Z")
	}
	*s = Since{text, ago, at}
	return nil
}

// Type names the kind of value for help.
func (s *Since) Type() string { return "time" }

// ParseTime reads an RFC 3339 time, or a day in UTC, and gives when it begins and has ended.
func ParseTime(s string) (from, until time.Time, ok bool) {
	if from, err := time.Parse(time.DateOnly, s); err == nil {
		return from, from.AddDate(0, 0, 1), true
	}
	at, err := time.Parse(time.RFC3339, s)
	return at.UTC(), at.UTC().Add(1), err == nil
}
