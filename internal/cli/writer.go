package cli

import (
	"context"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/challenge"
	"github.com/verifyctl/verifyctl/internal/fleet"
	"github.com/verifyctl/verifyctl/internal/ledger"
	"github.com/verifyctl/verifyctl/internal/statedir"
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

// How long a run waits for another that changes the same account, and how often it looks. An apply is over in that time; a
// rotation that watches pushes, or somebody who is asked to confirm, is not waited for.
const (
	accountPatience = time.Minute
	accountPause    = time.Second / 4
)

// lockAccount keeps a second run on this machine from changing the set-up of an account at the same time. Doing is the command
// that others are told of meanwhile.
func (s *shell) lockAccount(ctx context.Context, account verify.AccountSID, doing string) (unlock func(), err error) {
	dir, err := s.stateDir()
	if err != nil {
		return nil, err
	}
	if err := statedir.Prepare(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "changes-"+strings.ToLower(string(account))+".lock")
	me := statedir.Holder{PID: os.Getpid(), Host: hostName(), Doing: doing, Since: time.Now()}
	waiting := s.machineClock()
	for waited := time.Duration(0); ; waited += accountPause {
		unlock, other, err := statedir.Hold(path, me)
		if err != nil || unlock != nil {
			return unlock, err
		}
		if waited >= accountPatience {
			return nil, (&verify.Error{Kind: verify.KindFailed, Message: fmt.Sprintf("%s, and one run at a time does", busy(account, other))}).
				WithHint("wait until it has ended, or end it: what it has begun, the same command goes on with")
		}
		if waited == accountPause { // by now it has written who it is
			s.note("%s: waiting for it, for up to %s; Ctrl-C ends the wait", busy(account, other), accountPatience)
		}
		if err := waiting.Sleep(ctx, accountPause); err != nil {
			return nil, err
		}
	}
}

// busy says who is changing the set-up of an account.
func busy(account verify.AccountSID, by statedir.Holder) string {
	if by.PID == 0 {
		return fmt.Sprintf("another process is changing account %s", account)
	}
	where := ""
	if by.Host != hostName() {
		where = " on " + by.Host
	}
	return fmt.Sprintf("process %d%s (%s) is changing account %s since %s", by.PID, where, by.Doing, account, verify.Stamp(by.Since))
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
	return challenge.Resender{Env: w.c.env.Selector(), Notifier: w, Log: w.store, Clock: w.c.clock()}
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
