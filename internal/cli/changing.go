package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/config"
	"github.com/verifyctl/verifyctl/internal/statedir"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// changing does what changes the set-up of environments, while no other run does: on this machine one at a time changes an
// account, and in a team one changes an environment. Doing is the command that others are told of meanwhile.
func (s *shell) changing(ctx context.Context, targets []*config.Target, doing string, work func(context.Context) error) error {
	unlock, err := s.lockAccounts(ctx, targets, doing)
	if err != nil {
		return err
	}
	defer unlock()
	return s.alone(ctx, targets, work)
}

// lockAccounts locks the accounts of environments, each once.
func (s *shell) lockAccounts(ctx context.Context, targets []*config.Target, doing string) (unlock func(), err error) {
	locked := map[string]func(){}
	unlock = func() {
		for _, u := range locked {
			u()
		}
	}
	for _, target := range targets {
		account := strings.ToLower(string(target.Environment.AccountSID))
		if locked[account] != nil {
			continue
		}
		if locked[account], err = s.lockAccount(ctx, target.Environment.AccountSID, doing); err != nil {
			delete(locked, account)
			unlock()
			return nil, err
		}
	}
	return unlock, nil
}

// How long a run waits for another that changes the same account, and how often it looks. An apply is over in that time; a
// rotation that watches pushes, or somebody who is asked to confirm, is not waited for.
const (
	accountPatience = time.Minute
	accountPause    = time.Second / 4
)

// lockAccount keeps a second run on this machine from changing the set-up of an account at the same time.
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

// alone does what one machine of a team at a time does to environments whose memory they share: another would take what is under
// way for cut off. What a killed run had is free at once on its machine, and after a minute elsewhere.
func (s *shell) alone(ctx context.Context, targets []*config.Target, work func(context.Context) error) error {
	if len(targets) == 0 {
		return work(ctx)
	}
	next, rest := targets[0], func(ctx context.Context) error { return s.alone(ctx, targets[1:], work) }
	if next.Store == "" {
		return rest(ctx)
	}
	c, err := s.connect(ctx, next)
	if err != nil {
		return err
	}
	memory, err := c.memory(ctx)
	if err != nil {
		return err
	}
	alone, err := memory.Alone(ctx, "changes", rest)
	if err == nil && !alone {
		err = (&verify.Error{Kind: verify.KindFailed, Message: fmt.Sprintf("another run of the team is changing the set-up of %s, and one at a time does", c.label())}).
			WithHint("wait until it has ended; when its machine is lost, this command goes on after a minute")
	}
	return err
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
