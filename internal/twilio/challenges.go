package twilio

import (
	"context"
	"iter"

	verifyv2 "github.com/twilio/twilio-go/rest/verify/v2"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Challenges lists the challenges of an identity, oldest first unless the filter says otherwise (ListChallenge). There is
// no list of the challenges of a Service.
func (c *Client) Challenges(ctx context.Context, service verify.ServiceSID, identity verify.Identity, filter verify.ChallengeFilter) iter.Seq2[verify.Challenge, error] {
	params := &verifyv2.ListChallengeParams{PageSize: &c.pageSize, FactorSid: given(filter.FactorSID), Status: given(filter.Status)}
	if filter.Newest {
		params.SetOrder("desc")
	}
	l := listing{what: "list the challenges of " + named(identity), array: "challenges", identity: identity, page: func(call *call, at cursor) error {
		_, err := call.verify().PageChallenge(segment(call, service), segment(call, identity), params, at.token, at.page)
		return err
	}}
	return all[verify.Challenge](ctx, c, l)
}

// Challenge reads one challenge (FetchChallenge).
func (c *Client) Challenge(ctx context.Context, service verify.ServiceSID, identity verify.Identity, challenge verify.ChallengeSID) (verify.Challenge, error) {
	call := c.begin(ctx, "read challenge %s of %s", challenge, named(identity)).about(identity)
	return fetch[verify.Challenge](call, string(challenge), func() error {
		_, err := call.verify().FetchChallenge(segment(call, service), segment(call, identity), segment(call, challenge))
		return err
	})
}
