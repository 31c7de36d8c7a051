package render

import (
	"strings"
	"testing"
	"time"
)

func TestProgress(t *testing.T) {
	now := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name     string
		terminal bool
		after    time.Duration
		total    int64
		want     string
	}{
		{"a bar", true, barInterval, 100, "\r\x1b[?7lreading 50 [===========           ] 12/s\x1b[K\x1b[?7h\r\x1b[K"},
		{"no bar without a total", true, barInterval, 0, "\r\x1b[?7lreading 50 12/s\x1b[K\x1b[?7h\r\x1b[K"},
		{"nothing too often", true, barInterval - 1, 100, ""},
		{"a line a minute in a log", false, logInterval, 100, "verifyctl: reading: 50 of 100, 12/s\n"},
		{"no line before", false, logInterval - 1, 100, ""},
	} {
		var out strings.Builder
		at := now
		p := NewProgress(&out, c.terminal, "reading", func() time.Time { return at })
		at = now.Add(c.after)
		p.Set(50, c.total, "12/s")
		p.Set(51, c.total, "12/s")
		p.Close()
		if out.String() != c.want {
			t.Errorf("%s: %q, want %q", c.name, out.String(), c.want)
		}
	}
}
