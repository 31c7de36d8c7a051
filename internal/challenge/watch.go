package challenge

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// How often an unanswered challenge is read: every second at first, since most answers come soon, then less and less.
const (
	shortestPoll = time.Second
	longestPoll  = 5 * time.Second
	// expiryGrace is how long after its expiration date a challenge that Twilio calls pending is still read: the clocks
	// may differ, and when Twilio changes the status is not documented.
	expiryGrace = 10 * time.Second
)

// reader reads one challenge.
type reader interface {
	Challenge(context.Context, verify.ServiceSID, verify.Identity, verify.ChallengeSID) (verify.Challenge, error)
}

// receipts tells whether an app or a backend has confirmed that a challenge is on the phone.
type receipts interface {
	Receipts(context.Context, verify.ChallengeSID) ([]verify.Receipt, error)
}

// Policy is what a watch does besides looking.
type Policy struct {
	Timeout     time.Duration  // how long to watch; 0 until the challenges are answered or expired
	ResendAfter time.Duration  // unanswered for so long, since the watch began or the last resend; 0 never resends
	MaxResends  int            // of each challenge; Twilio allows verify.MaxNotifications in all, whoever sends them
	TTL         *time.Duration // of resends; nil is the challenge's remaining life
}

// Check reports what is wrong with a policy as one usage error.
func (p Policy) Check() error {
	var problems problems
	if p.Timeout < 0 {
		problems.add("the time-out %v is negative", p.Timeout)
	}
	if p.ResendAfter < 0 {
		problems.add("resending after %v is not possible", p.ResendAfter)
	}
	if p.ResendAfter > 0 && p.ResendAfter < time.Second {
		problems.add("resending after %v leaves nobody the time to answer, at least 1s is needed", p.ResendAfter)
	}
	if p.MaxResends < 0 || p.MaxResends > verify.MaxNotifications {
		problems.add("%d resends are not between 0 and %d, which is what Twilio allows for a challenge", p.MaxResends,
			verify.MaxNotifications)
	}
	return problems.err("the challenge cannot be watched like this")
}

// Watcher follows challenges to their end.
type Watcher struct {
	Env      verify.Environment // for the commands in hints
	Reader   reader
	Clock    clock
	Policy   Policy
	Resender Resender // used only when the policy resends
	Receipts receipts // nil when none are taken
}

// Happening is what an [Update] tells.
type Happening string

// The kinds of update.
const (
	Seen         Happening = "seen"         // the challenge was read; see its status
	Resending    Happening = "resent"       // Twilio accepted a resend
	MaybeResent  Happening = "maybe_resent" // a resend got no answer: it may have been sent, and is not repeated
	NotResent    Happening = "not_resent"   // a resend was refused; Update.Problem says why
	Received     Happening = "received"     // a receipt is known: no resend follows
	NotRead      Happening = "not_read"     // a read failed and is tried again; Update.Problem says why
	ExpiredUnmet Happening = "expired"      // nobody answered in time
)

// Update is one thing that happened while watching.
type Update struct {
	Happening Happening
	Challenge verify.Challenge // as last read
	At        time.Time
	Left      time.Duration // of the challenge's life
	Resends   int           // by this watch, of this challenge
	Problem   error
}

// Watch reads the challenges until the first of them is answered, all have expired, or the time is up, and gives every
// update as it happens. It ends without an error when one was approved, otherwise with a last update and an error of the
// kind denied, expired, pending (time-out), unreachable (time-out without one good read) or interrupted. A challenge is
// never resent more often than the policy says, nor once a receipt is known.
func (w Watcher) Watch(ctx context.Context, challenges ...verify.Challenge) iter.Seq2[Update, error] {
	return func(yield func(Update, error) bool) {
		start := w.Clock.Now()
		run := watch{Watcher: w, ctx: ctx, yield: yield, start: start}
		for _, c := range challenges {
			run.open = append(run.open, &watched{challenge: c, resendAt: start.Add(w.Policy.ResendAfter)})
		}
		run.all = run.open
		for run.round() && run.wait() {
		}
	}
}

