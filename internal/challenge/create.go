package challenge

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// How long creating once waits, and for what.
const (
	// settleFor is how long the challenge of a request without an answer is looked for before that is reported.
	settleFor = 15 * time.Second
	// inFlight is how long a request without an answer may still be on its way. Only after that, and only after
	// another look, is the same challenge sent again, and only by another run.
	inFlight = time.Minute
	// lookBack is how old the challenges of a factor are that are searched for an action id. Pending ones live an hour
	// at most (twilio_verify_v2.json, CreateChallenge, ExpirationDate); the rest allows for a wrong clock.
	lookBack = 24 * time.Hour
	// turnPoll is how often a run that waits for another one of this machine asks whether it is done.
	turnPoll = 200 * time.Millisecond
)

// clock is where the time comes from and goes to: the environment's, never the machine's directly.
type clock interface {
	Now() time.Time
	Sleep(ctx context.Context, d time.Duration) error // ends early with the context's error
}

// Creator creates challenges and reads them.
type Creator interface {
	CreateChallenge(context.Context, verify.ServiceSID, verify.Identity, verify.NewChallenge) (verify.Challenge, error)
	Challenges(context.Context, verify.ServiceSID, verify.Identity, verify.ChallengeFilter) iter.Seq2[verify.Challenge, error]
	Challenge(context.Context, verify.ServiceSID, verify.Identity, verify.ChallengeSID) (verify.Challenge, error)
}

// claims keeps the runs that share a memory from creating the same challenge twice, and remembers what they created. Its
// writes are durable on return, and are decided across processes.
type claims interface {
	ClaimChallenge(context.Context, verify.ClaimKey) (verify.Claim, error)
	// ReplaceClaim asks for the right to create a new challenge in the place of old, which can be answered no more.
	ReplaceClaim(ctx context.Context, key verify.ClaimKey, old verify.ChallengeSID) (verify.Claim, error)
	FulfilClaim(context.Context, verify.Claim, verify.CreatedChallenge) error
	// AbandonClaim ends a claim without a challenge; uncertain tells that there may be one nevertheless.
	AbandonClaim(ctx context.Context, claim verify.Claim, uncertain bool) error
	// TakeOverClaim ends the claim of another machine, whose run is lost; the next one looks first.
	TakeOverClaim(context.Context, verify.ClaimKey) error
	CreatedChallenge(context.Context, verify.ChallengeSID) (verify.CreatedChallenge, bool, error)
}

// Once creates challenges at most once for each action id and factor.
//
// Twilio offers no idempotency key, so three things stand in for it: runs that share a memory take turns by a claim; the
// action id in the hidden details lets the factor's challenges be searched before anything is sent; and a request
// whose answer was lost is looked up and never repeated by the run that sent it. Another run with the same action id
// repeats it only after it has looked for a minute, when the first request can be on its way no more. What remains is
// the gap that Twilio leaves: two machines that share no memory and create for one action at the very same moment can both
// find nothing.
type Once struct {
	Creator Creator
	Claims  claims
	Clock   clock
	Notice  func(say string) // told what is waited for; may be nil
}

// Order is one challenge to create.
type Order struct {
	Service  verify.ServiceSID
	Factor   verify.Factor
	Request  Request // checked, with an action id
	Fresh    bool    // the action id was made for this order, so no challenge can have it yet
	New      bool    // create even when the action was already approved or denied
	Repeat   string  // the command that continues this order; stands in hints
	TakeOver bool    // the machine that has the claim is lost: go on without it, after looking
	AskOver  string  // the command that does so; stands in a notice
	AskNew   string  // the command that asks again although the action was answered; stands in hints
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
	run := creation{Once: o, order: order, key: verify.ClaimKey{ServiceSID: order.Service,
		ActionID: order.Request.Action(), FactorSID: order.Factor.SID}}
	if run.key.ActionID == "" {
		return Created{}, fmt.Errorf("creating once needs an action id")
	}
	if order.TakeOver {
		if err := o.Claims.TakeOverClaim(ctx, run.key); err != nil {
			return Created{}, err
		}
	}
	claim, err := run.turn(ctx, "")
	for err == nil && claim.State == verify.ClaimMade {
		made, readErr := run.read(ctx, claim.ChallengeSID)
		if readErr != nil {
			return Created{}, readErr
		}
		if run.isPending(made) || run.waited && isAnswered(made) {
			return Created{Challenge: made, ActionID: run.key.ActionID, Existing: true}, nil
		}
		if err := run.refuseAnswered(made); err != nil {
			return Created{}, err
		}
		run.replaced = claim.ChallengeSID
		claim, err = run.turn(ctx, claim.ChallengeSID)
	}
	if err != nil {
		return Created{}, err
	}
	return run.create(ctx, claim)
}

