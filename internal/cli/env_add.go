package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/verifyctl/verifyctl/internal/config"
	"github.com/verifyctl/verifyctl/internal/prompt"
	"github.com/verifyctl/verifyctl/internal/verify"
)

type envAddOptions struct {
	shell *shell
	flags *pflag.FlagSet

	name                   string
	account, service       string
	apiKey                 string
	secretStdin            bool
	secretEnv              string
	secretCommand          string
	kind, iosBuild         string
	platforms              []string
	identity               string
	appIDs, metadataKeys   []string
	maxFactors             int
	readOnly, allowBaseURL bool
	baseURL, caFile        string
	region, edge, webhook  string
	use, noCheck           bool

	addition config.Addition
	asked    []func(context.Context, *prompt.Prompter) error // what of the keys was asked for, and is again when they are refused
	attempts int                                             // to use the keys
}

// credentialFlags are the flags that say with which keys an environment signs in. They alone may be given for an
// environment that stands in the file already.
var credentialFlags = []string{"api-key", "secret-stdin", "secret-env", "secret-command"}

func newEnvAddCmd(s *shell) *cobra.Command {
	o := envAddOptions{shell: s}
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Add an environment, or credentials to one of a team's file",
		Long: `Add an environment to the file. On a terminal what is missing is asked, and the Service picked from those of the
account; elsewhere it has to be given.

Before anything is stored the Service is read once with the keys. Keys that Twilio refuses, keys of another account and a
Service that the account does not have are errors, and nothing is stored. What was asked of refused keys is asked again, up to
three times. --no-check sends nothing.

The secret is that of the --api-key or, without one, the account's auth token. It is read from standard input
(--secret-stdin) or asked, and kept in the system's keychain, or where there is none in a file that only you can read. With
--secret-env or --secret-command it is not kept: the file says where to find it. A secret is never an argument.

For an environment that stands in the file already, give only the flags of its credentials: they are replaced. In a team's
file (--config, VERIFYCTL_CONFIG) only facts are written; credentials go into the personal file beside it, for example
verifyctl.local.yaml beside verifyctl.yaml.

--ios-build is how the app is signed, as your build pipeline knows it. It is never taken from the push credential, because
"doctor" compares the two.

` + exitHelp(readStatuses...),
		Example: `  verifyctl env add staging
  verifyctl env add staging --account-sid AC… --service-sid VA… --api-key SK… --secret-env STAGING_SECRET --kind staging
  op read op://verify/staging/secret | verifyctl env add staging --secret-stdin`,
		Args: argsBetween(1, 1),
		RunE: parseThenRun(o.parse, o.run),
	}
	flags := cmd.Flags()
	o.flags = flags
	flags.StringVar(&o.account, "account-sid", "", "the account, AC…")
	flags.StringVar(&o.service, "service-sid", "", "the Verify Service, VA…")
	flags.StringVar(&o.apiKey, "api-key", "", "the API key to sign in with, SK…; without one the account's auth token")
	flags.BoolVar(&o.secretStdin, "secret-stdin", false, "read the secret from standard input and keep it in the keychain")
	flags.StringVar(&o.secretEnv, "secret-env", "", "the environment `variable` that holds the secret")
	flags.StringVar(&o.secretCommand, "secret-command", "", "the `program` and arguments that print the secret, without a shell; or a JSON list of them")
	flags.StringVar(&o.kind, "kind", "", "development, staging or production, which is what an undeclared kind counts as")
	flags.BoolVar(&o.readOnly, "readonly", false, "refuse every write")
	flags.StringVar(&o.iosBuild, "ios-build", "", "how the iOS app is signed: debug, distribution (TestFlight and Ad Hoc too) or none")
	flags.StringSliceVar(&o.platforms, "platforms", nil, "apn, fcm or none, separated by commas")
	flags.StringSliceVar(&o.appIDs, "app-ids", nil, "the apps that may register, such as com.example.app")
	flags.IntVar(&o.maxFactors, "max-factors", 0, "the most factors an identity should have")
	flags.StringSliceVar(&o.metadataKeys, "metadata-keys", nil, "the metadata the app writes at enrolment")
	flags.StringVar(&o.identity, "identity", "", "how user:NAME becomes an identity: raw or sha256; others in the file")
	flags.StringVar(&o.webhook, "webhook-url", "", "where the Service should post its events")
	flags.StringVar(&o.baseURL, "base-url", "", "another server than Twilio's, such as a simulator")
	flags.BoolVar(&o.allowBaseURL, "allow-base-url", false, "let account keys go to a --base-url that is neither Twilio's nor this machine")
	flags.StringVar(&o.caFile, "ca-file", "", "a PEM file of an authority to trust besides the system's")
	flags.StringVar(&o.region, "region", "", "Twilio region, such as ie1")
	flags.StringVar(&o.edge, "edge", "", "Twilio edge, such as dublin")
	flags.BoolVar(&o.noCheck, "no-check", false, "store it without reading the Service with its keys")
	flags.BoolVar(&o.use, "use", false, "make it the current environment")
	completeValues(cmd, "kind", "development", "staging", "production")
	completeValues(cmd, "ios-build", "debug", "distribution", "none")
	completeValues(cmd, "platforms", "apn", "fcm", "none")
	completeValues(cmd, "identity", "raw", "sha256")
	return cmd
}

