package challenge

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// virtualClock moves only when somebody sleeps.
type virtualClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *virtualClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *virtualClock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return ctx.Err()
}

// bubbleClock is the clock of a testing/synctest bubble, for tests with several goroutines.
type bubbleClock struct{}

func (bubbleClock) Now() time.Time { return time.Now() }

func (bubbleClock) Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fate is what becomes of one write to the fake Twilio.
type fate struct {
	lost  bool          // no answer comes back
	never bool          // it was not even processed
	late  time.Duration // processed only after this long
	err   error         // refused with this instead
}

// fakeTwilio holds challenges in memory and loses what it is told to lose.
type fakeTwilio struct {
	mu            sync.Mutex
	clock         Clock
	challenges    []verify.Challenge
	notifications map[verify.ChallengeSID]int
	fates         []fate        // of the next writes; beyond them all goes well
	listLag       time.Duration // a new challenge appears in lists only after this long
	readErr       error         // of every read while set
	creates       int           // requests to create, processed or not
	reads         int
}

func newFakeTwilio(clock Clock) *fakeTwilio {
	return &fakeTwilio{clock: clock, notifications: map[verify.ChallengeSID]int{}}
}

var errNoAnswer = &verify.Error{Kind: verify.KindPartial, Message: "the connection was reset before the answer came"}

func (t *fakeTwilio) nextFate() fate {
	if len(t.fates) == 0 {
		return fate{}
	}
	f := t.fates[0]
	t.fates = t.fates[1:]
	return f
}

func (t *fakeTwilio) CreateChallenge(ctx context.Context, svc verify.ServiceSID, id verify.Identity, n verify.NewChallenge) (verify.Challenge, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.creates++
	f := t.nextFate()
	if f.err != nil {
		return verify.Challenge{}, f.err
	}
	made := verify.Challenge{SID: verify.ChallengeSID(fmt.Sprintf("YC%032x", len(t.challenges)+1)), ServiceSID: svc, Identity: id,
		FactorSID: n.FactorSID, Status: verify.ChallengePending, HiddenDetails: n.HiddenDetails,
		Details:     verify.Details{Message: n.Message, Fields: n.Fields},
		DateCreated: t.clock.Now().Add(f.late), ExpirationDate: n.ExpirationDate}
	if made.ExpirationDate.IsZero() {
		made.ExpirationDate = made.DateCreated.Add(verify.DefaultChallengeTTL)
	}
	if !f.never {
		t.challenges = append(t.challenges, made)
	}
	if f.lost || f.never || f.late > 0 {
		return verify.Challenge{}, errNoAnswer
	}
	return made, nil
}

func (t *fakeTwilio) Challenges(ctx context.Context, _ verify.ServiceSID, id verify.Identity, filter verify.ChallengeFilter) iter.Seq2[verify.Challenge, error] {
	return func(yield func(verify.Challenge, error) bool) {
		t.mu.Lock()
		t.reads++
		rows, err, now := slices.Clone(t.challenges), t.readErr, t.clock.Now()
		t.mu.Unlock()
		slices.Reverse(rows)
		for _, ch := range rows {
			if ch.Identity != id || filter.FactorSID != "" && ch.FactorSID != filter.FactorSID ||
				now.Before(ch.DateCreated.Add(t.listLag)) {
				continue
			}
			if err == nil && !yield(t.aged(ch, now), nil) {
				return
			}
		}
		if err != nil {
			yield(verify.Challenge{}, err)
		}
	}
}

func (t *fakeTwilio) Challenge(ctx context.Context, _ verify.ServiceSID, id verify.Identity, sid verify.ChallengeSID) (verify.Challenge, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reads++
	if t.readErr != nil {
		return verify.Challenge{}, t.readErr
	}
	for _, ch := range t.challenges {
		if ch.SID == sid && ch.Identity == id {
			return t.aged(ch, t.clock.Now()), nil
		}
	}
	return verify.Challenge{}, &verify.Error{Kind: verify.KindNotFound, Message: "no such challenge", TwilioCode: 20404}
}

