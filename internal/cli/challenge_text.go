package cli

import (
	"cmp"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/challenge"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// textFlags take the text of a challenge from a messages file.
type textFlags struct {
	shell *shell

	file   string
	name   string
	locale string
	set    []string

	values map[string]string
}

func (t *textFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&t.name, "text", "", "`name` of a text in the messages file, instead of --message and --field")
	flags.StringVar(&t.locale, "locale", "", "language of the text, such as fr or fr-CA (default: the text's default)")
	flags.StringArrayVar(&t.set, "set", nil, "a `value=text` that the text shows")
	flags.StringVar(&t.file, "texts", "", "the messages `file` (default: the environment's)")
	complete(cmd, "text", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return t.shell.textNames(t.file), cobra.ShellCompDirectiveNoFileComp
	})
}

func (t *textFlags) isUsed() bool { return t.name != "" }

// parse checks the flags; free tells that a text is given in another way.
func (t *textFlags) parse(free bool) error {
	var err error
	switch {
	case !t.isUsed() && (t.locale != "" || len(t.set) > 0 || t.file != ""):
		return verify.Usagef("--locale, --set and --texts go with --text")
	case t.isUsed() && free:
		return verify.Usagef("--text cannot be used with --message or --field: the text has its own")
	}
	t.values, err = challenge.ParseDetails("--set", t.set)
	return err
}

// render fills in the text, and says so when it is not in the language asked for.
func (t *textFlags) render(environmentFile string) (challenge.Rendered, error) {
	texts, err := readTexts(t.shell, cmp.Or(t.file, environmentFile))
	if err != nil {
		return challenge.Rendered{}, err
	}
	rendered, err := texts.Render(t.name, t.locale, t.values)
	if err == nil && rendered.FellBack() {
		t.shell.note("text %s is not available in %s; sending it in %s", t.name, rendered.Asked, inWords(rendered.Used))
	}
	return rendered, err
}

func inWords(locale string) string {
	if locale == challenge.DefaultLocale {
		return "its default language"
	}
	return locale
}

// readTexts reads a messages file.
func readTexts(s *shell, path string) (*challenge.Texts, error) {
	if path == "" {
		return nil, verify.Usagef("no messages file is named").
			WithHint("give --texts FILE, or challenges: {texts: FILE} in the environment file")
	}
	f, err := openInput(s, "the messages file", path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return challenge.ParseTexts(path, f)
}

// textsFile gives the messages file of the chosen environment, "" when there is none.
func (s *shell) textsFile() (string, error) {
	target, err := s.chosen()
	if err != nil {
		return "", err
	}
	return target.Texts, nil
}

// textNames gives the names of the texts for completion, and nothing when anything fails.
func (s *shell) textNames(named string) []string {
	path := named
	if path == "" {
		path, _ = s.textsFile()
	}
	if path == "-" {
		return nil // completion never waits for standard input
	}
	texts, err := readTexts(s, path)
	if err != nil {
		return nil
	}
	return texts.Names()
}
