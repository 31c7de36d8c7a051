package verify

import (
	"testing"
	"time"
)

func TestPeriods(t *testing.T) {
	for text, want := range map[string]string{"14d": "14d", "2w": "14d", "36h": "36h", "48h": "2d", "0": "0", "0d": "0", "0w": "0", "90m": "90m",
		"60m": "1h", "30s": "30s", "1h30m": "90m", "1100ms": "1.1s", "1.5h": "90m", "106751d": "106751d"} {
		p, err := ParsePeriod(text)
		if again, err2 := ParsePeriod(p.String()); err != nil || err2 != nil || p.String() != want || again != p {
			t.Errorf("%s is %s (%v %v), want %s", text, p, err, err2, want)
		}
	}
	for _, text := range []string{"", "14", "d", "w", "-1d", "-1h", "+1d", "1.5d", "99999999d", "106752d", "4294967295w", "1dd", "1d2h", "1 d", " 1d", "1D", "1y",
		"yesterday", "2026-01-01"} {
		if p, err := ParsePeriod(text); KindOf(err) != KindUsage {
			t.Errorf("%q passed as %s", text, p)
		}
	}
}

func TestSince(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"90m": now.Add(-90 * time.Minute), "12h": now.Add(-12 * time.Hour), "7d": now.AddDate(0, 0, -7), "2w": now.AddDate(0, 0, -14),
		"1h30m": now.Add(-90 * time.Minute), "2026-01-31": now.Add(-12 * time.Hour), "2026-01-31T08:00:00+02:00": now.Add(-6 * time.Hour),
	} {
		var s Since
		if err := s.Set(text); err != nil || s.String() != text || s.IsZero() {
			t.Errorf("%s: %+v, %v", text, s, err)
		}
		if got, err := s.Time(now); err != nil || !got.Equal(want) {
			t.Errorf("%s is %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "0", "0d", "-1h", "24", "yesterday", "2026-13-01", "2026-01-31T08:00:00", "2026-01-31 08:00:00Z", "now-7d"} {
		if err := new(Since).Set(text); KindOf(err) != KindUsage {
			t.Errorf("%q passed", text)
		}
	}
	var future Since
	if err := future.Set("2026-02-01"); err != nil {
		t.Fatal(err)
	}
	if at, err := future.Time(now); KindOf(err) != KindUsage {
		t.Errorf("a time to come passed as %s", at)
	}
}
