package twilio

import (
	"context"
	"iter"

	verifyv2 "github.com/twilio/twilio-go/rest/verify/v2"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Factors lists the factors of an identity (ListFactor). There are no filters and no order is documented.
func (c *Client) Factors(ctx context.Context, service verify.ServiceSID, identity verify.Identity) iter.Seq2[verify.Factor, error] {
	l := listing{what: "list the factors of " + named(identity), array: "factors", identity: identity, page: func(call *call, at cursor) error {
		_, err := call.verify().PageFactor(segment(call, service), segment(call, identity), &verifyv2.ListFactorParams{PageSize: &c.pageSize}, at.token, at.page)
		return err
	}}
	return all[verify.Factor](ctx, c, l)
}

// Factor reads one factor (FetchFactor).
func (c *Client) Factor(ctx context.Context, service verify.ServiceSID, identity verify.Identity, factor verify.FactorSID) (verify.Factor, error) {
	call := c.begin(ctx, "read factor %s of %s", factor, named(identity)).about(identity)
	return fetch[verify.Factor](call, string(factor), func() error {
		_, err := call.verify().FetchFactor(segment(call, service), segment(call, identity), segment(call, factor))
		return err
	})
}
