package cli

import (
	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/config"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

func newEnvCmd(s *shell) *cobra.Command {
	return group(&cobra.Command{
		Use:     "env",
		Aliases: []string{"envs", "environment", "environments"},
		Short:   "List, add, choose, compare and declare environments",
		Long: `An environment is a name for one Verify Service with the account keys for it, and what no API can tell: how careful to be,
how its iOS app is signed, which platforms and apps it serves.

Environments stand in a file of yours, or in one that a team shares (--config, VERIFYCTL_CONFIG). Secrets do not: they are
in the keychain, in an environment variable, or printed by a program. The environments demo, demo-dev and demo-staging
always exist and need no account.`,
	}, newEnvListCmd(s), newEnvShowCmd(s), newEnvUseCmd(s), newEnvAddCmd(s), newEnvSetCmd(s), newEnvRenameCmd(s), newEnvRemoveCmd(s), newEnvCheckCmd(s), newEnvDiffCmd(s),
		newEnvPlanCmd(s), newEnvApplyCmd(s), newEnvDriftCmd(s), newEnvPromoteCmd(s), newEnvExportCmd(s))
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
		{Name: "platforms", Text: func(r envRow) string { return joined(r.Platforms, ",") }},
		{Name: "readonly", Text: func(r envRow) string { return yesOrNothing(r.ReadOnly) }},
		{Name: "account_sid", Text: func(r envRow) string { return string(r.AccountSID) }, Wide: true},
		{Name: "username", Text: func(r envRow) string { return r.Username }, Wide: true},
		{Name: "secret_from", Text: func(r envRow) string { return r.SecretFrom }, Wide: true},
		{Name: "app_ids", Text: func(r envRow) string { return joined(r.AppIDs, ",") }, Wide: true},
		{Name: "max_factors", Text: func(r envRow) string { return numberOrNone(r.MaxFactors) }, Wide: true},
		{Name: "metadata_keys", Text: func(r envRow) string { return joined(r.MetadataKeys, ",") }, Wide: true},
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
