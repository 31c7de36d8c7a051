package config

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// declaration is one environment as a file declares it.
type declaration struct {
	env verify.Environment
	at  position

	credentials credentials
	identity    identityRule
	webhooks    []webhookReference // to what signs what Twilio posts
	texts       string             // the messages file, "" for none
	listenerURL string             // where Twilio posts debugger events to
	store       teamStore          // where a team keeps what is remembered

	service *serviceBlock // nil when the environment declares no set-up of its Service

	baseURL, caFile, region, edge located
	allowBaseURL                  bool
}

// located is a text and where it stands.
type located struct {
	value string
	at    position
}

// credentials says with which name and secret an environment signs in.
type credentials struct {
	apiKey verify.APIKeySID // "" signs in with the account's auth token
	secret *reference       // nil: the keychain
	token  *reference       // of the auth token, instead of secret
}

func (c credentials) declared() bool { return c.apiKey != "" || c.secret != nil || c.token != nil }

// The files that a key may stand in, where it is not all of them.
var (
	facts    = []role{own, shared}
	byPerson = []role{own, personal}
)

// fields are the keys of an environment, in the order in which they are written, each with its place in a declaration.
func (d *document) fields(to *declaration) []field {
	return append([]field{
		{"account_sid", facts, into(&to.env.AccountSID, sid(d, verify.ParseAccountSID))},
		{"service_sid", facts, into(&to.env.ServiceSID, sid(d, verify.ParseServiceSID))},
		{"api_key", nil, into(&to.credentials.apiKey, sid(d, verify.ParseAPIKeySID))},
		{"secret", nil, d.secretInto(&to.credentials.secret)},
		{"secret_env", nil, d.variableInto(&to.credentials.secret)},
		{"secret_command", byPerson, d.commandInto(&to.credentials.secret)},
		{"auth_token", nil, d.secretInto(&to.credentials.token)},
		{"auth_token_env", nil, d.variableInto(&to.credentials.token)},
		{"auth_token_command", byPerson, d.commandInto(&to.credentials.token)},
		{"kind", facts, into(&to.env.Kind, oneOf(d, verify.Development, verify.Staging, verify.Production))},
		{"readonly", nil, into(&to.env.ReadOnly, d.boolean)},
		{"ios_build", facts, into(&to.env.IOSBuild, oneOf(d, verify.IOSDebug, verify.IOSDistribution, verify.IOSNone))},
		{"platforms", facts, into(&to.env.Platforms, d.platforms)},
		{"app_ids", facts, into(&to.env.AppIDs, d.texts)},
		{"max_factors", facts, into(&to.env.MaxFactors, d.count)},
		{"metadata_keys", facts, into(&to.env.MetadataKeys, d.texts)},
		{"identity", nil, into(&to.identity, d.identityRule)},
		{"base_url", nil, into(&to.baseURL, d.located)},
		{"ca_file", nil, into(&to.caFile, d.located)},
		{"region", facts, into(&to.region, d.hostLabel)},
		{"edge", facts, into(&to.edge, d.hostLabel)},
		{"allow_base_url", byPerson, into(&to.allowBaseURL, d.boolean)},
		{"challenges", facts, func(e entry) error {
			return d.mapping(e.value, "challenges", "challenges", []field{
				{"templates_only", nil, into(&to.env.TemplatesOnly, d.boolean)},
				{"texts", nil, into(&to.texts, d.text)},
			})
		}},
		{"webhook_url", facts, into(&to.env.WebhookURL, d.text)},
		{"listener_url", facts, into(&to.listenerURL, d.text)},
		{"webhook_secret", nil, d.webhooksInto(&to.webhooks)},
		{"webhook_secrets", nil, d.webhooksInto(&to.webhooks)},
		{"attestations", facts, into(&to.env.Attestations, d.attestations)},
		{"credential_notes", facts, into(&to.env.CredentialNotes, d.credentialNotes)},
		{"service", nil, into(&to.service, d.service)},
	}, d.storeFields(&to.store)...)
}

// fieldsOfAll are the keys of any environment, to look something up about them.
func fieldsOfAll() []field { return new(document).fields(new(declaration)) }

// readDeclaration reads the environment of one name.
func (d *document) readDeclaration(name entry) (*declaration, error) {
	to := &declaration{at: d.at(name.key), env: verify.Environment{Name: name.name()}}
	return to, d.mapping(name.value, "the environment "+shown(name.name()), "an environment", d.fields(to))
}

