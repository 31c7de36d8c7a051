package twilio

import (
	"context"
	"iter"

	verifyv2 "github.com/twilio/twilio-go/rest/verify/v2"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Services lists the Verify Services of the account (ListService).
func (c *Client) Services(ctx context.Context) iter.Seq2[verify.Service, error] {
	return all[verify.Service](ctx, c, listing{what: "list the Services", array: "services", page: func(call *call, at cursor) error {
		_, err := call.verify().PageService(&verifyv2.ListServiceParams{PageSize: &c.pageSize}, at.token, at.page)
		return err
	}})
}

// Service reads one Verify Service (FetchService).
func (c *Client) Service(ctx context.Context, service verify.ServiceSID) (verify.Service, error) {
	call := c.begin(ctx, "read Service %s", service)
	return fetch[verify.Service](call, string(service), func() error {
		_, err := call.verify().FetchService(segment(call, service))
		return err
	})
}

// Webhooks lists the webhooks of a Service (ListWebhook).
func (c *Client) Webhooks(ctx context.Context, service verify.ServiceSID) iter.Seq2[verify.Webhook, error] {
	l := listing{what: "list the webhooks of Service " + string(service), array: "webhooks", page: func(call *call, at cursor) error {
		_, err := call.verify().PageWebhook(segment(call, service), &verifyv2.ListWebhookParams{PageSize: &c.pageSize}, at.token, at.page)
		return err
	}}
	return all[verify.Webhook](ctx, c, l)
}
