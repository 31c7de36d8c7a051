package cli

import (
	"context"

	"github.com/verifyctl/verifyctl/internal/statedir"
	"github.com/verifyctl/verifyctl/internal/store"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// memory opens what this machine remembers of the environment, on first use.
func (c *connection) memory(ctx context.Context) (*store.Store, error) {
	c.shell.opening.Lock()
	defer c.shell.opening.Unlock()
	if c.store != nil {
		return c.store, nil
	}
	dir, err := c.shell.stateDir()
	if err != nil {
		return nil, err
	}
	if c.store, err = store.Open(ctx, dir, memoryName(c.env)); err != nil {
		return nil, err
	}
	c.shell.opened.closers = append(c.shell.opened.closers, c.store)
	if names := c.shell.names; names != nil {
		c.store.Met = func(identity verify.Identity) { names.Learn(string(identity)) }
	}
	return c.store, nil
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
		key, err := statedir.OpenKey(context.Background(), dir)
		if err != nil {
			return ""
		}
		c.shell.opened.key = key
	}
	return c.shell.opened.key.HashToken(token)
}

// memoryName is the name under which this machine remembers an environment. Without one it is the Service.
func memoryName(env verify.Environment) string {
	if env.Name == "" {
		return string(env.ServiceSID)
	}
	return env.Name
}

// rememberIdentity keeps an identity and SIDs that a command met, for shell completion and to find the identity of a bare
// SID. It is a convenience: when it fails nothing is said.
func (c *connection) rememberIdentity(ctx context.Context, identity verify.Identity, sids ...string) {
	memory, err := c.memory(ctx)
	if err != nil {
		return
	}
	_ = memory.Saw(context.WithoutCancel(ctx), identity, c.now(), sids...)
}
