package cli

import (
	"cmp"
	"net/url"

	"github.com/verifyctl/verifyctl/internal/config"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// strictness is what the other environments on a Service ask of a write to it: two names for one Service have the rules of
// the stricter one.
type strictness struct {
	production *config.Target // whose name confirms a write; nil where none does
	closed     *config.Target // that is read-only; nil where none is
	unread     error          // why the other environments are not known
}

// strictest gives a target's environment with the rules of the strictest one on the same Service.
func (s *shell) strictest(t *config.Target) (verify.Environment, strictness) {
	return s.strictestWhere(t, sameService)
}

// strictestOfAccount gives the rules of the strictest environment of the same account, for a write to what all its Services
// share.
func (s *shell) strictestOfAccount(t *config.Target) strictness {
	_, rules := s.strictestWhere(t, func(a, b *config.Target) bool {
		return verify.SameSID(a.Environment.AccountSID, b.Environment.AccountSID) && sameServer(a, b)
	})
	return rules
}

func (s *shell) strictestWhere(t *config.Target, shared func(a, b *config.Target) bool) (verify.Environment, strictness) {
	var rules strictness
	all := []*config.Target{t}
	if !t.Environment.Demo {
		others, err := s.environments()
		all = append(all, others...)
		if rules.unread = err; t.Environment.Name == "" {
			rules.unread = nil // the TWILIO_* variables already count as production
		}
	}
	env := t.Environment
	for _, other := range all {
		if !shared(t, other) {
			continue
		}
		if other.Environment.GuardsAsProduction() {
			rules.production = cmp.Or(rules.production, other)
			env.Kind = rules.production.Environment.Kind
		}
		if other.Environment.ReadOnly {
			rules.closed = cmp.Or(rules.closed, other)
			env.ReadOnly = true
		}
	}
	if rules.unread != nil && rules.production == nil {
		env.Kind, rules.production = verify.Production, t
	}
	return env, rules
}

// sameService tells whether two environments name one Service. A server on this machine has Services of its own, and a
// Service that was not made yet is nobody else's.
func sameService(a, b *config.Target) bool {
	if a.Environment.ServiceSID == "" {
		return a.Environment.Name == b.Environment.Name
	}
	return verify.SameSID(a.Environment.ServiceSID, b.Environment.ServiceSID) && sameServer(a, b)
}

func sameServer(a, b *config.Target) bool {
	return (a.BaseURL == b.BaseURL || !isLocal(a.BaseURL) && !isLocal(b.BaseURL)) && a.Environment.Demo == b.Environment.Demo
}

func isLocal(baseURL string) bool {
	u, err := url.Parse(baseURL)
	return err == nil && verify.IsLoopback(u.Hostname())
}
