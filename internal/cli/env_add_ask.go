package cli

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/verifyctl/verifyctl/internal/prompt"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// ask asks for what was not given, or without a terminal names all that has to be. The kind comes before the keys are
// used, because it decides where they may go.
func (o *envAddOptions) ask(ctx context.Context) error {
	p := o.shell.prompter()
	if !o.shell.canAsk() {
		if err := o.missing(); err != nil {
			return err
		}
		return o.askSecret(ctx, p)
	}
	for _, ask := range []func(context.Context, *prompt.Prompter) error{
		o.askAccount, o.askKind, o.askKey, o.askSecret, o.askService, o.askPlatforms, o.askIOSBuild, o.askUse,
	} {
		if err := ask(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func (o *envAddOptions) missing() error {
	var flags []string
	if o.account == "" {
		flags = append(flags, "--account-sid AC…")
	}
	if o.service == "" {
		flags = append(flags, "--service-sid VA…")
	}
	if len(flags) == 0 {
		return nil
	}
	return verify.Usagef("env add needs %s when there is no terminal to ask on", strings.Join(flags, " and "))
}

// askSID asks for a SID; Enter keeps the one there is.
func askSID[T ~string](ctx context.Context, p *prompt.Prompter, sid *T, text, help string, parse func(string) (T, error)) error {
	answer, err := p.Input(ctx, prompt.Question{Text: text, Help: help, Default: string(*sid), Check: func(s string) error {
		_, err := parse(strings.TrimSpace(s))
		return err
	}})
	*sid = T(strings.TrimSpace(answer))
	return err
}

func (o *envAddOptions) askAccount(ctx context.Context, p *prompt.Prompter) error {
	if o.account != "" {
		return nil
	}
	o.askedFor(o.askAccount)
	return askSID(ctx, p, &o.addition.Environment.AccountSID, "The account SID (AC…):", "It is on the first page of the Twilio Console.", verify.ParseAccountSID)
}

// askService lets somebody pick one of the account's Services, or type its SID.
func (o *envAddOptions) askService(ctx context.Context, p *prompt.Prompter) error {
	service := &o.addition.Environment.ServiceSID
	if *service == "" && !o.noCheck {
		var services []verify.Service
		err := o.tryKeys(ctx, func(ctx context.Context) (err error) {
			services, err = o.services(ctx)
			return err
		})
		if err != nil {
			return err
		}
		if len(services) > 0 {
			options := append(optionsOf(services, serviceLabel), prompt.Option[verify.Service]{Label: "another one…"})
			picked, err := prompt.Select(ctx, p, prompt.Question{Text: "Which Verify Service?", Help: "Type / to search."}, options)
			if err != nil {
				return err
			}
			*service = picked.SID
		}
	}
	for *service == "" {
		if err := askSID(ctx, p, service, "The Verify Service SID (VA…):", "", verify.ParseServiceSID); err != nil || o.noCheck {
			return err
		}
		c, err := o.reach(ctx)
		if err != nil {
			return err
		}
		if _, err := c.client.Service(ctx, *service); verify.KindOf(err) != verify.KindNotFound {
			return nil // what else is wrong is told when everything is tried
		}
		if err := o.noSuchService(ctx, c); verify.KindOf(err) != verify.KindNotFound {
			return err
		}
		o.shell.note("the account has no Service %s; type its SID again, or press Ctrl-C to end", *service)
		*service = ""
	}
	return nil
}

// askKey asks for the API key unless the flags say how to sign in.
func (o *envAddOptions) askKey(ctx context.Context, p *prompt.Prompter) error {
	if slices.ContainsFunc(credentialFlags, o.flags.Changed) {
		return nil
	}
	o.askedFor(o.askKey)
	key := &o.addition.Credentials.APIKey
	help := "Empty for the account's auth token, which may do everything."
	if *key != "" {
		help = "Empty for the same one."
	}
	answer, err := p.Input(ctx, prompt.Question{
		Text: "The API key to sign in with (SK…):", Help: help, Default: string(*key),
		Check: func(s string) error {
			if s == "" {
				return nil
			}
			_, err := verify.ParseAPIKeySID(strings.TrimSpace(s))
			return err
		},
	})
	*key = verify.APIKeySID(strings.TrimSpace(answer))
	return err
}

func (o *envAddOptions) askKind(ctx context.Context, p *prompt.Prompter) (err error) {
	if o.flags.Changed("kind") {
		return nil
	}
	o.addition.Environment.Kind, err = prompt.Select(ctx, p, prompt.Question{Text: "What kind of environment is it?"}, []prompt.Option[verify.EnvironmentKind]{
		{Label: "production: every write has to be confirmed by its name", Value: verify.Production},
		{Label: "staging", Value: verify.Staging},
		{Label: "development", Value: verify.Development},
	})
	return err
}

func (o *envAddOptions) askPlatforms(ctx context.Context, p *prompt.Prompter) error {
	if o.flags.Changed("platforms") {
		return nil
	}
	answer, err := p.Input(ctx, prompt.Question{
		Text: "Which platforms does it serve?", Help: "apn (Apple), fcm (Google), none (no push); separated by commas", Default: "apn,fcm",
		Check: func(s string) error {
			_, err := parsePlatforms(strings.Split(s, ","))
			return err
		},
	})
	if err != nil {
		return err
	}
	o.addition.Environment.Platforms, err = parsePlatforms(strings.Split(answer, ","))
	return err
}

// askIOSBuild asks how the app is signed. Not knowing is an answer, and the first one: a guess would make doctor lie.
func (o *envAddOptions) askIOSBuild(ctx context.Context, p *prompt.Prompter) (err error) {
	if o.flags.Changed("ios-build") || !o.addition.Environment.Uses(verify.PlatformAPN) {
		return nil
	}
	o.addition.Environment.IOSBuild, err = prompt.Select(ctx, p, prompt.Question{Text: "How is the iOS app of this environment signed?"}, []prompt.Option[verify.IOSBuild]{
		{Label: "I do not know yet: doctor cannot check the sandbox setting", Value: verify.IOSUndeclared},
		{Label: "distribution: App Store, TestFlight or Ad Hoc", Value: verify.IOSDistribution},
		{Label: "debug: run from Xcode", Value: verify.IOSDebug},
	})
	return err
}

// askUse asks whether it should be current instead of the one that is; the first one becomes so by itself.
func (o *envAddOptions) askUse(ctx context.Context, p *prompt.Prompter) error {
	cfg, err := o.shell.config()
	if err != nil || o.flags.Changed("use") {
		return err
	}
	current, err := cfg.Current()
	if err != nil || current == "" {
		return nil // there is none yet, or no file
	}
	o.use, err = prompt.Select(ctx, p, prompt.Question{Text: "Make " + o.name + " the current environment?"}, []prompt.Option[bool]{
		{Label: "no, " + current + " stays current", Value: false},
		{Label: "yes", Value: true},
	})
	return err
}

// maxSecret bounds what is read as a secret, in bytes. Twilio's have 32.
const maxSecret = 1024

// askSecret reads the secret from standard input when that was asked for, or from the person when nothing was said about
// it and there is one.
func (o *envAddOptions) askSecret(ctx context.Context, p *prompt.Prompter) error {
	source := &o.addition.Credentials.Source
	switch {
	case source.Variable != "" || source.Command != nil:
		return nil
	case o.secretStdin && !o.shell.inTerminal:
		return o.readSecret()
	case !o.secretStdin && !o.shell.canAsk():
		return nil // nothing was said about it; that is told afterwards
	}
	o.askedFor(o.askSecret)
	what := "auth token"
	if o.addition.Credentials.APIKey != "" {
		what = "secret"
	}
	text, err := p.Secret(ctx, prompt.Question{
		Text: "The " + what + " of " + o.username() + ":", Help: "It is kept in the keychain and never shown.",
		Instead: "--secret-stdin with the secret piped in, --secret-env or --secret-command",
	})
	source.Secret = verify.Secret(strings.TrimSpace(text))
	return err
}

func (o *envAddOptions) readSecret() error {
	text, err := io.ReadAll(io.LimitReader(o.shell.input, maxSecret+1))
	if err != nil {
		return err
	}
	if len(text) == 0 || len(text) > maxSecret {
		return verify.Usagef("--secret-stdin: standard input does not hold a secret")
	}
	secret := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	o.addition.Credentials.Source.Secret = verify.Secret(secret)
	return nil
}
