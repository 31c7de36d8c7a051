package twilio

import (
	"context"
	"iter"
	"time"

	monitorv1 "github.com/twilio/twilio-go/rest/monitor/v1"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Alerts lists the alerts of the account, newest first (ListAlert). Twilio gives at most 10,000 for one span of time and
// none older than 30 days, and has no filter for error codes or Services.
func (c *Client) Alerts(ctx context.Context, filter verify.AlertFilter) iter.Seq2[verify.Alert, error] {
	params := &monitorv1.ListAlertParams{PageSize: &c.pageSize, LogLevel: given(filter.LogLevel),
		StartDate: spanStart(filter.Start), EndDate: spanEnd(filter.End)}
	return all[verify.Alert](ctx, c, listing{what: "list the alerts", array: "alerts", page: func(call *call, at cursor) error {
		_, err := call.monitor().PageAlert(params, at.token, at.page)
		return err
	}})
}

// Alert reads one alert, with the request and the response it is about (FetchAlert).
func (c *Client) Alert(ctx context.Context, alert verify.AlertSID) (verify.Alert, error) {
	call := c.begin(ctx, "read alert %s", alert)
	return fetch[verify.Alert](call, string(alert), func() error {
		_, err := call.monitor().FetchAlert(segment(call, alert))
		return err
	})
}

// spanStart and spanEnd make the parameters of a span of time that includes both ends. Twilio counts whole seconds, so
// the end is rounded up: nothing may fall out of the span.
func spanStart(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}

func spanEnd(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return spanStart(t.Add(time.Second - 1))
}

// AuditEvents lists the recorded changes of the account (ListEvent).
func (c *Client) AuditEvents(ctx context.Context, filter verify.AuditFilter) iter.Seq2[verify.AuditEvent, error] {
	params := &monitorv1.ListEventParams{PageSize: &c.pageSize, ResourceSid: given(filter.ResourceSID),
		StartDate: spanStart(filter.Start), EndDate: spanEnd(filter.End)}
	return all[verify.AuditEvent](ctx, c, listing{what: "list the recorded changes", array: "events", page: func(call *call, at cursor) error {
		_, err := call.monitor().PageEvent(params, at.token, at.page)
		return err
	}})
}
