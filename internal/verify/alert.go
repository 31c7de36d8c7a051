package verify

import "time"

// Alert is an entry of the account-wide debugger (twilio_monitor_v1.json, monitor.v1.alert). What matters of a push
// failure stands inside AlertText; package event decodes it.
type Alert struct {
	SID           AlertSID   `json:"sid"`
	AccountSID    AccountSID `json:"account_sid"`
	ServiceSID    string     `json:"service_sid"`
	ResourceSID   string     `json:"resource_sid"`
	LogLevel      string     `json:"log_level"`
	ErrorCode     string     `json:"error_code"` // a string in this API
	AlertText     string     `json:"alert_text"`
	MoreInfo      string     `json:"more_info"` // the URL of the code's page
	RequestMethod string     `json:"request_method"`
	RequestURL    string     `json:"request_url"`
	DateCreated   time.Time  `json:"date_created"`
	DateGenerated time.Time  `json:"date_generated"`
	DateUpdated   time.Time  `json:"date_updated"`

	// Only in a fetch of a single alert.
	RequestVariables string `json:"request_variables,omitempty"`
	ResponseHeaders  string `json:"response_headers,omitempty"`
	ResponseBody     string `json:"response_body,omitempty"`
}

// AlertFilter narrows a list of alerts. Zero values do not narrow. Twilio answers for the last 30 days only, with at
// most 10,000 alerts (https://www.twilio.com/docs/usage/monitor-alert).
type AlertFilter struct {
	Start, End time.Time // both included
	LogLevel   string    // error, warning, notice or debug
}
