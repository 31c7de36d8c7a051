package ledger

import (
	"context"
	"slices"
	"time"

	"github.com/verifyctl/verifyctl/internal/twilio"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// deletionMemory keeps what a deleted factor was, and what else this machine knows of factors.
type deletionMemory interface {
	RecordDeletions(ctx context.Context, factors []verify.Factor, by, reason string, at time.Time, before ...verify.DeletionEnd) (ids []int64, err error)
	FinishDeletions(ctx context.Context, ends ...verify.DeletionEnd) error
	ForgetEntity(ctx context.Context, identity verify.Identity) error
}

// Writer sends approved writes to one Service, each between its two lines of the audit file. Its methods may be called
// from many goroutines.
type Writer struct {
	ledger *Ledger
	twilio twilio.Writer
	memory deletionMemory
	origin Entry
	now    func() time.Time
	ends   waiting[verify.DeletionEnd] // of deletions, until there is a next one
}

// Writer gives the way to write to the Service of origin. Origin says for whom, why and with what every write is made: all
// that an [Entry] has beside Identity, SIDs and what is set here. Now is the environment's time, for the memory; the audit
// file has this machine's.
func (l *Ledger) Writer(client *twilio.Client, memory deletionMemory, origin Entry, now func() time.Time) *Writer {
	return &Writer{ledger: l, twilio: client.Writer(), memory: memory, origin: origin, now: now}
}

// recorded sends one write between its two lines; the line after also has the SID of what was made. Its error is that of the
// write, or why none was sent: when only the second line could not be written the request was sent all the same and its
// result counts. [Ledger.Close] tells of it.
func (w *Writer) recorded(ctx context.Context, identity verify.Identity, sids []string, send sending) error {
	err := w.begun(ctx, identity, sids, send)
	_ = w.ledger.flush(ctx) // what could not be written waits on
	return err
}

// sending sends a write, and gives the SID of what it made.
type sending func(context.Context) (made string, err error)

// begun is [Writer.recorded] whose line after waits for the next line.
func (w *Writer) begun(ctx context.Context, identity verify.Identity, sids []string, send sending) error {
	if err := ctx.Err(); err != nil {
		return err // an interruption starts nothing new
	}
	entry := w.origin
	entry.Time, entry.Identity, entry.SIDs, entry.Intent = time.Now(), string(identity), sids, verify.IntentOf(ctx)
	entry, err := w.ledger.begin(ctx, entry)
	if err != nil {
		return err
	}
	inTime, cancel := verify.GraceContext(ctx)
	defer cancel()
	var requestID string
	made, err := send(twilio.WithRequestID(inTime, &requestID))
	if made != "" {
		entry.SIDs = append(slices.Clone(entry.SIDs), made)
	}
	w.ledger.finishLater(entry, time.Now(), outcomeOf(err, "done", "not found"), requestID)
	return err
}

// outcomeOf says how a write ended, with the words for a success and for what was not found.
func outcomeOf(err error, done, notFound string) string {
	switch {
	case err == nil:
		return done
	case verify.KindOf(err) == verify.KindPartial:
		return "unknown"
	case verify.KindOf(err) == verify.KindNotFound:
		return notFound
	}
	return "failed"
}

// CreateChallenge asks the user of a factor; the phone rings. See [twilio.Writer.CreateChallenge].
func (w *Writer) CreateChallenge(ctx context.Context, service verify.ServiceSID, identity verify.Identity, n verify.NewChallenge) (made verify.Challenge, err error) {
	err = w.recorded(ctx, identity, []string{string(n.FactorSID)}, func(ctx context.Context) (_ string, err error) {
		made, err = w.twilio.CreateChallenge(ctx, service, identity, n)
		return string(made.SID), err
	})
	return made, err
}

// CreateNotification sends the push of a challenge again; the phone rings. See [twilio.Writer.CreateNotification].
func (w *Writer) CreateNotification(ctx context.Context, service verify.ServiceSID, identity verify.Identity, ch verify.ChallengeSID, ttl time.Duration) (sent verify.Notification, err error) {
	err = w.recorded(ctx, identity, []string{string(ch)}, func(ctx context.Context) (_ string, err error) {
		sent, err = w.twilio.CreateNotification(ctx, service, identity, ch, ttl)
		return string(sent.SID), err
	})
	return sent, err
}

// SetServiceCredential attaches a push credential to a Service in the place of was, which may be "".
func (w *Writer) SetServiceCredential(ctx context.Context, service verify.ServiceSID, platform verify.Platform, credential, was verify.CredentialSID) error {
	return w.recorded(ctx, "", []string{string(credential), string(was)}, func(ctx context.Context) (string, error) {
		_, err := w.twilio.SetServiceCredential(ctx, service, platform, credential)
		return "", err
	})
}

// CreateService makes a Service. See [twilio.Writer.CreateService].
func (w *Writer) CreateService(ctx context.Context, settings verify.ServiceSettings) (made verify.Service, err error) {
	err = w.recorded(ctx, "", nil, func(ctx context.Context) (_ string, err error) {
		made, err = w.twilio.CreateService(ctx, settings)
		return string(made.SID), err
	})
	return made, err
}

// UpdateService changes settings of a Service.
func (w *Writer) UpdateService(ctx context.Context, service verify.ServiceSID, settings verify.ServiceSettings) error {
	return w.recorded(ctx, "", []string{string(service)}, func(ctx context.Context) (string, error) {
		_, err := w.twilio.UpdateService(ctx, service, settings)
		return "", err
	})
}

// CreateCredential makes a push credential. See [twilio.Writer.CreateCredential].
func (w *Writer) CreateCredential(ctx context.Context, n verify.CredentialWrite) (made verify.Credential, err error) {
	err = w.recorded(ctx, "", nil, func(ctx context.Context) (_ string, err error) {
		made, err = w.twilio.CreateCredential(ctx, n)
		return string(made.SID), err
	})
	return made, err
}

// UpdateCredential changes a push credential; empty fields stay as they are.
func (w *Writer) UpdateCredential(ctx context.Context, credential verify.CredentialSID, n verify.CredentialWrite) (changed verify.Credential, err error) {
	err = w.recorded(ctx, "", []string{string(credential)}, func(ctx context.Context) (_ string, err error) {
		changed, err = w.twilio.UpdateCredential(ctx, credential, n)
		return "", err
	})
	return changed, err
}

// DeleteCredential deletes a push credential.
func (w *Writer) DeleteCredential(ctx context.Context, credential verify.Credential) error {
	return w.recorded(ctx, "", []string{string(credential.SID)}, func(ctx context.Context) (string, error) {
		return "", w.twilio.DeleteCredential(ctx, credential)
	})
}

// CreateWebhook makes a webhook.
func (w *Writer) CreateWebhook(ctx context.Context, service verify.ServiceSID, hook verify.Webhook) (made verify.Webhook, err error) {
	err = w.recorded(ctx, "", nil, func(ctx context.Context) (_ string, err error) {
		made, err = w.twilio.CreateWebhook(ctx, service, hook)
		return string(made.SID), err
	})
	return made, err
}

// DeleteWebhook deletes a webhook.
func (w *Writer) DeleteWebhook(ctx context.Context, service verify.ServiceSID, hook verify.WebhookSID) error {
	return w.recorded(ctx, "", []string{string(hook)}, func(ctx context.Context) (string, error) {
		return "", w.twilio.DeleteWebhook(ctx, service, hook)
	})
}

// UpdateWebhook changes a webhook to what hook says; empty fields stay as they are.
func (w *Writer) UpdateWebhook(ctx context.Context, service verify.ServiceSID, hook verify.Webhook) error {
	return w.recorded(ctx, "", []string{string(hook.SID)}, func(ctx context.Context) (string, error) {
		_, err := w.twilio.UpdateWebhook(ctx, service, hook)
		return "", err
	})
}

// DeleteFactor deletes a factor that was just read, and says how that ended: deleted, already gone, failed or unknown.
// What the factor was is committed before the delete is sent. The line after, and what became of it, are put on disk with the
// next delete's, or by [Writer.Flush]; then the index forgets it.
func (w *Writer) DeleteFactor(ctx context.Context, f verify.Factor) (outcome string, err error) {
	return w.delete(ctx, f.Identity, nil, []verify.Factor{f}, func(ctx context.Context) (string, error) {
		return "", w.twilio.DeleteFactor(ctx, w.origin.ServiceSID, f.Identity, f.SID)
	})
}

// DeleteEntity deletes an entity whose factors were just read, and says how that ended, as [Writer.DeleteFactor] does; all of it
// is on disk when it returns.
func (w *Writer) DeleteEntity(ctx context.Context, e verify.Entity, factors []verify.Factor) (outcome string, err error) {
	outcome, err = w.delete(ctx, e.Identity, []string{string(e.SID)}, factors, func(ctx context.Context) (string, error) {
		return "", w.twilio.DeleteEntity(ctx, w.origin.ServiceSID, e.Identity)
	})
	if flushErr := w.Flush(ctx); err == nil {
		err = flushErr
	}
	if err == nil {
		err = w.memory.ForgetEntity(ctx, e.Identity)
	}
	return outcome, err
}

// delete keeps what the factors were, and sends their delete.
func (w *Writer) delete(ctx context.Context, identity verify.Identity, sids []string, factors []verify.Factor, send sending) (outcome string, err error) {
	var ids []int64
	err = w.ends.with(func(before []verify.DeletionEnd) (err error) {
		ids, err = w.memory.RecordDeletions(ctx, factors, w.origin.User, w.origin.Reason, w.now(), before...)
		return err
	})
	if err != nil {
		return "failed", err
	}
	for _, f := range factors {
		sids = append(sids, string(f.SID))
	}
	err = w.begun(ctx, identity, sids, send)
	if outcome = outcomeOf(err, "deleted", "already gone"); outcome == "already gone" {
		err = nil // it was there when it was read, and is gone now
	}
	for _, id := range ids {
		w.ends.add(verify.DeletionEnd{ID: id, Outcome: outcome, Gone: err == nil, At: w.now()})
	}
	return outcome, err
}

// Flush puts on disk what became of the last deletes. It does so even when ctx is cancelled, because they were sent. Its error is
// of the memory; what the audit file lacks, [Ledger.Close] tells.
func (w *Writer) Flush(ctx context.Context) error {
	_ = w.ledger.flush(ctx) // what could not be written waits on
	return w.ends.with(func(ends []verify.DeletionEnd) error { return w.memory.FinishDeletions(ctx, ends...) })
}
