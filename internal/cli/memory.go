package cli

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/store"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// stateDir is where this machine keeps what it remembers.
func (s *shell) stateDir() (string, error) { return store.Dir(s.getenv) }

// memory opens what this machine remembers of the environment, on first use.
func (c *connection) memory(ctx context.Context) (*store.Store, error) {
	c.shell.opening.Lock()
	defer c.shell.opening.Unlock()
	if c.remember != nil {
		return c.remember, nil
	}
	dir, err := c.shell.stateDir()
	if err != nil {
		return nil, err
	}
	if c.remember, err = store.Open(ctx, dir, memoryName(c.env)); err != nil {
		return nil, err
	}
	c.shell.opened.closers = append(c.shell.opened.closers, c.remember)
	return c.remember, nil
}

// closeAtEnd closes something when the run ends; it may be called from several goroutines.
func (s *shell) closeAtEnd(c io.Closer) {
	s.opening.Lock()
	defer s.opening.Unlock()
	s.opened.closers = append(s.opened.closers, c)
}

// audit opens the audit file on first use.
func (s *shell) audit(ctx context.Context) (*store.Audit, error) {
	s.opening.Lock()
	defer s.opening.Unlock()
	if s.opened.trail != nil {
		return s.opened.trail, nil
	}
	dir, err := s.stateDir()
	if err != nil {
		return nil, err
	}
	s.opened.trail, err = store.OpenAudit(ctx, dir)
	return s.opened.trail, err
}

// hashToken gives the keyed hash that tells two push tokens apart, "" when this machine has no key and cannot make one:
// a read must not fail for it.
func (c *connection) hashToken(token verify.PushToken) string {
	if token == "" {
		return ""
	}
	c.shell.opening.Lock()
	defer c.shell.opening.Unlock()
	if c.shell.opened.key == nil {
		dir, err := c.shell.stateDir()
		if err != nil {
			return ""
		}
		key, err := store.OpenKey(context.Background(), dir)
		if err != nil {
			return ""
		}
		c.shell.opened.key = key
	}
	return c.shell.opened.key.HashToken(token)
}

func noHash(verify.PushToken) string { return "" }

// showOnErr prints something for the person who is about to confirm: a table on standard error.
func (s *shell) showOnErr(now func() time.Time, show func(*render.Printer) error) error {
	p, err := render.New(s.err, render.Options{Format: render.Table, Mask: s.flags.mask, Terminal: true, Width: s.width, Now: now})
	if err != nil {
		return err
	}
	return show(p)
}

// progress shows how far a long read is, on standard error.
func (s *shell) progress(label string, now func() time.Time) *render.Progress {
	return render.NewProgress(s.err, s.errTerminal, label, now)
}

// completionTimeout bounds what a completion may cost.
const completionTimeout = 2 * time.Second

// completeIdentity completes with the identities seen on this machine, from memory and without a request.
func (s *shell) completeIdentity(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 && cmd.Flags().Lookup("identity") == nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	identities := s.remembered(cmd.Context(), func(ctx context.Context, m *store.Store) ([]string, error) {
		seen, err := m.RecentIdentities(ctx, prefix, 50)
		words := make([]string, len(seen))
		for i, identity := range seen {
			words[i] = string(identity)
		}
		return words, err
	})
	return identities, cobra.ShellCompDirectiveNoFileComp
}

// completeIdentityThenFactors completes an identity, then the factor SIDs seen for it.
func (s *shell) completeIdentityThenFactors(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return s.completeIdentity(cmd, args, prefix)
	}
	sids := s.remembered(cmd.Context(), func(ctx context.Context, m *store.Store) ([]string, error) {
		return m.RecentSIDs(ctx, verify.Identity(args[0]), "YF"+strings.TrimPrefix(prefix, "YF"), 50)
	})
	return sids, cobra.ShellCompDirectiveNoFileComp
}

// remembered asks what this machine remembers of the chosen environment, and gives nothing when anything fails: a
// completion is fast or silent.
func (s *shell) remembered(ctx context.Context, ask func(context.Context, *store.Store) ([]string, error)) []string {
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	name, err := s.environmentName()
	if err != nil {
		return nil
	}
	dir, err := s.stateDir()
	if err != nil {
		return nil
	}
	memory, err := store.Open(ctx, dir, name)
	if err != nil {
		return nil
	}
	defer memory.Close()
	words, err := ask(ctx, memory)
	if err != nil {
		return nil
	}
	return words
}

// environmentName is the [memoryName] of the environment that is chosen, without asking for its keys.
func (s *shell) environmentName() (string, error) {
	target, err := s.chosen()
	if err != nil {
		return "", err
	}
	return memoryName(target.Environment), nil
}

// memoryName is the name under which this machine remembers an environment. Without one it is the Service.
func memoryName(env verify.Environment) string {
	if env.Name == "" {
		return string(env.ServiceSID)
	}
	return env.Name
}
