package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/config"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

func newEnvCmd(s *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "env",
		Aliases: []string{"envs", "environment", "environments"},
		Short:   "List, add, choose and compare environments",
		Long: `An environment is a name for one Verify Service with the account keys for it, and what no API can tell: how careful to be,
how its iOS app is signed, which platforms and apps it serves.

Environments stand in a file of yours, or in one that a team shares (--config, VERIFYCTL_CONFIG). Secrets do not: they are
in the keychain, in an environment variable, or printed by a program. The environments demo, demo-dev and demo-staging
always exist and need no account.`,
	}
	cmd.AddCommand(newEnvListCmd(s), newEnvShowCmd(s), newEnvUseCmd(s), newEnvAddCmd(s), newEnvRemoveCmd(s), newEnvDiffCmd(s))
	return cmd
}

// envRow is an environment as it is shown: declared facts and how it is reached, without any secret.
type envRow struct {
	verify.Environment
	Current      bool   `json:"current"`
	Username     string `json:"username"`
	SecretFrom   string `json:"secret_from"`
	IdentityFrom string `json:"identity_from"`
	BaseURL      string `json:"base_url"`
	CAFile       string `json:"ca_file"`
	Region       string `json:"region"`
	Edge         string `json:"edge"`
	Texts        string `json:"texts"`
	Declared     string `json:"declared"` // file:line
}

func newEnvRow(t *config.Target, chosen string) envRow {
	row := envRow{
		Environment: t.Environment, Current: chosen != "" && t.Environment.Name == chosen,
		Username: t.Username, SecretFrom: t.SecretFrom, IdentityFrom: t.IdentityFrom,
		BaseURL: t.BaseURL, CAFile: t.CAFile, Region: t.Region, Edge: t.Edge, Texts: t.Texts, Declared: t.Declared,
	}
	if t.Environment.Demo {
		row.SecretFrom, row.Declared = "none needed", "built in"
	}
	return row
}

// kind gives the kind that counts, told apart from a declared one.
func (r envRow) kind() string {
	if r.Kind == "" {
		return "production (by default)"
	}
	return string(r.Kind)
}

var envResource = render.Resource[envRow]{
	SID: func(r envRow) string { return r.Name },
	Columns: []render.Column[envRow]{
		{Name: "name", Text: func(r envRow) string { return r.Name }},
		{Name: "current", Text: func(r envRow) string { return yesOrNothing(r.Current) }},
		{Name: "kind", Text: envRow.kind},
		{Name: "service_sid", Text: func(r envRow) string { return string(r.ServiceSID) }},
		{Name: "ios_build", Text: func(r envRow) string { return string(r.IOSBuild) }},
		{Name: "platforms", Text: func(r envRow) string { return joined(r.Platforms) }},
		{Name: "readonly", Text: func(r envRow) string { return yesOrNothing(r.ReadOnly) }},
		{Name: "account_sid", Text: func(r envRow) string { return string(r.AccountSID) }, Wide: true},
		{Name: "username", Text: func(r envRow) string { return r.Username }, Wide: true},
		{Name: "secret_from", Text: func(r envRow) string { return r.SecretFrom }, Wide: true},
		{Name: "app_ids", Text: func(r envRow) string { return joined(r.AppIDs) }, Wide: true},
		{Name: "max_factors", Text: func(r envRow) string { return numberOrNothing(r.MaxFactors) }, Wide: true},
		{Name: "metadata_keys", Text: func(r envRow) string { return joined(r.MetadataKeys) }, Wide: true},
		{Name: "identity_from", Text: func(r envRow) string { return r.IdentityFrom }, Wide: true},
		{Name: "templates_only", Text: func(r envRow) string { return yesOrNothing(r.TemplatesOnly) }, Wide: true},
		{Name: "texts", Text: func(r envRow) string { return r.Texts }, Wide: true},
		{Name: "webhook_url", Text: func(r envRow) string { return r.WebhookURL }, Wide: true},
		{Name: "base_url", Text: func(r envRow) string { return r.BaseURL }, Wide: true},
		{Name: "ca_file", Text: func(r envRow) string { return r.CAFile }, Wide: true},
		{Name: "region", Text: func(r envRow) string { return r.Region }, Wide: true},
		{Name: "edge", Text: func(r envRow) string { return r.Edge }, Wide: true},
		{Name: "declared", Text: func(r envRow) string { return r.Declared }, Wide: true},
	},
}

func yesOrNothing(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

func numberOrNothing(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

func joined[T ~string](values []T) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = string(v)
	}
	return strings.Join(words, ",")
}

// completeEnvironment completes the names of environments.
func (s *shell) completeEnvironment(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	cfg, err := s.config()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names, _ := cfg.Names() // what cannot be read is not completed
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeEnvironments is [shell.completeEnvironment] for a command that takes only so many names.
func (s *shell) completeEnvironments(most int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return s.completeEnvironment(cmd, args, prefix)
	}
}

// --- env list

func newEnvListCmd(s *shell) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the environments",
		Long: `List the environments of the file in its order, then the built-in ones. No secret is looked up. With -q only names are
printed.

` + exitHelp(0, 1, 6),
		Example: "  verifyctl env list\n  verifyctl env list --columns name,username,secret_from,declared",
		RunE:    func(cmd *cobra.Command, _ []string) error { return listEnvironments(s) },
	}
}

