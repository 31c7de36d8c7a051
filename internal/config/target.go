package config

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Choice says how an environment was chosen, which decides what a write to production needs besides.
type Choice int

// The ways of choosing, in order of precedence.
const (
	ByFlag     Choice = iota // ByFlag is -e on the command line.
	ByVariable               // ByVariable is VERIFYCTL_ENV.
	ByCurrent                // ByCurrent is current in the environment file.
	ByTwilio                 // ByTwilio is no environment, but TWILIO_* variables.
	ByNobody                 // ByNobody is one of all environments, as for a list.
)

// Target is one environment with everything needed to connect to it, but its secret, which [Target.Keys] fetches.
type Target struct {
	// Environment has no name when account keys come from TWILIO_* variables, and no Service without --service.
	Environment verify.Environment
	Chosen      Choice

	Username string // the user name that is sent: an API key's SK SID or the account's AC SID
	BaseURL  string // "" is Twilio itself
	CAFile   string // PEM file of an authority to trust besides the system's, "" for none
	Region   string // "" is us1
	Edge     string // "" lets Twilio choose
	Store    string // the address of the team's store, "" where this machine has its own
	Texts    string // the messages file of challenges, "" for none

	SecretFrom   string // where the secret of the keys is kept, in words
	IdentityFrom string // how user:NAME becomes an identity: raw, sha256, hmac-sha256 or command

	// Declared is where the environment stands, as file:line; "" for one that no file declares.
	Declared string
	// ListenerURL is where Twilio posts debugger events to, "" when that is not declared.
	ListenerURL string
	// Service is how the environment's Verify Service is to be set up, nil when that is not declared.
	Service *verify.ServiceDeclaration
	// ReadOnlyFrom is what makes the environment read-only: file:line, or the name of a variable; "" when it is not.
	ReadOnlyFrom string

	config   *Config
	identity identityRule
	secret   reference
	webhooks []webhookReference
	store    teamStore
	push     map[verify.Platform]pushReferences

	file     string // that declares the environment, "" for standard input and what is built in
	fileRole role
}

// accountKeys are account keys: one set from one source.
type accountKeys struct {
	Username string // an API key's SK SID or the account's AC SID
	Secret   verify.Secret
	Source   string // where the secret was found, for messages
}

// Keys fetches the secret and gives it with the name it belongs to. The error is KindAuth when there is none or when it
// cannot be one, and names the source, never the content. A built-in environment has no keys of its own.
func (t *Target) Keys(ctx context.Context) (accountKeys, error) {
	if t.Environment.Demo {
		return accountKeys{}, nil
	}
	source := t.secret.String()
	text, err := t.config.fetch(ctx, t.secret)
	if err != nil {
		return accountKeys{}, t.explain(err)
	}
	secret, err := checkKey(text, source)
	if err != nil {
		return accountKeys{}, err
	}
	return accountKeys{Username: t.Username, Secret: secret, Source: source}, nil
}

// explain adds to a missing secret how to store one.
func (t *Target) explain(err error) error {
	if known, ok := err.(*verify.Error); ok && known.Kind == verify.KindAuth && known.Hint == "" && t.secret.kind == inKeychain {
		return known.WithHint("store it, typed or piped in: %s", t.config.Command("env", "add", t.Environment.Name, "--secret-stdin"))
	}
	return err
}

// webhookSecret is what Twilio may have signed a request with: an auth token of the account, or the secret of a shared key.
type webhookSecret struct {
	SharedKey string // its name, "" for an auth token
	Secret    verify.Secret
}

// WebhookSecrets fetches the secrets by which Twilio may have signed what it posts; there are several of a kind while one is
// replaced. It is empty when the environment declares none.
func (t *Target) WebhookSecrets(ctx context.Context) ([]webhookSecret, error) {
	var secrets []webhookSecret
	for _, r := range t.webhooks {
		text, err := t.config.fetch(ctx, r.reference)
		if err != nil {
			return nil, err
		}
		secret, err := checkKey(text, r.String())
		if err != nil {
			return nil, err
		}
		secrets = append(secrets, webhookSecret{SharedKey: r.sharedKey, Secret: secret})
	}
	return secrets, nil
}

// DeclaredAt names, in parentheses, where the environment stands, for a refusal that follows from it; "" for one that no
// file declares.
func (t *Target) DeclaredAt() string {
	if t.Declared == "" {
		return ""
	}
	return " (" + t.Declared + ")"
}

func (t *Target) label() string {
	if t.Environment.Name == "" {
		return "the account of the TWILIO_* variables"
	}
	return "the environment " + t.Environment.Name
}

