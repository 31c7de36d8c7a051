package challenge

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// How long creating once waits, and for what.
const (
	// holdFor is how long a run keeps others of this machine from creating the same challenge; a killed run holds no
	// longer than this. One request, its look-ups and its waits fit in.
	holdFor = 2 * time.Minute
	// settleFor is how long the challenge of a request without an answer is looked for before that is reported.
	settleFor = 15 * time.Second
	// inFlight is how long a request without an answer may still be on its way. Only after that, and only after
	// another look, is the same challenge sent again, and only by another run.
	inFlight = time.Minute
	// lookBack is how old the challenges of a factor are that are searched for an action id. Pending ones live an hour
	// at most (twilio_verify_v2.json, CreateChallenge, ExpirationDate); the rest allows for a wrong clock.
	lookBack = 24 * time.Hour
)

// Clock is where the time comes from and goes to: the environment's, never the machine's directly.
type Clock interface {
	Now() time.Time
	Sleep(ctx context.Context, d time.Duration) error // ends early with the context's error
}

// Creator creates challenges and reads them.
type Creator interface {
	CreateChallenge(context.Context, verify.ServiceSID, verify.Identity, verify.NewChallenge) (verify.Challenge, error)
	Challenges(context.Context, verify.ServiceSID, verify.Identity, verify.ChallengeFilter) iter.Seq2[verify.Challenge, error]
	Challenge(context.Context, verify.ServiceSID, verify.Identity, verify.ChallengeSID) (verify.Challenge, error)
}

// Claim is what this machine knows about the challenge of one action on one factor.
type Claim struct {
	SentAt    time.Time           // when a request began whose outcome is not known; zero when there is none
	Challenge verify.ChallengeSID // the last one known to be created; "" for none
}

// Claims keeps the runs of this machine from creating the same challenge twice. Its writes are durable on return.
type Claims interface {
	// Hold gives key to holder until that time, unless another run has it, and the claim as it stands. A hold that is
	// already the holder's is prolonged.
	Hold(ctx context.Context, key, holder string, now, until time.Time) (claim Claim, held bool, err error)
	// Note writes what the holder has learned; false when the hold was lost to another run, and nothing was written.
	Note(ctx context.Context, key, holder string, claim Claim) (held bool, err error)
	// Release ends the hold.
	Release(ctx context.Context, key, holder string) error
}

// Once creates challenges at most once for each action id and factor.
//
// Twilio offers no idempotency key, so three things stand in for it: runs on this machine take turns by a claim; the
// action id in the hidden details lets the factor's challenges be searched before anything is sent; and a request
// whose answer was lost is looked up and never repeated by the run that sent it. Another run with the same action id
// repeats it only when a minute has passed and the challenge is still not listed. What remains is the gap that Twilio
// leaves: two machines that create for one action at the very same moment can both find nothing.
type Once struct {
	Creator Creator
	Claims  Claims
	Clock   Clock
	Holder  string           // names this run among all of the machine
	Notice  func(say string) // told what is waited for; may be nil
}

// Order is one challenge to create.
type Order struct {
	Env     string // the environment's name, for the commands in hints
	Service verify.ServiceSID
	Factor  verify.Factor
	Request Request // checked, with an action id
	Fresh   bool    // the action id was made for this order, so no challenge can have it yet
	New     bool    // create even when the action was already approved or denied
	Repeat  string  // the command that continues this order; stands in hints
}

// Created is the outcome of an [Order].
type Created struct {
	Challenge verify.Challenge
	ActionID  string
	Existing  bool  // it was there already; nothing was sent now
	LookedUp  bool  // the answer of its creation, now or earlier, was lost, and a look-up found it
	Forgotten error // it exists, but this machine could not write that down; nil when it could
}

// Create gives the pending challenge of the order's action and factor, creating it when there is none. When the action
// was already answered the error is of the kind refused, unless the order says New. When a request got no answer and
// no look-up found its challenge, the error is of the kind partial: it may exist, and the hint continues safely.
func (o Once) Create(ctx context.Context, order Order) (Created, error) {
	run := creation{Once: o, order: order, action: order.Request.Action(),
		key: string(order.Service) + "/" + string(order.Factor.SID) + "/" + order.Request.Action()}
	if run.action == "" {
		return Created{}, fmt.Errorf("creating once needs an action id")
	}
	if err := run.hold(ctx); err != nil {
		return Created{}, err
	}
	created, err := run.create(ctx)
	// The hold ends by itself when this fails; until then other runs only wait.
	_ = o.Claims.Release(context.WithoutCancel(ctx), run.key, o.Holder)
	return created, err
}

// creation is one run of [Once.Create].
type creation struct {
	Once
	order  Order
	action string
	key    string
	claim  Claim
	seen   map[verify.ChallengeSID]bool // with this action id and factor, before anything was sent
}

