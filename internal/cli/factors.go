package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

func newFactorsCmd(s *shell) *cobra.Command {
	return group(&cobra.Command{
		Use:     "factors",
		Aliases: []string{"factor"},
		Short:   "List, show and delete factors: the devices of users",
		Long: `A factor is one registered device of an entity. An entity is addressed by its identity, the name your backend gave it.

Deleting a factor cannot be undone: Twilio returns its public key only on creation, so the user has to enrol again.`,
	}, newFactorsListCmd(s), newFactorsShowCmd(s), newFactorsDeleteCmd(s), newFactorsDeletedCmd(s),
		newFactorsFindCmd(s), newFactorsPlanCmd(s), newFactorsPruneCmd(s), newFactorsApplyCmd(s))
}

// factorView is the JSON form of a factor: Twilio's names, the push token replaced by a keyed hash that tells two apart.
type factorView struct {
	verify.Factor
	TokenHash string `json:"notification_token_hash,omitempty"`
}

func factorResource(hash func(verify.PushToken) string) render.Resource[verify.Factor] {
	return render.Resource[verify.Factor]{
		SID: func(f verify.Factor) string { return string(f.SID) },
		View: func(f verify.Factor) any {
			return factorView{Factor: f, TokenHash: hash(f.Config.Token)}
		},
		Columns: []render.Column[verify.Factor]{
			{Name: "sid", Text: func(f verify.Factor) string { return string(f.SID) }},
			{Name: "identity", Text: func(f verify.Factor) string { return string(f.Identity) }, Named: true},
			{Name: "friendly_name", Text: func(f verify.Factor) string { return f.FriendlyName }, Flex: true, Named: true},
			{Name: "status", Text: func(f verify.Factor) string { return string(f.Status) }, Tone: factorTone},
			{Name: "platform", Text: func(f verify.Factor) string { return string(f.Config.Platform) }},
			{Name: "app_id", Text: func(f verify.Factor) string { return f.Config.AppID }, Flex: true},
			{Name: "sdk_version", Text: func(f verify.Factor) string { return f.Config.SDKVersion }},
			{Name: "created", Time: func(f verify.Factor) time.Time { return f.DateCreated }},
			{Name: "updated", Time: func(f verify.Factor) time.Time { return f.DateUpdated }, Wide: true},
			{Name: "type", Text: func(f verify.Factor) string { return string(f.Type) }, Wide: true},
			{Name: "metadata", Text: func(f verify.Factor) string { return keyValues(f.Metadata) }, Flex: true, Wide: true, Named: true},
			{Name: "token_hash", Text: func(f verify.Factor) string { return hash(f.Config.Token) }, Wide: true},
			{Name: "entity_sid", Text: func(f verify.Factor) string { return string(f.EntitySID) }, Wide: true},
			{Name: "service_sid", Text: func(f verify.Factor) string { return string(f.ServiceSID) }, Wide: true},
			{Name: "account_sid", Text: func(f verify.Factor) string { return string(f.AccountSID) }, Wide: true},
		},
	}
}

func factorTone(f verify.Factor) render.Tone {
	if f.Status == verify.FactorVerified {
		return render.Good
	}
	return render.Warn
}

// parseFactorSIDs reads the YF… arguments of a command.
func parseFactorSIDs(args []string) ([]verify.FactorSID, error) {
	var sids []verify.FactorSID
	for _, arg := range args {
		sid, err := verify.ParseFactorSID(arg)
		if err != nil {
			return nil, err
		}
		sids = append(sids, sid)
	}
	return sids, nil
}

func newFactorsShowCmd(s *shell) *cobra.Command {
	return &cobra.Command{
		Use:     "show IDENTITY YF…",
		Aliases: []string{"get"},
		Short:   "Show one factor with everything Twilio tells of it",
		Long: `Show one factor. Its push token is shown as a keyed hash: two factors with one token have the same hash.

` + exitHelp(readStatuses...),
		Example:           "  verifyctl -e demo factors show user-1001-amara YFa728cd25f69d7c893427e286d6ccc0a1",
		Args:              argsBetween(2, 2),
		ValidArgsFunction: s.completeIdentityThenFactors,
		RunE: func(cmd *cobra.Command, args []string) error {
			sid, err := verify.ParseFactorSID(args[1])
			if err != nil {
				return err
			}
			return showFrom(cmd.Context(), s, needsService, factorResource(s.hashToken), func(ctx context.Context, c *connection) (verify.Factor, error) {
				identity, err := c.identity(ctx, args[0])
				if err != nil {
					return verify.Factor{}, err
				}
				return c.client.Factor(ctx, c.service(), identity, sid)
			})
		},
	}
}