// watch is one run of [Watcher.Watch]. Its steps give false when the watch is over.
type watch struct {
	Watcher
	ctx   context.Context
	yield func(Update, error) bool
	start time.Time
	all   []*watched
	open  []*watched // not yet expired
}

// watched is what a watch knows of one challenge.
type watched struct {
	challenge verify.Challenge
	failed    error // of the last read; nil when it went well
	resendAt  time.Time
	resends   int
	noMore    bool // resends of it are over
}

// round looks at every open challenge once.
func (w *watch) round() bool {
	for _, one := range w.open {
		if !w.look(one) {
			return false
		}
	}
	open := slices.DeleteFunc(slices.Clone(w.open), w.isOver)
	if len(open) == 0 {
		return w.allOver()
	}
	for _, one := range w.open {
		if w.isOver(one) && !w.tell(one, ExpiredUnmet, one.failed) {
			return false
		}
	}
	w.open = open
	return true
}

// allOver ends a watch whose challenges are past their life. One that could not be read at the end may have been
// answered, so nothing is said of it but that.
func (w *watch) allOver() bool {
	for _, one := range w.all {
		if one.failed != nil {
			return w.end(one, verify.KindUnreachable, fmt.Sprintf("whether it was answered is unknown, because it could not "+
				"be read when it expired: %v", one.failed))
		}
	}
	return w.end(w.open[0], verify.KindExpired, "nobody answered before it expired")
}

// look reads one challenge, ends the watch when it is answered, and resends it when that is due.
func (w *watch) look(one *watched) bool {
	c := one.challenge
	read, err := w.Reader.Challenge(w.ctx, c.ServiceSID, c.Identity, c.SID)
	one.failed = err
	if err != nil {
		return w.readFailed(one, err)
	}
	one.challenge = read
	switch read.Status {
	case verify.ChallengeApproved:
		w.tell(one, Seen, nil)
		return false
	case verify.ChallengeDenied:
		return w.end(one, verify.KindDenied, "the user denied it")
	}
	return w.tell(one, Seen, nil) && w.resendIfDue(one)
}

func (w *watch) readFailed(one *watched, err error) bool {
	if w.ctx.Err() != nil {
		return w.interrupted()
	}
	switch verify.KindOf(err) {
	case verify.KindAuth, verify.KindNotFound, verify.KindUsage:
		w.yield(w.update(one, NotRead, err), err)
		return false
	}
	return w.tell(one, NotRead, err)
}

func (w *watch) resendIfDue(one *watched) bool {
	now := w.Clock.Now()
	if one.noMore || w.Policy.ResendAfter <= 0 || one.resends >= w.Policy.MaxResends || now.Before(one.resendAt) ||
		one.challenge.Status != verify.ChallengePending {
		return true
	}
	ttl := ResendTTL(w.Policy.TTL, one.challenge, now)
	if remaining(one.challenge, now) < time.Second {
		return true
	}
	if w.Receipts != nil {
		receipts, err := w.Receipts.Receipts(w.ctx, one.challenge.SID)
		switch {
		case err != nil: // it may have been received: look again next time
			return w.tell(one, NotResent, fmt.Errorf("whether it was received could not be read: %w", err))
		case len(receipts) > 0:
			one.noMore = true
			return w.tell(one, Received, nil)
		}
	}
	return w.resend(one, ttl)
}