// parse reads what was given; what is missing is asked for later.
func (o *envAddOptions) parse(args []string) error {
	o.name = args[0]
	if err := config.CheckName(o.name); err != nil {
		return err
	}
	env := verify.Environment{Name: o.name, ReadOnly: o.readOnly, AppIDs: o.appIDs, MaxFactors: o.maxFactors,
		MetadataKeys: o.metadataKeys, WebhookURL: o.webhook}
	a := config.Addition{BaseURL: o.baseURL, AllowBaseURL: o.allowBaseURL, Region: o.region, Edge: o.edge}
	var errs []error
	var err error
	if o.caFile != "" { // the file would take a relative name as one beside itself
		a.CAFile, err = filepath.Abs(o.caFile)
		errs = append(errs, err)
	}
	env.AccountSID, err = optional("--account-sid", o.account, verify.ParseAccountSID)
	errs = append(errs, err)
	env.ServiceSID, err = optional("--service-sid", o.service, verify.ParseServiceSID)
	errs = append(errs, err)
	a.Credentials.APIKey, err = optional("--api-key", o.apiKey, verify.ParseAPIKeySID)
	errs = append(errs, err)
	env.Kind, err = oneOf("--kind", o.kind, verify.Development, verify.Staging, verify.Production)
	errs = append(errs, err)
	env.IOSBuild, err = oneOf("--ios-build", o.iosBuild, verify.IOSDebug, verify.IOSDistribution, verify.IOSNone)
	errs = append(errs, err)
	a.Identity, err = oneOf("--identity", o.identity, "raw", "sha256")
	errs = append(errs, err)
	env.Platforms, err = parsePlatforms(o.platforms)
	errs = append(errs, err)
	if given := o.secretFlags(); len(given) > 1 {
		errs = append(errs, verify.Usagef("%s cannot be combined: a secret is in one place", strings.Join(given, " and ")))
	}
	if o.maxFactors < 0 {
		errs = append(errs, verify.Usagef("--max-factors %d is negative", o.maxFactors))
	}
	a.Credentials.Source.Variable = o.secretEnv
	a.Credentials.Source.Command, err = parseCommand(o.secretCommand)
	errs = append(errs, err)
	a.Environment = env
	o.addition = a
	return errors.Join(errs...)
}

// secretFlags lists the flags given that say where the secret is.
func (o *envAddOptions) secretFlags() []string {
	var given []string
	for _, flag := range credentialFlags {
		if flag != "api-key" && o.flags.Changed(flag) {
			given = append(given, "--"+flag)
		}
	}
	return given
}

// optional reads a flag that may be left out.
func optional[T ~string](flag, value string, parse func(string) (T, error)) (T, error) {
	if value == "" {
		return "", nil
	}
	sid, err := parse(value)
	var known *verify.Error
	if errors.As(err, &known) {
		return "", verify.Usagef("%s: %s", flag, known.Message).WithHint("%s", known.Hint)
	}
	return sid, err
}