// creation is one run of [Once.Create].
type creation struct {
	Once
	order    Order
	key      verify.ClaimKey
	seen     map[verify.ChallengeSID]bool // challenges of the action that were there before anything was sent
	replaced verify.ChallengeSID          // the one of an earlier run that can be answered no more; "" for none
	waited   bool                         // for another run with the same order, so its challenge is this run's as well
}

// turn claims the action, waiting while another run on this machine is at it. old is the challenge to replace.
func (c *creation) turn(ctx context.Context, old verify.ChallengeSID) (verify.Claim, error) {
	for {
		claim, err := c.ask(ctx, old)
		if err != nil {
			return verify.Claim{}, fmt.Errorf("nothing was sent, because it could not be recorded first: %w", err)
		}
		if claim.State != verify.ClaimElsewhere {
			return claim, nil
		}
		if !c.waited {
			c.waited = true
			c.waitsFor(claim)
		}
		if err := c.Clock.Sleep(ctx, turnPoll); err != nil {
			return verify.Claim{}, err
		}
	}
}

func (c *creation) waitsFor(claim verify.Claim) {
	if claim.Machine == "" {
		c.notice("another run on this machine is creating the challenge of action %s, waiting for it", c.key.ActionID)
		return
	}
	c.notice("a run on %s is creating the challenge of action %s since %s, waiting for it; if that machine is lost: %s",
		claim.Machine, c.key.ActionID, claim.Since.UTC().Format(time.RFC3339), c.order.AskOver)
}

func (c *creation) ask(ctx context.Context, old verify.ChallengeSID) (verify.Claim, error) {
	if old == "" {
		return c.Claims.ClaimChallenge(ctx, c.key)
	}
	return c.Claims.ReplaceClaim(ctx, c.key, old)
}

// read gives a challenge that this machine created; the zero one when Twilio does not have it any more.
func (c *creation) read(ctx context.Context, sid verify.ChallengeSID) (verify.Challenge, error) {
	made, err := c.Creator.Challenge(ctx, c.order.Service, c.order.Factor.Identity, sid)
	if err != nil && verify.KindOf(err) != verify.KindNotFound {
		return verify.Challenge{}, fmt.Errorf("nothing was sent, because challenge %s of the same action could not be read: %w", sid, err)
	}
	return made, nil
}

func (c *creation) isPending(ch verify.Challenge) bool {
	return ch.Status == verify.ChallengePending && !Expired(ch, c.Clock.Now())
}

func isAnswered(ch verify.Challenge) bool {
	return ch.Status == verify.ChallengeApproved || ch.Status == verify.ChallengeDenied
}

// refuseAnswered keeps a user from being asked again what they have answered, unless that is wanted: after an approval
// it is pointless, after a denial it is what an attacker does.
func (c *creation) refuseAnswered(ch verify.Challenge) error {
	if !isAnswered(ch) || c.order.New {
		return nil
	}
	return refusal(verify.KindRefused, "action %s was already %s%s, by challenge %s", c.key.ActionID, ch.Status,
		ago(ch.DateResponded, c.Clock.Now()), ch.SID).
		WithHint("to ask again about the same action: %s", c.order.AskNew)
}

// create goes on with a claim that is this run's, and ends it.
func (c *creation) create(ctx context.Context, claim verify.Claim) (Created, error) {
	known, err := c.earlier(ctx, claim.LookFirst)
	if err != nil {
		c.abandon(ctx, claim, claim.LookFirst)
		return Created{}, err
	}
	if known != nil {
		return c.conclude(ctx, claim, Created{Challenge: *known, Existing: true, LookedUp: claim.LookFirst}), nil
	}
	return c.send(ctx, claim)
}

