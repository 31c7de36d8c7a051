package twilio

import (
	"context"
	"iter"
	"time"

	monitorv1 "github.com/twilio/twilio-go/rest/monitor/v1"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// wireAlert is an alert. Its account may be a subaccount's, so it has no owner.
type wireAlert struct {
	SID              text  `json:"sid"`
	AccountSID       text  `json:"account_sid"`
	ServiceSID       text  `json:"service_sid"`
	ResourceSID      text  `json:"resource_sid"`
	LogLevel         text  `json:"log_level"`
	ErrorCode        text  `json:"error_code"`
	AlertText        text  `json:"alert_text"`
	MoreInfo         text  `json:"more_info"`
	RequestMethod    text  `json:"request_method"`
	RequestURL       text  `json:"request_url"`
	DateCreated      stamp `json:"date_created"`
	DateGenerated    stamp `json:"date_generated"`
	DateUpdated      stamp `json:"date_updated"`
	RequestVariables text  `json:"request_variables"`
	ResponseHeaders  text  `json:"response_headers"`
	ResponseBody     text  `json:"response_body"`
}

func (w wireAlert) key() string { return string(w.SID) }

func (w wireAlert) resource() verify.Alert {
	return verify.Alert{
		SID: verify.AlertSID(w.SID), AccountSID: verify.AccountSID(w.AccountSID), ServiceSID: string(w.ServiceSID),
		ResourceSID: string(w.ResourceSID), LogLevel: string(w.LogLevel), ErrorCode: string(w.ErrorCode),
		AlertText: string(w.AlertText), MoreInfo: string(w.MoreInfo), RequestMethod: string(w.RequestMethod),
		RequestURL: string(w.RequestURL), DateCreated: w.DateCreated.Time, DateGenerated: w.DateGenerated.Time,
		DateUpdated: w.DateUpdated.Time, RequestVariables: string(w.RequestVariables),
		ResponseHeaders: string(w.ResponseHeaders), ResponseBody: string(w.ResponseBody),
	}
}

// Alerts lists the alerts of the account, newest first (ListAlert). Twilio gives at most 10,000 for one span of time and
// none older than 30 days, and has no filter for error codes or Services.
func (c *Client) Alerts(ctx context.Context, filter verify.AlertFilter) iter.Seq2[verify.Alert, error] {
	params := &monitorv1.ListAlertParams{PageSize: &c.pageSize, LogLevel: given(filter.LogLevel),
		StartDate: spanStart(filter.Start), EndDate: spanEnd(filter.End)}
	return all[wireAlert](ctx, c, listing{what: "list the alerts", array: "alerts", page: func(call *call, at cursor) error {
		_, err := call.monitor().PageAlert(params, at.token, at.page)
		return err
	}})
}

// Alert reads one alert, with the request and the response it is about (FetchAlert).
func (c *Client) Alert(ctx context.Context, alert verify.AlertSID) (verify.Alert, error) {
	call := c.begin(ctx, "read alert %s", alert)
	return fetch[wireAlert](call, string(alert), func() error {
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

type wireAuditEvent struct {
	SID          text  `json:"sid"`
	EventType    text  `json:"event_type"`
	EventDate    stamp `json:"event_date"`
	ResourceType text  `json:"resource_type"`
	ResourceSID  text  `json:"resource_sid"`
	ActorType    text  `json:"actor_type"`
	ActorSID     text  `json:"actor_sid"`
	Source       text  `json:"source"`
}

func (w wireAuditEvent) key() string { return string(w.SID) }

func (w wireAuditEvent) resource() verify.AuditEvent {
	return verify.AuditEvent{
		SID: string(w.SID), EventType: string(w.EventType), EventDate: w.EventDate.Time, ResourceType: string(w.ResourceType),
		ResourceSID: string(w.ResourceSID), ActorType: string(w.ActorType), ActorSID: string(w.ActorSID), Source: string(w.Source),
	}
}

// AuditEvents lists the recorded changes of the account (ListEvent).
func (c *Client) AuditEvents(ctx context.Context, filter verify.AuditFilter) iter.Seq2[verify.AuditEvent, error] {
	params := &monitorv1.ListEventParams{PageSize: &c.pageSize, ResourceSid: given(filter.ResourceSID),
		StartDate: spanStart(filter.Start), EndDate: spanEnd(filter.End)}
	return all[wireAuditEvent](ctx, c, listing{what: "list the recorded changes", array: "events", page: func(call *call, at cursor) error {
		_, err := call.monitor().PageEvent(params, at.token, at.page)
		return err
	}})
}
