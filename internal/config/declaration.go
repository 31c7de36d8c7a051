package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

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
	key    position         // where api_key stands

	secret *reference // nil: the keychain
	token  *reference // of the auth token, instead of secret
}

func (c credentials) declared() bool { return c.apiKey != "" || c.secret != nil || c.token != nil }

// field is one key of an environment.
type field struct {
	name  string
	roles []role // of the files it may stand in; nil for any but a personal one
	read  func(d *document, n *yaml.Node, to *declaration) error
}

var (
	everywhere = []role{own, shared, personal}
	byPerson   = []role{own, personal}
)

// fields are the keys of an environment, in the order in which they are written.
var fields = []field{
	{"account_sid", nil, func(d *document, n *yaml.Node, to *declaration) (err error) {
		to.env.AccountSID, err = sid(d, n, "account_sid", verify.ParseAccountSID)
		return err
	}},
	{"service_sid", nil, func(d *document, n *yaml.Node, to *declaration) (err error) {
		to.env.ServiceSID, err = sid(d, n, "service_sid", verify.ParseServiceSID)
		return err
	}},
	{"api_key", everywhere, func(d *document, n *yaml.Node, to *declaration) (err error) {
		to.credentials.key = d.at(n)
		to.credentials.apiKey, err = sid(d, n, "api_key", verify.ParseAPIKeySID)
		return err
	}},
	{"secret", everywhere, readSecret("secret", apiKeySecret)},
	{"secret_env", everywhere, readVariable("secret_env", apiKeySecret)},
	{"secret_command", byPerson, readCommand("secret_command", apiKeySecret)},
	{"auth_token", everywhere, readSecret("auth_token", authToken)},
	{"auth_token_env", everywhere, readVariable("auth_token_env", authToken)},
	{"auth_token_command", byPerson, readCommand("auth_token_command", authToken)},
	{"kind", nil, func(d *document, n *yaml.Node, to *declaration) (err error) {
		to.env.Kind, err = oneOf(d, n, "kind", verify.Development, verify.Staging, verify.Production)
		return err
	}},
	{"readonly", everywhere, func(d *document, n *yaml.Node, to *declaration) (err error) {
		to.env.ReadOnly, err = d.boolean(n, "readonly")
		return err
	}},
	{"ios_build", nil, func(d *document, n *yaml.Node, to *declaration) (err error) {
		to.env.IOSBuild, err = oneOf(d, n, "ios_build", verify.IOSDebug, verify.IOSDistribution, verify.IOSNone)
		return err
	}},
	{"platforms", nil, readPlatforms},
	{"app_ids", nil, func(d *document, n *yaml.Node, to *declaration) (err error) {
		to.env.AppIDs, err = d.texts(n, "app_ids")
		return err
	}},
	{"max_factors", nil, func(d *document, n *yaml.Node, to *declaration) (err error) {
		to.env.MaxFactors, err = d.count(n, "max_factors")
		return err
	}},
	{"metadata_keys", nil, func(d *document, n *yaml.Node, to *declaration) (err error) {
		to.env.MetadataKeys, err = d.texts(n, "metadata_keys")
		return err
	}},
	{"identity", everywhere, readIdentityRule},
	{"base_url", everywhere, readLocated("base_url", func(to *declaration) *located { return &to.baseURL })},
	{"ca_file", everywhere, readLocated("ca_file", func(to *declaration) *located { return &to.caFile })},
	{"region", nil, readHostLabel("region", func(to *declaration) *located { return &to.region })},
	{"edge", nil, readHostLabel("edge", func(to *declaration) *located { return &to.edge })},
	{"allow_base_url", byPerson, func(d *document, n *yaml.Node, to *declaration) (err error) {
		to.allowBaseURL, err = d.boolean(n, "allow_base_url")
		return err
	}},
	{"challenges", nil, readChallenges},
	{"webhook_url", nil, func(d *document, n *yaml.Node, to *declaration) (err error) {
		to.env.WebhookURL, err = d.text(n, "webhook_url")
		return err
	}},
	{"listener_url", nil, func(d *document, n *yaml.Node, to *declaration) (err error) {
		to.listenerURL, err = d.text(n, "listener_url")
		return err
	}},
	{"webhook_secret", everywhere, readWebhookSecrets("webhook_secret")},
	{"webhook_secrets", everywhere, readWebhookSecrets("webhook_secrets")},
	{"attestations", nil, readAttestations},
	{"credential_notes", nil, readCredentialNotes},
}

func fieldNames() []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	return names
}

