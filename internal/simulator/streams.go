package simulator

import (
	"encoding/json"
	"slices"
	"strconv"
)

var sinkTypes = []string{"kinesis", "webhook", "segment", "email"}

// sink is where Event Streams sends events, as stored. It is active at once: nothing here is ever sent to it.
type sink struct {
	seq                         int64
	sid, account, description   string
	kind, configuration, status string
	created, updated            int64
}

type sinkJSON struct {
	Created       string          `json:"date_created"`
	Updated       string          `json:"date_updated"`
	Description   string          `json:"description"`
	SID           string          `json:"sid"`
	Configuration json.RawMessage `json:"sink_configuration"`
	Kind          string          `json:"sink_type"`
	Status        string          `json:"status"`
	URL           string          `json:"url"`
	Links         sinkLinks       `json:"links"`
}

type sinkLinks struct {
	Test     string `json:"sink_test"`
	Validate string `json:"sink_validate"`
}

func (c *call) sinkJSON(s *sink) sinkJSON {
	url := c.link("v1", "Sinks", s.sid)
	return sinkJSON{iso(s.created), iso(s.updated), s.description, s.sid, json.RawMessage(s.configuration), s.kind, s.status, url,
		sinkLinks{url + "/Test", url + "/Validate"}}
}

var sinkTable = table[sink]{"sinks", "seq, sid, account_sid, description, type, configuration, status, created, updated",
	func(s *sink) []any {
		return []any{&s.seq, &s.sid, &s.account, &s.description, &s.kind, &s.configuration, &s.status, &s.created, &s.updated}
	}}

func (c *call) sink() (*sink, error) {
	return sinkTable.named(c, "sid = ? AND account_sid = ?", c.args[0], c.account)
}

func listSinks(c *call) (reply, error) {
	l := listing[sink, sinkJSON]{key: "sinks", from: sinkTable, where: "account_sid = ?", args: []any{c.account}, show: c.sinkJSON}
	l.filter(c, "Status", "status")
	return l.page(c)
}

func createSink(c *call) (reply, error) {
	if err := c.require("Description", "SinkConfiguration", "SinkType"); err != nil {
		return reply{}, err
	}
	s := &sink{sid: c.newSID("DG"), account: c.account, description: c.form.text("Description"), kind: c.form.text("SinkType"),
		status: "active", created: millis(c.now), updated: millis(c.now)}
	if !slices.Contains(sinkTypes, s.kind) {
		return reply{}, invalid(20001, "Invalid SinkType: '%s'", s.kind)
	}
	var configuration map[string]any
	if err := json.Unmarshal([]byte(c.form.text("SinkConfiguration")), &configuration); err != nil {
		return reply{}, invalid(20001, "SinkConfiguration is not a JSON object")
	}
	s.configuration = string(encode(configuration))
	return created(c.sinkJSON(s)), sinkTable.insert(c.tx, s)
}

func updateSink(c *call, s *sink) (reply, error) {
	if err := c.require("Description"); err != nil {
		return reply{}, err
	}
	s.description, s.updated = c.form.text("Description"), millis(c.now)
	return ok(c.sinkJSON(s)), sinkTable.update(c.tx, s)
}

func deleteSink(c *call, s *sink) (reply, error) {
	return noContent(), sinkTable.delete(c.tx, s)
}

// subscription ties event types to a sink, as stored.
type subscription struct {
	seq                             int64
	sid, account, description, sink string
	created, updated                int64
}

type subscriptionJSON struct {
	Account     string `json:"account_sid"`
	SID         string `json:"sid"`
	Created     string `json:"date_created"`
	Updated     string `json:"date_updated"`
	Description string `json:"description"`
	Sink        string `json:"sink_sid"`
	URL         string `json:"url"`
	Links       struct {
		Events string `json:"subscribed_events"`
	} `json:"links"`
}

func (c *call) subscriptionJSON(s *subscription) subscriptionJSON {
	j := subscriptionJSON{Account: s.account, SID: s.sid, Created: iso(s.created), Updated: iso(s.updated), Description: s.description,
		Sink: s.sink, URL: c.link("v1", "Subscriptions", s.sid)}
	j.Links.Events = j.URL + "/SubscribedEvents"
	return j
}

var subscriptionTable = table[subscription]{"subscriptions", "seq, sid, account_sid, description, sink_sid, created, updated",
	func(s *subscription) []any {
		return []any{&s.seq, &s.sid, &s.account, &s.description, &s.sink, &s.created, &s.updated}
	}}

// subscription is the one that the path names.
func (c *call) subscription() (*subscription, error) {
	return subscriptionTable.named(c, "sid = ? AND account_sid = ?", c.args[0], c.account)
}

func (t *tx) insertSubscription(s *subscription, events ...subscribedEvent) error {
	if err := subscriptionTable.insert(t, s); err != nil {
		return err
	}
	for _, e := range events {
		if err := t.subscribe(s.sid, e); err != nil {
			return err
		}
	}
	return nil
}

func listSubscriptions(c *call) (reply, error) {
	l := listing[subscription, subscriptionJSON]{
		key: "subscriptions", from: subscriptionTable, where: "account_sid = ?", args: []any{c.account}, show: c.subscriptionJSON,
	}
	l.filter(c, "SinkSid", "sink_sid")
	return l.page(c)
}

