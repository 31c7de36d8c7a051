package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

func newCredentialsCmd(s *shell) *cobra.Command {
	return group(&cobra.Command{
		Use:     "credentials",
		Aliases: []string{"credential"},
		Short:   "List, show, lint and replace push credentials",
		Long: `A push credential lets Twilio send pushes through Apple (apn) or Google (fcm). Its sandbox setting must fit how the iOS
app is signed: true for debug builds from Xcode, false for TestFlight, Ad Hoc and the App Store.

No API gives back a certificate's expiry, its bundle id, or the kind of a Google key.`,
	}, newCredentialsListCmd(s), newCredentialsShowCmd(s), newCredentialsLintCmd(s), newCredentialsRotateCmd(s), newCredentialsRetireCmd(s))
}

// credentialUse is a credential with the Services that push through it.
type credentialUse struct {
	verify.Credential
	UsedBy []string `json:"used_by"` // Service SIDs
	names  []string
}

var credentialResource = render.Resource[credentialUse]{
	SID: func(v credentialUse) string { return string(v.SID) },
	Columns: []render.Column[credentialUse]{
		{Name: "sid", Text: func(v credentialUse) string { return string(v.SID) }},
		{Name: "friendly_name", Text: func(v credentialUse) string { return v.FriendlyName }, Flex: true, Named: true},
		{Name: "type", Text: func(v credentialUse) string { return v.Type }},
		{Name: "sandbox", Text: sandboxText, Tone: sandboxTone},
		{Name: "used_by", Text: func(v credentialUse) string { return strings.Join(v.names, ", ") }, Flex: true},
		{Name: "updated", Time: func(v credentialUse) time.Time { return v.DateUpdated }},
		{Name: "created", Time: func(v credentialUse) time.Time { return v.DateCreated }, Wide: true},
		{Name: "account_sid", Text: func(v credentialUse) string { return string(v.AccountSID) }, Wide: true},
		{Name: "read_from", Text: func(v credentialUse) string { return v.ReadFrom }, Wide: true},
	},
}

// sandboxText gives the setting of an apn credential; it means nothing for the others.
func sandboxText(v credentialUse) string {
	if v.Type != verify.CredentialAPN && v.Sandbox == verify.SandboxUnknown {
		return ""
	}
	return string(v.Sandbox)
}

func sandboxTone(v credentialUse) render.Tone {
	if v.Type == verify.CredentialAPN && v.Sandbox == verify.SandboxUnknown {
		return render.Warn
	}
	return render.Plain
}

func newCredentialsListCmd(s *shell) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the push credentials of the account, and who uses them",
		Long:    "List every push credential of the environment's account with the Verify Services that use it.\n\n" + exitHelp(readStatuses...),
		Example: "  verifyctl -e demo credentials list",
		RunE: func(cmd *cobra.Command, args []string) error {
			return listFrom(cmd.Context(), s, needsAccount, credentialResource, "no push credential in ENV", func(ctx context.Context, c *connection) rowsOf[credentialUse] {
				services, err := collect(c.client.Services(ctx))
				if err != nil {
					return failed[credentialUse](err)
				}
				return flatten(c.client.Credentials(ctx), func(v verify.Credential) []credentialUse {
					return []credentialUse{usedBy(v, services)}
				})
			})
		},
	}
}

func newCredentialsShowCmd(s *shell) *cobra.Command {
	return &cobra.Command{
		Use: "show CR…",
		ValidArgsFunction: completeLive(s, func(ctx context.Context, c *connection) rowsOf[verify.Credential] { return c.client.Credentials(ctx) },
			func(v verify.Credential) string { return described(string(v.SID), v.FriendlyName) }),
		Aliases: []string{"get"},
		Short:   "Show one push credential, and who uses it",
		Long:    "Show one push credential with the Verify Services that use it.\n\n" + exitHelp(readStatuses...),
		Example: "  verifyctl -e demo credentials list -q\n  verifyctl -e demo credentials show CR09b0e064645fdbe631d10397cc221d8d",
		Args:    argsBetween(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			sid, err := verify.ParseCredentialSID(args[0])
			if err != nil {
				return err
			}
			return showFrom(cmd.Context(), s, needsAccount, credentialResource, func(ctx context.Context, c *connection) (credentialUse, error) {
				credential, err := c.client.Credential(ctx, sid)
				if err != nil {
					return credentialUse{}, err
				}
				services, err := collect(c.client.Services(ctx))
				return usedBy(credential, services), err
			})
		},
	}
}

func usedBy(credential verify.Credential, services []verify.Service) credentialUse {
	use := credentialUse{Credential: credential, UsedBy: []string{}}
	for _, service := range services {
		uses := []verify.CredentialSID{service.CredentialSID(verify.PlatformAPN), service.CredentialSID(verify.PlatformFCM)}
		if slices.Contains(uses, credential.SID) {
			use.UsedBy = append(use.UsedBy, string(service.SID))
			use.names = append(use.names, service.FriendlyName)
		}
	}
	return use
}