// hold waits for its turn among the runs of this machine.
func (c *creation) hold(ctx context.Context) error {
	told := false
	for {
		now := c.Clock.Now()
		claim, held, err := c.Claims.Hold(ctx, c.key, c.Holder, now, now.Add(holdFor))
		if err != nil {
			return fmt.Errorf("nothing was sent, because the action could not be claimed: %w", err)
		}
		if held {
			c.claim = claim
			return nil
		}
		if !told {
			told = true
			c.notice("another run on this machine is creating the challenge of action %s, waiting for it", c.action)
		}
		if err := c.Clock.Sleep(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

func (c *creation) create(ctx context.Context) (Created, error) {
	known, err := c.earlier(ctx)
	if err != nil {
		return Created{}, err
	}
	unanswered := !c.claim.SentAt.IsZero()
	if known == nil && unanswered {
		if known, err = c.awaitEarlier(ctx); err != nil {
			return Created{}, err
		}
	}
	if known != nil {
		return c.conclude(ctx, *known, Created{Existing: true, LookedUp: unanswered})
	}
	return c.send(ctx)
}

// earlier gives the pending challenge of this action, nil when there is none, and refuses when the action was answered.
// A challenge that an unanswered request of this machine has made is given even when the user has answered it since.
func (c *creation) earlier(ctx context.Context) (*verify.Challenge, error) {
	if c.order.Fresh && c.claim == (Claim{}) {
		return nil, nil
	}
	found, err := c.search(ctx)
	if err != nil {
		return nil, fmt.Errorf("nothing was sent, because the factor's challenges could not be read: %w", err)
	}
	if c.claim.Challenge != "" && !contains(found, c.claim.Challenge) {
		remembered, err := c.Creator.Challenge(ctx, c.order.Service, c.order.Factor.Identity, c.claim.Challenge)
		switch {
		case err == nil:
			found = append(found, remembered)
		case verify.KindOf(err) != verify.KindNotFound:
			return nil, fmt.Errorf("nothing was sent, because challenge %s could not be read: %w", c.claim.Challenge, err)
		}
	}
	c.seen = map[verify.ChallengeSID]bool{}
	var answered *verify.Challenge
	for _, ch := range found {
		isAnswered := ch.Status == verify.ChallengeApproved || ch.Status == verify.ChallengeDenied
		if ch.Status == verify.ChallengePending && !Expired(ch, c.Clock.Now()) || isAnswered && c.isFromUnanswered(ch) {
			return &ch, nil
		}
		if isAnswered {
			answered = &ch
		}
		c.seen[ch.SID] = true
	}
	if answered != nil && !c.order.New {
		return nil, refusal(verify.KindRefused, "action %s was already %s%s, by challenge %s", c.action, answered.Status,
			ago(answered.DateResponded, c.Clock.Now()), answered.SID).
			WithHint("to ask again for the same action add --new: %s --new", c.order.Repeat)
	}
	return nil, nil
}

// isFromUnanswered tells whether a challenge appeared around or after the request that got no answer. The clocks of
// this machine and of Twilio may differ; taking one too many for it rings no phone.
func (c *creation) isFromUnanswered(ch verify.Challenge) bool {
	return !c.claim.SentAt.IsZero() && ch.SID != c.claim.Challenge &&
		ch.DateCreated.After(c.claim.SentAt.Add(-inFlight))
}

// awaitEarlier looks for the challenge of an earlier request of this machine whose outcome is unknown, until that
// request can no longer be on its way. It gives nil when the challenge never appeared, and then sending is safe.
func (c *creation) awaitEarlier(ctx context.Context) (*verify.Challenge, error) {
	until := c.claim.SentAt.Add(inFlight)
	if left := until.Sub(c.Clock.Now()); left > 0 {
		c.notice("a request sent %v ago got no answer; looking for its challenge for another %v before asking again",
			c.Clock.Now().Sub(c.claim.SentAt).Truncate(time.Second), left.Truncate(time.Second))
	}
	found, err := c.lookFor(ctx, until)
	if err != nil {
		return nil, fmt.Errorf("nothing was sent, because an earlier request's outcome could not be looked up: %w", err)
	}
	return found, nil
}

// send creates the challenge. From the note before it to the note after it, the claim says that the outcome is unknown.
func (c *creation) send(ctx context.Context) (Created, error) {
	now := c.Clock.Now()
	if _, held, err := c.Claims.Hold(ctx, c.key, c.Holder, now, now.Add(holdFor)); err != nil || !held {
		return Created{}, lostHold(err)
	}
	before := c.claim
	c.claim.SentAt = now
	if held, err := c.Claims.Note(ctx, c.key, c.Holder, c.claim); err != nil || !held {
		return Created{}, lostHold(err)
	}
	made, err := c.Creator.CreateChallenge(ctx, c.order.Service, c.order.Factor.Identity,
		c.order.Request.For(c.order.Factor.SID, now))
	switch {
	case err == nil:
		return c.conclude(ctx, made, Created{})
	case !outcomeUnknown(ctx, err):
		before.SentAt = time.Time{}
		_, _ = c.Claims.Note(context.WithoutCancel(ctx), c.key, c.Holder, before) // else the next run looks once more
		return Created{}, err
	case ctx.Err() != nil:
		return Created{}, c.unknown(verify.KindInterrupted, "it was interrupted before the answer came", err)
	}
	c.notice("the request got no answer, looking for its challenge")
	found, lookErr := c.lookFor(ctx, c.Clock.Now().Add(settleFor))
	switch {
	case found != nil:
		return c.conclude(ctx, *found, Created{LookedUp: true})
	case ctx.Err() != nil:
		return Created{}, c.unknown(verify.KindInterrupted, "the look-up for it was interrupted", err)
	case lookErr != nil:
		return Created{}, c.unknown(verify.KindPartial, "it could not be looked up: "+lookErr.Error(), err)
	}
	return Created{}, c.unknown(verify.KindPartial,
		fmt.Sprintf("it is not among the factor's challenges %v later", settleFor), err)
}

// lookFor searches for a challenge of this action that was not there before, at growing intervals until then and at
// least once. A failed read is tried again like an empty one; the error of the last one is given.
func (c *creation) lookFor(ctx context.Context, until time.Time) (*verify.Challenge, error) {
	wait := 250 * time.Millisecond
	for {
		found, err := c.search(ctx)
		for _, ch := range found {
			if !c.seen[ch.SID] {
				return &ch, nil
			}
		}
		left := until.Sub(c.Clock.Now())
		if left <= 0 || ctx.Err() != nil {
			return nil, err
		}
		if err := c.Clock.Sleep(ctx, min(wait, left)); err != nil {
			return nil, err
		}
		wait = min(2*wait, 5*time.Second)
	}
}

// search lists the factor's challenges of this action, newest first, answered and expired ones too: an answer that was
// lost may belong to a challenge the user has approved since.
func (c *creation) search(ctx context.Context) ([]verify.Challenge, error) {
	var found []verify.Challenge
	oldest := c.Clock.Now().Add(-lookBack)
	filter := verify.ChallengeFilter{FactorSID: c.order.Factor.SID, Newest: true}
	for ch, err := range c.Creator.Challenges(ctx, c.order.Service, c.order.Factor.Identity, filter) {
		if err != nil {
			return found, err
		}
		if ch.DateCreated.Before(oldest) && ch.Status != verify.ChallengePending {
			break
		}
		if ch.HiddenDetails[verify.ActionID] == c.action && verify.SameSID(ch.FactorSID, c.order.Factor.SID) {
			found = append(found, ch)
		}
	}
	return found, nil
}

// conclude writes down what is known to exist and gives it.
func (c *creation) conclude(ctx context.Context, ch verify.Challenge, created Created) (Created, error) {
	created.Challenge, created.ActionID = ch, c.action
	held, err := c.Claims.Note(context.WithoutCancel(ctx), c.key, c.Holder, Claim{Challenge: ch.SID})
	if err == nil && !held {
		err = lostHold(nil)
	}
	created.Forgotten = err
	return created, nil
}

// unknown is the error of a request that may have created a challenge.
func (c *creation) unknown(kind verify.Kind, why string, cause error) error {
	err := &verify.Error{Kind: kind, Cause: cause, Message: fmt.Sprintf(
		"the challenge of action %s may have been created and its push sent: %s", c.action, why)}
	return err.WithHint("the same command looks again first and never makes a second one: %s", c.order.Repeat)
}

func (c *creation) notice(format string, args ...any) {
	if c.Notice != nil {
		c.Notice(fmt.Sprintf(format, args...))
	}
}

// outcomeUnknown tells whether a write may have been done although it failed: the answer did not come, or it was
// interrupted.
func outcomeUnknown(ctx context.Context, err error) bool {
	kind := verify.KindOf(err)
	return kind == verify.KindPartial || kind == verify.KindInterrupted || ctx.Err() != nil
}

func lostHold(err error) error {
	if err != nil {
		return fmt.Errorf("nothing was sent, because it could not be written down first: %w", err)
	}
	return &verify.Error{Kind: verify.KindRefused,
		Message: "nothing was sent: another run on this machine took over the action after this one had paused too long",
		Hint:    "run the command again"}
}

func contains(list []verify.Challenge, sid verify.ChallengeSID) bool {
	for _, ch := range list {
		if verify.SameSID(ch.SID, sid) {
			return true
		}
	}
	return false
}
