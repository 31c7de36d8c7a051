package doctor

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Look is what one look at all environments found.
type Look struct {
	At         time.Time // by the clock of the first environment
	Report     Report
	Err        error                      // why there is no report
	Challenges map[string]ChallengeCounts // of those created here, by environment
	Requests   int                        // that the look took
	Throttled  bool                       // Twilio answered some with a 429
}

// ChallengeCounts is how challenges ended.
type ChallengeCounts struct {
	Approved, Denied, Expired, Pending int
	Unread                             int // whose answer is not known
	Err                                error
}

// Add counts a challenge; "" is one whose answer is not known.
func (c *ChallengeCounts) Add(status verify.ChallengeStatus) {
	switch status {
	case verify.ChallengeApproved:
		c.Approved++
	case verify.ChallengeDenied:
		c.Denied++
	case verify.ChallengeExpired:
		c.Expired++
	case verify.ChallengePending:
		c.Pending++
	default:
		c.Unread++
	}
}

func (c ChallengeCounts) String() string {
	if c.Err != nil {
		return "not known: " + describe(c.Err)
	}
	text := fmt.Sprintf("%d approved, %d denied, %d expired, %d pending", c.Approved, c.Denied, c.Expired, c.Pending)
	if c.Unread > 0 {
		text += fmt.Sprintf(", %d not read", c.Unread)
	}
	return text
}

// Watch is what is seen of environments by looking again and again. It is a value: [Watch.See] gives the next one.
type Watch struct {
	every  time.Duration // between two looks
	last   Look
	slowed bool
	facts  []fact
	told   []string                        // what the last look changed
	seen   map[string]map[string]time.Time // push errors of the last look
	total  map[string]int                  // push errors since the watch began
}

// fact is one thing that a look found.
type fact struct {
	part  watchPart
	name  string
	state Status
	text  string // in one line
	news  string // a line is printed when this changes
	since time.Time
	count []int // of push errors by the minute
}

// watchPart is a part of the screen.
type watchPart int

const (
	partPlace watchPart = iota
	partErrors
	partChallenges
	partCapture
	partCheck
)

const (
	watchMinutes = 30               // of push errors that are shown
	slowestWatch = 15 * time.Minute // between looks, when Twilio asked to slow down
	backfillLate = 2 * time.Hour    // since the last backfill: a listener makes one every hour
)

// title is what stands above a part, "" above the first.
func (w Watch) title(part watchPart) string {
	switch part {
	case partErrors:
		return fmt.Sprintf("PUSH ERRORS A MINUTE, the last %d minutes", watchMinutes)
	case partChallenges:
		return "CHALLENGES CREATED HERE since " + clock(w.last.Report.Evidence.Since, w.last.At)
	case partCapture:
		return "EVENTS CAPTURED HERE"
	case partCheck:
		return "CHECKS"
	}
	return ""
}

// NewWatch begins a watch.
func NewWatch(every time.Duration) Watch {
	return Watch{every: every, seen: map[string]map[string]time.Time{}, total: map[string]int{}}
}

// Pause is how long to wait before the next look. A 429 doubles it, for good.
func (w Watch) Pause() time.Duration { return w.every }

// Problem tells why the last look gave nothing.
func (w Watch) Problem() error { return w.last.Err }

// Outcome is that of the last look, as [Report.Outcome] has it.
func (w Watch) Outcome(on FailOn) error {
	if w.last.Err != nil {
		return &verify.Error{Kind: verify.KindPartial, Message: "nothing could be checked"}
	}
	return w.last.Report.Outcome(on)
}

// See gives the watch after one more look.
func (w Watch) See(l Look) Watch {
	next := Watch{every: w.every, last: l, seen: w.seen, total: maps.Clone(w.total)}
	if next.slowed = w.slowed || l.Throttled; l.Throttled {
		next.every = max(w.every, min(2*w.every, slowestWatch))
	}
	if l.Err != nil {
		next.facts = w.unknown(l)
	} else {
		next.facts = slices.Concat(places(l.Report), next.errors(), challengesOf(l), captures(l.Report), checks(l.Report))
	}
	next.told = compareFacts(w.facts, next.facts, l.At)
	return next
}

