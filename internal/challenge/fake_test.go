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
	clock         clock
	challenges    []verify.Challenge
	notifications map[verify.ChallengeSID]int
	fates         []fate        // of the next writes; beyond them all goes well
	listLag       time.Duration // a new challenge appears in lists only after this long
	readErr       error         // of every read while set
	creates       int           // requests to create, processed or not
	reads         int
}

func newFakeTwilio(clock clock) *fakeTwilio {
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

// memory is what a machine remembers, in memory, with the manners of package store.
type memory struct {
	mu       sync.Mutex
	claims   map[verify.ClaimKey]*claimRow
	created  map[verify.ChallengeSID]verify.CreatedChallenge
	tickets  int64
	err      error // of every write while set
	resends  map[verify.ChallengeSID][]verify.Resend
	receipts map[verify.ChallengeSID][]verify.Receipt
}

type claimRow struct {
	held   bool
	ticket int64
	made   verify.ChallengeSID
}

func newMemory() *memory {
	return &memory{claims: map[verify.ClaimKey]*claimRow{}, created: map[verify.ChallengeSID]verify.CreatedChallenge{},
		resends: map[verify.ChallengeSID][]verify.Resend{}, receipts: map[verify.ChallengeSID][]verify.Receipt{}}
}

func (m *memory) ClaimChallenge(_ context.Context, key verify.ClaimKey) (verify.Claim, error) {
	return m.claim(key, "")
}

func (m *memory) ReplaceClaim(_ context.Context, key verify.ClaimKey, old verify.ChallengeSID) (verify.Claim, error) {
	return m.claim(key, old)
}

func (m *memory) claim(key verify.ClaimKey, old verify.ChallengeSID) (verify.Claim, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	claim := verify.Claim{Key: key, State: verify.ClaimMine}
	row := m.claims[key]
	switch {
	case m.err != nil:
		return verify.Claim{}, m.err
	case row == nil:
	case row.made != "" && row.made != old:
		claim.State, claim.ChallengeSID = verify.ClaimMade, row.made
		return claim, nil
	case row.held:
		claim.State = verify.ClaimElsewhere
		return claim, nil
	case row.made == "":
		claim.LookFirst = true
	}
	m.tickets++
	claim.Ticket = m.tickets
	m.claims[key] = &claimRow{held: true, ticket: m.tickets}
	return claim, nil
}

func (m *memory) FulfilClaim(_ context.Context, claim verify.Claim, c verify.CreatedChallenge) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		if _, known := m.created[c.SID]; !known {
			m.created[c.SID] = c
		}
		m.claims[claim.Key] = &claimRow{ticket: claim.Ticket, made: c.SID}
	}
	return m.err
}

func (m *memory) TakeOverClaim(_ context.Context, key verify.ClaimKey) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if row := m.claims[key]; row != nil && row.made == "" {
		row.held = false
	}
	return m.err
}

func (m *memory) AbandonClaim(_ context.Context, claim verify.Claim, uncertain bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if row := m.claims[claim.Key]; row.ticket == claim.Ticket {
		row.held = false
		if !uncertain {
			delete(m.claims, claim.Key)
		}
	}
	return m.err
}

// kill lets go of all claims as the death of their processes does.
func (m *memory) kill() {
	for _, row := range m.claims {
		row.held = false
	}
}

func (m *memory) CreatedChallenge(_ context.Context, sid verify.ChallengeSID) (verify.CreatedChallenge, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, known := m.created[sid]
	return c, known, m.err
}

func (m *memory) ReserveResend(_ context.Context, c verify.ChallengeSID, at time.Time, limit int) (int64, int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	used := m.used(c)
	if m.err != nil || used >= limit {
		return 0, used, m.err
	}
	m.tickets++
	m.resends[c] = append(m.resends[c], verify.Resend{ID: m.tickets, ChallengeSID: c, At: at, Outcome: verify.SendUnknown})
	return m.tickets, used, nil
}

// used counts the resends of a challenge that were not refused.
func (m *memory) used(c verify.ChallengeSID) int {
	n := 0
	for _, r := range m.resends[c] {
		if r.Outcome != verify.SendRefused {
			n++
		}
	}
	return n
}

func (m *memory) FinishResend(_ context.Context, id int64, outcome verify.SendOutcome, nt verify.NotificationSID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, list := range m.resends {
		for i := range list {
			if list[i].ID == id {
				list[i].Outcome, list[i].NotificationSID = outcome, nt
			}
		}
	}
	return m.err
}

func (m *memory) RecordReceipt(_ context.Context, r verify.Receipt) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		m.receipts[r.ChallengeSID] = append(m.receipts[r.ChallengeSID], r)
	}
	return m.err
}

func (m *memory) Receipts(_ context.Context, c verify.ChallengeSID) ([]verify.Receipt, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.receipts[c], m.err
}
