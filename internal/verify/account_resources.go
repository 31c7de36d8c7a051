package verify

import "time"

// What doctor reads of an account besides push: who may log in, where error events go, what was billed, who changed what.

// APIKey is one of an account's API keys, without its secret (iam.twilio.com/v1/Keys, iam.v1.get_keys). Listing needs a
// main key or the account's auth token.
type APIKey struct {
	SID          APIKeySID `json:"sid"`
	FriendlyName string    `json:"friendly_name"`
	DateCreated  time.Time `json:"date_created"`
	DateUpdated  time.Time `json:"date_updated"`
}

// EventErrorLogged is the event type under which Event Streams carries what the debugger shows
// (events/event-types/errors/error-logs).
const EventErrorLogged = "com.twilio.error-logs.error.logged"

// EventSubscription is an Event Streams subscription (events.twilio.com/v1/Subscriptions, events.v1.subscription). The
// types it subscribes to are read apart, as [SubscribedEvent].
type EventSubscription struct {
	SID         string     `json:"sid"` // DF…
	AccountSID  AccountSID `json:"account_sid"`
	Description string     `json:"description"`
	SinkSID     string     `json:"sink_sid"` // DG…
	DateCreated time.Time  `json:"date_created"`
	DateUpdated time.Time  `json:"date_updated"`
}

// SubscribedEvent is one event type of a subscription (events.v1.subscription.subscribed_event).
type SubscribedEvent struct {
	SubscriptionSID string `json:"subscription_sid"`
	Type            string `json:"type"`
}

// SinkActive is the status of an [EventSink] that receives events; the others are initialized, validating and failed
// (twilio_events_v1.json, SinkStatus).
const SinkActive = "active"

// EventSink is where a subscription's events go (events.twilio.com/v1/Sinks, events.v1.sink). Its configuration can
// hold secrets and is not kept.
type EventSink struct {
	SID         string `json:"sid"` // DG…
	Description string `json:"description"`
	Type        string `json:"sink_type"` // webhook, kinesis, segment, email
	Status      string `json:"status"`
}

// UsageVerifyPush is the category under which push challenges are billed, when approved or denied.
const UsageVerifyPush = "verify-push"

// UsageRecord is what an account used of one category within a span of days, both included
// (2010-04-01/Accounts/{AC}/Usage/Records.json, api.v2010.account.usage.usage_record).
type UsageRecord struct {
	Category  string `json:"category"`
	Count     int64  `json:"count"`
	CountUnit string `json:"count_unit"`
	StartDate string `json:"start_date"` // YYYY-MM-DD, GMT
	EndDate   string `json:"end_date"`   // YYYY-MM-DD, GMT
}

// AuditFilter narrows a list of audit events. Zero values do not narrow.
type AuditFilter struct {
	ResourceSID string
	Start, End  time.Time
}

// AuditEvent is an entry of Monitor's record of changes (twilio_monitor_v1.json, monitor.v1.event): who changed what.
// Which changes of Verify Services it covers is not documented.
type AuditEvent struct {
	SID          string    `json:"sid"` // AE…
	EventType    string    `json:"event_type"`
	EventDate    time.Time `json:"event_date"`
	ResourceType string    `json:"resource_type"`
	ResourceSID  string    `json:"resource_sid"`
	ActorType    string    `json:"actor_type"` // user, account, twilio-admin, …
	ActorSID     string    `json:"actor_sid"`
	Source       string    `json:"source"` // web, api, twilio
}

// Probe is what measuring requests to one host told.
type Probe struct {
	Host    string        `json:"host"`
	Error   string        `json:"error,omitempty"` // why nothing, or not everything, could be measured
	Address string        `json:"address"`         // that answered
	Issuer  string        `json:"issuer"`          // of the host's TLS certificate, "" without TLS
	Skew    time.Duration `json:"skew"`            // local clock minus the Date header, from the middle of the request
	HasDate bool          `json:"has_date"`        // whether Skew is known
	Samples []Timing      `json:"samples"`         // in the order of the requests
}

// Timing is how long the parts of one request took. Parts that did not happen on a reused connection are zero.
type Timing struct {
	Reused    bool          `json:"reused"` // the connection was open already
	DNS       time.Duration `json:"dns"`
	Connect   time.Duration `json:"connect"`
	TLS       time.Duration `json:"tls"`
	FirstByte time.Duration `json:"first_byte"` // from the request being written to the reply's first byte
	Total     time.Duration `json:"total"`
	Server    time.Duration `json:"server"`     // as the reply's Twilio-Request-Duration tells; see HasServer
	HasServer bool          `json:"has_server"` // whether the reply told
	Status    int           `json:"status"`
}