func (t *fakeTwilio) aged(ch verify.Challenge, now time.Time) verify.Challenge {
	if Expired(ch, now) {
		ch.Status = verify.ChallengeExpired
	}
	return ch
}

func (t *fakeTwilio) CreateNotification(_ context.Context, _ verify.ServiceSID, _ verify.Identity, sid verify.ChallengeSID, ttl time.Duration) (verify.Notification, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.nextFate()
	switch {
	case f.err != nil:
		return verify.Notification{}, f.err
	case f.never:
		return verify.Notification{}, errNoAnswer
	case t.notifications[sid] >= verify.MaxNotifications:
		return verify.Notification{}, &verify.Error{Kind: verify.KindLimit, TwilioCode: 60309, HTTPStatus: 429, Message: "too many"}
	}
	t.notifications[sid]++
	if f.lost {
		return verify.Notification{}, errNoAnswer
	}
	return verify.Notification{SID: verify.NotificationSID(fmt.Sprintf("NT%032x", t.notifications[sid])), ChallengeSID: sid,
		TTL: int(ttl.Seconds())}, nil
}

// answer gives a challenge a status, as its user or time would.
func (t *fakeTwilio) answer(sid verify.ChallengeSID, status verify.ChallengeStatus) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.challenges {
		if t.challenges[i].SID == sid {
			t.challenges[i].Status, t.challenges[i].DateResponded = status, t.clock.Now()
		}
	}
}

// made gives the challenges of an action.
func (t *fakeTwilio) made(action string) []verify.Challenge {
	t.mu.Lock()
	defer t.mu.Unlock()
	var found []verify.Challenge
	for _, ch := range t.challenges {
		if ch.HiddenDetails[verify.ActionID] == action {
			found = append(found, ch)
		}
	}
	return found
}

// memory is what a machine remembers, in memory.
type memory struct {
	mu       sync.Mutex
	claims   map[string]Claim
	holds    map[string]hold
	err      error // of every write while set
	resends  map[verify.ChallengeSID]int
	receipts map[verify.ChallengeSID]time.Time
}

type hold struct {
	by    string
	until time.Time
}

func newMemory() *memory {
	return &memory{claims: map[string]Claim{}, holds: map[string]hold{}, resends: map[verify.ChallengeSID]int{},
		receipts: map[verify.ChallengeSID]time.Time{}}
}

func (m *memory) Hold(_ context.Context, key, holder string, now, until time.Time) (Claim, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if h := m.holds[key]; h.by != "" && h.by != holder && now.Before(h.until) {
		return Claim{}, false, m.err
	}
	m.holds[key] = hold{holder, until}
	return m.claims[key], m.err == nil, m.err
}

func (m *memory) Note(_ context.Context, key, holder string, claim Claim) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil || m.holds[key].by != holder {
		return false, m.err
	}
	m.claims[key] = claim
	return true, nil
}

func (m *memory) Release(_ context.Context, key, holder string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.holds[key].by == holder {
		delete(m.holds, key)
	}
	return nil
}

func (m *memory) ReserveResend(_ context.Context, c verify.ChallengeSID, most int) (int, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil || m.resends[c] >= most {
		return m.resends[c], false, m.err
	}
	m.resends[c]++
	return m.resends[c], true, nil
}

func (m *memory) ReturnResend(_ context.Context, c verify.ChallengeSID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.resends[c]--
	return m.err
}

func (m *memory) RecordReceipt(_ context.Context, c verify.ChallengeSID, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.receipts[c]; m.err == nil && !known {
		m.receipts[c] = at
	}
	return m.err
}

func (m *memory) Receipt(_ context.Context, c verify.ChallengeSID) (time.Time, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, known := m.receipts[c]
	return at, known, m.err
}
