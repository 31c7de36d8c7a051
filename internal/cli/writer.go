package cli

import (
	"context"
	"os"
	"os/user"
	"time"

	"github.com/verifyctl/verifyctl/internal/fleet"
	"github.com/verifyctl/verifyctl/internal/store"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// writer sends approved writes to Twilio, the only way a command can write. Each leaves one line in the audit file before
// it is sent and one after; when the first cannot be written, nothing is sent.
type writer struct {
	c       *connection
	store   *store.Store
	audit   *store.Audit
	command string
	reason  string
	user    string
}

// writer approves a write, opens what records it, and gives what sends it.
func (c *connection) writer(ctx context.Context, w writeFlags, question string, h harm) (*writer, error) {
	if err := c.approve(ctx, w, question, h); err != nil {
		return nil, err
	}
	return c.approvedWriter(ctx, w.reason)
}

// approvedWriter opens what records an approved write, and gives what sends it.
func (c *connection) approvedWriter(ctx context.Context, reason string) (*writer, error) {
	memory, err := c.memory(ctx)
	if err != nil {
		return nil, err
	}
	audit, err := c.shell.audit(ctx)
	if err != nil {
		return nil, err
	}
	return &writer{c: c, store: memory, audit: audit, command: c.shell.command, reason: reason, user: userName()}, nil
}

// recorded sends one write between its two audit lines.
func (w *writer) recorded(ctx context.Context, entry store.AuditEntry, send func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err // an interruption starts nothing new
	}
	entry.Time, entry.User, entry.Host = time.Now(), w.user, hostName()
	entry.Environment, entry.AccountSID, entry.ServiceSID = w.c.env.Name, w.c.env.AccountSID, w.c.service()
	entry.Command, entry.Reason = w.command, w.reason
	if key, err := verify.ParseAPIKeySID(w.c.target.Username); err == nil {
		entry.KeySID = key
	}
	pending, err := w.audit.Begin(ctx, entry)
	if err != nil {
		return err
	}
	sending, cancel := fleet.Outlast(ctx)
	defer cancel()
	var requestID string
	sendErr := send(verify.WithRequestID(sending, &requestID))
	if err := pending.Finish(ctx, time.Now(), outcomeOf(sendErr), requestID); err != nil && sendErr == nil {
		return err
	}
	return sendErr
}

// userName is the operating system's name of who runs this.
func userName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}

func hostName() string {
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return name
}

// outcomeOf says in a word how a write ended.
func outcomeOf(err error) string {
	switch {
	case err == nil:
		return "done"
	case verify.KindOf(err) == verify.KindPartial:
		return "unknown"
	case verify.KindOf(err) == verify.KindNotFound:
		return "not found"
	}
	return "failed"
}

// DeleteFactor deletes a factor that was just read, and says how that ended: deleted, already gone, failed or unknown.
// What the factor was is committed on this machine before the delete is sent; afterwards the index forgets it.
func (w *writer) DeleteFactor(ctx context.Context, f verify.Factor) (string, error) {
	id, err := w.store.RecordDeletion(ctx, f, w.user, w.reason, w.c.now())
	if err != nil {
		return "failed", err
	}
	err = w.recorded(ctx, store.AuditEntry{Identity: string(f.Identity), SIDs: []string{string(f.SID)}}, func(ctx context.Context) error {
		return w.c.client.DeleteFactor(ctx, w.c.service(), f.Identity, f.SID)
	})
	outcome := deleteOutcome(err)
	if verify.KindOf(err) == verify.KindNotFound {
		err = nil // it was there when it was read, and is gone now
	}
	if storeErr := w.store.FinishDeletion(context.WithoutCancel(ctx), id, outcome, w.c.now()); err == nil {
		err = storeErr
	}
	if err == nil {
		err = w.store.ForgetFactor(ctx, f.SID)
	}
	return outcome, err
}

func deleteOutcome(err error) string {
	switch {
	case err == nil:
		return "deleted"
	case verify.KindOf(err) == verify.KindNotFound:
		return "already gone"
	case verify.KindOf(err) == verify.KindPartial:
		return "unknown"
	}
	return "failed"
}

// DeleteEntity deletes an entity whose factors were just read.
func (w *writer) DeleteEntity(ctx context.Context, e verify.Entity, factors []verify.Factor) (string, error) {
	var ids []int64
	sids := []string{string(e.SID)}
	for _, f := range factors {
		id, err := w.store.RecordDeletion(ctx, f, w.user, w.reason, w.c.now())
		if err != nil {
			return "failed", err
		}
		ids, sids = append(ids, id), append(sids, string(f.SID))
	}
	err := w.recorded(ctx, store.AuditEntry{Identity: string(e.Identity), SIDs: sids}, func(ctx context.Context) error {
		return w.c.client.DeleteEntity(ctx, w.c.service(), e.Identity)
	})
	outcome := deleteOutcome(err)
	if verify.KindOf(err) == verify.KindNotFound {
		err = nil
	}
	for _, id := range ids {
		if storeErr := w.store.FinishDeletion(context.WithoutCancel(ctx), id, outcome, w.c.now()); err == nil {
			err = storeErr
		}
	}
	if err == nil {
		err = w.store.ForgetEntity(ctx, e.Identity)
	}
	return outcome, err
}
