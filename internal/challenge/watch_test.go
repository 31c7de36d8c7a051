package challenge

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// world is a fake Twilio with challenges, a memory and a clock that moves by sleeping.
type world struct {
	*fakeTwilio
	memory *memory
	clock  *virtualClock
}

func newWorld(t *testing.T, challenges int) world {
	clock := &virtualClock{now: noon}
	w := world{newFakeTwilio(clock), newMemory(), clock}
	for i := range challenges {
		n := ok().newChallenge(pushFactor(string(rune('1'+i)), verify.FactorVerified).SID, noon)
		if _, err := w.CreateChallenge(t.Context(), service, "user-1001", n); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func (w world) watcher(p Policy) Watcher {
	return Watcher{Env: verify.Environment{Name: "staging"}, Reader: w.fakeTwilio, Clock: w.clock, Policy: p, Receipts: w.memory,
		Resender: Resender{Env: verify.Environment{Name: "staging"}, Notifier: w.fakeTwilio, Log: w.memory, Clock: w.clock}}
}

// follow runs a watch to its end and gives every update and the error it ended by. at happens when the clock passes its
// time.
func follow(ctx context.Context, w world, watcher Watcher, at map[time.Duration]func()) (updates []Update, end error) {
	for u, err := range watcher.Watch(ctx, slices.Clone(w.challenges)...) {
		updates, end = append(updates, u), err
		for after, do := range at {
			if !w.clock.Now().Before(noon.Add(after)) {
				delete(at, after)
				do()
			}
		}
	}
	return updates, end
}

// reserve uses up n resends of a challenge.
func (m *memory) reserve(t *testing.T, c verify.ChallengeSID, n int) {
	for range n {
		if _, _, err := m.ReserveResend(t.Context(), c, noon, n); err != nil {
			t.Fatal(err)
		}
	}
}

func count(updates []Update, what Happening) int {
	n := 0
	for _, u := range updates {
		if u.Happening == what {
			n++
		}
	}
	return n
}

func TestWatchEndsAsTheChallengeDoes(t *testing.T) {
	for name, tc := range map[string]struct {
		policy Policy
		at     func(w world) map[time.Duration]func()
		ok     bool
		kind   verify.Kind
		took   time.Duration // at most
	}{
		"approved": {Policy{}, func(w world) map[time.Duration]func() {
			return map[time.Duration]func(){20 * time.Second: func() { w.answer(w.challenges[0].SID, verify.ChallengeApproved) }}
		}, true, 0, 25 * time.Second},
		"denied": {Policy{}, func(w world) map[time.Duration]func() {
			return map[time.Duration]func(){time.Second: func() { w.answer(w.challenges[0].SID, verify.ChallengeDenied) }}
		}, false, verify.KindDenied, 5 * time.Second},
		"expired":  {Policy{}, nil, false, verify.KindExpired, 5*time.Minute + 10*time.Second},
		"time-out": {Policy{Timeout: 7 * time.Second}, nil, false, verify.KindPending, 7 * time.Second},
	} {
		w := newWorld(t, 1)
		var at map[time.Duration]func()
		if tc.at != nil {
			at = tc.at(w)
		}
		updates, err := follow(t.Context(), w, w.watcher(tc.policy), at)
		if (err == nil) != tc.ok || err != nil && verify.KindOf(err) != tc.kind {
			t.Errorf("%s: ended by %v, want kind %v", name, err, tc.kind)
		}
		if took := w.clock.Now().Sub(noon); took > tc.took {
			t.Errorf("%s: took %v of the clock, want at most %v", name, took, tc.took)
		}
		if len(updates) == 0 || updates[len(updates)-1].Left > updates[0].Left {
			t.Errorf("%s: the time left does not shrink: %+v", name, updates)
		}
	}
}

func TestWatchReadsSensiblyOften(t *testing.T) {
	w := newWorld(t, 1)
	follow(t.Context(), w, w.watcher(Policy{}), nil)
	if w.reads < 50 || w.reads > 100 {
		t.Errorf("%d reads in five minutes", w.reads)
	}
}

// Twilio's clock decides: a challenge is not given up because this machine's clock is ahead.
func TestWatchKeepsReadingAChallengeThatOnlyLooksExpired(t *testing.T) {
	w := newWorld(t, 1)
	ahead := w.watcher(Policy{})
	ahead.Clock = &virtualClock{now: noon.Add(4*time.Minute + 55*time.Second)}
	var end error
	for _, err := range ahead.Watch(t.Context(), w.challenges...) {
		end = err
		if ahead.Clock.Now().After(noon.Add(5*time.Minute + 2*time.Second)) {
			w.answer(w.challenges[0].SID, verify.ChallengeApproved)
		}
	}
	if end != nil {
		t.Errorf("ended by %v, want approval", end)
	}
}

func TestWatchResendsExactlyAsOftenAsAllowed(t *testing.T) {
	for name, tc := range map[string]struct {
		policy Policy
		world  func(*world)
		sent   int
	}{
		"never unless asked":        {Policy{}, nil, 0},
		"once":                      {Policy{ResendAfter: 8 * time.Second, MaxResends: 1}, nil, 1},
		"twice":                     {Policy{ResendAfter: 8 * time.Second, MaxResends: 2}, nil, 2},
		"three times":               {Policy{ResendAfter: 8 * time.Second, MaxResends: 3}, nil, 3},
		"the backend sent two":      {Policy{ResendAfter: 8 * time.Second, MaxResends: 3}, func(w *world) { w.notifications[w.challenges[0].SID] = 2 }, 3},
		"two went out from here":    {Policy{ResendAfter: 8 * time.Second, MaxResends: 3}, func(w *world) { w.memory.reserve(t, w.challenges[0].SID, 2) }, 1},
		"the time is too short":     {Policy{ResendAfter: 4 * time.Minute, MaxResends: 3}, nil, 1},
		"it ends before":            {Policy{ResendAfter: 20 * time.Second, MaxResends: 3, Timeout: 15 * time.Second}, nil, 0},
		"the memory is not working": {Policy{ResendAfter: 8 * time.Second, MaxResends: 3}, func(w *world) { w.memory.err = errors.New("disk full") }, 0},
		"a lost one counts": {Policy{ResendAfter: 8 * time.Second, MaxResends: 2},
			func(w *world) { w.fates = []fate{{lost: true}} }, 2},
		"a lost one counts though it was not sent": {Policy{ResendAfter: 8 * time.Second, MaxResends: 2},
			func(w *world) { w.fates = []fate{{never: true}} }, 1},
		"all lost": {Policy{ResendAfter: 8 * time.Second, MaxResends: 3},
			func(w *world) { w.fates = []fate{{lost: true}, {lost: true}, {lost: true}, {lost: true}} }, 3},
		"refused for a moment": {Policy{ResendAfter: 8 * time.Second, MaxResends: 1},
			func(w *world) {
				w.fates = []fate{{err: &verify.Error{Kind: verify.KindLimit, TwilioCode: 20429}}}
			}, 1},
		"platform none": {Policy{ResendAfter: 8 * time.Second, MaxResends: 3},
			func(w *world) {
				w.fates = slices.Repeat([]fate{{err: &verify.Error{Kind: verify.KindFailed, TwilioCode: 60307}}}, 1)
			}, 0},
	} {
		w := newWorld(t, 1)
		if tc.world != nil {
			tc.world(&w)
		}
		_, err := follow(t.Context(), w, w.watcher(tc.policy), nil)
		if got := w.notifications[w.challenges[0].SID]; got != tc.sent {
			t.Errorf("%s: %d resends reached Twilio, want %d (ended by %v)", name, got, tc.sent, err)
		}
	}
}

func TestWatchNeverResendsWhatWasReceived(t *testing.T) {
	w := newWorld(t, 1)
	sid := w.challenges[0].SID
	updates, _ := follow(t.Context(), w, w.watcher(Policy{ResendAfter: 8 * time.Second, MaxResends: 3}), map[time.Duration]func(){
		3 * time.Second: func() { w.memory.RecordReceipt(t.Context(), verify.Receipt{ChallengeSID: sid}) }})
	if w.notifications[sid] != 0 || count(updates, Received) != 1 {
		t.Errorf("%d resends after a receipt, told %d times; want none, reported once", w.notifications[sid], count(updates, Received))
	}
	late := newWorld(t, 1)
	sid = late.challenges[0].SID
	follow(t.Context(), late, late.watcher(Policy{ResendAfter: 8 * time.Second, MaxResends: 3}), map[time.Duration]func(){
		10 * time.Second: func() { late.memory.RecordReceipt(t.Context(), verify.Receipt{ChallengeSID: sid}) }})
	if late.notifications[sid] != 1 {
		t.Errorf("%d resends with a receipt after the first, want 1", late.notifications[sid])
	}
}

func TestWatchTellsALostResendAndDoesNotRepeatIt(t *testing.T) {
	w := newWorld(t, 1)
	w.fates = []fate{{lost: true}}
	updates, _ := follow(t.Context(), w, w.watcher(Policy{ResendAfter: 8 * time.Second, MaxResends: 1}), nil)
	if w.notifications[w.challenges[0].SID] != 1 || count(updates, MaybeResent) != 1 || count(updates, Resending) != 0 {
		t.Errorf("%d resends, told %d times as maybe sent", w.notifications[w.challenges[0].SID], count(updates, MaybeResent))
	}
	for _, u := range updates {
		if u.Happening == MaybeResent && !strings.Contains(u.Problem.Error(), "may have been sent") {
			t.Errorf("told as %v", u.Problem)
		}
	}
}

func TestWatchEndsWithTheFirstAnswerOfAnyFactor(t *testing.T) {
	w := newWorld(t, 3)
	second := w.challenges[1].SID
	updates, err := follow(t.Context(), w, w.watcher(Policy{}), map[time.Duration]func(){
		5 * time.Second: func() { w.answer(second, verify.ChallengeApproved) }})
	if last := updates[len(updates)-1]; err != nil || last.Challenge.SID != second || last.Challenge.Status != verify.ChallengeApproved {
		t.Errorf("ended by %+v, %v; want the approval of the second", last, err)
	}
	all := newWorld(t, 3)
	updates, err = follow(t.Context(), all, all.watcher(Policy{}), nil)
	if verify.KindOf(err) != verify.KindExpired || count(updates, ExpiredUnmet) == 0 {
		t.Errorf("ended by %v, want expired", err)
	}
}

func TestWatchSurvivesFailingReadsAndNeverCallsThemAnAnswer(t *testing.T) {
	down := &verify.Error{Kind: verify.KindUnreachable, Message: "no route to host"}
	w := newWorld(t, 1)
	updates, err := follow(t.Context(), w, w.watcher(Policy{}), map[time.Duration]func(){
		5 * time.Second:  func() { w.readErr = down },
		30 * time.Second: func() { w.readErr = nil; w.answer(w.challenges[0].SID, verify.ChallengeApproved) }})
	if err != nil || count(updates, NotRead) == 0 {
		t.Errorf("ended by %v after %d failed reads; want approval after some", err, count(updates, NotRead))
	}
	for name, policy := range map[string]Policy{"at the time-out": {Timeout: time.Minute}, "at the expiry": {}} {
		dark := newWorld(t, 1)
		_, err := follow(t.Context(), dark, dark.watcher(policy), map[time.Duration]func(){5 * time.Second: func() { dark.readErr = down }})
		if verify.KindOf(err) != verify.KindUnreachable {
			t.Errorf("%s: ended by %v; want that its status is unknown", name, err)
		}
	}
	gone := newWorld(t, 1)
	_, err = follow(t.Context(), gone, gone.watcher(Policy{}), map[time.Duration]func(){2 * time.Second: func() { gone.fakeTwilio.challenges = nil }})
	if verify.KindOf(err) != verify.KindNotFound {
		t.Errorf("a challenge that is gone ended the watch by %v", err)
	}
}

func TestWatchInterruptedLeavesACommandToGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		twilio, mem := newFakeTwilio(bubbleClock{}), newMemory()
		c, _ := twilio.CreateChallenge(t.Context(), service, "user-1001", ok().newChallenge("YF", time.Now()))
		ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second)
		defer cancel()
		var end error
		for _, err := range (Watcher{Env: verify.Environment{Name: "staging"}, Reader: twilio, Clock: bubbleClock{}, Receipts: mem}).Watch(ctx, c) {
			end = err
		}
		var e *verify.Error
		if want := "verifyctl -e staging challenge watch " + string(c.SID) + " --identity user-1001"; !errors.As(end, &e) ||
			e.Kind != verify.KindInterrupted || !strings.Contains(e.Hint, want) {
			t.Errorf("ended by %+v; want an interruption that says %q", e, want)
		}
	})
}

