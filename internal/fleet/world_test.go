package fleet

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
	"github.com/verifyctl/verifyctl/internal/where"
)

// world is a Service with its phones over a hundred days, and everything that the planner can read of it at any time of
// them. What really happened to each phone is known here and nowhere else.
//
// Its one assumption about people: a living phone whose push failed gives a sign of life before the quiet period is over,
// unless the whole fleet fell silent because of a storm. People answer on it by polling, or open the app, which then
// refreshes its token. They never let two challenges in a row run out on a living phone, unless they answered on another.
type world struct {
	rng    *rand.Rand
	lazy   bool // people may leave a phone alone for a long time after a push that failed
	now    time.Time
	phones []*phone
	events []heard
	storms event.Span // of Android

	uncounted bool // there is no index

	mu      sync.Mutex
	deleted map[verify.FactorSID]time.Time

	unflushed int // deletes since the last flush
	outcomes  map[string]map[int]verify.ItemOutcome
	reads     int
}

// heard is an event as the feed has it: one whose time was lost counts by when it came.
type heard struct {
	event.Event
	at time.Time
}

// phone is one factor and the truth about the app behind it.
type phone struct {
	kind     string
	factor   verify.Factor
	dies     time.Time // when the app went for good; zero while it lives
	updates  []time.Time
	calls    []call
	event    time.Time // of the captured, clear 52103 or 52141 about this phone's death; zero without one
	inStorm  bool      // whether it fell silent in a storm
	lastCall bool      // whether the last challenge was answered
}

// call is one challenge of a phone.
type call struct {
	sid      verify.ChallengeSID
	created  time.Time
	answered time.Time // zero when nobody did
}

var (
	worldBegin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	worldEnv   = verify.Environment{Name: "test", Kind: verify.Staging, AccountSID: "AC00000000000000000000000000000001", ServiceSID: testService}
)

const (
	callLife  = 5 * time.Minute
	worldDays = 90
)

func (p *phone) canAnswer(at time.Time) bool { return p.dies.IsZero() || at.Before(p.dies) }

// newWorld makes a fleet of phones and lets it live.
func newWorld(seed uint64, size int, lazy bool) *world {
	w := &world{lazy: lazy, rng: rand.New(rand.NewPCG(seed, 7)), deleted: map[verify.FactorSID]time.Time{}, outcomes: map[string]map[int]verify.ItemOutcome{}}
	for len(w.phones) < size {
		w.addUser()
	}
	if w.chance(0.5) {
		w.storm()
	}
	w.noise()
	return w
}

// histories are the worlds that were made, by what they were made of.
var histories sync.Map

// grown gives a world of 100 phones to plan and delete in. What happened in it is made once, and shared.
func grown(seed uint64, lazy bool) *world {
	type origin struct {
		seed uint64
		lazy bool
	}
	made, _ := histories.LoadOrStore(origin{seed, lazy}, sync.OnceValue(func() *world { return newWorld(seed, 100, lazy) }))
	past := made.(func() *world)()
	return &world{lazy: lazy, rng: rand.New(rand.NewPCG(seed, 8)), phones: past.phones, events: past.events, storms: past.storms,
		deleted: map[verify.FactorSID]time.Time{}, outcomes: map[string]map[int]verify.ItemOutcome{}}
}

func (w *world) chance(p float64) bool { return w.rng.Float64() < p }

func (w *world) between(low, high time.Duration) time.Duration {
	return low + time.Duration(w.rng.Int64N(int64(high-low)))
}

// at gives a random time between two days of the world.
func (w *world) at(from, until int) time.Time {
	return worldBegin.Add(w.between(time.Duration(from)*day, time.Duration(until)*day)).Truncate(time.Second)
}

func (w *world) sid(prefix string) string {
	return fmt.Sprintf("%s%016x%016x", prefix, w.rng.Uint64(), w.rng.Uint64())
}

func (w *world) newPhone(kind string, identity verify.Identity, platform verify.Platform, born time.Time) *phone {
	p := &phone{kind: kind, updates: []time.Time{born}, lastCall: true}
	p.factor = verify.Factor{
		SID: verify.FactorSID(w.sid("YF")), AccountSID: worldEnv.AccountSID, ServiceSID: worldEnv.ServiceSID, Identity: identity,
		FriendlyName: kind, Status: verify.FactorVerified, Type: verify.FactorPush, DateCreated: born,
		Config: verify.FactorConfig{Platform: platform, AppID: "com.bank.example", SDKVersion: "3.0.1"},
	}
	w.phones = append(w.phones, p)
	return p
}