func listEnvironments(s *shell) error {
	if err := envResource.CheckColumns(s.flags.columns); err != nil {
		return err
	}
	p, err := s.printer(time.Now)
	if err != nil {
		return err
	}
	cfg, err := s.config()
	if err != nil {
		return err
	}
	targets, err := cfg.All()
	if err != nil {
		return err
	}
	chosen, _, chosenErr := cfg.Chosen() // reported after the list, which shows what there is to choose
	own := 0
	rows := make([]envRow, len(targets))
	for i, t := range targets {
		rows[i] = newEnvRow(t, chosen)
		if !t.Environment.Demo {
			own++
		}
	}
	if _, err := render.List(p, envResource, each(rows)); err != nil {
		return err
	}
	if own == 0 {
		s.note("no environment of yours is set up; add one: verifyctl env add NAME")
	}
	return chosenErr
}

// --- env show

func newEnvShowCmd(s *shell) *cobra.Command {
	return &cobra.Command{
		Use:     "show [NAME]",
		Aliases: []string{"get"},
		Short:   "Show an environment, the chosen one by default",
		Long: `Show what is declared of an environment and where its keys come from. The secret itself is neither looked up nor shown.

` + exitHelp(0, 1, 6),
		Example:           "  verifyctl env show demo\n  verifyctl -e demo env show -o json",
		Args:              argsBetween(0, 1),
		ValidArgsFunction: s.completeEnvironments(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := envResource.CheckColumns(s.flags.columns); err != nil {
				return err
			}
			p, err := s.printer(time.Now)
			if err != nil {
				return err
			}
			row, err := s.findEnvironment(args)
			if err != nil {
				return err
			}
			return render.One(p, envResource, row)
		},
	}
}

// findEnvironment gives the environment of an argument, or without one the chosen environment.
func (s *shell) findEnvironment(args []string) (envRow, error) {
	cfg, err := s.config()
	if err != nil {
		return envRow{}, err
	}
	if len(args) == 0 {
		t, err := cfg.Choose()
		if err != nil {
			return envRow{}, err
		}
		return newEnvRow(t, t.Environment.Name), nil
	}
	t, err := cfg.Lookup(args[0])
	if err != nil {
		return envRow{}, err
	}
	chosen, _, err := cfg.Chosen()
	if err != nil {
		s.note("%v", err)
	}
	return newEnvRow(t, chosen), nil
}

// --- env use

func newEnvUseCmd(s *shell) *cobra.Command {
	var none bool
	cmd := &cobra.Command{
		Use:   "use NAME",
		Short: "Choose the environment that commands work on without -e",
		Long: `Make an environment the current one, in your own file; when a team's file is in use, in the personal file beside it.

-e and VERIFYCTL_ENV come before it. A write to production always needs -e, even where production is current.

` + exitHelp(0, 1, 6),
		Example:           "  verifyctl env use demo\n  verifyctl env use --none",
		Args:              argsBetween(0, 1),
		ValidArgsFunction: s.completeEnvironments(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case none && len(args) > 0:
				return verify.Usagef("--none excludes a name")
			case none:
				return useEnvironment(s, "")
			case len(args) == 0 || args[0] == "":
				return verify.Usagef("which environment? %s needs a NAME, or --none", cmd.CommandPath()).
					WithHint("see what there is: verifyctl env list")
			}
			return useEnvironment(s, args[0])
		},
	}
	cmd.Flags().BoolVar(&none, "none", false, "leave no environment current")
	return cmd
}

func useEnvironment(s *shell, name string) error {
	cfg, err := s.config()
	if err != nil {
		return err
	}
	change, err := cfg.Use(name)
	if err != nil {
		return err
	}
	switch {
	case len(change.Files) == 0:
		s.note("nothing to change")
	case name == "":
		s.note("no environment is current now (%s)", change.Files[0])
	default:
		s.note("%s is the current environment now (%s)", name, change.Files[0])
	}
	if chosen, how, err := cfg.Chosen(); err == nil && how == config.ByVariable && chosen != name {
		s.note("in this shell VERIFYCTL_ENV still chooses %s", chosen)
	}
	return nil
}

// --- env remove

func newEnvRemoveCmd(s *shell) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:     "remove NAME",
		Aliases: []string{"rm", "delete"},
		Short:   "Remove an environment from the file, and its keychain entry",
		Long: `Remove an environment from the file, and from the personal file beside a team's. The keychain entry of its keys goes as
well, unless another environment of the file uses the same keys. Nothing is changed at Twilio, and what this machine
remembers of the environment stays: see "verifyctl state purge".

` + exitHelp(0, 1, 6),
		Example:           "  verifyctl env remove old-staging --yes",
		Args:              argsBetween(1, 1),
		ValidArgsFunction: s.completeEnvironments(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return removeEnvironment(cmd.Context(), s, args[0], yes)
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func removeEnvironment(ctx context.Context, s *shell, name string, yes bool) error {
	cfg, err := s.config()
	if err != nil {
		return err
	}
	if err := cfg.CanRemove(name); err != nil {
		return err
	}
	if !yes {
		question := fmt.Sprintf("Remove the environment %s from %s, and its keychain entry?", name, cfg.Path())
		if !s.canAsk() {
			return verify.Refusedf("not confirmed: %s", question).WithHint("confirm with --yes")
		}
		if err := s.prompter().Confirm(ctx, question); err != nil {
			return err
		}
	}
	change, err := cfg.Remove(ctx, name)
	if len(change.Files) > 0 {
		s.note("removed %s from %s", name, strings.Join(change.Files, " and "))
	}
	if change.Secret != "" {
		s.note("removed %s", change.Secret)
	}
	return err
}