func TestWatchStopsWhenItsReaderDoes(t *testing.T) {
	w := newWorld(t, 2)
	for range w.watcher(Policy{ResendAfter: time.Second, MaxResends: 1}).Watch(t.Context(), w.challenges...) {
		break
	}
	if w.reads != 1 {
		t.Errorf("%d reads after the reader left, want 1", w.reads)
	}
}

func TestPolicyCheck(t *testing.T) {
	for _, bad := range []Policy{{Timeout: -1}, {ResendAfter: -1}, {ResendAfter: time.Millisecond}, {MaxResends: 4}, {MaxResends: -1}} {
		if verify.KindOf(bad.Check()) != verify.KindUsage {
			t.Errorf("%+v is taken", bad)
		}
	}
	if err := (Policy{Timeout: time.Minute, ResendAfter: 8 * time.Second, MaxResends: 2}).Check(); err != nil {
		t.Error(err)
	}
}

func TestResendSaysWhatTwilioAllows(t *testing.T) {
	for name, tc := range map[string]struct {
		world func(*world)
		kind  verify.Kind
		used  int // counted here afterwards
		says  string
	}{
		"the backend sent three": {func(w *world) { w.notifications[w.challenges[0].SID] = 3 }, verify.KindLimit, 0, "has had them"},
		"three from here":        {func(w *world) { w.memory.reserve(t, w.challenges[0].SID, 3) }, verify.KindLimit, 3, "went out from here"},
		"no answer":              {func(w *world) { w.fates = []fate{{lost: true}} }, verify.KindPartial, 1, "may have been sent"},
		"expired meanwhile": {func(w *world) {
			w.fates = []fate{{err: &verify.Error{Kind: verify.KindExpired, TwilioCode: 60323, Message: "expired"}}}
		}, verify.KindExpired, 0, "expired"},
		"not written down": {func(w *world) { w.memory.err = errors.New("disk full") }, verify.KindFailed, 0, "nothing was sent"},
	} {
		w := newWorld(t, 1)
		tc.world(&w)
		_, err := w.watcher(Policy{}).Resender.Resend(t.Context(), w.challenges[0], time.Minute)
		if err == nil || verify.KindOf(err) != tc.kind || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v; want kind %v and %q", name, err, tc.kind, tc.says)
		}
		if used := w.memory.used(w.challenges[0].SID); used != tc.used {
			t.Errorf("%s: %d counted as used, want %d", name, used, tc.used)
		}
	}
}