// Choose gives the environment to work on: that of -e, else of VERIFYCTL_ENV, else current, else the account of TWILIO_*
// variables. It never guesses: with nothing to go by the error says what to do. An explicitly empty -e chooses none.
func (c *Config) Choose() (*Target, error) {
	name, how, err := c.Chosen()
	if err != nil {
		return nil, err
	}
	if name == "" {
		return c.fromVariables()
	}
	if c.settings.source("service") == "--service" {
		return nil, verify.Usagef("--service goes with TWILIO_* variables; %s has its own Service", name).
			WithHint("to use the variables instead, unset the current environment: %s", c.Command("env", "use", "--none"))
	}
	t, err := c.Lookup(name)
	if err != nil {
		return nil, err
	}
	t.Chosen = how
	return t, nil
}

// Chosen gives the name of the environment that -e, VERIFYCTL_ENV or current chooses, and which of them did; "" when none
// does. A name in the file that does not exist is an error that names its line; others are not looked up.
func (c *Config) Chosen() (string, Choice, error) {
	name := c.settings.value("env")
	switch {
	case c.settings.source("env") == "--env":
		return name, ByFlag, nil
	case name != "":
		return name, ByVariable, nil
	}
	current, err := c.Current()
	return current, ByCurrent, err
}

// Current gives the environment that the file makes the current one, "" for none. One that does not exist is an error that names the line.
func (c *Config) Current() (string, error) {
	all, err := c.loaded()
	if err != nil {
		return "", err
	}
	name := all.current.value
	if _, builtIn := c.builtIn(name); name == "" || builtIn || all.find(name) != nil {
		return name, nil
	}
	missing := c.noSuch(name, all)
	missing.Message = fmt.Sprintf("%s: current names the environment %s, which does not exist", all.current.at, shown(name))
	return "", missing
}

// Lookup gives the environment of a name; the error for one that does not exist is KindUsage and names the nearest one
// that does. A built-in one is given without reading any file.
func (c *Config) Lookup(name string) (*Target, error) {
	if env, ok := c.builtIn(name); ok {
		return c.builtInTarget(env)
	}
	all, err := c.loaded()
	if err != nil {
		return nil, err
	}
	decl := all.find(name)
	if decl == nil {
		return nil, c.noSuch(name, all)
	}
	return c.target(decl)
}

// All gives every environment of the file in its order, then the built-in ones.
func (c *Config) All() ([]*Target, error) {
	all, err := c.loaded()
	if err != nil {
		return nil, err
	}
	var targets []*Target
	for _, decl := range all.declared {
		t, err := c.target(decl)
		if err != nil {
			return nil, err
		}
		targets = append(targets, t)
	}
	for _, env := range c.opts.BuiltIn {
		t, err := c.builtInTarget(env)
		if err != nil {
			return nil, err
		}
		targets = append(targets, t)
	}
	return targets, nil
}

// Names gives the names of all environments: those of the file in its order, then the built-in ones. With a file that
// cannot be read it gives the built-in ones and the error.
func (c *Config) Names() ([]string, error) {
	all, err := c.loaded()
	if err != nil {
		all = &environments{}
	}
	return c.allNames(all), err
}

func (c *Config) builtInTarget(env verify.Environment) (*Target, error) {
	var connection Target // of which only a read-only variable has a meaning
	err := c.settings.connect(&connection, &declaration{env: env})
	env.Config, env.ReadOnly = c.File(), connection.Environment.ReadOnly
	return &Target{Environment: env, Chosen: ByNobody, IdentityFrom: identityRaw, ReadOnlyFrom: connection.ReadOnlyFrom, config: c}, err
}

// target refuses a base URL that keys must not go to, before any secret is fetched.
func (c *Config) target(decl *declaration) (*Target, error) {
	t := &Target{
		Environment: decl.env, Chosen: ByNobody, Declared: decl.at.String(), IdentityFrom: cmp.Or(decl.identity.from, identityRaw),
		Texts: resolvePath(decl.texts, decl.at.file), ListenerURL: decl.listenerURL,
		identity: decl.identity, webhooks: decl.webhooks, config: c, file: c.path, fileRole: c.role,
	}
	t.Environment.Config = c.File()
	t.take(decl.service)
	t.Username, t.secret = decl.credentials.resolve(decl.env.AccountSID)
	t.SecretFrom = t.secret.String()
	return t, c.connect(t, decl)
}