// complete checks what only the whole of an environment tells, after a personal file was joined to it.
func (decl *declaration) complete() error {
	at := func(format string, args ...any) *verify.Error {
		return verify.Usagef("%s: %s", decl.at, fmt.Sprintf(format, args...))
	}
	c := decl.credentials
	switch {
	case decl.env.AccountSID == "":
		return at("the environment %s has no account_sid", decl.env.Name)
	case decl.env.ServiceSID == "" && decl.service == nil:
		return at("the environment %s has no service_sid", decl.env.Name)
	case decl.env.ServiceSID == "" && decl.service.states.Settings["friendly_name"] == "":
		return verify.Usagef("%s: the service of %s has no friendly_name, and there is no service_sid of one that exists", decl.service.states.At, decl.env.Name)
	case c.apiKey != "" && c.token != nil:
		return verify.Usagef("%s: %s has an api_key and an auth token; only one of them can be used", c.token.at, decl.env.Name)
	case c.apiKey == "" && c.secret != nil:
		return verify.Usagef("%s: %s has a secret but no api_key", c.secret.at, decl.env.Name).
			WithHint("an auth token is declared by auth_token, auth_token_env or auth_token_command")
	}
	return nil
}

// join lays a personal declaration over the team's. Credentials are replaced as one set; only a secret without a name
// belongs to the team's api_key.
func (decl *declaration) join(mine *declaration) error {
	if mine.credentials.declared() {
		theirs := decl.credentials
		decl.credentials = mine.credentials
		if mine.credentials.apiKey == "" && mine.credentials.token == nil {
			decl.credentials.apiKey = theirs.apiKey
		}
	}
	if mine.identity.from != "" {
		decl.identity = mine.identity
	}
	if mine.webhooks != nil {
		decl.webhooks = mine.webhooks
	}
	if mine.baseURL.value != "" {
		decl.baseURL = mine.baseURL
	}
	if mine.caFile.value != "" {
		decl.caFile = mine.caFile
	}
	decl.store.join(mine.store)
	decl.env.ReadOnly = decl.env.ReadOnly || mine.env.ReadOnly
	decl.allowBaseURL = mine.allowBaseURL
	switch {
	case mine.service == nil:
		return nil
	case decl.service == nil:
		return verify.Usagef("%s: the team's file declares no service of %s", mine.service.states.At, decl.env.Name)
	}
	return decl.service.join(mine.service)
}

func sid[T ~string](d *document, parse func(string) (T, error)) func(*yaml.Node, string) (T, error) {
	return func(n *yaml.Node, key string) (T, error) {
		text, err := d.text(n, key)
		if err != nil || text == "" {
			return "", err
		}
		value, err := parse(text)
		if err != nil {
			return "", d.errorAt(n, "%s: %v", key, err)
		}
		return value, nil
	}
}

func oneOf[T ~string](d *document, allowed ...T) func(*yaml.Node, string) (T, error) {
	return func(n *yaml.Node, key string) (T, error) {
		text, err := d.text(n, key)
		if err != nil || text == "" || slices.Contains(allowed, T(text)) {
			return T(text), err
		}
		last := len(allowed) - 1
		words := ""
		for _, word := range allowed[:last] {
			words += string(word) + ", "
		}
		words = strings.TrimSuffix(words, ", ") + " or " + string(allowed[last])
		return "", d.errorAt(n, "%s takes %s, not %s", key, words, shown(text))
	}
}

func (d *document) platforms(n *yaml.Node, key string) (platforms []verify.Platform, err error) {
	names, err := d.texts(n, key)
	if err != nil {
		return nil, err
	}
	for i, name := range names {
		p := verify.Platform(name)
		if p != verify.PlatformAPN && p != verify.PlatformFCM && p != verify.PlatformNone {
			return nil, d.errorAt(n.Content[i], "platforms takes apn, fcm or none, not %s", shown(name))
		}
		platforms = append(platforms, p)
	}
	return platforms, nil
}

func (d *document) located(n *yaml.Node, key string) (located, error) {
	text, err := d.text(n, key)
	return located{text, d.at(n)}, err
}

func (d *document) hostLabel(n *yaml.Node, key string) (located, error) {
	label, err := d.located(n, key)
	if err != nil {
		return label, err
	}
	return label, checkHostLabel(key, label.value, label.at.String())
}
