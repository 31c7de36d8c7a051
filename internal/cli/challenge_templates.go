package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/challenge"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// examplesOfTexts are a file in small, and one that is the user's own.
func examplesOfTexts(command string) string {
	return "  echo '{texts: {login: {locales: {default: {message: Approve}}}}}' |\n    " + command + " -\n\n" +
		"  # texts.yaml is yours: your texts, in all their languages\n  " + command + " texts.yaml"
}

func newChallengeTemplatesCmd(s *shell) *cobra.Command {
	return group(&cobra.Command{
		Use:     "templates",
		Aliases: []string{"template", "texts"},
		Short:   "List and check the texts of a messages file, offline",
		Long: `A messages file holds the texts of challenges in every language of your users, so that nobody types them under pressure:

  texts:
    login:
      values: {city: 40}          # what --set gives, and the longest of each in characters
      limits: {message: 120}      # stricter than Twilio's 256; also fields, label and value
      locales:
        default:
          message: "Log in from {city}?"
          fields: [{label: City, value: "{city}"}]
        fr:
          message: "Connexion depuis {city} ?"
          fields: [{label: Ville, value: "{city}"}]

The environment file names it with challenges: {texts: FILE}; --texts FILE names another.`,
	}, newTemplatesListCmd(s), newTemplatesLintCmd(s))
}

// templateRow is one text with its languages.
type templateRow struct {
	Name    string   `json:"name"`
	Locales []string `json:"locales"`
	Values  []string `json:"values"`
	Message string   `json:"message"` // in the default language, values as {name}
}

var templateResource = render.Resource[templateRow]{
	Columns: []render.Column[templateRow]{
		{Name: "name", Text: func(r templateRow) string { return r.Name }},
		{Name: "locales", Text: func(r templateRow) string { return strings.Join(r.Locales, " ") }},
		{Name: "values", Text: func(r templateRow) string { return strings.Join(r.Values, " ") }},
		{Name: "message", Text: func(r templateRow) string { return r.Message }, Flex: true},
	},
}

func newTemplatesListCmd(s *shell) *cobra.Command {
	return &cobra.Command{
		Use:     "list [FILE]",
		Aliases: []string{"ls"},
		Short:   "List the texts of a messages file",
		Long: `List the texts of a messages file, the languages each is there in, and the values it takes by --set.

` + exitHelp(0),
		Example: examplesOfTexts("verifyctl challenge templates list"),
		Args:    argsBetween(0, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			texts, err := s.textsArg(args)
			if err != nil {
				return err
			}
			var rows []templateRow
			for _, name := range texts.Names() {
				rows = append(rows, templateRow{Name: name, Locales: texts.Locales(name), Values: texts.Values(name), Message: texts.Message(name)})
			}
			return listAll(s.printer(nil), templateResource, rows)
		},
	}
}

var findingResource = render.Resource[challenge.Finding]{
	Columns: []render.Column[challenge.Finding]{
		{Name: "file", Text: func(f challenge.Finding) string { return fmt.Sprintf("%s:%d", f.File, f.Line) }},
		{Name: "level", Text: findingLevel, Tone: findingTone},
		{Name: "text", Text: func(f challenge.Finding) string { return f.Text }},
		{Name: "locale", Text: func(f challenge.Finding) string { return f.Locale }},
		{Name: "problem", Text: func(f challenge.Finding) string { return f.Problem }, Flex: true},
	},
}

func findingLevel(f challenge.Finding) string {
	if f.Warning {
		return "warning"
	}
	return "error"
}

func findingTone(f challenge.Finding) render.Tone {
	if f.Warning {
		return render.Warn
	}
	return render.Bad
}

func newTemplatesLintCmd(s *shell) *cobra.Command {
	return &cobra.Command{
		Use:     "lint [FILE…]",
		Aliases: []string{"check"},
		Short:   "Check every text in every language against Twilio's limits",
		Long: `Check messages files without any request. Lengths are counted in characters (Unicode code points), with every value as
long as it is declared: a text that only fits a short city name is an error. So is a value without a declared length.
A language that shows other values or fields than the default is a warning.

` + exitHelp(0, 1),
		Example: examplesOfTexts("verifyctl challenge templates lint"),
		Args:    argsBetween(0, -1),
		RunE: func(_ *cobra.Command, args []string) error {
			all, err := s.textsArgs(args)
			if err != nil {
				return err
			}
			var findings []challenge.Finding
			for _, texts := range all {
				findings = append(findings, texts.Lint()...)
			}
			if err := listAll(s.printer(nil), findingResource, findings); err != nil {
				return err
			}
			return s.lintOutcome(all, findings)
		},
	}
}

func (s *shell) lintOutcome(all []*challenge.Texts, findings []challenge.Finding) error {
	count, locales, wrong := 0, 0, 0
	for _, texts := range all {
		count += len(texts.Names())
		for _, name := range texts.Names() {
			locales += len(texts.Locales(name))
		}
	}
	for _, f := range findings {
		if !f.Warning {
			wrong++
		}
	}
	if wrong > 0 {
		return &verify.Error{Kind: verify.KindFailed, Message: fmt.Sprintf("%s in %s", verify.Count(wrong, "mistake"), verify.Count(count, "text"))}
	}
	s.note("%s in %s: every one fits", verify.Count(count, "text"), verify.Count(locales, "translation"))
	return nil
}

// textsArgs reads the FILE arguments, else the environment's messages file.
func (s *shell) textsArgs(args []string) (all []*challenge.Texts, err error) {
	for i := range max(1, len(args)) {
		texts, err := s.textsArg(args[min(i, len(args)):])
		if err != nil {
			return nil, err
		}
		all = append(all, texts)
	}
	return all, nil
}

// textsArg reads the FILE argument, else the environment's messages file.
func (s *shell) textsArg(args []string) (*challenge.Texts, error) {
	if len(args) > 0 {
		return readTexts(s, args[0])
	}
	path, err := s.textsFile()
	if err != nil {
		return nil, err
	}
	return readTexts(s, path)
}
