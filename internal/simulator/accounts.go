package simulator

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Account is an account of a world, with the token that opens it.
type Account struct {
	SID       string `json:"sid"`
	AuthToken string `json:"auth_token"`
	Name      string `json:"friendly_name"`
	Owner     string `json:"owner_account_sid,omitempty"` // the parent of a subaccount; empty for a main account
	Status    string `json:"status,omitempty"`            // active (the default), suspended or closed
	Type      string `json:"type,omitempty"`              // Full (the default) or Trial
	Test      bool   `json:"test,omitempty"`              // test credentials, which every resource refuses
}

type accountJSON struct {
	AuthToken    string            `json:"auth_token"`
	Created      string            `json:"date_created"`
	Updated      string            `json:"date_updated"`
	Name         string            `json:"friendly_name"`
	Owner        string            `json:"owner_account_sid"`
	SID          string            `json:"sid"`
	Status       string            `json:"status"`
	Subresources map[string]string `json:"subresource_uris"`
	Type         string            `json:"type"`
	URI          string            `json:"uri"`
}

// accountParts are the resources below an account that an account names (twilio_api_v2010.json, FetchAccount). Only its
// usage is served here.
var accountParts = map[string]string{
	"addresses": "Addresses", "applications": "Applications", "authorized_connect_apps": "AuthorizedConnectApps",
	"available_phone_numbers": "AvailablePhoneNumbers", "balance": "Balance", "calls": "Calls", "conferences": "Conferences",
	"connect_apps": "ConnectApps", "incoming_phone_numbers": "IncomingPhoneNumbers", "keys": "Keys", "messages": "Messages",
	"notifications": "Notifications", "outgoing_caller_ids": "OutgoingCallerIds", "queues": "Queues", "recordings": "Recordings",
	"short_codes": "SMS/ShortCodes", "signing_keys": "SigningKeys", "sip": "SIP", "transcriptions": "Transcriptions", "usage": "Usage",
}

// storedAccount is an account as stored: a main account owns itself.
type storedAccount struct {
	Account
	seq, created, updated int64
}

var accountTable = table[storedAccount]{"accounts", "seq, sid, auth_token, friendly_name, owner_sid, status, type, test, created, updated",
	func(a *storedAccount) []any {
		return []any{&a.seq, &a.SID, &a.AuthToken, &a.Name, &a.Owner, &a.Status, &a.Type, &a.Test, &a.created, &a.updated}
	}}

func (c *call) accountJSON(a *storedAccount) accountJSON {
	at := "/2010-04-01/Accounts/" + a.SID
	parts := map[string]string{}
	for name, part := range accountParts {
		parts[name] = at + "/" + part + ".json"
	}
	return accountJSON{a.AuthToken, rfc2822(a.created), rfc2822(a.updated), a.Name, a.Owner, a.SID, a.Status, parts, a.Type, at + ".json"}
}

// namedAccount is the caller's account, or a subaccount of it (twilio_api_v2010.json, FetchAccount).
func (c *call) namedAccount() (*storedAccount, error) {
	return accountTable.named(c, "sid = ? AND ? IN (sid, owner_sid)", c.args[0], c.account)
}

// listAccounts gives the caller's account and its subaccounts (twilio_api_v2010.json, ListAccount).
func listAccounts(c *call) (reply, error) {
	l := listing[storedAccount, accountJSON]{where: "? IN (sid, owner_sid)", args: []any{c.account}}
	l.filter(c, "FriendlyName", "friendly_name")
	l.filter(c, "Status", "status")
	rows, err := accountTable.list(c.tx, l.where+" ORDER BY created, sid", l.args...)
	if err != nil {
		return reply{}, err
	}
	list := make([]accountJSON, len(rows))
	for i, a := range rows {
		list[i] = c.accountJSON(a)
	}
	return oldPage(c, "accounts", list, l.filters...)
}

// oldPage answers a list request of the 2010 API, whose pages are cut by number and whose links have no host
// (twilio_api_v2010.json, ListAccount). Its lists are short here.
func oldPage[T any](c *call, key string, all []T, filters ...string) (reply, error) {
	size, err := c.pageSize(1000)
	if err != nil {
		return reply{}, err
	}
	number, err := c.pageNumber()
	if err != nil {
		return reply{}, err
	}
	uri := func(number int) string { return pageQuery(c, filters, size, number, "") }
	body := map[string]any{"page": number, "page_size": size, "first_page_uri": uri(0), "uri": uri(number),
		"previous_page_uri": nil, "next_page_uri": nil}
	start := min(number*size, len(all))
	end := min(start+size, len(all))
	if number > 0 {
		body["previous_page_uri"] = uri(number - 1)
	}
	if end < len(all) {
		body["next_page_uri"] = uri(number + 1)
	}
	body["start"], body["end"], body[key] = start, max(start, end-1), all[start:end]
	return ok(body), nil
}

type usageRecord struct {
	Account      string            `json:"account_sid"`
	APIVersion   string            `json:"api_version"`
	AsOf         string            `json:"as_of"`
	Category     string            `json:"category"`
	Count        string            `json:"count"`
	CountUnit    string            `json:"count_unit"`
	Description  string            `json:"description"`
	End          string            `json:"end_date"`
	Price        float64           `json:"price"`
	PriceUnit    string            `json:"price_unit"`
	Start        string            `json:"start_date"`
	Subresources map[string]string `json:"subresource_uris"`
	URI          string            `json:"uri"`
	Usage        string            `json:"usage"`
	UsageUnit    string            `json:"usage_unit"`
}

