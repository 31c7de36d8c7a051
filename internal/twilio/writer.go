package twilio

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"net/url"
	"time"

	verifyv2 "github.com/twilio/twilio-go/rest/verify/v2"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Writer has every write. It is for package ledger alone, which leaves a record of each; internal/write_test.go holds that.
type Writer struct{ client *Client }

// Writer gives the writes that the account keys may make.
func (c *Client) Writer() Writer { return Writer{c} }

// begin starts a write in a Service, whose account is compared with the environment's before anything is sent. Without a
// Service it is a write of the account's own.
func (w Writer) begin(ctx context.Context, service verify.ServiceSID, what string, args ...any) *call {
	call := w.client.begin(ctx, what, args...)
	call.writes, call.writesTo = true, service
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

// CreateService makes a Service of the settings, friendly_name among them (CreateService).
func (w Writer) CreateService(ctx context.Context, settings verify.ServiceSettings) (verify.Service, error) {
	call := w.begin(ctx, "", "create the Service %q", settings["friendly_name"])
	return writeService(call, "", "/v2/Services", settings)
}

// UpdateService changes settings of a Service and leaves the others (UpdateService).
func (w Writer) UpdateService(ctx context.Context, service verify.ServiceSID, settings verify.ServiceSettings) (verify.Service, error) {
	call := w.begin(ctx, service, "change Service %s", service)
	return writeService(call, string(service), "/v2/Services/"+segment(call, service), settings)
}

func writeService(call *call, key, path string, settings verify.ServiceSettings) (verify.Service, error) {
	form := url.Values{}
	for _, setting := range verify.ServiceSettingNames {
		if value, given := settings[setting.Name]; given {
			form.Set(setting.Param, value)
		}
	}
	if len(form) != len(settings) {
		return verify.Service{}, verify.Usagef("cannot %s: there is a setting that cannot be written", call.what)
	}
	return fetch[verify.Service](call, key, func() error { return call.send(productVerify, http.MethodPost, path, form) })
}

// CreateCredential makes a push credential of the account (CreateCredential). It is sent once: after an error of
// [verify.KindPartial] it may exist, and has to be looked for before another is made.
func (w Writer) CreateCredential(ctx context.Context, n verify.CredentialWrite) (verify.Credential, error) {
	call := w.begin(ctx, "", "create the %s credential %q", n.Type, n.FriendlyName)
	return writeCredential(call, "", "", n)
}

// UpdateCredential changes a push credential to what n has; empty fields stay as they are (UpdateCredential).
func (w Writer) UpdateCredential(ctx context.Context, credential verify.CredentialSID, n verify.CredentialWrite) (verify.Credential, error) {
	call := w.begin(ctx, "", "change push credential %s", credential)
	n.Type = ""
	return writeCredential(call, string(credential), "/"+segment(call, credential), n)
}

func writeCredential(call *call, key, path string, n verify.CredentialWrite) (verify.Credential, error) {
	form := url.Values{}
	for name, value := range map[string]string{
		"Type": n.Type, "FriendlyName": n.FriendlyName, "Sandbox": string(n.Sandbox), "Certificate": n.Certificate,
		"PrivateKey": n.PrivateKey.Reveal(), "Secret": n.Secret.Reveal(),
	} {
		if value != "" {
			form.Set(name, value)
		}
	}
	written, err := fetch[verify.Credential](call, key, func() error {
		return call.send(credentialProduct(n.ReadFrom), http.MethodPost, credentialsPath+path, form)
	})
	written.ReadFrom = cmp.Or(n.ReadFrom, readFromNotify)
	return written, err
}

// DeleteCredential deletes a push credential, also one in use: pushes through it then fail (DeleteCredential).
func (w Writer) DeleteCredential(ctx context.Context, credential verify.Credential) error {
	call := w.begin(ctx, "", "delete push credential %s", credential.SID)
	path := credentialsPath + "/" + segment(call, credential.SID)
	return call.end(call.send(credentialProduct(credential.ReadFrom), http.MethodDelete, path, nil))
}

// CreateWebhook makes a webhook of hook's FriendlyName, EventTypes, URL, Status and Version (CreateWebhook).
func (w Writer) CreateWebhook(ctx context.Context, service verify.ServiceSID, hook verify.Webhook) (verify.Webhook, error) {
	call := w.begin(ctx, service, "create the webhook %q", hook.FriendlyName)
	return fetch[verify.Webhook](call, "", func() error {
		_, err := call.verify().CreateWebhook(segment(call, service), &verifyv2.CreateWebhookParams{
			FriendlyName: given(hook.FriendlyName), EventTypes: givenList(hook.EventTypes), WebhookUrl: given(hook.URL),
			Status: given(hook.Status), Version: given(hook.Version),
		})
		return err
	})
}

// DeleteWebhook deletes a webhook (DeleteWebhook).
func (w Writer) DeleteWebhook(ctx context.Context, service verify.ServiceSID, hook verify.WebhookSID) error {
	call := w.begin(ctx, service, "delete webhook %s", hook)
	return call.end(call.verify().DeleteWebhook(segment(call, service), segment(call, hook)))
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
