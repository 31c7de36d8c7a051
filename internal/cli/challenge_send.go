package cli

import (
	"context"
	"iter"
	"time"

	"github.com/verifyctl/verifyctl/internal/challenge"
	"github.com/verifyctl/verifyctl/internal/store"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// recordedSender sends what makes phones ring, each between its two audit lines. When only the second line could not be
// written the request was sent all the same, and its result counts; trailErr then says what the audit file lacks.
type recordedSender struct {
	w        *writer
	trailErr error
}

func (r *recordedSender) CreateChallenge(ctx context.Context, service verify.ServiceSID, identity verify.Identity, n verify.NewChallenge) (verify.Challenge, error) {
	var made verify.Challenge
	err := r.w.recorded(ctx, store.AuditEntry{Identity: string(identity), SIDs: []string{string(n.FactorSID)}}, func(ctx context.Context) (err error) {
		made, err = r.w.c.client.CreateChallenge(ctx, service, identity, n)
		return err
	})
	if made.SID != "" {
		r.trailErr, err = err, nil
	}
	return made, err
}

func (r *recordedSender) CreateNotification(ctx context.Context, service verify.ServiceSID, identity verify.Identity, ch verify.ChallengeSID, ttl time.Duration) (verify.Notification, error) {
	var sent verify.Notification
	err := r.w.recorded(ctx, store.AuditEntry{Identity: string(identity), SIDs: []string{string(ch)}}, func(ctx context.Context) (err error) {
		sent, err = r.w.c.client.CreateNotification(ctx, service, identity, ch, ttl)
		return err
	})
	if sent.SID != "" {
		r.trailErr, err = err, nil
	}
	return sent, err
}

func (r *recordedSender) Challenge(ctx context.Context, service verify.ServiceSID, identity verify.Identity, ch verify.ChallengeSID) (verify.Challenge, error) {
	return r.w.c.client.Challenge(ctx, service, identity, ch)
}

func (r *recordedSender) Challenges(ctx context.Context, service verify.ServiceSID, identity verify.Identity, f verify.ChallengeFilter) iter.Seq2[verify.Challenge, error] {
	return r.w.c.client.Challenges(ctx, service, identity, f)
}

// resender sends pushes again, each recorded and counted.
func (w *writer) resender(sender *recordedSender) challenge.Resender {
	return challenge.Resender{Env: w.c.env.Name, Notifier: sender, Log: w.store, Clock: w.c.clock()}
}
