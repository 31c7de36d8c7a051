package twilio

import (
	"context"
	"iter"

	verifyv2 "github.com/twilio/twilio-go/rest/verify/v2"

	"github.com/verifyctl/verifyctl/internal/verify"
)

type wireFactor struct {
	ids
	ServiceSID   text `json:"service_sid"`
	EntitySID    text `json:"entity_sid"`
	Identity     text `json:"identity"`
	FriendlyName text `json:"friendly_name"`
	Status       text `json:"status"`
	Type         text `json:"factor_type"`
	Config       part[struct {
		SDKVersion    text `json:"sdk_version"`
		AppID         text `json:"app_id"`
		Platform      text `json:"notification_platform"`
		Token         text `json:"notification_token"`
		CredentialSID text `json:"credential_sid"`
	}] `json:"config"`
	Metadata    part[pairs] `json:"metadata"`
	DateCreated stamp       `json:"date_created"`
	DateUpdated stamp       `json:"date_updated"`
}

func (w wireFactor) whose() verify.Identity { return verify.Identity(w.Identity) }
func (w wireFactor) sids() []string         { return []string{w.key()} }

func (w wireFactor) resource() verify.Factor {
	config := w.Config.or()
	return verify.Factor{
		SID: verify.FactorSID(w.SID), AccountSID: verify.AccountSID(w.AccountSID), ServiceSID: verify.ServiceSID(w.ServiceSID),
		EntitySID: verify.EntitySID(w.EntitySID), Identity: verify.Identity(w.Identity), FriendlyName: string(w.FriendlyName),
		Status: verify.FactorStatus(w.Status), Type: verify.FactorType(w.Type),
		Config: verify.FactorConfig{
			SDKVersion: string(config.SDKVersion), AppID: string(config.AppID), Platform: verify.Platform(config.Platform),
			Token: verify.PushToken(config.Token), CredentialSID: verify.CredentialSID(config.CredentialSID),
		},
		Metadata: w.Metadata.or().strings(), DateCreated: w.DateCreated.Time, DateUpdated: w.DateUpdated.Time,
	}
}

// Factors lists the factors of an identity (ListFactor). There are no filters and no order is documented.
func (c *Client) Factors(ctx context.Context, service verify.ServiceSID, identity verify.Identity) iter.Seq2[verify.Factor, error] {
	l := listing{what: "list the factors of " + named(identity), array: "factors", identity: identity, page: func(call *call, at cursor) error {
		_, err := call.verify().PageFactor(segment(call, service), segment(call, identity), &verifyv2.ListFactorParams{PageSize: &c.pageSize}, at.token, at.page)
		return err
	}}
	return all[wireFactor](ctx, c, l)
}

// Factor reads one factor (FetchFactor).
func (c *Client) Factor(ctx context.Context, service verify.ServiceSID, identity verify.Identity, factor verify.FactorSID) (verify.Factor, error) {
	call := c.begin(ctx, "read factor %s of %s", factor, named(identity)).about(identity)
	return fetch[wireFactor](call, string(factor), func() error {
		_, err := call.verify().FetchFactor(segment(call, service), segment(call, identity), segment(call, factor))
		return err
	})
}
