package config

import (
	"go.yaml.in/yaml/v3"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// referenceKind says where a secret is kept.
type referenceKind int

const (
	inKeychain referenceKind = iota
	inVariable
	fromCommand
	inFile
)

// reference tells where a secret is, so that it is fetched only when it is needed.
type reference struct {
	kind referenceKind
	name string         // of the environment variable or the keychain's entry
	argv []string       // of the command
	text *verify.Secret // that stands in the file itself; behind a pointer, where fmt does not look
	at   position       // where the reference stands; zero for one that nobody wrote
}

// String says where the secret is kept, for messages.
func (r reference) String() string {
	var s string
	switch r.kind {
	case inKeychain:
		s = "the keychain entry " + r.name
	case inVariable:
		s = "the environment variable " + r.name
	case fromCommand:
		s = "the command " + verify.Quote(r.argv[0])
	case inFile:
		return r.at.String()
	}
	if r.at.file != "" {
		s += " (" + r.at.String() + ")"
	}
	return s
}

// inTheKeychain is the word that stands for the keychain where a secret could stand.
const inTheKeychain = "keychain"

// secretInto reads a key that holds the word keychain or, in a personal file, the secret itself.
func (d *document) secretInto(target **reference) func(entry) error {
	return func(e entry) error {
		n, key := e.value, e.name()
		if n.Kind != yaml.ScalarNode {
			return d.wrongType(n, key, "the word keychain")
		}
		switch {
		case isNull(n):
			return nil
		case n.Value == inTheKeychain:
			return d.setReference(n, key, target, reference{kind: inKeychain})
		case d.role == shared:
			return d.errorAt(n, "%s holds a secret, which a team's file must not", key).
				WithHint("replace the secret, then declare where each person's is: keychain, %s_env, or %s_command in %s", key, key, verify.Quote(personalPath(d.path)))
		case !d.secret:
			return othersCanReadSecrets(d.path)
		}
		secret := verify.Secret(n.Value)
		return d.setReference(n, key, target, reference{kind: inFile, text: &secret})
	}
}

func (d *document) variableInto(target **reference) func(entry) error {
	return func(e entry) error {
		r, err := d.variable(e.value, e.name())
		if err != nil || r.name == "" {
			return err
		}
		return d.setReference(e.value, e.name(), target, r)
	}
}

func (d *document) commandInto(target **reference) func(entry) error {
	return func(e entry) error {
		r, err := d.command(e.value, e.name())
		if err != nil {
			return err
		}
		return d.setReference(e.value, e.name(), target, r)
	}
}

func (d *document) setReference(n *yaml.Node, key string, target **reference, r reference) error {
	if *target != nil {
		return d.errorAt(n, "%s is a second source for the same secret, after %s", key, (*target).at)
	}
	r.at = d.at(n)
	*target = &r
	return nil
}

var variableName = verify.Lazily(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (d *document) variable(n *yaml.Node, key string) (reference, error) {
	name, err := d.text(n, key)
	if err != nil {
		return reference{}, err
	}
	if name != "" && !variableName().MatchString(name) {
		// The value is not shown: it may well be the secret itself, written here by mistake.
		return reference{}, d.errorAt(n, "%s takes the name of an environment variable, such as STAGING_SECRET", key)
	}
	return reference{kind: inVariable, name: name, at: d.at(n)}, nil
}

func (d *document) command(n *yaml.Node, key string) (reference, error) {
	if n.Kind == yaml.ScalarNode && !isNull(n) {
		return reference{}, d.errorAt(n, "%s takes a list, the program and its arguments, such as [pass, show, twilio]; no shell is run", key)
	}
	argv, err := d.texts(n, key)
	if err != nil {
		return reference{}, err
	}
	if len(argv) == 0 {
		return reference{}, d.errorAt(n, "%s names no program", key)
	}
	return reference{kind: fromCommand, argv: argv, at: d.at(n)}, nil
}

// referenceIn reads a reference that is a value of its own: {env: NAME}, {command: [program, …]} or {keychain: ENTRY}.
func (d *document) referenceIn(n *yaml.Node, key string) (reference, error) {
	const want = "{env: NAME}, {command: [program, …]} or {keychain: ENTRY}"
	if n.Kind != yaml.MappingNode {
		return reference{}, d.wrongType(n, key, want)
	}
	all, err := d.entries(n, key)
	if err != nil {
		return reference{}, err
	}
	if len(all) != 1 {
		return reference{}, d.errorAt(n, "%s takes one of %s", key, want)
	}
	e := all[0]
	switch e.name() {
	case "env", "secret_env":
		r, err := d.variable(e.value, key)
		if err == nil && r.name == "" {
			err = d.errorAt(e.value, "%s names no environment variable", key)
		}
		return r, err
	case "command", "secret_command":
		if d.role == shared {
			return reference{}, d.onlyPersonal(e.key, "the command of "+key)
		}
		return d.command(e.value, key)
	case "keychain":
		name, err := d.text(e.value, key)
		if err == nil && name == "" {
			err = d.errorAt(e.value, "%s names no keychain entry", key)
		}
		return reference{kind: inKeychain, name: name, at: d.at(n)}, err
	}
	return reference{}, d.unknownKey(e, key, []string{"env", "command", "keychain"})
}

// webhookReference is a reference to a secret that signs what Twilio posts.
type webhookReference struct {
	reference
	sharedKey string // the name of the shared key whose secret it is, "" for an auth token
}

// webhooksInto reads a list of references; one of a shared key has its name beside it: {shared_key: NAME, secret_env: …}.
func (d *document) webhooksInto(webhooks *[]webhookReference) func(entry) error {
	return func(e entry) error {
		if isNull(e.value) {
			return nil
		}
		if e.value.Kind != yaml.SequenceNode {
			return d.wrongType(e.value, e.name(), "a list of references, such as [{env: TWILIO_AUTH_TOKEN}]")
		}
		for _, item := range e.value.Content {
			r, err := d.webhookReference(resolve(item), e.name())
			if err != nil {
				return err
			}
			*webhooks = append(*webhooks, r)
		}
		return nil
	}
}

func (d *document) webhookReference(n *yaml.Node, key string) (w webhookReference, err error) {
	rest := *n
	if n.Kind == yaml.MappingNode {
		rest.Content = nil
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value != "shared_key" {
				rest.Content = append(rest.Content, n.Content[i], n.Content[i+1])
				continue
			}
			if w.sharedKey, err = d.text(n.Content[i+1], "shared_key"); err == nil && w.sharedKey == "" {
				err = d.errorAt(n.Content[i+1], "shared_key is empty")
			}
			if err != nil {
				return w, err
			}
		}
	}
	w.reference, err = d.referenceIn(&rest, key)
	return w, err
}
