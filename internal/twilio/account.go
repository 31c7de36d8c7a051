package twilio

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// What is here is asked for by plain requests: twilio-go's packages for it are large and read once or twice by doctor.

type wireAccount struct {
	SID             text `json:"sid"`
	OwnerAccountSID text `json:"owner_account_sid"`
	FriendlyName    text `json:"friendly_name"`
	Status          text `json:"status"`
	Type            text `json:"type"`
}

func (w wireAccount) key() string { return string(w.SID) }

func (w wireAccount) resource() verify.Account {
	return verify.Account{
		SID: verify.AccountSID(w.SID), OwnerAccountSID: verify.AccountSID(w.OwnerAccountSID),
		FriendlyName: string(w.FriendlyName), Status: string(w.Status), Type: string(w.Type),
	}
}

// Account reads an account, which takes its auth token or a main key (twilio_api_v2010.json, FetchAccount).
func (c *Client) Account(ctx context.Context, account verify.AccountSID) (verify.Account, error) {
	call := c.begin(ctx, "read account %s", account)
	return fetch[wireAccount](call, string(account), func() error {
		return call.get(productAPI, "/2010-04-01/Accounts/"+segment(call, account)+".json")
	})
}

type wireKey struct {
	SID          text  `json:"sid"`
	FriendlyName text  `json:"friendly_name"`
	DateCreated  stamp `json:"date_created"`
	DateUpdated  stamp `json:"date_updated"`
}

func (w wireKey) key() string { return string(w.SID) }

func (w wireKey) resource() verify.APIKey {
	return verify.APIKey{SID: verify.APIKeySID(w.SID), FriendlyName: string(w.FriendlyName), DateCreated: w.DateCreated.Time, DateUpdated: w.DateUpdated.Time}
}

// Keys lists the API keys of an account, which takes its auth token or a main key (iam.twilio.com/v1/Keys).
func (c *Client) Keys(ctx context.Context, account verify.AccountSID) iter.Seq2[verify.APIKey, error] {
	return all[wireKey](ctx, c, listing{what: "list the API keys", array: "keys", page: func(call *call, at cursor) error {
		return call.get(productIAM, "/v1/Keys", c.pageQuery(at, "AccountSid", string(account))...)
	}})
}

type wireSubscription struct {
	SID         text  `json:"sid"`
	AccountSID  text  `json:"account_sid"`
	Description text  `json:"description"`
	SinkSID     text  `json:"sink_sid"`
	DateCreated stamp `json:"date_created"`
	DateUpdated stamp `json:"date_updated"`
}

func (w wireSubscription) key() string { return string(w.SID) }

func (w wireSubscription) resource() verify.EventSubscription {
	return verify.EventSubscription{
		SID: string(w.SID), AccountSID: verify.AccountSID(w.AccountSID), Description: string(w.Description),
		SinkSID: string(w.SinkSID), DateCreated: w.DateCreated.Time, DateUpdated: w.DateUpdated.Time,
	}
}

// Subscriptions lists the Event Streams subscriptions of the account (events.twilio.com/v1/Subscriptions).
func (c *Client) Subscriptions(ctx context.Context) iter.Seq2[verify.EventSubscription, error] {
	return all[wireSubscription](ctx, c, listing{what: "list the Event Streams subscriptions", array: "subscriptions", page: func(call *call, at cursor) error {
		return call.get(productEvents, "/v1/Subscriptions", c.pageQuery(at)...)
	}})
}

type wireSubscribedEvent struct {
	SubscriptionSID text `json:"subscription_sid"`
	Type            text `json:"type"`
}

func (w wireSubscribedEvent) key() string { return string(w.Type) }

func (w wireSubscribedEvent) resource() verify.SubscribedEvent {
	return verify.SubscribedEvent{SubscriptionSID: string(w.SubscriptionSID), Type: string(w.Type)}
}

// SubscribedEvents lists the event types of a subscription (events.twilio.com/v1/Subscriptions/{DF}/SubscribedEvents).
func (c *Client) SubscribedEvents(ctx context.Context, subscription string) iter.Seq2[verify.SubscribedEvent, error] {
	return all[wireSubscribedEvent](ctx, c, listing{what: "list the event types of a subscription", array: "types", page: func(call *call, at cursor) error {
		return call.get(productEvents, "/v1/Subscriptions/"+segment(call, subscription)+"/SubscribedEvents", c.pageQuery(at)...)
	}})
}

type wireSink struct {
	SID         text `json:"sid"`
	Description text `json:"description"`
	Type        text `json:"sink_type"`
	Status      text `json:"status"`
}

func (w wireSink) key() string { return string(w.SID) }

func (w wireSink) resource() verify.EventSink {
	return verify.EventSink{SID: string(w.SID), Description: string(w.Description), Type: string(w.Type), Status: string(w.Status)}
}

// Sinks lists where Event Streams can send events to (events.twilio.com/v1/Sinks).
func (c *Client) Sinks(ctx context.Context) iter.Seq2[verify.EventSink, error] {
	return all[wireSink](ctx, c, listing{what: "list the Event Streams sinks", array: "sinks", page: func(call *call, at cursor) error {
		return call.get(productEvents, "/v1/Sinks", c.pageQuery(at)...)
	}})
}

type wireUsage struct {
	Category  text  `json:"category"`
	Count     count `json:"count"`
	CountUnit text  `json:"count_unit"`
	StartDate text  `json:"start_date"`
	EndDate   text  `json:"end_date"`
}

func (w wireUsage) key() string { return string(w.Category) }

func (w wireUsage) resource() verify.UsageRecord {
	return verify.UsageRecord{
		Category: string(w.Category), Count: int64(w.Count), CountUnit: string(w.CountUnit),
		StartDate: string(w.StartDate), EndDate: string(w.EndDate),
	}
}

// count is a whole number that comes as a string (api.v2010.account.usage.usage_record).
type count int64

// UnmarshalJSON takes null and "" for none, and refuses what is no number.
func (n *count) UnmarshalJSON(raw []byte) error {
	var written text
	if err := written.UnmarshalJSON(raw); err != nil {
		return err
	}
	if *n = 0; written == "" {
		return nil
	}
	f, err := strconv.ParseFloat(string(written), 64)
	if err != nil || f < 0 || f >= 1<<53 {
		return errors.New("a count is no number")
	}
	*n = count(f)
	return nil
}

// UsageRecords lists what an account used of a category between two days, both included, as one record
// (twilio_api_v2010.json, ListUsageRecord). Days are taken in GMT.
func (c *Client) UsageRecords(ctx context.Context, account verify.AccountSID, category string, start, end time.Time) iter.Seq2[verify.UsageRecord, error] {
	return all[wireUsage](ctx, c, listing{what: "list the usage records", array: "usage_records", page: func(call *call, at cursor) error {
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
