package twilio

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// What is here is asked for by plain requests: twilio-go's packages for it are large and read once or twice by doctor.

// Account reads an account, which takes its auth token or a main key (twilio_api_v2010.json, FetchAccount).
func (c *Client) Account(ctx context.Context, account verify.AccountSID) (verify.Account, error) {
	call := c.begin(ctx, "read account %s", account)
	return fetch[verify.Account](call, string(account), func() error {
		return call.get(productAPI, "/2010-04-01/Accounts/"+segment(call, account)+".json")
	})
}

// Keys lists the API keys of an account, which takes its auth token or a main key (iam.twilio.com/v1/Keys).
func (c *Client) Keys(ctx context.Context, account verify.AccountSID) iter.Seq2[verify.APIKey, error] {
	return all[verify.APIKey](ctx, c, listing{what: "list the API keys", array: "keys", page: func(call *call, at cursor) error {
		return call.get(productIAM, "/v1/Keys", c.pageQuery(at, "AccountSid", string(account))...)
	}})
}

// Subscriptions lists the Event Streams subscriptions of the account (events.twilio.com/v1/Subscriptions).
func (c *Client) Subscriptions(ctx context.Context) iter.Seq2[verify.EventSubscription, error] {
	return all[verify.EventSubscription](ctx, c, listing{what: "list the Event Streams subscriptions", array: "subscriptions", page: func(call *call, at cursor) error {
		return call.get(productEvents, "/v1/Subscriptions", c.pageQuery(at)...)
	}})
}

// SubscribedEvents lists the event types of a subscription (events.twilio.com/v1/Subscriptions/{DF}/SubscribedEvents).
func (c *Client) SubscribedEvents(ctx context.Context, subscription string) iter.Seq2[verify.SubscribedEvent, error] {
	return all[verify.SubscribedEvent](ctx, c, listing{what: "list the event types of a subscription", array: "types", page: func(call *call, at cursor) error {
		return call.get(productEvents, "/v1/Subscriptions/"+segment(call, subscription)+"/SubscribedEvents", c.pageQuery(at)...)
	}})
}

// Sinks lists where Event Streams can send events to (events.twilio.com/v1/Sinks).
func (c *Client) Sinks(ctx context.Context) iter.Seq2[verify.EventSink, error] {
	return all[verify.EventSink](ctx, c, listing{what: "list the Event Streams sinks", array: "sinks", page: func(call *call, at cursor) error {
		return call.get(productEvents, "/v1/Sinks", c.pageQuery(at)...)
	}})
}

// UsageRecords lists what an account used of a category between two days, both included, as one record
// (twilio_api_v2010.json, ListUsageRecord). Days are taken in GMT.
func (c *Client) UsageRecords(ctx context.Context, account verify.AccountSID, category string, start, end time.Time) iter.Seq2[verify.UsageRecord, error] {
	return all[verify.UsageRecord](ctx, c, listing{what: "list the usage records", array: "usage_records", page: func(call *call, at cursor) error {
		return call.get(productAPI, "/2010-04-01/Accounts/"+segment(call, account)+"/Usage/Records.json",
			c.pageQuery(at, "Category", category, "StartDate", day(start), "EndDate", day(end))...)
	}})
}

func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}

// pageQuery gives the parameters of a page of a list, after the list's own.
func (c *Client) pageQuery(at cursor, query ...string) []string {
	return append(query, "PageSize", strconv.Itoa(c.pageSize), "Page", at.page, "PageToken", at.token)
}

// get asks for something that the packages of twilio-go used here do not know. Empty parameters are left out.
func (c *call) get(product, path string, query ...string) error {
	values := url.Values{}
	for i := 0; i < len(query); i += 2 {
		if query[i+1] != "" {
			values.Set(query[i], query[i+1])
		}
	}
	return c.send(product, http.MethodGet, path, values)
}