func parsePlatforms(words []string) ([]verify.Platform, error) {
	var platforms []verify.Platform
	for _, word := range words {
		p, err := oneOf("--platforms", strings.TrimSpace(word), verify.PlatformAPN, verify.PlatformFCM, verify.PlatformNone)
		if err != nil {
			return nil, err
		}
		if p != "" {
			platforms = append(platforms, p)
		}
	}
	return platforms, nil
}

// parseCommand reads a program and its arguments: words between spaces, or a JSON list where a word has a space in it.
func parseCommand(text string) ([]string, error) {
	switch words := strings.Fields(text); {
	case len(words) == 0:
		return nil, nil
	case !strings.HasPrefix(words[0], "["):
		return words, nil
	}
	var argv []string
	if err := json.Unmarshal([]byte(text), &argv); err != nil || len(argv) == 0 {
		return nil, verify.Usagef(`--secret-command takes a program and its arguments, or a JSON list such as ["pass", "show", "twilio"]`)
	}
	return argv, nil
}

func (o *envAddOptions) run(ctx context.Context) error {
	cfg, err := o.shell.config()
	if err != nil {
		return err
	}
	known, err := cfg.Has(o.name)
	if err != nil {
		return err
	}
	if known {
		return o.replaceCredentials(ctx, cfg)
	}
	if err := o.ask(ctx); err != nil {
		return err
	}
	if err := o.tryKeys(ctx, o.check); err != nil {
		return err
	}
	change, err := cfg.Add(ctx, o.addition)
	if err != nil {
		return err
	}
	o.shell.note("added %s to %s", o.name, strings.Join(change.Files, " and "))
	o.saySecret(cfg, change)
	if o.use {
		if err := useEnvironment(o.shell, o.name); err != nil {
			return err
		}
	}
	o.shell.note("check it: %s", cfg.Command("-e", o.name, "doctor"))
	return nil
}

// replaceCredentials gives an environment of the file other keys, or another place for its secret.
func (o *envAddOptions) replaceCredentials(ctx context.Context, cfg *config.Config) error {
	target, err := cfg.Lookup(o.name)
	if err != nil {
		return err
	}
	var facts []string
	o.flags.Visit(func(f *pflag.Flag) {
		if f.Name != "no-check" && !slices.Contains(credentialFlags, f.Name) && o.shell.globalSet.Lookup(f.Name) == nil {
			facts = append(facts, "--"+f.Name)
		}
	})
	if len(facts) > 0 {
		return verify.Usagef("the environment %s exists already, and only its credentials can be replaced, not %s", o.name, strings.Join(facts, ", ")).
			WithHint("edit it at %s", target.Declared)
	}
	if o.apiKey == "" && strings.HasPrefix(target.Username, "SK") {
		o.addition.Credentials.APIKey = verify.APIKeySID(target.Username) // the key stays, its secret is new
	}
	o.addition.Environment = target.Environment
	if err := o.askSecret(ctx, o.shell.prompter()); err != nil {
		return err
	}
	if err := o.tryKeys(ctx, o.check); err != nil {
		return err
	}
	change, err := cfg.SetCredentials(ctx, o.name, o.addition.Credentials)
	if err != nil {
		return err
	}
	if len(change.Files) > 0 {
		o.shell.note("replaced the credentials of %s in %s", o.name, strings.Join(change.Files, " and "))
	}
	o.saySecret(cfg, change)
	return nil
}

// saySecret says where a secret was kept, or that it still has to be.
func (o *envAddOptions) saySecret(cfg *config.Config, change config.Change) {
	switch source := o.addition.Credentials.Source; {
	case change.Secret != "":
		o.shell.note("the secret of %s is kept in %s", o.username(), change.Secret)
	case source.Variable == "" && source.Command == nil:
		o.shell.note("the secret of %s is expected in the keychain; store it: %s", o.username(),
			cfg.Command("env", "add", o.name, "--secret-stdin"))
	}
}

func (o *envAddOptions) username() string {
	return cmp.Or(string(o.addition.Credentials.APIKey), string(o.addition.Environment.AccountSID))
}