// readDeclaration reads the environment of one name.
func (d *document) readDeclaration(name entry) (*declaration, error) {
	to := &declaration{at: d.at(name.key), env: verify.Environment{Name: name.name()}}
	what := "the environment " + shown(name.name())
	all, err := d.entries(name.value, what)
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == e.name() })
		if i < 0 {
			return nil, d.unknownKey(e, "an environment", fieldNames())
		}
		if err := d.checkRole(e, fields[i]); err != nil {
			return nil, err
		}
		if err := fields[i].read(d, e.value, to); err != nil {
			return nil, err
		}
	}
	return to, nil
}

// checkRole refuses a key in a file where it must not stand.
func (d *document) checkRole(e entry, f field) error {
	roles := f.roles
	if roles == nil {
		roles = []role{own, shared}
	}
	switch {
	case slices.Contains(roles, d.role):
		return nil
	case d.role == personal:
		return d.errorAt(e.key, "%s is a fact for everybody and belongs in the team's file", f.name)
	}
	return d.onlyPersonal(e.key, f.name)
}

func (d *document) onlyPersonal(n *yaml.Node, key string) error {
	return d.errorAt(n, "%s may only stand in a personal file, which nobody else can commit", key).
		WithHint("put it into %s", verify.Quote(personalPath(d.path)))
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
	case decl.env.ServiceSID == "":
		return at("the environment %s has no service_sid", decl.env.Name)
	case c.apiKey != "" && c.token != nil:
		return verify.Usagef("%s: %s has an api_key and an auth token; it signs in with one of them", c.token.at, decl.env.Name)
	case c.apiKey == "" && c.secret != nil:
		return verify.Usagef("%s: %s has a secret but no api_key it belongs to", c.secret.at, decl.env.Name).
			WithHint("an auth token is declared by auth_token, auth_token_env or auth_token_command")
	}
	return nil
}

// join lays a personal declaration over the team's. Credentials are replaced as one set; only a secret without a name
// belongs to the team's api_key.
func (decl *declaration) join(mine *declaration) {
	if mine.credentials.declared() {
		theirs := decl.credentials
		decl.credentials = mine.credentials
		if mine.credentials.apiKey == "" && mine.credentials.token == nil {
			decl.credentials.apiKey, decl.credentials.key = theirs.apiKey, theirs.key
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
	decl.env.ReadOnly = decl.env.ReadOnly || mine.env.ReadOnly
	decl.allowBaseURL = mine.allowBaseURL
}

func sid[T ~string](d *document, n *yaml.Node, key string, parse func(string) (T, error)) (T, error) {
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

func oneOf[T ~string](d *document, n *yaml.Node, key string, allowed ...T) (T, error) {
	text, err := d.text(n, key)
	if err != nil || text == "" {
		return "", err
	}
	if slices.Contains(allowed, T(text)) {
		return T(text), nil
	}
	words := make([]string, len(allowed))
	for i, a := range allowed {
		words[i] = string(a)
	}
	return "", d.errorAt(n, "%s takes %s, not %s", key, wordList(words), shown(text))
}

// wordList writes words as a choice: "a, b or c".
func wordList(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func readPlatforms(d *document, n *yaml.Node, to *declaration) error {
	names, err := d.texts(n, "platforms")
	if err != nil {
		return err
	}
	for i, name := range names {
		p := verify.Platform(name)
		if p != verify.PlatformAPN && p != verify.PlatformFCM && p != verify.PlatformNone {
			return d.errorAt(n.Content[i], "platforms takes apn, fcm or none, not %s", shown(name))
		}
		to.env.Platforms = append(to.env.Platforms, p)
	}
	return nil
}

func readLocated(key string, target func(*declaration) *located) func(*document, *yaml.Node, *declaration) error {
	return func(d *document, n *yaml.Node, to *declaration) error {
		text, err := d.text(n, key)
		*target(to) = located{text, d.at(n)}
		return err
	}
}

func readHostLabel(key string, target func(*declaration) *located) func(*document, *yaml.Node, *declaration) error {
	read := readLocated(key, target)
	return func(d *document, n *yaml.Node, to *declaration) error {
		if err := read(d, n, to); err != nil {
			return err
		}
		return checkHostLabel(key, target(to).value, target(to).at.String())
	}
}

func readChallenges(d *document, n *yaml.Node, to *declaration) error {
	all, err := d.entries(n, "challenges")
	if err != nil {
		return err
	}
	for _, e := range all {
		switch e.name() {
		case "templates_only":
			to.env.TemplatesOnly, err = d.boolean(e.value, "templates_only")
		case "texts":
			to.texts, err = d.text(e.value, "texts")
		default:
			err = d.unknownKey(e, "challenges", []string{"templates_only", "texts"})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func isDate(s string) bool {
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}
