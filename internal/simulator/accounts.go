package simulator

import (
	"database/sql"
	"net/http"
	"strconv"
	"time"
)

func accountRoutes() []route {
	return []route{
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

// fetchAccount gives the caller's account, or a subaccount of it (twilio_api_v2010.json, FetchAccount).
func fetchAccount(c *call) (reply, error) {
	var a accountJSON
	var made, changed int64
	found, err := c.row([]any{&a.AuthToken, &made, &changed, &a.Name, &a.Owner, &a.SID, &a.Status, &a.Type},
		"SELECT auth_token, created, updated, friendly_name, owner_sid, sid, status, type FROM accounts WHERE sid = ?", c.args[0])
	if err != nil {
		return reply{}, err
	}
	if !found || a.SID != c.account && a.Owner != c.account {
		return reply{}, c.notFound()
	}
	a.Created, a.Updated = rfc2822(made), rfc2822(changed)
	a.URI = "/2010-04-01/Accounts/" + a.SID + ".json"
	a.Subresources = map[string]string{"usage": "/2010-04-01/Accounts/" + a.SID + "/Usage.json"}
	return ok(a), nil
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

type usageList struct {
	End      int           `json:"end"`
	First    string        `json:"first_page_uri"`
	Next     *string       `json:"next_page_uri"`
	Page     int           `json:"page"`
	PageSize int           `json:"page_size"`
	Previous *string       `json:"previous_page_uri"`
	Start    int           `json:"start"`
	URI      string        `json:"uri"`
	Records  []usageRecord `json:"usage_records"`
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
	for name, date := range map[string]*time.Time{"StartDate": &from, "EndDate": &until} {
		if text, sent := c.query.get(name); sent {
			if *date, err = time.Parse(time.DateOnly, text); err != nil {
				return reply{}, invalid(20001, "Invalid %s: '%s'", name, text)
			}
		}
	}
	uri := c.req.URL.EscapedPath() + "?PageSize=50&Page=0"
	list := usageList{First: uri, URI: uri, PageSize: defaultPageSize, Records: []usageRecord{}}
	if category, sent := c.query.get("Category"); !sent || category == "verify-push" {
		count, err := c.countAnswers(from, until)
		if err != nil {
			return reply{}, err
		}
		text := strconv.FormatInt(count.Int64, 10)
		list.Records = append(list.Records, usageRecord{
			Account: c.account, APIVersion: "2010-04-01", AsOf: c.now.Format("2006-01-02T15:04:05+00:00"), Category: "verify-push",
			Count: text, CountUnit: "verifications", Description: "Verify Push", Start: from.Format(time.DateOnly), End: until.Format(time.DateOnly),
			Price: float64(count.Int64) * answerPrice, PriceUnit: "usd", Subresources: map[string]string{},
			URI: c.req.URL.EscapedPath() + "?Category=verify-push", Usage: text, UsageUnit: "verifications",
		})
	}
	list.End = max(0, len(list.Records)-1)
	return ok(list), nil
}

func (c *call) countAnswers(from, until time.Time) (sql.NullInt64, error) {
	var count sql.NullInt64
	_, err := c.row([]any{&count}, `SELECT count(*) FROM challenges ch JOIN entities e ON e.seq = ch.entity_id JOIN services s ON s.seq = e.service_id
		WHERE s.account_sid = ? AND ch.factor_type = 'push' AND ch.responded >= ? AND ch.responded < ?`,
		c.account, millis(from.Truncate(24*time.Hour)), millis(until.Truncate(24*time.Hour).AddDate(0, 0, 1)))
	return count, err
}
