package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// timeline is the push errors of a run hour by hour, a row for each code, and when a credential was changed meanwhile.
type timeline struct {
	From, To string
	Hours    int
	Rows     []timelineRow
	Changes  []timelineChange
}

type timelineRow struct {
	Title, Words string
	Bars         []timelineBar
}

// timelineBar is what happened in one hour, in percent of the busiest hour of the row.
type timelineBar struct {
	At, Top, Height int
	Words           string
}

type timelineChange struct {
	At    string // hours since the start
	Words string
}

// newTimeline counts every event once, though environments that share a Service see the same one.
func newTimeline(r Report) timeline {
	if !r.Evidence.LookedAt {
		return timeline{}
	}
	from := r.Evidence.Since.UTC().Truncate(time.Hour)
	line := timeline{From: clock(from, r.At), To: clock(r.Evidence.Until, r.At), Hours: int(r.Evidence.Until.Sub(from).Hours()) + 1}
	names, counts := map[int]string{}, map[int][]int{}
	seen, changed := map[string]bool{}, map[string]bool{}
	for _, snap := range r.snapshots {
		for _, e := range snap.Events.Value.Events {
			hour := int(e.Timestamp.Sub(from).Hours())
			key := cmp.Or(e.EventSID, fmt.Sprint(e.Timestamp, e.FactorSID, e.ChallengeSID))
			if !isTrouble(e) || !snap.owns(e) || seen[key] || e.Timestamp.Before(from) || hour >= line.Hours {
				continue
			}
			seen[key] = true
			code := codeOf(e)
			if counts[code] == nil {
				counts[code] = make([]int, line.Hours)
			}
			names[code] = e.ErrorName
			counts[code][hour]++
		}
		for _, c := range []reading[verify.Credential]{snap.APN, snap.FCM} {
			at := c.Value.DateUpdated
			if c.ok() && !changed[string(c.Value.SID)] && at.After(from) && !at.After(r.Evidence.Until) {
				changed[string(c.Value.SID)] = true
				line.Changes = append(line.Changes, timelineChange{fmt.Sprintf("%.2f", at.Sub(from).Hours()), fmt.Sprintf("%s at %s", c.Value.SID, clock(at, r.At))})
			}
		}
	}
	for code, hours := range counts {
		line.Rows = append(line.Rows, newTimelineRow(strings.TrimSpace(fmt.Sprint(code, " ", plain(names[code]))), hours, from, r.At))
	}
	slices.SortFunc(line.Rows, func(a, b timelineRow) int { return cmp.Compare(a.Title, b.Title) })
	return line
}

func newTimelineRow(title string, hours []int, from, now time.Time) timelineRow {
	row, most, total := timelineRow{Title: title}, slices.Max(hours), 0
	for i, n := range hours {
		total += n
		if n == 0 {
			continue
		}
		height := max(2, n*100/most)
		row.Bars = append(row.Bars, timelineBar{i, 100 - height, height, fmt.Sprintf("%d in the hour from %s", n, hourOf(from, i, now))})
	}
	row.Words = fmt.Sprintf("%s, up to %d in an hour, at %s", verify.Count(total, "event"), most, hourOf(from, slices.Index(hours, most), now))
	return row
}

func hourOf(from time.Time, i int, now time.Time) string {
	return clock(from.Add(time.Duration(i)*time.Hour), now)
}
