package twilio

import (
	"context"
	"iter"

	"strconv"

	verifyv2 "github.com/twilio/twilio-go/rest/verify/v2"

	"github.com/verifyctl/verifyctl/internal/verify"
)

type wireChallenge struct {
	ids
	ServiceSID      text `json:"service_sid"`
	EntitySID       text `json:"entity_sid"`
	Identity        text `json:"identity"`
	FactorSID       text `json:"factor_sid"`
	FactorType      text `json:"factor_type"`
	Status          text `json:"status"`
	RespondedReason text `json:"responded_reason"`
	Details         part[struct {
		Message text `json:"message"`
		Fields  rows[part[struct {
			Label text `json:"label"`
			Value text `json:"value"`
		}]] `json:"fields"`
	}] `json:"details"`
	HiddenDetails  part[pairs]  `json:"hidden_details"`
	Metadata       part[object] `json:"metadata"`
	DateCreated    stamp        `json:"date_created"`
	DateUpdated    stamp        `json:"date_updated"`
	DateResponded  stamp        `json:"date_responded"`
	ExpirationDate stamp        `json:"expiration_date"`
}

func (w wireChallenge) whose() verify.Identity { return verify.Identity(w.Identity) }
func (w wireChallenge) sids() []string         { return []string{w.key(), string(w.FactorSID)} }

func (w wireChallenge) resource() verify.Challenge {
	details := w.Details.or()
	var fields []verify.Field
	for _, p := range details.Fields {
		f := p.or()
		fields = append(fields, verify.Field{Label: string(f.Label), Value: string(f.Value)})
	}
	return verify.Challenge{
		SID: verify.ChallengeSID(w.SID), AccountSID: verify.AccountSID(w.AccountSID), ServiceSID: verify.ServiceSID(w.ServiceSID),
		EntitySID: verify.EntitySID(w.EntitySID), Identity: verify.Identity(w.Identity), FactorSID: verify.FactorSID(w.FactorSID),
		FactorType: verify.FactorType(w.FactorType), Status: verify.ChallengeStatus(w.Status), RespondedReason: string(w.RespondedReason),
		Details:       verify.Details{Message: string(details.Message), Fields: fields},
		HiddenDetails: w.HiddenDetails.or().strings(), Metadata: w.Metadata.or(),
		DateCreated: w.DateCreated.Time, DateUpdated: w.DateUpdated.Time,
		DateResponded: w.DateResponded.Time, ExpirationDate: w.ExpirationDate.Time,
	}
}

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
	return all[wireChallenge](ctx, c, l)
}

// Challenge reads one challenge (FetchChallenge).
func (c *Client) Challenge(ctx context.Context, service verify.ServiceSID, identity verify.Identity, challenge verify.ChallengeSID) (verify.Challenge, error) {
	call := c.begin(ctx, "read challenge %s of %s", challenge, named(identity)).about(identity)
	return fetch[wireChallenge](call, string(challenge), func() error {
		_, err := call.verify().FetchChallenge(segment(call, service), segment(call, identity), segment(call, challenge))
		return err
	})
}

type wireNotification struct {
	ids
	ServiceSID   text  `json:"service_sid"`
	EntitySID    text  `json:"entity_sid"`
	Identity     text  `json:"identity"`
	ChallengeSID text  `json:"challenge_sid"`
	Priority     text  `json:"priority"`
	TTL          text  `json:"ttl"`
	DateCreated  stamp `json:"date_created"`
}

func (w wireNotification) whose() verify.Identity { return verify.Identity(w.Identity) }
func (w wireNotification) sids() []string         { return []string{string(w.ChallengeSID)} }

func (w wireNotification) resource() verify.Notification {
	ttl, err := strconv.Atoi(string(w.TTL))
	if err != nil {
		ttl = 0 // only told, never acted on
	}
	return verify.Notification{
		SID: verify.NotificationSID(w.SID), AccountSID: verify.AccountSID(w.AccountSID), ServiceSID: verify.ServiceSID(w.ServiceSID),
		EntitySID: verify.EntitySID(w.EntitySID), Identity: verify.Identity(w.Identity), ChallengeSID: verify.ChallengeSID(w.ChallengeSID),
		Priority: string(w.Priority), TTL: ttl, DateCreated: w.DateCreated.Time,
	}
}