func (w *watch) resend(one *watched, ttl time.Duration) bool {
	_, err := w.Resender.Resend(w.ctx, one.challenge, ttl)
	one.resendAt = w.Clock.Now().Add(w.Policy.ResendAfter)
	switch {
	case err == nil:
		one.resends++
		return w.tell(one, Resending, nil)
	case outcomeUnknown(w.ctx, err):
		one.resends++
		if !w.tell(one, MaybeResent, err) {
			return false
		}
		return w.ctx.Err() == nil || w.interrupted()
	case verify.KindOf(err) == verify.KindLimit && verify.CodeOf(err) != tooManyRequests, verify.CodeOf(err) == platformNone:
		one.noMore = true
	}
	return w.tell(one, NotResent, err)
}

// tooManyRequests is Twilio's rate limit, which clears by itself (Twilio error dictionary, 20429).
const tooManyRequests = 20429

// wait sleeps until something is due, and ends the watch when its time is up.
func (w *watch) wait() bool {
	now := w.Clock.Now()
	d := pollGap(now.Sub(w.start))
	for _, one := range w.open {
		if one.failed != nil {
			d = longestPoll
		}
	}
	if w.Policy.Timeout > 0 {
		left := w.start.Add(w.Policy.Timeout).Sub(now)
		if left <= 0 {
			return w.timedOut()
		}
		d = min(d, left)
	}
	for _, one := range w.open {
		if due := one.resendAt.Sub(now); w.Policy.ResendAfter > 0 && due > 0 {
			d = min(d, due)
		}
	}
	if err := w.Clock.Sleep(w.ctx, d); err != nil {
		return w.interrupted()
	}
	return true
}

// pollGap grows with the time the challenge has been watched.
func pollGap(watched time.Duration) time.Duration {
	return min(max(watched/10, shortestPoll), longestPoll)
}

// isOver tells whether nobody can answer any more.
func (w *watch) isOver(one *watched) bool {
	c := one.challenge
	return c.Status == verify.ChallengeExpired ||
		!c.ExpirationDate.IsZero() && w.Clock.Now().After(c.ExpirationDate.Add(expiryGrace))
}

func (w *watch) timedOut() bool {
	one := w.open[0]
	if one.failed != nil {
		return w.end(one, verify.KindUnreachable, fmt.Sprintf("its status is unknown after %v, because the last read failed: %v",
			w.Policy.Timeout, one.failed))
	}
	return w.end(one, verify.KindPending, fmt.Sprintf("it is still unanswered after %v", w.Policy.Timeout))
}

func (w *watch) interrupted() bool {
	return w.end(w.open[0], verify.KindInterrupted, "the watch was interrupted, the challenge goes on")
}

// end gives the last update with the error that the watch ends by, and always false.
func (w *watch) end(one *watched, kind verify.Kind, why string) bool {
	c := one.challenge
	err := refusal(kind, "challenge %s: %s", c.SID, why)
	switch kind {
	case verify.KindPending, verify.KindInterrupted, verify.KindUnreachable:
		err = err.WithHint("go on watching: %s", w.Env.Command(append([]string{"challenge", "watch"}, w.names()...)...))
	case verify.KindExpired:
		err = err.WithHint("find out why: %s", w.Env.Command("why", string(c.SID), "--identity", string(c.Identity)))
	}
	w.yield(w.update(one, endings[kind], nil), err)
	return false
}

var endings = map[verify.Kind]Happening{verify.KindExpired: ExpiredUnmet, verify.KindDenied: Seen, verify.KindPending: Seen,
	verify.KindUnreachable: NotRead, verify.KindInterrupted: Seen}

// names gives the arguments that name all watched challenges.
func (w *watch) names() []string {
	var words []string
	for _, one := range w.all {
		words = append(words, string(one.challenge.SID))
	}
	return append(words, "--identity", string(w.all[0].challenge.Identity))
}

func (w *watch) tell(one *watched, what Happening, problem error) bool {
	return w.yield(w.update(one, what, problem), nil)
}

func (w *watch) update(one *watched, what Happening, problem error) Update {
	now := w.Clock.Now()
	return Update{Happening: what, Challenge: one.challenge, At: now, Left: remaining(one.challenge, now),
		Resends: one.resends, Problem: problem}
}
