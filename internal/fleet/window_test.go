package fleet

import (
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

func TestHoursOpen(t *testing.T) {
	at := func(dayOfMonth, hour, minute int) time.Time {
		return time.Date(2026, 3, dayOfMonth, hour, minute, 0, 0, time.UTC)
	}
	for _, tc := range []struct {
		hours     string
		now, want time.Time
	}{
		{"01:00-05:00", at(1, 0, 30), at(1, 1, 0)},
		{"01:00-05:00", at(1, 1, 0), at(1, 1, 0)},
		{"01:00-05:00", at(1, 4, 59), at(1, 4, 59)},
		{"01:00-05:00", at(1, 5, 0), at(2, 1, 0)},
		{"22:30-06:00", at(1, 23, 0), at(1, 23, 0)},
		{"22:30-06:00", at(1, 3, 0), at(1, 3, 0)},
		{"22:30-06:00", at(1, 6, 0), at(1, 22, 30)},
		{"22:30-06:00", at(1, 22, 29), at(1, 22, 30)},
	} {
		h, err := ParseHours(tc.hours)
		if err != nil || h.String() != tc.hours {
			t.Fatalf("%s is %s (%v)", tc.hours, h, err)
		}
		if got := h.opens(tc.now); !got.Equal(tc.want) {
			t.Errorf("%s at %v opens %v, want %v", tc.hours, tc.now, got, tc.want)
		}
	}
	if now := at(1, 12, 0); !(Hours{}).opens(now).Equal(now) || (Hours{}).String() != "" {
		t.Error("no hours are not the whole day")
	}
	for _, s := range []string{"", "01:00", "1-5", "25:00-01:00", "01:00-01:00", "01:00-05:00-07:00", "a-b"} {
		if _, err := ParseHours(s); verify.KindOf(err) != verify.KindUsage {
			t.Errorf("%q passed: %v", s, err)
		}
	}
}
