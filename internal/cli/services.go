package cli

import (
	"cmp"
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

func newServicesCmd(s *shell) *cobra.Command {
	return group(&cobra.Command{
		Use:     "services",
		Aliases: []string{"service"},
		Short:   "List and show Verify Services with their push configuration",
		Long: `A Verify Service holds one environment's users, and exactly one push credential for Apple and one for Google. A Service
cannot serve debug and distribution builds of an iOS app at once: give each environment its own.`,
	}, newServicesListCmd(s), newServicesShowCmd(s))
}

var serviceResource = render.Resource[verify.Service]{
	SID: func(v verify.Service) string { return string(v.SID) },
	Columns: []render.Column[verify.Service]{
		{Name: "sid", Text: func(v verify.Service) string { return string(v.SID) }},
		{Name: "friendly_name", Text: func(v verify.Service) string { return v.FriendlyName }, Flex: true, Named: true},
		{Name: "apn_credential_sid", Text: func(v verify.Service) string { return string(v.CredentialSID(verify.PlatformAPN)) }},
		{Name: "fcm_credential_sid", Text: func(v verify.Service) string { return string(v.CredentialSID(verify.PlatformFCM)) }},
		{Name: "updated", Time: func(v verify.Service) time.Time { return v.DateUpdated }},
		{Name: "created", Time: func(v verify.Service) time.Time { return v.DateCreated }, Wide: true},
		{Name: "account_sid", Text: func(v verify.Service) string { return string(v.AccountSID) }, Wide: true},
	},
}

func newServicesListCmd(s *shell) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the Verify Services of the account",
		Long:    "List every Verify Service of the environment's account with the push credentials it uses.\n\n" + exitHelp(readStatuses...),
		Example: "  verifyctl -e demo services list",
		RunE: func(cmd *cobra.Command, args []string) error {
			return listFrom(cmd.Context(), s, needsAccount, serviceResource, "no Service in ENV", func(ctx context.Context, c *connection) rowsOf[verify.Service] {
				return c.client.Services(ctx)
			})
		},
	}
}

func newServicesShowCmd(s *shell) *cobra.Command {
	return &cobra.Command{
		Use: "show [VA…]",
		ValidArgsFunction: completeLive(s, func(ctx context.Context, c *connection) rowsOf[verify.Service] { return c.client.Services(ctx) },
			func(v verify.Service) string { return described(string(v.SID), v.FriendlyName) }),
		Aliases: []string{"get"},
		Short:   "Show a Verify Service, the environment's own by default",
		Long:    "Show one Verify Service with its push configuration.\n\n" + exitHelp(readStatuses...),
		Example: "  verifyctl -e demo services show",
		Args:    argsBetween(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var service verify.ServiceSID
			need := needsService
			if len(args) > 0 {
				need = needsAccount
				var err error
				if service, err = verify.ParseServiceSID(args[0]); err != nil {
					return err
				}
			}
			return showFrom(cmd.Context(), s, need, serviceResource, func(ctx context.Context, c *connection) (verify.Service, error) {
				return c.client.Service(ctx, cmp.Or(service, c.service()))
			})
		},
	}
}
