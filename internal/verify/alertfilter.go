package verify

import "time"

// AlertFilter narrows a list of alerts. Zero values do not narrow. Twilio answers for the last 30 days only, with at
// most 10,000 alerts (https://www.twilio.com/docs/usage/monitor-alert).
type AlertFilter struct {
	Start, End time.Time // both included
	LogLevel   string    // error, warning, notice or debug
}
