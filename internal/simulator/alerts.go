package simulator

import (
	"database/sql"
	"slices"
)

// alert is a Monitor Alert as stored. It is seen from created on, which for a late one is in the future.
type alert struct {
	seq, ord                      int64
	sid, account                  string
	level, code, text             string
	resource, service             sql.NullString
	method, requestURL            sql.NullString
	requestVars, requestHeaders   sql.NullString
	responseHeaders, responseBody sql.NullString
	created, generated            int64
}

type alertJSON struct {
	Account    string  `json:"account_sid"`
	Text       string  `json:"alert_text"`
	APIVersion string  `json:"api_version"`
	Created    string  `json:"date_created"`
	Generated  string  `json:"date_generated"`
	Updated    string  `json:"date_updated"`
	Code       string  `json:"error_code"`
	Level      string  `json:"log_level"`
	MoreInfo   string  `json:"more_info"`
	Method     *string `json:"request_method"`
	RequestURL *string `json:"request_url"`
	Resource   *string `json:"resource_sid"`
	SID        string  `json:"sid"`
	URL        string  `json:"url"`
	Service    *string `json:"service_sid"`
}

// alertInstanceJSON is what reading a single alert adds.
type alertInstanceJSON struct {
	alertJSON
	RequestVars     *string `json:"request_variables"`
	RequestHeaders  *string `json:"request_headers"`
	ResponseHeaders *string `json:"response_headers"`
	ResponseBody    *string `json:"response_body"`
}

func (c *call) alertJSON(a *alert) alertJSON {
	return alertJSON{a.account, a.text, "2010-04-01", iso(a.created), iso(a.generated), iso(a.created), a.code, a.level,
		"https://www.twilio.com/docs/errors/" + a.code, orNull(a.method), orNull(a.requestURL), orNull(a.resource), a.sid,
		c.link("v1", "Alerts", a.sid), orNull(a.service)}
}

func (c *call) alertInstanceJSON(a *alert) alertInstanceJSON {
	return alertInstanceJSON{c.alertJSON(a), orNull(a.requestVars), orNull(a.requestHeaders), orNull(a.responseHeaders), orNull(a.responseBody)}
}

var alertTable = table[alert]{"alerts", "seq, ord, sid, account_sid, level, code, text, resource_sid, service_sid, request_method, request_url, " +
	"request_vars, request_headers, response_headers, response_body, created, generated",
	func(a *alert) []any {
		return []any{&a.seq, &a.ord, &a.sid, &a.account, &a.level, &a.code, &a.text, &a.resource, &a.service, &a.method, &a.requestURL,
			&a.requestVars, &a.requestHeaders, &a.responseHeaders, &a.responseBody, &a.created, &a.generated}
	}}

func (t *tx) insertAlert(a *alert) error {
	var last int64
	if _, err := t.row([]any{&last}, "SELECT coalesce(max(seq), 0) FROM alerts"); err != nil {
		return err
	}
	a.ord = a.created<<21 | (last+1)&(1<<21-1)
	return alertTable.insert(t, a)
}

var alertLevels = []string{"error", "warning", "notice", "debug"}

// listAlerts gives what has arrived in the last 30 days, newest first (twilio_monitor_v1.json, ListAlert).
func listAlerts(c *call) (reply, error) {
	l := listing[alert, alertJSON]{
		key: "alerts", from: alertTable, where: "account_sid = ? AND created <= ? AND created >= ?",
		args:  []any{c.account, millis(c.now), millis(c.now.AddDate(0, 0, -30))},
		order: "ord", newest: true, show: c.alertJSON,
	}
	if level, sent := c.query.get("LogLevel"); sent && !slices.Contains(alertLevels, level) {
		return reply{}, invalid(20001, "Invalid LogLevel: '%s'", level)
	}
	l.filter(c, "LogLevel", "level")
	if err := l.between(c, "created"); err != nil {
		return reply{}, err
	}
	return l.page(c)
}

func (c *call) alert() (*alert, error) {
	return alertTable.named(c, "sid = ? AND account_sid = ? AND created <= ?", c.args[0], c.account, millis(c.now))
}