// answerPrice is what one answered push challenge is billed at here, in US dollars; Twilio bills approved and denied
// ones alike.
const answerPrice = 0.05

// listUsage counts what is billed of push: challenges that were answered, approved or denied
// (twilio.com/docs/verify/api/challenge). Other categories have no usage.
func listUsage(c *call) (reply, error) {
	if c.args[0] != c.account {
		return reply{}, c.notFound()
	}
	from, until := c.now.AddDate(0, -1, 0), c.now
	var err error
	for _, bound := range []struct {
		name string
		date *time.Time
	}{{"StartDate", &from}, {"EndDate", &until}} {
		if text, sent := c.query.get(bound.name); sent {
			if *bound.date, err = time.Parse(time.DateOnly, text); err != nil {
				return reply{}, invalid(20001, "Invalid %s: '%s'", bound.name, text)
			}
		}
	}
	records := []usageRecord{}
	if category, sent := c.query.get("Category"); !sent || category == "verify-push" {
		count, err := c.countAnswers(from, until)
		if err != nil {
			return reply{}, err
		}
		text := strconv.FormatInt(count.Int64, 10)
		records = append(records, usageRecord{
			Account: c.account, APIVersion: "2010-04-01", AsOf: c.now.Format("2006-01-02T15:04:05+00:00"), Category: "verify-push",
			Count: text, CountUnit: "verifications", Description: "Verify Push", Start: from.Format(time.DateOnly), End: until.Format(time.DateOnly),
			Price: float64(count.Int64) * answerPrice, PriceUnit: "usd", Subresources: c.usageParts("verify-push"),
			URI:   c.req.URL.EscapedPath() + "?Category=verify-push&StartDate=" + from.Format(time.DateOnly) + "&EndDate=" + until.Format(time.DateOnly),
			Usage: text, UsageUnit: "verifications",
		})
	}
	return oldPage(c, "usage_records", records, "Category", "StartDate", "EndDate", "IncludeSubaccounts")
}

// usageParts names the same usage by other spans of time (twilio_api_v2010.json, ListUsageRecord), which are not served.
func (c *call) usageParts(category string) map[string]string {
	at := strings.TrimSuffix(c.req.URL.EscapedPath(), ".json")
	parts := map[string]string{}
	for name, part := range map[string]string{"all_time": "AllTime", "daily": "Daily", "last_month": "LastMonth", "monthly": "Monthly",
		"this_month": "ThisMonth", "today": "Today", "yearly": "Yearly", "yesterday": "Yesterday"} {
		parts[name] = at + "/" + part + ".json?Category=" + category
	}
	return parts
}

func (c *call) countAnswers(from, until time.Time) (sql.NullInt64, error) {
	var count sql.NullInt64
	_, err := c.row([]any{&count}, `SELECT count(*) FROM challenges ch JOIN entities e ON e.seq = ch.entity_id JOIN services s ON s.seq = e.service_id
		WHERE s.account_sid = ? AND ch.factor_type = 'push' AND ch.responded >= ? AND ch.responded < ?`,
		c.account, millis(from.Truncate(24*time.Hour)), millis(until.Truncate(24*time.Hour).AddDate(0, 0, 1)))
	return count, err
}

// Accounts gives the accounts of the world, each with the token that opens it.
func (s *Simulator) Accounts(ctx context.Context) ([]Account, error) {
	return read(ctx, s, func(t *tx) ([]Account, error) {
		rows, err := accountTable.list(t, "1 = 1 ORDER BY seq")
		accounts := make([]Account, len(rows))
		for i, a := range rows {
			if a.Owner == a.SID {
				a.Owner = ""
			}
			accounts[i] = a.Account
		}
		return accounts, err
	})
}

// PutAccount adds an account, or changes the one with its SID.
func (s *Simulator) PutAccount(ctx context.Context, a Account) error {
	return s.update(ctx, func(t *tx) error { return t.putAccount(a) })
}

func (t *tx) putAccount(a Account) error {
	if !isSID("AC", a.SID) || a.AuthToken == "" {
		return badInput("an account needs a SID, AC and 32 hexadecimal digits, and an auth token")
	}
	if !slices.Contains([]string{"", "active", "suspended", "closed"}, a.Status) || !slices.Contains([]string{"", "Full", "Trial"}, a.Type) {
		return badInput("an account is active, suspended or closed, and Full or Trial")
	}
	if _, err := t.exec("DELETE FROM accounts WHERE sid = ?", a.SID); err != nil {
		return err
	}
	return t.insertAccount(a, t.now)
}

// insertAccount completes and stores an account.
func (t *tx) insertAccount(a Account, made time.Time) error {
	a.Owner, a.Status, a.Type = cmp.Or(a.Owner, a.SID), cmp.Or(a.Status, "active"), cmp.Or(a.Type, "Full")
	return accountTable.insert(t, &storedAccount{Account: a, created: millis(made), updated: millis(made)})
}