func (w *world) addUser() {
	identity := verify.Identity(w.sid("user-")[:30])
	platform := []verify.Platform{verify.PlatformFCM, verify.PlatformFCM, verify.PlatformAPN, verify.PlatformNone}[w.rng.IntN(4)]
	switch kind := w.rng.IntN(16); kind {
	case 0, 1:
		w.healthy(w.newPhone("healthy", identity, platform, w.at(0, 20)))
	case 2:
		w.race(w.newPhone("refresh race", identity, pushed(platform), w.at(0, 20)))
	case 3:
		w.stale(w.newPhone("rotated without update", identity, pushed(platform), w.at(0, 20)))
	case 4:
		w.healthy(w.newPhone("polling only", identity, verify.PlatformNone, w.at(0, 20)))
	case 5:
		w.quietRefresh(w.newPhone("refreshed, then silent", identity, pushed(platform), w.at(0, 10)))
	case 6:
		w.newPhone("never challenged", identity, platform, w.at(0, 20))
	case 7:
		w.drawer(identity, platform)
	case 8:
		w.persist(w.newPhone("reinstalled, factor kept", identity, pushed(platform), w.at(0, 10)))
	case 9:
		w.fuzzy(w.newPhone("alive behind a 410", identity, verify.PlatformAPN, w.at(0, 10)))
	case 10:
		old := w.newPhone("reinstalled", identity, platform, w.at(0, 10))
		w.uninstall(old, w.at(15, 40))
		w.healthy(w.newPhone("after reinstall", identity, platform, old.dies.Add(w.between(time.Hour, 5*day))))
	default:
		w.uninstall(w.newPhone("uninstalled", identity, platform, w.at(0, 10)), w.at(15, 75))
	}
}

func pushed(p verify.Platform) verify.Platform {
	if p == verify.PlatformNone {
		return verify.PlatformFCM
	}
	return p
}

// challenge creates a challenge; whoever can answer it does with a probability, and always when the last one ran out.
func (w *world) challenge(p *phone, at time.Time, answer float64) *call {
	c := call{sid: verify.ChallengeSID(w.sid("YC")), created: at}
	if p.canAnswer(at.Add(callLife)) && (!p.lastCall || w.chance(answer)) {
		c.answered = at.Add(w.between(5*time.Second, callLife))
	}
	p.lastCall = !c.answered.IsZero()
	p.calls = append(p.calls, c)
	return &p.calls[len(p.calls)-1]
}

// logins challenges a phone every few days, at most a week apart, from one day to another.
func (w *world) logins(p *phone, from, until time.Time, answer float64) {
	for at := from.Add(w.between(time.Hour, 7*day)); at.Before(until); at = at.Add(w.between(time.Hour, 7*day)) {
		w.challenge(p, at, answer)
	}
}

func worldEnd() time.Time { return worldBegin.Add((worldDays + 10) * day) }

func (w *world) healthy(p *phone) {
	for at := p.factor.DateCreated; at.Before(worldEnd()); at = at.Add(w.between(10*day, 50*day)) {
		p.updates = append(p.updates, at)
	}
	w.logins(p, p.factor.DateCreated, worldEnd(), 0.9)
}

// alarm is an event on its way into the debugger.
type alarm struct {
	at          time.Time
	code        int
	binding     string
	ids         []string // the correlation ids, in any order
	description string
}

// fails makes the alarm that a push of a challenge found a dead token.
func (w *world) fails(p *phone, at time.Time, code int) *alarm {
	a := &alarm{at: at.Add(w.between(0, time.Minute)).Truncate(time.Second), code: code, binding: string(p.factor.Config.Platform), description: "Unregistered"}
	if code == 52103 {
		a.description = "FCM failure='NotRegistered'"
	}
	a.ids = []string{string(worldEnv.ServiceSID), string(p.factor.Identity), string(p.factor.SID), w.sid("YC")}
	w.rng.Shuffle(len(a.ids), func(i, j int) { a.ids[i], a.ids[j] = a.ids[j], a.ids[i] })
	if w.chance(0.1) {
		a.binding = "" // not every event names it
	}
	return a
}

// text writes the alarm as Twilio's debugger webhook does.
func (w *world) text(a *alarm) string {
	info := map[string]string{
		"primaryCorrelationId": w.sid("RU"), "correlationIds": "[" + strings.Join(a.ids, ", ") + "]", "module": "FCMV1OABA",
		"description": a.description, "isPassthrough": "false", "bindingSid": w.sid("BS"),
	}
	if a.binding != "" {
		info["bindingType"] = a.binding
	}
	return asJSON(map[string]any{
		"Sid": w.sid("NO"), "AccountSid": string(worldEnv.AccountSID), "ParentAccountSid": "", "Timestamp": verify.Stamp(a.at), "Level": "ERROR",
		"PayloadType": "application/json",
		"Payload":     asJSON(map[string]any{"resource_sid": w.sid("NT"), "service_sid": nil, "error_code": fmt.Sprint(a.code), "more_info": info}),
	})
}

func asJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// capture puts an alarm into the feed, decoded as any other.
func (w *world) capture(a *alarm) { w.hear(a.at, w.text(a)) }

func (w *world) hear(at time.Time, text string) {
	for _, e := range event.Parse([]byte(text)) {
		w.events = append(w.events, heard{e, at})
	}
}

// deadCode is what a platform's provider says of a dead token.
func deadCode(p *phone) int {
	if p.factor.Config.Platform == verify.PlatformAPN {
		return 52141
	}
	return 52103
}

// race: the token changes, a push goes to the old one, and the refresh arrives around the same time.
func (w *world) race(p *phone) {
	w.logins(p, p.factor.DateCreated, worldBegin.Add(30*day), 0.9)
	at := w.at(30, 70)
	c := w.challenge(p, at, 0.3)
	e := w.fails(p, c.created, deadCode(p))
	p.updates = append(p.updates, at.Add(w.between(-10*time.Minute, 10*time.Minute)))
	if w.chance(0.5) {
		e.at = p.updates[len(p.updates)-1].Add(w.between(0, 10*time.Minute)).Truncate(time.Second) // the old push fails after the refresh
	}
	w.capture(e)
	if w.chance(0.5) {
		w.logins(p, at, worldEnd(), 0.9)
	}
}

// stale: the token changes and the app never says so; the phone answers by polling.
func (w *world) stale(p *phone) {
	rotates := w.at(20, 70)
	w.logins(p, p.factor.DateCreated, rotates, 0.9)
	first := len(p.calls)
	if w.lazy {
		w.challenge(p, rotates.Add(w.between(time.Hour, day)), 0.4)
		rotates = rotates.Add(w.between(day, 60*day))
	}
	w.logins(p, rotates, worldEnd(), 0.4)
	if first < len(p.calls) && w.chance(0.9) {
		w.capture(w.fails(p, p.calls[first].created, deadCode(p)))
	}
}

// quietRefresh: a push fails, the app is opened and refreshes its token, and nobody logs in for a long time.
func (w *world) quietRefresh(p *phone) {
	at := w.at(15, 60)
	w.logins(p, p.factor.DateCreated, at, 0.9)
	w.challenge(p, at, 0)
	w.capture(w.fails(p, at, deadCode(p)))
	p.updates = append(p.updates, at.Add(w.between(time.Minute, 10*day)))
}

// drawer: two living phones are always challenged together, and only one is used.
func (w *world) drawer(identity verify.Identity, platform verify.Platform) {
	used := w.newPhone("used", identity, platform, w.at(0, 5))
	unused := w.newPhone("in the drawer", identity, platform, w.at(0, 5))
	for at := w.at(5, 8); at.Before(worldEnd()); at = at.Add(w.between(time.Hour, 7*day)) {
		w.challenge(used, at, 1)
		unused.lastCall = true
		w.challenge(unused, at, 0)
	}
}

// persist: the app is removed and installed again with its keys kept, and refreshes the same factor.
func (w *world) persist(p *phone) {
	gone := w.at(15, 60)
	w.logins(p, p.factor.DateCreated, gone, 0.9)
	p.lastCall = true
	w.challenge(p, gone.Add(w.between(time.Hour, 2*day)), 0)
	w.capture(w.fails(p, p.calls[len(p.calls)-1].created, deadCode(p)))
	back := gone.Add(w.between(2*day, 12*day))
	p.updates = append(p.updates, back)
	if w.chance(0.5) {
		w.logins(p, back, worldEnd(), 0.9)
	}
}

// fuzzy: APNs says 410 of a phone that lives and answers.
func (w *world) fuzzy(p *phone) {
	w.logins(p, p.factor.DateCreated, worldEnd(), 0.8)
	w.capture(w.fails(p, p.calls[w.rng.IntN(len(p.calls))].created, 52141))
}