func createSubscription(c *call) (reply, error) {
	if err := c.require("Description", "SinkSid", "Types"); err != nil {
		return reply{}, err
	}
	to, err := sinkTable.find(c.tx, "sid = ? AND account_sid = ?", c.form.text("SinkSid"), c.account)
	if err != nil {
		return reply{}, err
	}
	if to == nil {
		return reply{}, invalid(20001, "Invalid SinkSid: '%s'", c.form.text("SinkSid"))
	}
	var events []subscribedEvent
	for _, text := range c.form["Types"] {
		e := subscribedEvent{Version: 1}
		if err := json.Unmarshal([]byte(text), &e); err != nil || e.Type == "" {
			return reply{}, invalid(20001, "Invalid Types: each must be a JSON object with a type")
		}
		events = append(events, e)
	}
	s := &subscription{sid: c.newSID("DF"), account: c.account, description: c.form.text("Description"), sink: to.sid,
		created: millis(c.now), updated: millis(c.now)}
	return created(c.subscriptionJSON(s)), c.insertSubscription(s, events...)
}

func updateSubscription(c *call, s *subscription) (reply, error) {
	if text, sent := c.form.get("Description"); sent {
		s.description = text
	}
	s.updated = millis(c.now)
	return ok(c.subscriptionJSON(s)), subscriptionTable.update(c.tx, s)
}

func deleteSubscription(c *call, s *subscription) (reply, error) {
	if _, err := c.exec("DELETE FROM subscribed_events WHERE subscription_sid = ?", s.sid); err != nil {
		return reply{}, err
	}
	return noContent(), subscriptionTable.delete(c.tx, s)
}

// subscribedEvent is one event type of a subscription, as stored.
type subscribedEvent struct {
	seq          int64
	sid          string        // of the subscription
	subscription *subscription // filled in by the code that shows it
	Type         string        `json:"type"`
	Version      int           `json:"schema_version"`
}

type subscribedEventJSON struct {
	Account      string `json:"account_sid"`
	Type         string `json:"type"`
	Version      int    `json:"schema_version"`
	Subscription string `json:"subscription_sid"`
	URL          string `json:"url"`
}

func (c *call) subscribedEventJSON(e *subscribedEvent) subscribedEventJSON {
	return subscribedEventJSON{e.subscription.account, e.Type, e.Version, e.sid,
		c.link("v1", "Subscriptions", e.sid, "SubscribedEvents", e.Type)}
}

var subscribedEventTable = table[subscribedEvent]{"subscribed_events", "seq, subscription_sid, type, schema_version",
	func(e *subscribedEvent) []any {
		return []any{&e.seq, &e.sid, &e.Type, &e.Version}
	}}

// subscribe adds an event type, or changes the version of one that is there.
func (t *tx) subscribe(subscription string, e subscribedEvent) error {
	_, err := t.exec(`INSERT INTO subscribed_events (subscription_sid, type, schema_version) VALUES (?, ?, ?)
		ON CONFLICT DO UPDATE SET schema_version = excluded.schema_version`, subscription, e.Type, e.Version)
	return err
}

func listSubscribedEvents(c *call, s *subscription) (reply, error) {
	return listing[subscribedEvent, subscribedEventJSON]{
		key: "types", from: subscribedEventTable, where: "subscription_sid = ?", args: []any{s.sid},
		show: func(e *subscribedEvent) subscribedEventJSON {
			e.subscription = s
			return c.subscribedEventJSON(e)
		},
	}.page(c)
}

func createSubscribedEvent(c *call, s *subscription) (reply, error) {
	e := &subscribedEvent{sid: s.sid, subscription: s, Type: c.form.text("Type"), Version: 1}
	if e.Type == "" {
		return reply{}, missing("Type")
	}
	if err := c.readSchemaVersion(e); err != nil {
		return reply{}, err
	}
	return created(c.subscribedEventJSON(e)), c.subscribe(s.sid, *e)
}

func (c *call) readSchemaVersion(e *subscribedEvent) error {
	text, sent := c.form.get("SchemaVersion")
	if !sent {
		return nil
	}
	version, err := strconv.Atoi(text)
	if err != nil || version < 1 {
		return invalid(20001, "Invalid SchemaVersion: '%s'", text)
	}
	e.Version = version
	return nil
}

// subscribedEvent is the one that the path names, with its subscription.
func (c *call) subscribedEvent() (*subscribedEvent, error) {
	s, err := c.subscription()
	if err != nil {
		return nil, err
	}
	e, err := subscribedEventTable.named(c, "subscription_sid = ? AND type = ?", s.sid, c.args[1])
	if err != nil {
		return nil, err
	}
	e.subscription = s
	return e, nil
}

func updateSubscribedEvent(c *call, e *subscribedEvent) (reply, error) {
	if err := c.readSchemaVersion(e); err != nil {
		return reply{}, err
	}
	return ok(c.subscribedEventJSON(e)), subscribedEventTable.update(c.tx, e)
}

func deleteSubscribedEvent(c *call, e *subscribedEvent) (reply, error) {
	return noContent(), subscribedEventTable.delete(c.tx, e)
}
