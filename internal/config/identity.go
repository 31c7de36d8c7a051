package config

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// userPrefix marks an IDENTITY argument that is the operator's own name for a user.
const userPrefix = "user:"

// The ways in which a user's name becomes an identity.
const (
	identityRaw     = "raw"
	identitySHA256  = "sha256"
	identityHMAC    = "hmac-sha256"
	identityCommand = "command"
)

// identityRule says how the backend of an environment makes identities out of its names for users.
type identityRule struct {
	from string // "" as identityRaw
	key  *reference
	argv []string
	at   position
}

func (d *document) identityRule(n *yaml.Node, key string) (identityRule, error) {
	rule := identityRule{at: d.at(n)}
	err := d.mapping(n, key, key, []field{
		{"from", nil, into(&rule.from, oneOf(d, identityRaw, identitySHA256, identityHMAC, identityCommand))},
		{"key", nil, func(e entry) error {
			key, err := d.referenceIn(e.value, "key")
			rule.key = &key
			return err
		}},
		{"command", nil, func(e entry) error {
			if d.role == shared {
				return d.onlyPersonal(e.key, "the command of identity")
			}
			r, err := d.command(e.value, "command")
			rule.argv = r.argv
			return err
		}},
	})
	if err != nil || len(n.Content) == 0 {
		return rule, err
	}
	if rule.from == "" && rule.argv != nil {
		rule.from = identityCommand
	}
	if problem := rule.problem(); problem != "" {
		return rule, d.errorAt(n, "identity %s", problem)
	}
	return rule, nil
}

func (r identityRule) problem() string {
	switch {
	case r.from == "":
		return "needs from: raw, sha256, hmac-sha256 or command"
	case r.from == identityHMAC && r.key == nil:
		return "from hmac-sha256 needs a key, such as key: {env: IDENTITY_KEY}"
	case r.from != identityHMAC && r.key != nil:
		return "takes a key only from hmac-sha256"
	case r.from == identityCommand && r.argv == nil:
		return "from command needs command: [program, …]"
	case r.from != identityCommand && r.argv != nil:
		return "takes a command only from command"
	}
	return ""
}

// Identity reads an IDENTITY argument: an identity as it is, or user:NAME, which becomes one in the way the environment
// declares. The name is taken exactly as written, letter case and spaces included. The error is a usage [verify.Error]
// when the result is no identity, KindAuth when a key is missing.
func (t *Target) Identity(ctx context.Context, arg string) (verify.Identity, error) {
	name, isName := strings.CutPrefix(arg, userPrefix)
	if !isName {
		return verify.ParseIdentity(arg)
	}
	if name == "" {
		return "", verify.Usagef("%q names no user", arg)
	}
	text, err := t.mapName(ctx, name)
	if err != nil {
		return "", err
	}
	identity, err := verify.ParseIdentity(text)
	if err != nil {
		return "", t.unmapped(arg, text, err)
	}
	return identity, nil
}

// mapName gives what the environment makes of a user's name.
func (t *Target) mapName(ctx context.Context, name string) (string, error) {
	switch t.identity.from {
	case identitySHA256:
		sum := sha256.Sum256([]byte(name))
		return hex.EncodeToString(sum[:]), nil
	case identityHMAC:
		key, err := t.config.fetch(ctx, *t.identity.key)
		if err != nil {
			return "", fmt.Errorf("the identity of %q: %w", userPrefix+name, err)
		}
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(name))
		return hex.EncodeToString(mac.Sum(nil)), nil
	case identityCommand:
		text, err := runCommand(ctx, t.identity.argv, strings.NewReader(name), t.config.opts.Stderr)
		if err != nil {
			return "", verify.Usagef("the identity of %q: the command %s (%s) failed: %w",
				userPrefix+name, verify.Quote(t.identity.argv[0]), t.identity.at, err)
		}
		return text, nil
	}
	return name, nil
}

// unmapped says why a user's name did not become an identity.
func (t *Target) unmapped(arg, text string, cause error) error {
	var problem *verify.Error
	if !errors.As(cause, &problem) {
		return cause
	}
	_, reason, _ := strings.Cut(problem.Message, "is not an identity: ")
	if t.identity.from == identityCommand {
		return verify.Usagef("the command %s (%s) made %q of %q, which is not an identity: %s",
			verify.Quote(t.identity.argv[0]), t.identity.at, text, arg, reason)
	}
	return verify.Usagef("%q cannot become an identity of %s as it is: %s", arg, t.label(), reason).
		WithHint("declare how your backend makes identities, for example identity: {from: sha256}, in the environment file")
}
