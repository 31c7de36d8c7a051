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

// pushErrors gives when push errors happened, by their code and name and each by its key: environments that share a Service
// see the same one.
func (r Report) pushErrors() map[string]map[string]time.Time {
	found := map[string]map[string]time.Time{}
	for _, snap := range r.snapshots {
		for _, e := range snap.Events.Value.Events {
			if !isTrouble(e) || !snap.owns(e) {
				continue
			}
			title := strings.TrimSpace(fmt.Sprint(codeOf(e), " ", plain(e.ErrorName)))
			if found[title] == nil {
				found[title] = map[string]time.Time{}
			}
			found[title][cmp.Or(e.EventSID, fmt.Sprint(e.Timestamp, e.FactorSID, e.ChallengeSID))] = e.Timestamp
		}
	}
	return found
}

// countEach counts events in so many steps from a time on.
func countEach(events map[string]time.Time, from time.Time, step time.Duration, steps int) []int {
	counts := make([]int, steps)
	for _, at := range events {
		if i := int(at.Sub(from) / step); !at.Before(from) && i < steps {
			counts[i]++
		}
	}
	return counts
}

// newTimeline counts every event once.
func newTimeline(r Report) timeline {
	if !r.Evidence.LookedAt {
		return timeline{}
	}
	from := r.Evidence.Since.UTC().Truncate(time.Hour)
	line := timeline{From: clock(from, r.At), To: clock(r.Evidence.Until, r.At), Hours: int(r.Evidence.Until.Sub(from).Hours()) + 1}
	changed := map[string]bool{}
	for _, snap := range r.snapshots {
		for _, c := range []reading[verify.Credential]{snap.APN, snap.FCM} {
			at := c.Value.DateUpdated
			if c.ok() && !changed[string(c.Value.SID)] && at.After(from) && !at.After(r.Evidence.Until) {
				changed[string(c.Value.SID)] = true
				line.Changes = append(line.Changes, timelineChange{fmt.Sprintf("%.2f", at.Sub(from).Hours()), fmt.Sprintf("%s at %s", c.Value.SID, clock(at, r.At))})
			}
		}
	}
	for title, events := range r.pushErrors() {
		hours := countEach(events, from, time.Hour, line.Hours)
		if slices.Max(hours) > 0 {
			line.Rows = append(line.Rows, newTimelineRow(title, hours, from, r.At))
		}
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
