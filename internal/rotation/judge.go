package rotation

import (
	"context"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// The alerts are read this often: a twentieth of the watch, within bounds. They show minutes late, and a list costs requests.
const (
	shortestPause = time.Second
	longestPause  = 15 * time.Second
)

// judge asks the canary, watches, and ends the rotation by what it saw.
func (r *Rotator) judge(ctx context.Context, p Plan) (Report, error) {
	var canary canary
	if r.Canary != nil {
		var err error
		if canary.status, err = r.Canary(ctx, p.State.New); err != nil {
			return p.report(Tally{}, 0), err
		}
	}
	tally, watched, err := r.watch(ctx, p, &canary)
	tally.Canary = canary.answered
	report := p.report(tally, watched)
	if err != nil {
		return report, err
	}
	return r.end(ctx, &p, report)
}

// canary is the one person who was asked.
type canary struct {
	status   func(context.Context) (verify.ChallengeStatus, error) // nil when there is nobody to wait for
	answered bool
}

// look takes notice of an answer, and of one that will not come any more.
func (c *canary) look(ctx context.Context) error {
	if c.status == nil {
		return nil
	}
	status, err := c.status(ctx)
	if err != nil || status == verify.ChallengePending {
		return err
	}
	c.status, c.answered = nil, status != verify.ChallengeExpired
	return nil
}

// watch counts until the time is over and the canary needs not be waited for, or until enough pushes were refused.
func (r *Rotator) watch(ctx context.Context, p Plan, canary *canary) (Tally, time.Duration, error) {
	until := p.State.Attached.Add(p.Watch)
	if p.Watch > 0 && r.Clock.Now().Before(until) {
		r.Notice("watching for refused pushes until %s; Ctrl-C ends the watch, and the same command goes on with it", verify.Stamp(until))
	}
	pause := min(max(p.Watch/20, shortestPause), longestPause)
	for {
		now := r.Clock.Now()
		tally, err := r.count(ctx, p, now)
		if err == nil {
			err = canary.look(ctx)
		}
		enough, over := p.RollbackOn > 0 && tally.excess() >= p.RollbackOn, !now.Before(until)
		if err != nil || enough || over && canary.status == nil {
			return tally, now.Sub(p.State.Attached), err
		}
		rest := pause
		if !over {
			rest = min(pause, until.Sub(now))
		}
		if err := r.Clock.Sleep(ctx, rest); err != nil {
			return tally, now.Sub(p.State.Attached), err
		}
	}
}

// end draws the conclusion. What is not known is not kept: without a push that went through there is no outcome.
func (r *Rotator) end(ctx context.Context, p *Plan, report Report) (Report, error) {
	refused := report.excess()
	switch {
	case p.RollbackOn > 0 && refused >= p.RollbackOn:
		return r.rollBack(ctx, p, report)
	case refused > 0:
		report.Outcome = verify.RotationFailing
	case report.proves():
		report.Outcome = verify.RotationKept
	default:
		report.Outcome = unknown
		return report, (&verify.Error{Kind: verify.KindPartial, Message: "no push was seen since " + verify.Stamp(report.Attached) + ", so whether the new credential works is unknown"}).
			WithHint("ask one person: the same command with --canary IDENTITY; or have a challenge answered that was created from this machine, and run it again")
	}
	p.State.Outcome = report.Outcome
	if err := r.Memory.SaveRotation(ctx, p.State); err != nil {
		return report, err
	}
	if report.Outcome == verify.RotationKept {
		return report, nil
	}
	failing := &verify.Error{Kind: verify.KindFailed, Message: verify.Count(refused, "push was", "pushes were") + " refused because of the new credential"}
	if p.InPlace || p.State.Old == "" {
		return report, failing.WithHint("find out why: %s", p.Environment.Command("doctor"))
	}
	return report, failing.WithHint("put the old one back: %s", p.Environment.Command("doctor", "undo", string(p.Platform)+"="+string(p.State.Old)))
}

// goOnReturning puts the old credential back for a run that was cut off while it did.
func (r *Rotator) goOnReturning(ctx context.Context, p *Plan) (Report, error) {
	now := r.Clock.Now()
	tally, err := r.count(ctx, *p, now)
	if err != nil {
		return p.report(tally, 0), err
	}
	return r.rollBack(ctx, p, p.report(tally, now.Sub(p.State.Attached)))
}

// rollBack attaches the old credential again, if it still fits. That it is about to is remembered first: a run that is cut off
// here must not attach the new one once more.
func (r *Rotator) rollBack(ctx context.Context, p *Plan, report Report) (Report, error) {
	if err := r.putBack(ctx, p); err != nil {
		report.Outcome = p.State.Outcome
		return report, &verify.Error{Kind: verify.KindOf(err), Cause: err,
			Message: verify.Count(report.excess(), "push was", "pushes were") + " refused, and the old credential could not be put back: " + err.Error()}
	}
	report.Outcome, p.State.Outcome = verify.RotationRolledBack, verify.RotationRolledBack
	if err := r.Memory.SaveRotation(ctx, p.State); err != nil {
		return report, err
	}
	return report, (&verify.Error{Kind: verify.KindFailed, Message: verify.Count(report.excess(), "push was", "pushes were") + " refused because of the new credential; the old one, " + string(p.State.Old) + ", is attached again"}).
		WithHint("find out why: %s; delete the new one: %s", p.Environment.Command("doctor"), p.Environment.Command("credentials", "retire", string(p.State.New)))
}

func (r *Rotator) putBack(ctx context.Context, p *Plan) error {
	p.State.Outcome = verify.RotationReturning
	if err := r.Memory.SaveRotation(ctx, p.State); err != nil {
		return err
	}
	old, err := r.Twilio.Credential(ctx, p.State.Old)
	if err != nil {
		return err
	}
	if err := p.fits(old); err != nil {
		return err
	}
	r.Notice("putting %s back", old.SID)
	return r.set(ctx, p, p.State.Old, p.State.New)
}
