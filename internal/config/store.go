package config

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// teamStore says where the memory of an environment is that a team shares.
type teamStore struct {
	address       located // postgres://…; "" where each machine has a memory of its own
	password, key *reference
}

// storeKeyVariable is where the key of a team's store is, when the file does not say.
const storeKeyVariable = "VERIFYCTL_STORE_KEY"

// storeFields are the keys of a [teamStore].
func (d *document) storeFields(to *teamStore) []field {
	refuse := func(e entry) error {
		return d.errorAt(e.key, "%s would be a secret in this file", e.name()).
			WithHint("declare where it is: %s_env: NAME, or %s_command: [program, …] in the personal file", e.name(), e.name())
	}
	return []field{
		{"store", nil, into(&to.address, d.storeAddress)},
		{"store_password", nil, refuse},
		{"store_password_env", nil, d.variableInto(&to.password)},
		{"store_password_command", byPerson, d.commandInto(&to.password)},
		{"store_key", nil, refuse},
		{"store_key_env", nil, d.variableInto(&to.key)},
		{"store_key_command", byPerson, d.commandInto(&to.key)},
	}
}

// join lays what a person declares over the team's.
func (s *teamStore) join(mine teamStore) {
	if mine.address.value != "" {
		s.address = mine.address
	}
	if mine.password != nil {
		s.password = mine.password
	}
	if mine.key != nil {
		s.key = mine.key
	}
}

// storeAddress reads the address of a database, and refuses one with a password in it.
func (d *document) storeAddress(n *yaml.Node, key string) (located, error) {
	text, err := d.text(n, key)
	if err != nil || text == "" {
		return located{}, err
	}
	if problem := storeProblem(text); problem != nil {
		return located{}, d.errorAt(n, "%s: %s", key, problem.Message).WithHint("%s", problem.Hint)
	}
	if hasPassword(text) {
		return located{}, d.errorAt(n, "%s holds a password, which this file must not", key).
			WithHint("take it out of the address, and declare where it is: store_password_env: NAME, or store_password_command in the personal file; PGPASSWORD and PGPASSFILE do as well")
	}
	return located{text, d.at(n)}, nil
}

// storeProblem says what is wrong with an address, nil when nothing is. It never shows the address: a password may be in it.
func storeProblem(address string) *verify.Error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return verify.Usagef("not the address of a PostgreSQL database").WithHint("write it as postgres://user@host:5432/database?sslmode=verify-full")
	}
	return nil
}

// CheckStore refuses what a flag has when it is not the address of a database, or holds a password.
func CheckStore(flag, address string) error {
	if problem := storeProblem(address); problem != nil {
		problem.Message = flag + ": " + problem.Message
		return problem
	}
	if hasPassword(address) {
		return verify.Usagef("%s holds a password, which others on this machine can read on a command line", flag).
			WithHint("take it out of the address: PGPASSFILE or PGPASSWORD has it")
	}
	return nil
}

func hasPassword(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	_, inUser := u.User.Password()
	return inUser || slices.ContainsFunc([]string{"password", "sslpassword"}, u.Query().Has)
}

// connectStore settles VERIFYCTL_STORE > file. A built-in environment never has a team's store.
func (s settings) connectStore(t *Target, decl *declaration) error {
	address := s.over(map[string]any{"store": decl.store.address.value}, []string{"store"}).GetString("store")
	if address == "" {
		return nil
	}
	if problem := storeProblem(address); problem != nil {
		problem.Message = s.where("store", decl.store.address.at) + ": " + problem.Message
		return problem
	}
	t.Store, t.store = address, decl.store
	return nil
}

// StoreSecrets fetches the password and the key of a team's store. The password is "" where nothing but PGPASSWORD, PGPASSFILE
// or the server itself is asked.
func (t *Target) StoreSecrets(ctx context.Context) (password, key verify.Secret, err error) {
	if t.store.password != nil {
		if password, err = t.storeSecret(ctx, *t.store.password); err != nil {
			return "", "", err
		}
	}
	if t.store.key != nil {
		key, err = t.storeSecret(ctx, *t.store.key)
		return password, key, err
	}
	if key, err = t.storeSecret(ctx, reference{kind: inVariable, name: storeKeyVariable}); err != nil {
		return "", "", (&verify.Error{Kind: verify.KindFailed, Message: "the key of the team's store is not given"}).
			WithHint("make one once (openssl rand -hex 32), and give it to everybody as a secret: store_key_env or store_key_command in the environment file, or %s", storeKeyVariable)
	}
	return password, key, nil
}

// storeSecret fetches a secret of the store. That it is missing is no matter of account keys, so the error is of another kind.
func (t *Target) storeSecret(ctx context.Context, where reference) (verify.Secret, error) {
	text, err := t.config.fetch(ctx, where)
	if known, ok := err.(*verify.Error); ok && known.Kind == verify.KindAuth {
		known.Kind = verify.KindFailed
	}
	return verify.Secret(strings.TrimSpace(text)), err
}
