package twilio

import (
	"context"
	"maps"
	"time"

	verifyv2 "github.com/twilio/twilio-go/rest/verify/v2"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Writer has every write. It is for package ledger alone, which leaves a record of each; internal/write_test.go holds that.
type Writer struct{ client *Client }

// Writer gives the writes that the account keys may make.
func (c *Client) Writer() Writer { return Writer{c} }

// begin starts a write in a Service, whose account is compared with the environment's before anything is sent.
func (w Writer) begin(ctx context.Context, service verify.ServiceSID, what string, args ...any) *call {
	call := w.client.begin(ctx, what, args...)
	call.writesTo = service
	return call
}

// DeleteFactor deletes one factor, for good (DeleteFactor).
func (w Writer) DeleteFactor(ctx context.Context, service verify.ServiceSID, identity verify.Identity, factor verify.FactorSID) error {
	call := w.begin(ctx, service, "delete factor %s of %s", factor, named(identity))
	return call.end(call.verify().DeleteFactor(segment(call, service), segment(call, identity), segment(call, factor)))
}

// DeleteEntity deletes an entity, and with it its factors and challenges (DeleteEntity).
func (w Writer) DeleteEntity(ctx context.Context, service verify.ServiceSID, identity verify.Identity) error {
	call := w.begin(ctx, service, "delete entity %s", named(identity))
	return call.end(call.verify().DeleteEntity(segment(call, service), segment(call, identity)))
}

// CreateChallenge asks the user of a factor; the phone rings (CreateChallenge). It is sent once: an error of
// [verify.KindPartial] says that the challenge may exist, and has to be looked up before another is made. Limits are the
// caller's to check.
func (w Writer) CreateChallenge(ctx context.Context, service verify.ServiceSID, identity verify.Identity, n verify.NewChallenge) (verify.Challenge, error) {
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
	call := w.begin(ctx, service, "create a challenge for factor %s of %s", n.FactorSID, named(identity)).about(identity)
	return fetch[verify.Challenge](call, "", func() error {
		_, err := call.verify().CreateChallenge(segment(call, service), segment(call, identity), params)
		return err
	})
}

// CreateNotification sends the push of a pending challenge once more; the phone rings (CreateNotification). Twilio keeps
// trying for ttl, 0 to 300 seconds; 0 is one try. It is sent once: an error of [verify.KindPartial] says that it may have
// been sent and cannot be looked up.
func (w Writer) CreateNotification(ctx context.Context, service verify.ServiceSID, identity verify.Identity, challenge verify.ChallengeSID, ttl time.Duration) (verify.Notification, error) {
	if ttl < 0 || ttl > verify.MaxNotificationTTL {
		return verify.Notification{}, verify.Usagef("the time to live of a notification is 0 to %v, not %v", verify.MaxNotificationTTL, ttl)
	}
	seconds := int(ttl / time.Second)
	call := w.begin(ctx, service, "resend challenge %s of %s", challenge, named(identity)).about(identity)
	return fetch[verify.Notification](call, "", func() error {
		_, err := call.verify().CreateNotification(segment(call, service), segment(call, identity), segment(call, challenge),
			&verifyv2.CreateNotificationParams{Ttl: &seconds})
		return err
	})
}

// SetServiceCredential puts a push credential behind a Service's pushes of one platform, apn or fcm (UpdateService,
// Push.ApnCredentialSid and Push.FcmCredentialSid). It gives the Service as it is afterwards.
func (w Writer) SetServiceCredential(ctx context.Context, service verify.ServiceSID, platform verify.Platform, credential verify.CredentialSID) (verify.Service, error) {
	params := &verifyv2.UpdateServiceParams{}
	switch platform {
	case verify.PlatformAPN:
		params.SetPushApnCredentialSid(string(credential))
	case verify.PlatformFCM:
		params.SetPushFcmCredentialSid(string(credential))
	default:
		return verify.Service{}, verify.Usagef("a Service has no push credential for platform %q: it is apn or fcm", platform)
	}
	if _, err := verify.ParseCredentialSID(string(credential)); err != nil {
		return verify.Service{}, err // an empty one might clear the setting; Twilio does not document it
	}
	call := w.begin(ctx, service, "set the %s credential of Service %s", platform, service)
	return fetch[verify.Service](call, string(service), func() error {
		_, err := call.verify().UpdateService(segment(call, service), params)
		return err
	})
}

// UpdateWebhook changes the webhook of hook.SID to the FriendlyName, EventTypes, URL, Status and Version of hook; empty
// ones stay as they are (UpdateWebhook).
func (w Writer) UpdateWebhook(ctx context.Context, service verify.ServiceSID, hook verify.Webhook) (verify.Webhook, error) {
	call := w.begin(ctx, service, "change webhook %s", hook.SID)
	return fetch[verify.Webhook](call, string(hook.SID), func() error {
		_, err := call.verify().UpdateWebhook(segment(call, service), segment(call, hook.SID), &verifyv2.UpdateWebhookParams{
			FriendlyName: given(hook.FriendlyName), EventTypes: givenList(hook.EventTypes), WebhookUrl: given(hook.URL),
			Status: given(hook.Status), Version: given(hook.Version),
		})
		return err
	})
}

// given makes an optional parameter of a value, none of an empty one.
func given[T ~string](value T) *string {
	if value == "" {
		return nil
	}
	s := string(value)
	return &s
}

func givenList(values []string) *[]string {
	if len(values) == 0 {
		return nil
	}
	return &values
}
