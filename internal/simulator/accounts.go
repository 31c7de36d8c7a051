package simulator

import (
	"database/sql"
	"net/http"
	"strconv"
	"strings"
	"time"
)

func accountRoutes() []route {
	return []route{
		on(accounts, http.MethodGet, "2010-04-01/Accounts.json", "ListAccount", listAccounts),
		on(accounts, http.MethodGet, "2010-04-01/Accounts/{}.json", "FetchAccount", fetchAccount),
		on(accounts, http.MethodGet, "2010-04-01/Accounts/{}/Usage/Records.json", "ListUsageRecord", listUsage),
	}
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

const accountColumns = "auth_token, created, updated, friendly_name, owner_sid, sid, status, type"

func scanAccount(scan func(...any) error) (accountJSON, error) {
	var a accountJSON
	var made, changed int64
	if err := scan(&a.AuthToken, &made, &changed, &a.Name, &a.Owner, &a.SID, &a.Status, &a.Type); err != nil {
		return a, err
	}
	a.Created, a.Updated = rfc2822(made), rfc2822(changed)
	at := "/2010-04-01/Accounts/" + a.SID
	a.URI, a.Subresources = at+".json", map[string]string{}
	for name, part := range accountParts {
		a.Subresources[name] = at + "/" + part + ".json"
	}
	return a, nil
}

// fetchAccount gives the caller's account, or a subaccount of it (twilio_api_v2010.json, FetchAccount).
func fetchAccount(c *call) (reply, error) {
	row := c.tx.tx.QueryRowContext(c.ctx, "SELECT "+accountColumns+" FROM accounts WHERE sid = ? AND ? IN (sid, owner_sid)", c.args[0], c.account)
	a, err := scanAccount(row.Scan)
	if err == sql.ErrNoRows {
		return reply{}, c.notFound()
	}
	return ok(a), err
}

// listAccounts gives the caller's account and its subaccounts (twilio_api_v2010.json, ListAccount).
func listAccounts(c *call) (reply, error) {
	query, args := "SELECT "+accountColumns+" FROM accounts WHERE ? IN (sid, owner_sid)", []any{c.account}
	for _, filter := range []struct{ name, column string }{{"FriendlyName", "friendly_name"}, {"Status", "status"}} {
		if value, sent := c.query.get(filter.name); sent {
			query, args = query+" AND "+filter.column+" = ?", append(args, value)
		}
	}
	list := []accountJSON{}
	err := c.each(func(rows *sql.Rows) error {
		a, err := scanAccount(rows.Scan)
		list = append(list, a)
		return err
	}, query+" ORDER BY created, sid", args...)
	if err != nil {
		return reply{}, err
	}
	return oldPage(c, "accounts", list, "FriendlyName", "Status")
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