// earlier gives the challenge of this action that makes another one needless, nil when there is none, and refuses when
// the action was answered. unanswered tells that an earlier request of this machine got no answer: its challenge is
// waited for until that request can be on its way no more, and is given even when the user has answered it since.
func (c *creation) earlier(ctx context.Context, unanswered bool) (*verify.Challenge, error) {
	if c.order.Fresh && !unanswered {
		return nil, nil
	}
	until := c.Clock.Now().Add(inFlight)
	found, err := c.search(ctx)
	if err != nil {
		return nil, fmt.Errorf("nothing was sent, because the factor's challenges could not be read: %w", err)
	}
	c.seen = map[verify.ChallengeSID]bool{}
	for _, ch := range found {
		if c.isPending(ch) {
			return &ch, nil
		}
		_, recorded, err := c.Claims.CreatedChallenge(ctx, ch.SID)
		if err != nil {
			return nil, fmt.Errorf("nothing was sent, because this machine's memory could not be read: %w", err)
		}
		if unanswered && isAnswered(ch) && !recorded {
			return &ch, nil
		}
		if err := c.refuseAnswered(ch); err != nil {
			return nil, err
		}
		c.seen[ch.SID] = true
	}
	if !unanswered {
		return nil, nil
	}
	c.notice("an earlier request for action %s got no answer; looking for its challenge for %v before asking again",
		c.key.ActionID, inFlight)
	late, err := c.lookFor(ctx, until)
	if late == nil && err != nil {
		return nil, fmt.Errorf("nothing was sent, because an earlier request's outcome could not be looked up: %w", err)
	}
	return late, nil
}

// send creates the challenge. The claim is this run's before it and until its outcome is written down, so that a run
// that is killed in between leaves the duty to look first.
func (c *creation) send(ctx context.Context, claim verify.Claim) (Created, error) {
	made, err := c.Creator.CreateChallenge(ctx, c.order.Service, c.order.Factor.Identity,
		c.order.Request.newChallenge(c.order.Factor.SID, c.Clock.Now()))
	switch {
	case err == nil:
		return c.conclude(ctx, claim, Created{Challenge: made}), nil
	case !outcomeUnknown(ctx, err):
		c.abandon(ctx, claim, false)
		return Created{}, err
	case ctx.Err() != nil:
		c.abandon(ctx, claim, true)
		return Created{}, c.unknown(verify.KindInterrupted, "it was interrupted before the answer came", err)
	}
	c.notice("the request got no answer, looking for its challenge")
	found, lookErr := c.lookFor(ctx, c.Clock.Now().Add(settleFor))
	if found != nil {
		return c.conclude(ctx, claim, Created{Challenge: *found, LookedUp: true}), nil
	}
	c.abandon(ctx, claim, true)
	switch {
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
		if ch.HiddenDetails[verify.ActionID] == c.key.ActionID && verify.SameSID(ch.FactorSID, c.order.Factor.SID) {
			found = append(found, ch)
		}
	}
	return found, nil
}

// conclude ends the claim with the challenge that exists.
func (c *creation) conclude(ctx context.Context, claim verify.Claim, created Created) Created {
	created.ActionID = c.key.ActionID
	created.Forgotten = c.Claims.FulfilClaim(ctx, claim, c.record(created.Challenge))
	return created
}

// abandon ends the claim without a challenge. When that cannot be written down the claim ends with this process, and the
// next run looks first: nothing is lost but time.
func (c *creation) abandon(ctx context.Context, claim verify.Claim, uncertain bool) {
	if c.replaced != "" && !uncertain {
		// What was made before still is what this action has.
		_ = c.Claims.FulfilClaim(ctx, claim, c.record(verify.Challenge{SID: c.replaced}))
		return
	}
	_ = c.Claims.AbandonClaim(ctx, claim, uncertain)
}

func (c *creation) record(ch verify.Challenge) verify.CreatedChallenge {
	return verify.CreatedChallenge{SID: ch.SID, ServiceSID: c.order.Service, Identity: c.order.Factor.Identity,
		FactorSID: c.order.Factor.SID, ActionID: c.key.ActionID, Created: ch.DateCreated, Expires: ch.ExpirationDate}
}

// unknown is the error of a request that may have created a challenge.
func (c *creation) unknown(kind verify.Kind, why string, cause error) error {
	err := &verify.Error{Kind: kind, Cause: cause, Message: fmt.Sprintf(
		"the challenge of action %s may have been created and its push sent: %s", c.key.ActionID, why)}
	return err.WithHint("the same command looks again first and never makes a second one: %s", c.order.Repeat)
}

func (c *creation) notice(format string, args ...any) {
	if c.Notice != nil {
		c.Notice(fmt.Sprintf(format, args...))
	}
}

// outcomeUnknown tells whether a write may have been done although it failed: Twilio's answer did not come, or the run
// was interrupted and nobody says that nothing was sent.
func outcomeUnknown(ctx context.Context, err error) bool {
	if verify.KindOf(err) == verify.KindPartial {
		return true
	}
	_, known := errors.AsType[*verify.Error](err)
	return ctx.Err() != nil && !known
}
