package cli

import (
	"context"
	"time"

	"github.com/spf13/pflag"

	"github.com/verifyctl/verifyctl/internal/config"
	"github.com/verifyctl/verifyctl/internal/prompt"
	"github.com/verifyctl/verifyctl/internal/pushfile"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// passphraseFlag is --passphrase-env: where the pass phrase of a .p12 or an encrypted key is.
type passphraseFlag struct {
	shell    *shell
	variable string

	value *string // what the variable holds; nil when none was named
	used  bool
}

func (f *passphraseFlag) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.variable, "passphrase-env", "", "the environment `variable` that holds the pass phrase of a .p12 or an encrypted key")
}

func (f *passphraseFlag) parse() error {
	if f.variable == "" {
		return nil
	}
	value := f.shell.getenv(f.variable)
	if value == "" {
		return verify.Usagef("--passphrase-env %s: the variable is not set, or empty; an empty pass phrase is tried without it", f.variable).
			WithHint("type it: read -rs %s && export %[1]s", f.variable)
	}
	f.value = &value
	return nil
}

// of gives the pass phrase of a file: the variable's, or that of the person at the terminal.
func (f *passphraseFlag) of(ctx context.Context) func(file string) (string, error) {
	return func(file string) (string, error) {
		if f.value != nil {
			f.used = true
			return *f.value, nil
		}
		return f.shell.prompter().Secret(ctx, prompt.Question{Text: "Pass phrase of " + file + ":", Instead: "--passphrase-env NAME"})
	}
}

// pushFileFlags say what a push credential is made of: --file, or what the environment file declares.
type pushFileFlags struct {
	shell      *shell
	files      []string
	passphrase passphraseFlag
}

func (f *pushFileFlags) register(flags *pflag.FlagSet) {
	f.passphrase.shell = f.shell
	flags.StringArrayVar(&f.files, "file", nil, "the `FILE` of the new credential: a .p12, a certificate and its key (twice), a service account (default: what the environment file declares)")
	f.passphrase.register(flags)
}

func (f *pushFileFlags) parse() error {
	if f.passphrase.variable != "" && len(f.files) == 0 {
		return verify.Usagef("--passphrase-env goes with --file; a declared file has its pass phrase beside it")
	}
	return f.passphrase.parse()
}

// lint reads the files, offline.
func (f *pushFileFlags) lint(ctx context.Context, target *config.Target, platform verify.Platform) (*pushfile.Lint, error) {
	if len(f.files) > 0 {
		return pushfile.LintFiles(f.files, pushfile.Options{Now: time.Now(), Config: target.Environment.Config, Stdin: f.shell.input, Passphrase: f.passphrase.of(ctx)})
	}
	declared, err := target.PushFile(ctx, platform)
	if err != nil {
		return nil, err
	}
	return pushfile.LintDeclared(declared, pushfile.Options{Now: time.Now(), Config: target.Environment.Config})
}
