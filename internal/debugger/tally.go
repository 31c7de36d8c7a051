package debugger

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
)

// Grouping is what events are counted by.
type Grouping string

// The groupings.
const (
	ByCode       Grouping = "code"
	byFactor     Grouping = "factor"
	byCredential Grouping = "credential"
	byService    Grouping = "service"
	byIdentity   Grouping = "identity"
	byHour       Grouping = "hour"
)

// Groupings are all of them, as a flag offers them.
var Groupings = []Grouping{ByCode, byFactor, byCredential, byService, byIdentity, byHour}

// Group is how many events have one thing in common.
type Group struct {
	Key    string    `json:"key"`  // "" when the events do not say
	Name   string    `json:"name"` // of a code, or the environment of a Service; "" where there is none
	Events int       `json:"events"`
	First  time.Time `json:"first,omitzero"`
	Last   time.Time `json:"last,omitzero"`

	minutes map[int64]int // how many events there were in a minute since 1970
}

// trendParts is in how many parts of a span of time a trend counts.
const trendParts = 24

// Trend counts the group's events in equal parts of a span, none of them shorter than a minute.
func (g Group) Trend(within event.Span) []int {
	from, until := within.From.Unix()/60, within.Until.Unix()/60
	parts := min(trendParts, until-from+1)
	counts := make([]int, parts)
	for minute, n := range g.minutes {
		if from <= minute && minute <= until {
			counts[(minute-from)*parts/(until-from+1)] += n
		}
	}
	return counts
}

// Tally counts events by what they have in common.
type Tally struct {
	by     Grouping
	groups map[string]*Group
}

// NewTally counts by one grouping.
func NewTally(by Grouping) *Tally { return &Tally{by, map[string]*Group{}} }

// Add counts an event.
func (t *Tally) Add(e event.Event) {
	key, name := t.keyOf(e)
	g := t.groups[key]
	if g == nil {
		g = &Group{Key: key, Name: name, minutes: map[int64]int{}}
		t.groups[key] = g
	}
	g.Events++
	if at := e.Timestamp; !at.IsZero() {
		g.minutes[at.Unix()/60]++
		if g.First.IsZero() || at.Before(g.First) {
			g.First = at
		}
		if at.After(g.Last) {
			g.Last = at
		}
	}
}

func (t *Tally) keyOf(e event.Event) (key, name string) {
	switch t.by {
	case ByCode:
		if e.ErrorCode != nil {
			return strconv.Itoa(*e.ErrorCode), e.ErrorName
		}
	case byFactor:
		return e.FactorSID, ""
	case byCredential:
		return e.CredentialSID, ""
	case byService:
		if e.Environment != nil {
			return e.ServiceSID, *e.Environment
		}
		return e.ServiceSID, ""
	case byIdentity:
		return e.Identity, ""
	case byHour:
		if !e.Timestamp.IsZero() {
			return e.Timestamp.UTC().Truncate(time.Hour).Format(time.RFC3339), ""
		}
	}
	return "", ""
}

// Groups gives the counts, the largest first; hours in their order.
func (t *Tally) Groups() []Group {
	groups := make([]Group, 0, len(t.groups))
	for _, g := range t.groups {
		groups = append(groups, *g)
	}
	slices.SortFunc(groups, func(a, b Group) int {
		if t.by == byHour {
			return cmp.Compare(a.Key, b.Key)
		}
		return cmp.Or(-cmp.Compare(a.Events, b.Events), cmp.Compare(a.Key, b.Key))
	})
	return groups
}
