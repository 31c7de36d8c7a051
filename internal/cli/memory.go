package cli

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/verifyctl/verifyctl/internal/config"
	"github.com/verifyctl/verifyctl/internal/statedir"
	"github.com/verifyctl/verifyctl/internal/store"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// memory opens what is remembered of the environment, on first use.
func (c *connection) memory(ctx context.Context) (*store.Store, error) {
	c.shell.opening.Lock()
	defer c.shell.opening.Unlock()
	if c.store != nil {
		return c.store, nil
	}
	var err error
	if c.store, err = c.shell.openMemory(ctx, c.target); err != nil {
		return nil, err
	}
	c.shell.opened.closers = append(c.shell.opened.closers, c.store)
	c.store.Env = c.env
	if names := c.shell.names; names != nil {
		c.store.Met = func(identity verify.Identity) { names.Learn(string(identity)) }
	}
	return c.store, nil
}

// openMemory opens what is remembered of an environment: by this machine, or by the team.
func (s *shell) openMemory(ctx context.Context, target *config.Target) (*store.Store, error) {
	dir, err := s.stateDir()
	if err != nil {
		return nil, err
	}
	name := memoryName(target.Environment)
	if target.Store == "" {
		return store.Open(ctx, dir, name)
	}
	password, key, err := target.StoreSecrets(ctx)
	if err != nil {
		return nil, err
	}
	return store.OpenShared(ctx, dir, asRemembered(target.Environment), store.Shared{URL: target.Store, Password: password, Key: key})
}

// asRemembered is an environment with the name under which it is remembered.
func asRemembered(env verify.Environment) verify.Environment {
	env.Name = memoryName(env)
	return env
}

// openMemoryOf is [shell.openMemory] of the environment of a name.
func (s *shell) openMemoryOf(ctx context.Context, name string) (*store.Store, error) {
	target, err := s.named(name)
	if err != nil {
		return nil, err
	}
	return s.openMemory(ctx, target)
}

// hashToken gives the keyed hash that tells two push tokens apart, "" when this machine has no key and cannot make one:
// a read must not fail for it.
func (s *shell) hashToken(token verify.PushToken) string {
	if token == "" {
		return ""
	}
	s.opening.Lock()
	defer s.opening.Unlock()
	if s.opened.key == nil {
		key, err := s.hashKey(context.Background())
		if err != nil {
			return ""
		}
		s.opened.key = key
	}
	return s.opened.key.HashToken(token)
}

// hashKey gives the key by which the memory of the chosen environment tells push tokens apart.
func (s *shell) hashKey(ctx context.Context) (*statedir.Key, error) {
	if target, err := s.chosen(); err == nil && target.Store != "" {
		_, key, err := target.StoreSecrets(ctx)
		if err != nil {
			return nil, err
		}
		return statedir.TeamKey(key)
	}
	dir, err := s.stateDir()
	if err != nil {
		return nil, err
	}
	return statedir.OpenKey(ctx, dir)
}

// memoryName is the name under which this machine remembers an environment. Without one it is the Service.
func memoryName(env verify.Environment) string {
	return cmp.Or(env.Name, string(env.ServiceSID))
}

// mostSeen is how many identities and SIDs of a run are remembered. A run that sees more is bulk work, for which there is
// the index.
const mostSeen = 5000

// seen is whom the replies of a run were about, and the SIDs they named.
type seen struct {
	mu     sync.Mutex
	sids   map[verify.Identity]map[string]bool // nil for an identity that was erased
	number int
}

func (m *seen) add(identity verify.Identity, sids ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known, ok := m.sids[identity]
	if m.number >= mostSeen || ok && known == nil {
		return
	}
	if !ok {
		known = map[string]bool{}
		if m.sids == nil {
			m.sids = map[verify.Identity]map[string]bool{}
		}
		m.sids[identity] = known
	}
	for _, sid := range sids {
		if sid != "" {
			known[sid] = true
		}
	}
	m.number += 1 + len(sids)
}

// forget makes a run remember nothing of an identity, whatever else it sees.
func (m *seen) forget(identity verify.Identity) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sids == nil {
		m.sids = map[verify.Identity]map[string]bool{}
	}
	m.sids[identity] = nil
}

func (m *seen) all() map[verify.Identity][]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := map[verify.Identity][]string{}
	for identity, sids := range m.sids {
		if sids != nil {
			all[identity] = slices.Collect(maps.Keys(sids))
		}
	}
	return all
}

// rememberSeen keeps whom the replies of the run were about, for shell completion and to find the identity of a bare SID. It is
// a convenience: when it fails nothing is said, and it takes no time worth noticing.
func (s *shell) rememberSeen(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	for _, c := range s.opened.byName {
		all := c.seen.all()
		if len(all) == 0 || c.jot(ctx, all) {
			continue
		}
		if memory, err := c.memory(ctx); err == nil {
			_ = memory.Saw(ctx, c.now(), all)
		}
	}
}

// jot remembers whom the run met where its memory is a file, and tells whether it did.
func (c *connection) jot(ctx context.Context, met map[verify.Identity][]string) bool {
	if c.target.Store != "" {
		return false
	}
	dir, err := c.shell.stateDir()
	return err == nil && store.Jot(ctx, dir, memoryName(c.target.Environment), c.now(), met) == nil
}
