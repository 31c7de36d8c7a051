package simulator

import (
	"database/sql"
	"net/http"
	"slices"
	"time"
)

func alertRoutes() []route {
	return []route{
		on(monitor, http.MethodGet, "v1/Alerts", "ListAlert", listAlerts),
		on(monitor, http.MethodGet, "v1/Alerts/{}", "FetchAlert", fetchAlert),
	}
}

// alert is a Monitor Alert as stored. It is seen from created on, which for a late one is in the future.
type alert struct {
	seq                           int64
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

const alertColumns = `seq, sid, account_sid, level, code, text, resource_sid, service_sid, request_method, request_url,
	request_vars, request_headers, response_headers, response_body, created, generated`

func scanAlert(scan func(...any) error, more ...any) (*alert, error) {
	var a alert
	dest := []any{&a.seq, &a.sid, &a.account, &a.level, &a.code, &a.text, &a.resource, &a.service, &a.method, &a.requestURL,
		&a.requestVars, &a.requestHeaders, &a.responseHeaders, &a.responseBody, &a.created, &a.generated}
	return &a, scan(append(dest, more...)...)
}

func (t *tx) insertAlert(a *alert) error {
	var last int64
	if _, err := t.row([]any{&last}, "SELECT coalesce(max(seq), 0) FROM alerts"); err != nil {
		return err
	}
	_, err := t.exec(`INSERT INTO alerts (ord, sid, account_sid, level, code, text, resource_sid, service_sid, request_method, request_url,
		request_vars, request_headers, response_headers, response_body, created, generated) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		a.created<<21|(last+1)&(1<<21-1), a.sid, a.account, a.level, a.code, a.text, a.resource, a.service, a.method, a.requestURL,
		a.requestVars, a.requestHeaders, a.responseHeaders, a.responseBody, a.created, a.generated)
	return err
}

var alertLevels = []string{"error", "warning", "notice", "debug"}

// listAlerts gives what has arrived in the last 30 days, newest first (twilio_monitor_v1.json, ListAlert).
func listAlerts(c *call) (reply, error) {
	l := listing[alertJSON]{
		key: "alerts", order: "ord", newest: true, filters: []string{"LogLevel", "StartDate", "EndDate"},
		query: "SELECT " + alertColumns + ", ord FROM alerts WHERE account_sid = ? AND created <= ? AND created >= ?",
		args:  []any{c.account, millis(c.now), millis(c.now.AddDate(0, 0, -30))},
		scan: func(rows *sql.Rows) (alertJSON, int64, error) {
			var ord int64
			a, err := scanAlert(rows.Scan, &ord)
			return c.alertJSON(a), ord, err
		},
	}
	if level, sent := c.query.get("LogLevel"); sent {
		if !slices.Contains(alertLevels, level) {
			return reply{}, invalid(20001, "Invalid LogLevel: '%s'", level)
		}
		l.query, l.args = l.query+" AND level = ?", append(l.args, level)
	}
	var err error
	if l.query, l.args, err = c.between(l.query, l.args, "created"); err != nil {
		return reply{}, err
	}
	return l.page(c)
}

// between adds the filters StartDate and EndDate, both inclusive, on a column of times.
func (c *call) between(query string, args []any, column string) (string, []any, error) {
	if text, sent := c.query.get("StartDate"); sent {
		from, _, err := parseDate(text)
		if err != nil {
			return "", nil, invalid(20001, "Invalid StartDate: '%s'", text)
		}
		query, args = query+" AND "+column+" >= ?", append(args, millis(from))
	}
	if text, sent := c.query.get("EndDate"); sent {
		_, until, err := parseDate(text)
		if err != nil {
			return "", nil, invalid(20001, "Invalid EndDate: '%s'", text)
		}
		query, args = query+" AND "+column+" < ?", append(args, millis(until))
	}
	return query, args, nil
}

// parseDate reads a day or an instant in GMT, and gives where it begins and where the next begins.
func parseDate(text string) (from, until time.Time, err error) {
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day, day.AddDate(0, 0, 1), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	return at, at.Add(time.Second).Truncate(time.Second), err
}

func fetchAlert(c *call) (reply, error) {
	row := c.tx.tx.QueryRowContext(c.ctx, "SELECT "+alertColumns+" FROM alerts WHERE sid = ? AND account_sid = ? AND created <= ?",
		c.args[0], c.account, millis(c.now))
	a, err := scanAlert(row.Scan)
	if err == sql.ErrNoRows {
		return reply{}, c.notFound()
	}
	if err != nil {
		return reply{}, err
	}
	return ok(alertInstanceJSON{c.alertJSON(a), orNull(a.requestVars), orNull(a.requestHeaders), orNull(a.responseHeaders), orNull(a.responseBody)}), nil
}