// uninstall: the app goes for good. The first push after that fails, and the event is captured as a rule. Some people are
// challenged on for months, others enrol anew and never again.
func (w *world) uninstall(p *phone, at time.Time) {
	p.dies = at
	w.logins(p, p.factor.DateCreated, at, 0.9)
	first := len(p.calls)
	w.logins(p, at, at.Add(w.between(8*day, 80*day)), 0)
	if w.chance(0.3) {
		p.calls = p.calls[:first+1]
	}
	if p.factor.Config.Platform == verify.PlatformNone || p.factor.Config.Platform == verify.PlatformAPN && w.chance(0.5) || w.chance(0.1) {
		return
	}
	e := w.fails(p, p.calls[first].created, deadCode(p))
	switch text := w.text(e); w.rng.IntN(20) {
	case 0:
		sid := string(p.factor.SID)
		w.hear(e.at, strings.Replace(text, sid, sid[:7]+strings.Repeat("x", 18)+sid[25:], 1)) // masked
	case 1:
		w.hear(e.at, strings.Replace(text, string(p.factor.SID), string(p.factor.SID)+", "+w.sid("YF"), 1)) // names two factors
	case 2:
		w.hear(e.at, text[:len(text)-2]) // cut off
	default:
		p.event = e.at
		w.hear(e.at, text)
		if w.chance(0.2) {
			w.hear(e.at, text) // another source gives it again
		}
	}
}

// storm: for an hour or more the provider says that every token of a platform is dead. After it nobody is challenged, and
// nobody opens the app, for weeks: the backend has fallen back to text messages.
func (w *world) storm() {
	begin := w.at(20, 60)
	lasts := w.between(30*time.Minute, 3*time.Hour)
	w.storms = event.Span{From: begin, Until: begin.Add(lasts)}
	struck := map[verify.Identity]bool{}
	for _, p := range w.phones {
		if _, known := struck[p.factor.Identity]; !known {
			struck[p.factor.Identity] = w.chance(0.6)
		}
		if p.factor.Config.Platform != verify.PlatformFCM || p.factor.DateCreated.After(begin) || !struck[p.factor.Identity] {
			continue
		}
		at := begin.Add(w.between(0, lasts))
		p.calls = slices.DeleteFunc(p.calls, func(c call) bool { return c.created.After(begin) })
		p.updates = slices.DeleteFunc(p.updates, func(u time.Time) bool { return u.After(begin) })
		p.lastCall = true
		w.challenge(p, at, 0)
		w.capture(w.fails(p, at, 52103))
		p.inStorm = true
	}
}

// noise adds what else is in an account's debugger: Voice, other Services, and what Twilio's page shows as the sign of an
// uninstalled app, which is a refused credential.
func (w *world) noise() {
	for range 20 {
		w.capture(&alarm{at: w.at(0, worldDays), code: 52103, binding: "fcm", ids: []string{w.sid("CA")}, description: "FCM failure='NotRegistered'"})
		other := w.fails(w.phones[w.rng.IntN(len(w.phones))], w.at(0, worldDays), 52103)
		other.ids[slices.Index(other.ids, string(worldEnv.ServiceSID))] = w.sid("VA")
		w.capture(other)
	}
	for _, p := range w.phones {
		if w.chance(0.1) {
			sample := w.fails(p, w.at(20, worldDays), 52103)
			sample.description = "401 http response from Fcm Service"
			if text := w.text(sample); w.chance(0.5) {
				w.hear(sample.at, text)
			} else {
				w.hear(sample.at, `"more_info": {"correlationIds": "[`+strings.Join(sample.ids, ", ")+`]", "bindingType": "fcm", "description": "`+sample.description+`"`)
			}
		}
	}
	slices.SortStableFunc(w.events, func(a, b heard) int { return a.at.Compare(b.at) })
}

// --- what the planner can read, at w.now

func (w *world) find(sid verify.FactorSID) *phone {
	i := slices.IndexFunc(w.phones, func(p *phone) bool { return verify.SameSID(p.factor.SID, sid) })
	if i < 0 {
		return nil
	}
	return w.phones[i]
}

func (w *world) seen(p *phone) verify.Factor {
	f := p.factor
	for _, u := range p.updates {
		if !u.After(w.now) {
			f.DateUpdated = later(f.DateUpdated, u)
		}
	}
	return f
}

func (w *world) Factor(_ context.Context, _ verify.ServiceSID, identity verify.Identity, sid verify.FactorSID) (verify.Factor, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reads++
	p := w.find(sid)
	if p == nil || p.factor.Identity != identity || !w.deleted[p.factor.SID].IsZero() || p.factor.DateCreated.After(w.now) {
		return verify.Factor{}, &verify.Error{Kind: verify.KindNotFound, Message: "not found"}
	}
	return w.seen(p), nil
}

