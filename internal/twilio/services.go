package twilio

import (
	"context"
	"iter"

	verifyv2 "github.com/twilio/twilio-go/rest/verify/v2"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// ids is what every resource has.
type ids struct {
	SID        text `json:"sid"`
	AccountSID text `json:"account_sid"`
}

func (i ids) key() string { return string(i.SID) }

// owner tells the account. Only resources of Verify use it, which belong to the keys' own account.
func (i ids) owner() verify.AccountSID { return verify.AccountSID(i.AccountSID) }

type wireService struct {
	ids
	FriendlyName text `json:"friendly_name"`
	Push         part[struct {
		IncludeDate      text `json:"include_date"`
		APNCredentialSID text `json:"apn_credential_sid"`
		FCMCredentialSID text `json:"fcm_credential_sid"`
	}] `json:"push"`
	TOTP        part[object] `json:"totp"`
	Passkeys    part[object] `json:"passkeys"`
	DateCreated stamp        `json:"date_created"`
	DateUpdated stamp        `json:"date_updated"`
}

func (w wireService) resource() verify.Service {
	s := verify.Service{
		SID: verify.ServiceSID(w.SID), AccountSID: verify.AccountSID(w.AccountSID), FriendlyName: string(w.FriendlyName),
		TOTP: len(w.TOTP.or()) > 0, Passkeys: len(w.Passkeys.or()) > 0,
		DateCreated: w.DateCreated.Time, DateUpdated: w.DateUpdated.Time,
	}
	if push := w.Push.value; push != nil {
		s.Push = &verify.PushConfig{
			IncludeDate:      push.IncludeDate.isTrue(),
			APNCredentialSID: verify.CredentialSID(push.APNCredentialSID),
			FCMCredentialSID: verify.CredentialSID(push.FCMCredentialSID),
		}
	}
	return s
}

// Services lists the Verify Services of the account (ListService).
func (c *Client) Services(ctx context.Context) iter.Seq2[verify.Service, error] {
	return all[wireService](ctx, c, listing{what: "list the Services", array: "services", page: func(call *call, at cursor) error {
		_, err := call.verify().PageService(&verifyv2.ListServiceParams{PageSize: &c.pageSize}, at.token, at.page)
		return err
	}})
}

// Service reads one Verify Service (FetchService).
func (c *Client) Service(ctx context.Context, service verify.ServiceSID) (verify.Service, error) {
	call := c.begin(ctx, "read Service %s", service)
	return fetch[wireService](call, string(service), func() error {
		_, err := call.verify().FetchService(segment(call, service))
		return err
	})
}

type wireWebhook struct {
	ids
	ServiceSID   text       `json:"service_sid"`
	FriendlyName text       `json:"friendly_name"`
	EventTypes   rows[text] `json:"event_types"`
	Status       text       `json:"status"`
	Version      text       `json:"version"`
	URL          text       `json:"webhook_url"`
	Method       text       `json:"webhook_method"`
	DateCreated  stamp      `json:"date_created"`
	DateUpdated  stamp      `json:"date_updated"`
}

func (w wireWebhook) resource() verify.Webhook {
	return verify.Webhook{
		SID: verify.WebhookSID(w.SID), ServiceSID: verify.ServiceSID(w.ServiceSID), AccountSID: verify.AccountSID(w.AccountSID),
		FriendlyName: string(w.FriendlyName), EventTypes: plain(w.EventTypes), Status: string(w.Status),
		Version: string(w.Version), URL: string(w.URL), Method: string(w.Method),
		DateCreated: w.DateCreated.Time, DateUpdated: w.DateUpdated.Time,
	}
}

// Webhooks lists the webhooks of a Service (ListWebhook).
func (c *Client) Webhooks(ctx context.Context, service verify.ServiceSID) iter.Seq2[verify.Webhook, error] {
	l := listing{what: "list the webhooks of Service " + string(service), array: "webhooks", page: func(call *call, at cursor) error {
		_, err := call.verify().PageWebhook(segment(call, service), &verifyv2.ListWebhookParams{PageSize: &c.pageSize}, at.token, at.page)
		return err
	}}
	return all[wireWebhook](ctx, c, l)
}
