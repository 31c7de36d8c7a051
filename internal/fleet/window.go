package fleet

import (
	"fmt"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Hours is a part of each day in which bulk reads are welcome, such as 01:00-05:00 in a time zone of the caller's. It may go over
// midnight. The zero value is the whole day. It is a flag value.
type Hours struct {
	from, until time.Duration // since midnight; equal for the whole day
}

// ParseHours reads HH:MM-HH:MM.
func ParseHours(s string) (Hours, error) {
	from, until, ok := strings.Cut(s, "-")
	begin, err1 := time.Parse("15:04", from)
	end, err2 := time.Parse("15:04", until)
	if !ok || err1 != nil || err2 != nil || begin.Equal(end) {
		return Hours{}, verify.Usagef("%q is not a time of day from and until", s).WithHint("write HH:MM-HH:MM, such as 01:00-05:00 or 22:00-06:00")
	}
	midnight := time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	return Hours{begin.Sub(midnight), end.Sub(midnight)}, nil
}

// String gives the hours as [ParseHours] reads them; "" for the whole day.
func (h Hours) String() string {
	if h.from == h.until {
		return ""
	}
	clock := func(d time.Duration) string { return fmt.Sprintf("%02d:%02d", int(d.Hours()), int(d.Minutes())%60) }
	return clock(h.from) + "-" + clock(h.until)
}

// Set reads the hours from a flag.
func (h *Hours) Set(s string) error {
	parsed, err := ParseHours(s)
	if err == nil {
		*h = parsed
	}
	return err
}

// Type names the kind of value for help.
func (h *Hours) Type() string { return "HH:MM-HH:MM" }

// opens gives the next time, from t on, that lies within the hours.
func (h Hours) opens(t time.Time) time.Time {
	year, month, dayOfMonth := t.Date()
	at := func(d time.Duration) time.Time { // by the clock on the wall, which some days of the year have 23 or 25 hours of
		return time.Date(year, month, dayOfMonth, int(d.Hours()), int(d.Minutes())%60, 0, 0, t.Location())
	}
	begin, end := at(h.from), at(h.until)
	switch {
	case h.from == h.until:
		return t
	case h.from < h.until && t.Before(begin):
		return begin
	case h.from < h.until && t.Before(end):
		return t
	case h.from < h.until:
		dayOfMonth++
		return at(h.from)
	case t.Before(end) || !t.Before(begin):
		return t
	}
	return begin
}