// unknown is what is known of places that could not be looked at.
func (w Watch) unknown(l Look) []fact {
	facts := []fact{}
	for _, f := range w.facts {
		if f.part == partPlace {
			facts = append(facts, fact{part: partPlace, name: f.name, state: Unknown, text: "not checked: " + plain(describe(l.Err)), news: string(Unknown)})
		}
	}
	return facts
}

// places tells how environments and accounts are as a whole. What could not be read is never in order.
func places(r Report) []fact {
	var names []string
	results := map[string][]Result{}
	for _, result := range r.Results {
		if results[result.where()] == nil {
			names = append(names, result.where())
		}
		results[result.where()] = append(results[result.where()], result)
	}
	var facts []fact
	for _, name := range names {
		sum, state, cause, grave := summarise(results[name]), Pass, "", false
		for _, result := range results[name] {
			if result.Status == Unknown && result.ReadFailed && (cause == "" || result.unread() && !grave) {
				cause, grave = "; not everything could be read: "+result.Reason, result.unread()
			}
		}
		switch {
		case sum.Fail > 0:
			state = Fail
		case grave:
			state = Unknown
		case sum.Warn > 0:
			state = Warn
		case cause != "" || sum.Pass == 0:
			state = Unknown
		}
		text := fmt.Sprintf("%d failed, %s, %d unknown, %d passed%s", sum.Fail, verify.Count(sum.Warn, "warning"), sum.Unknown, sum.Pass, cause)
		facts = append(facts, fact{part: partPlace, name: name, state: state, text: text, news: string(state)})
	}
	return facts
}

// errors counts push errors by the minute, and all that this watch has seen.
func (w *Watch) errors() []fact {
	r := w.last.Report
	if !r.Evidence.LookedAt {
		why := "not known: " + plain(r.Evidence.Why)
		return []fact{{part: partErrors, state: Unknown, text: why, news: why}}
	}
	found := r.pushErrors()
	var facts []fact
	for _, title := range slices.Sorted(maps.Keys(found)) {
		for key := range found[title] {
			if _, known := w.seen[title][key]; !known {
				w.total[title]++
			}
		}
		counts, recent := countEach(found[title], r.At.Truncate(time.Minute).Add((1-watchMinutes)*time.Minute), time.Minute, watchMinutes), 0
		for _, n := range counts {
			recent += n
		}
		facts = append(facts, fact{part: partErrors, name: title, state: Warn, count: counts, news: fmt.Sprint(w.total[title]),
			text: fmt.Sprintf("%d in the last %d minutes, %d since %s", recent, watchMinutes, len(found[title]), clock(r.Evidence.Since, r.At))})
	}
	w.seen = found
	return facts
}

func challengesOf(l Look) []fact {
	var facts []fact
	for _, env := range l.Report.Environments {
		if counts, ok := l.Challenges[env.Name]; ok {
			f := fact{part: partChallenges, name: plain(env.Name), state: Pass, text: plain(counts.String()), news: plain(counts.String())}
			if counts.Err != nil || counts.Unread > 0 {
				f.state = Unknown
			}
			facts = append(facts, f)
		}
	}
	return facts
}

// captures tells whether this machine still captures events: a listener fetches every hour what was not delivered.
func captures(r Report) []fact {
	var facts []fact
	for _, snap := range r.snapshots {
		f := fact{part: partCapture, name: plain(snap.Env.Name), state: Warn}
		capture := snap.Capture.Value
		switch {
		case !snap.Capture.asked:
			continue
		case !snap.Capture.ok():
			f.state, f.text = Unknown, "not known: "+plain(describe(snap.Capture.problem()))
			f.news = f.text
		case len(capture.Covered) == 0:
			f.text = "no listener ever ran here, and no alerts were stored"
			f.news = f.text
		default:
			newest := capture.Covered[len(capture.Covered)-1].Until
			f.state, f.news = Pass, "up to date"
			if snap.Now.Sub(newest) > backfillLate {
				f.state, f.news = Warn, "no backfill since "+clock(newest, snap.Now)
			}
			f.text = fmt.Sprintf("%s; %s, complete until %s", f.news, verify.Count(capture.Events, "event"), clock(newest, snap.Now))
			if !capture.Last.IsZero() {
				f.text += ", the last one of " + clock(capture.Last, snap.Now)
			}
		}
		facts = append(facts, f)
	}
	return facts
}