// connect says how a target is reached.
func (c *Config) connect(t *Target, decl *declaration) error {
	if err := c.settings.connect(t, decl); err != nil {
		return err
	}
	if err := c.settings.connectStore(t, decl); err != nil {
		return err
	}
	if err := checkBaseURL(t.BaseURL, decl.allowBaseURL, decl.env.IsProduction()); err != nil {
		return fmt.Errorf("%s: %w", c.settings.where("base_url", decl.baseURL.at), err)
	}
	return nil
}

// resolve gives the user name and where its secret is; without a word about it that is the keychain.
func (c credentials) resolve(account verify.AccountSID) (string, reference) {
	username, secret := string(account), c.token
	if c.apiKey != "" {
		username, secret = string(c.apiKey), c.secret
	}
	if secret == nil {
		secret = &reference{kind: inKeychain}
	}
	r := *secret
	if r.kind == inKeychain {
		r.name = username
	}
	return username, r
}

// allNames gives the names of what the file declares, then of what is built in.
func (c *Config) allNames(all *environments) []string {
	names := all.names()
	for _, env := range c.opts.BuiltIn {
		names = append(names, env.Name)
	}
	return names
}

// noSuch is the error for an environment that was named and does not exist.
func (c *Config) noSuch(name string, all *environments) *verify.Error {
	err, known := verify.Usagef("there is no environment %s", shown(name)), c.allNames(all)
	if near := verify.Nearest(name, known); near != "" {
		return err.WithHint("did you mean %s? The environments are %s", near, strings.Join(known, ", "))
	}
	return err.WithHint("the environments are %s; add one: %s", strings.Join(known, ", "), c.Command("env", "add", "NAME"))
}

// fromVariables makes a target of the TWILIO_* variables.
func (c *Config) fromVariables() (*Target, error) {
	t := &Target{Environment: verify.Environment{Config: c.File()}, Chosen: ByTwilio, config: c, IdentityFrom: identityRaw}
	if err := c.takeTwilioKeys(t); err != nil {
		return nil, err
	}
	if service := c.settings.value("service"); service != "" {
		sid, err := verify.ParseServiceSID(service)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.settings.source("service"), err)
		}
		t.Environment.ServiceSID = sid
	}
	// Twilio's own variables for region and edge belong to its keys.
	return t, c.connect(t, &declaration{
		region: located{value: os.Getenv("TWILIO_REGION"), at: position{file: "TWILIO_REGION"}},
		edge:   located{value: os.Getenv("TWILIO_EDGE"), at: position{file: "TWILIO_EDGE"}},
	})
}

// takeTwilioKeys reads the TWILIO_* variables: account SID and auth token, or an API key and its secret.
func (c *Config) takeTwilioKeys(t *Target) (err error) {
	account, token := os.Getenv("TWILIO_ACCOUNT_SID"), os.Getenv("TWILIO_AUTH_TOKEN")
	key, secret := os.Getenv("TWILIO_API_KEY"), os.Getenv("TWILIO_API_SECRET")
	switch {
	case key == "" && secret != "":
		return verify.Usagef("TWILIO_API_SECRET is set without TWILIO_API_KEY")
	case key != "" && secret == "":
		return verify.Usagef("TWILIO_API_KEY is set without TWILIO_API_SECRET")
	case key == "" && account == "" && token != "":
		return verify.Usagef("TWILIO_AUTH_TOKEN is set without TWILIO_ACCOUNT_SID")
	case key == "" && (account == "" || token == ""):
		return c.nothingChosen()
	}
	if account != "" {
		if t.Environment.AccountSID, err = verify.ParseAccountSID(account); err != nil {
			return fmt.Errorf("TWILIO_ACCOUNT_SID: %w", err)
		}
	}
	t.Username, t.secret = account, reference{kind: inVariable, name: "TWILIO_AUTH_TOKEN"}
	if key != "" {
		if _, err := verify.ParseAPIKeySID(key); err != nil {
			return fmt.Errorf("TWILIO_API_KEY: %w", err)
		}
		t.Username, t.secret.name = key, "TWILIO_API_SECRET"
	}
	t.SecretFrom = t.secret.String()
	return nil
}

// nothingChosen says what to do when there is no environment to work on.
func (c *Config) nothingChosen() error {
	all, err := c.loaded()
	if err != nil {
		return err
	}
	if names := all.names(); len(names) > 0 {
		return verify.Usagef("no environment is chosen and none is current").
			WithHint("choose one with -e, or set a default: %s; available: %s", c.Command("env", "use", names[0]), strings.Join(names, ", "))
	}
	return verify.Usagef("no environment is set up").
		WithHint("add one: %s; or try any command without an account: -e demo", c.Command("env", "add", "NAME"))
}