func (w *world) Factors(_ context.Context, _ verify.ServiceSID, identity verify.Identity) iter.Seq2[verify.Factor, error] {
	return func(yield func(verify.Factor, error) bool) {
		for _, p := range w.phones {
			if f := w.seen(p); f.Identity == identity && w.deleted[f.SID].IsZero() && !yield(f, nil) {
				return
			}
		}
	}
}

func (w *world) Challenges(_ context.Context, _ verify.ServiceSID, identity verify.Identity, _ verify.ChallengeFilter) iter.Seq2[verify.Challenge, error] {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reads++
	var challenges []verify.Challenge
	for _, p := range w.phones {
		if p.factor.Identity != identity {
			continue
		}
		for _, c := range p.calls {
			if c.created.After(w.now) {
				continue
			}
			ch := verify.Challenge{SID: c.sid, Identity: identity, FactorSID: p.factor.SID, Status: verify.ChallengePending,
				DateCreated: c.created, DateUpdated: c.created, ExpirationDate: c.created.Add(callLife)}
			switch {
			case !c.answered.IsZero() && !c.answered.After(w.now):
				ch.Status, ch.DateResponded, ch.DateUpdated = verify.ChallengeApproved, c.answered, c.answered
			case ch.ExpirationDate.Before(w.now):
				ch.Status = verify.ChallengeExpired
			}
			challenges = append(challenges, ch)
		}
	}
	slices.SortFunc(challenges, func(a, b verify.Challenge) int {
		return cmp.Or(b.DateCreated.Compare(a.DateCreated), strings.Compare(string(a.SID), string(b.SID)))
	})
	return func(yield func(verify.Challenge, error) bool) {
		for _, c := range challenges {
			if !yield(c, nil) {
				return
			}
		}
	}
}

func (w *world) DeleteFactor(_ context.Context, f verify.Factor) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deleted[f.SID] = w.now
	w.unflushed++
	return string(Deleted), nil
}

func (w *world) Flush(context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unflushed = 0
	return nil
}

func (w *world) Events(_ context.Context, within event.Span) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		for _, e := range w.events {
			if e.at.Before(within.From) || !e.at.Before(within.Until) {
				continue
			}
			if !yield(e.Event, nil) {
				return
			}
		}
	}
}

func (w *world) Gaps(context.Context, event.Span) ([]event.Span, error) { return nil, nil }

func (w *world) FactorsWhere(_ context.Context, condition where.Condition) iter.Seq2[verify.IndexedFactor, error] {
	return func(yield func(verify.IndexedFactor, error) bool) {
		for _, p := range w.phones {
			f := w.seen(p)
			if p.factor.DateCreated.Before(w.now) && w.deleted[f.SID].IsZero() && (condition == nil || condition.Match(f)) && !yield(verify.IndexedFactor{Factor: f, ReadAt: w.now}, nil) {
				return
			}
		}
	}
}

func (w *world) FindFactors(_ context.Context, sids ...verify.FactorSID) (found []verify.IndexedFactor, err error) {
	for _, sid := range sids {
		if p := w.find(sid); p != nil {
			found = append(found, verify.IndexedFactor{Factor: w.seen(p), ReadAt: w.now})
		}
	}
	return found, nil
}

func (w *world) FactorGroupsWhere(_ context.Context, by []where.Field, _ where.Condition) ([]verify.FactorGroup, error) {
	counts := map[string]int{}
	for _, p := range w.phones {
		counts[by[0].Text(p.factor)]++
	}
	var groups []verify.FactorGroup
	for value, n := range counts {
		groups = append(groups, verify.FactorGroup{Values: []string{value}, Count: n})
	}
	return groups, nil
}

func (w *world) Freshness(context.Context) (verify.Freshness, error) {
	if w.uncounted {
		return verify.Freshness{}, nil
	}
	return verify.Freshness{ServiceSID: worldEnv.ServiceSID, AccountSID: worldEnv.AccountSID, LastFull: verify.Crawl{ID: 1}, OldestRead: w.now}, nil
}

func (w *world) RecordOutcome(_ context.Context, o verify.ItemOutcome) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.outcomes[o.Plan] == nil {
		w.outcomes[o.Plan] = map[int]verify.ItemOutcome{}
	}
	w.outcomes[o.Plan][o.Item] = o
	return nil
}

func (w *world) Outcomes(_ context.Context, plan string) iter.Seq2[verify.ItemOutcome, error] {
	return func(yield func(verify.ItemOutcome, error) bool) {
		for _, o := range w.outcomes[plan] {
			if !yield(o, nil) {
				return
			}
		}
	}
}
