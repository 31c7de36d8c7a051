package cli

import (
	"context"
	"os"
	"os/user"
	"time"

	"github.com/verifyctl/verifyctl/internal/challenge"
	"github.com/verifyctl/verifyctl/internal/fleet"
	"github.com/verifyctl/verifyctl/internal/ledger"
	"github.com/verifyctl/verifyctl/internal/store"
	"github.com/verifyctl/verifyctl/internal/twilio"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// writer sends confirmed writes to Twilio through the ledger, the only way a command can write.
type writer struct {
	*ledger.Writer
	c     *connection
	store *store.Store
}

// writer has a write confirmed, and gives what sends it.
func (c *connection) writer(ctx context.Context, w writeFlags, question string, h harm) (*writer, error) {
	if err := c.confirm(ctx, w, question, h); err != nil {
		return nil, err
	}
	return c.confirmedWriter(ctx, w)
}

// confirmedWriter gives what sends a confirmed write.
func (c *connection) confirmedWriter(ctx context.Context, w writeFlags) (*writer, error) {
	memory, err := c.memory(ctx)
	if err != nil {
		return nil, err
	}
	audit, err := c.shell.ledger(ctx)
	if err != nil {
		return nil, err
	}
	key, _ := verify.ParseAPIKeySID(c.target.Username) // none when the keys are the account's auth token
	return &writer{c: c, store: memory, Writer: audit.Writer(c.client, memory, ledger.Entry{
		User: userName(), Host: hostName(), KeySID: key, Environment: c.env.Name, AccountSID: c.env.AccountSID, ServiceSID: c.service(),
		Command: c.shell.command, Purpose: w.purpose, Reason: w.reason,
	}, c.now)}, nil
}

// ledger opens the audit file on first use.
func (s *shell) ledger(ctx context.Context) (*ledger.Ledger, error) {
	s.opening.Lock()
	defer s.opening.Unlock()
	if s.opened.ledger != nil {
		return s.opened.ledger, nil
	}
	dir, err := s.stateDir()
	if err != nil {
		return nil, err
	}
	audit, err := ledger.Open(ctx, dir)
	if err != nil {
		return nil, err
	}
	s.opened.ledger, s.opened.closers = audit, append(s.opened.closers, audit)
	return audit, nil
}

// settleAudit ends the writes of this command that a killed run has left open in the audit file.
func (c *connection) settleAudit(ctx context.Context) error {
	audit, err := c.shell.ledger(ctx)
	if err != nil {
		return err
	}
	return audit.Settle(ctx, ledger.Entry{Environment: c.env.Name, AccountSID: c.env.AccountSID, Command: c.shell.command}, time.Now())
}

// once creates challenges once: what it looks up is read as everywhere, what it sends is recorded.
func (w *writer) once() challenge.Once {
	creator := struct {
		*twilio.Client
		*ledger.Writer
	}{w.c.client, w.Writer}
	return challenge.Once{Creator: creator, Claims: w.store, Clock: w.c.clock(), Notice: func(s string) { w.c.shell.note("%s", s) }}
}

// resender sends pushes again, each recorded and counted.
func (w *writer) resender() challenge.Resender {
	return challenge.Resender{Env: w.c.env, Notifier: w, Log: w.store, Clock: w.c.clock()}
}

// deletes is where factors are deleted, and what is looked at before.
func (w *writer) deletes() fleet.Target {
	c := w.c
	return fleet.Target{Environment: c.env, Twilio: c.client, Deleter: w, Outcomes: w.store, Feed: c.feed(w.store), Index: w.store, Now: c.now}
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
