package twilio

import (
	"context"
	"iter"
	"maps"
	"strconv"
	"time"

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
	call := c.begin(ctx, "read challenge %s of %s", challenge, named(identity)).inService(service).about(identity)
	return fetch[wireChallenge](call, string(challenge), func() error {
		_, err := call.verify().FetchChallenge(segment(call, service), segment(call, identity), segment(call, challenge))
		return err
	})
}

// CreateChallenge asks the user of a factor; the phone rings (CreateChallenge). It is sent once: an error of
// [verify.KindPartial] says that the challenge may exist, and has to be looked up before another is made. Limits are the
// caller's to check.
func (c *Client) CreateChallenge(ctx context.Context, service verify.ServiceSID, identity verify.Identity, n verify.NewChallenge) (verify.Challenge, error) {
	params := &verifyv2.CreateChallengeParams{FactorSid: given(n.FactorSID), DetailsMessage: given(n.Message)}
	if len(n.Fields) > 0 {
		fields := make([]any, len(n.Fields))
		for i, f := range n.Fields {
			fields[i] = f
		}
		params.SetDetailsFields(fields)
	}
	if len(n.HiddenDetails) > 0 {
		params.SetHiddenDetails(maps.Clone(n.HiddenDetails))
	}
	if !n.ExpirationDate.IsZero() {
		params.SetExpirationDate(n.ExpirationDate.UTC())
	}
	call := c.begin(ctx, "create a challenge for factor %s of %s", n.FactorSID, named(identity)).inService(service).about(identity)
	return fetch[wireChallenge](call, "", func() error {
		_, err := call.verify().CreateChallenge(segment(call, service), segment(call, identity), params)
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

// CreateNotification sends the push of a pending challenge once more; the phone rings (CreateNotification). Twilio keeps
// trying for ttl, 0 to 300 seconds; 0 is one try. It is sent once: an error of [verify.KindPartial] says that it may have
// been sent and cannot be looked up.
func (c *Client) CreateNotification(ctx context.Context, service verify.ServiceSID, identity verify.Identity, challenge verify.ChallengeSID, ttl time.Duration) (verify.Notification, error) {
	if ttl < 0 || ttl > verify.MaxNotificationTTL {
		return verify.Notification{}, verify.Usagef("the time to live of a notification is 0 to %v, not %v", verify.MaxNotificationTTL, ttl)
	}
	seconds := int(ttl / time.Second)
	call := c.begin(ctx, "resend challenge %s of %s", challenge, named(identity)).inService(service).about(identity)
	return fetch[wireNotification](call, "", func() error {
		_, err := call.verify().CreateNotification(segment(call, service), segment(call, identity), segment(call, challenge),
			&verifyv2.CreateNotificationParams{Ttl: &seconds})
		return err
	})
}