// checks are the results one by one, the worst first.
func checks(r Report) []fact {
	var facts []fact
	for _, result := range r.Results {
		facts = append(facts, fact{part: partCheck, name: result.where() + " " + result.Check, state: result.Status, text: result.reason(), news: string(result.Status)})
	}
	slices.SortStableFunc(facts, func(a, b fact) int { return cmp.Compare(rank[b.state], rank[a.state]) })
	return facts
}

// loud tells what is worth a line: of checks those that are not in order.
func (f fact) loud() bool { return f.part != partCheck || f.state == Fail || f.state == Warn }

// compareFacts says what changed, a line for each, and dates what did not.
func compareFacts(before, now []fact, at time.Time) (told []string) {
	known := map[string]fact{}
	for _, f := range before {
		known[f.key()] = f
	}
	for i := range now {
		f := &now[i]
		was, ok := known[f.key()]
		if ok && was.news == f.news {
			f.since = was.since
			continue
		}
		f.since = at
		if f.loud() || was.loud() && ok {
			told = append(told, f.line())
		}
	}
	return told
}

func (f fact) key() string { return fmt.Sprint(f.part, " ", f.name) }

// line says it in one line for a log.
func (f fact) line() string {
	switch {
	case f.part == partErrors && f.count == nil:
		return "push errors " + f.text
	case f.part == partErrors:
		return "push errors " + f.name + ": " + f.text
	case f.part == partChallenges:
		return f.name + " challenges created here: " + f.text
	case f.part == partCapture:
		return f.name + " events captured here: " + f.text
	}
	return fmt.Sprintf("%s %s: %s", f.name, strings.TrimSpace(words[f.state]), f.text)
}

// News gives what the last look changed, a line for each.
func (w Watch) News() []string {
	lines := make([]string, len(w.told))
	for i, text := range w.told {
		lines[i] = w.last.At.UTC().Format(time.RFC3339) + " " + text
	}
	return lines
}

// Cost says what looking takes of the account's limit, which users' logins share.
func (w Watch) Cost() string {
	text := fmt.Sprintf("%s a look, one every %s", verify.Count(w.last.Requests, "request"), verify.Period(w.every))
	if w.slowed {
		text += ", less often since Twilio answered 429"
	}
	return text
}

// Text shows everything for people: how environments are first, and checks last, where a short screen cuts them off, the worst of
// them on top. draw draws counts by the minute.
func (w Watch) Text(paint Painter, draw func([]int) string) string {
	t := &text{paint: paint}
	t.line("Looked at %s; %s.", w.last.At.UTC().Format("15:04:05 UTC"), w.Cost())
	part := watchPart(-1)
	for _, f := range w.facts {
		if !f.loud() {
			continue
		}
		if f.part != part {
			t.line("")
			if title := w.title(f.part); title != "" {
				t.line("%s", title)
			}
			part = f.part
		}
		switch {
		case f.part == partErrors && f.count == nil:
			t.line("  %s", t.paint(f.state, f.text))
		case f.part == partErrors:
			t.line("  %s  %s: %s", draw(f.count), f.name, f.text)
		case f.part == partChallenges || f.part == partCapture:
			t.line("  %s: %s", f.name, t.paint(f.state, f.text))
		default:
			t.line("%s %s since %s: %s", t.paint(f.state, words[f.state]), f.name, clock(f.since, w.last.At), f.text)
		}
	}
	return t.out.String()
}
