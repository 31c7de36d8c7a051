package simulator

import (
	"database/sql"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
)

func streamRoutes() []route {
	const subscription, events = "v1/Subscriptions/{}", "v1/Subscriptions/{}/SubscribedEvents"
	return []route{
		on(eventStreams, http.MethodGet, "v1/Sinks", "ListSink", listSinks),
		on(eventStreams, http.MethodPost, "v1/Sinks", "CreateSink", createSink),
		on(eventStreams, http.MethodGet, "v1/Sinks/{}", "FetchSink", fetchSink),
		on(eventStreams, http.MethodPost, "v1/Sinks/{}", "UpdateSink", updateSink),
		on(eventStreams, http.MethodDelete, "v1/Sinks/{}", "DeleteSink", deleteSink),
		on(eventStreams, http.MethodGet, "v1/Subscriptions", "ListSubscription", listSubscriptions),
		on(eventStreams, http.MethodPost, "v1/Subscriptions", "CreateSubscription", createSubscription),
		on(eventStreams, http.MethodGet, subscription, "FetchSubscription", fetchSubscription),
		on(eventStreams, http.MethodPost, subscription, "UpdateSubscription", updateSubscription),
		on(eventStreams, http.MethodDelete, subscription, "DeleteSubscription", deleteSubscription),
		on(eventStreams, http.MethodGet, events, "ListSubscribedEvent", listSubscribedEvents),
		on(eventStreams, http.MethodPost, events, "CreateSubscribedEvent", createSubscribedEvent),
		on(eventStreams, http.MethodGet, events+"/{}", "FetchSubscribedEvent", fetchSubscribedEvent),
		on(eventStreams, http.MethodPost, events+"/{}", "UpdateSubscribedEvent", updateSubscribedEvent),
		on(eventStreams, http.MethodDelete, events+"/{}", "DeleteSubscribedEvent", deleteSubscribedEvent),
	}
}

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

const sinkColumns = "seq, sid, account_sid, description, type, configuration, status, created, updated"

func scanSink(scan func(...any) error) (*sink, error) {
	var s sink
	return &s, scan(&s.seq, &s.sid, &s.account, &s.description, &s.kind, &s.configuration, &s.status, &s.created, &s.updated)
}

func (c *call) sink(sid string) (*sink, error) {
	s, err := scanSink(c.tx.tx.QueryRowContext(c.ctx, "SELECT "+sinkColumns+" FROM sinks WHERE sid = ? AND account_sid = ?", sid, c.account).Scan)
	if err == sql.ErrNoRows {
		return nil, c.notFound()
	}
	return s, err
}

func (t *tx) insertSink(s *sink) error {
	_, err := t.exec("INSERT INTO sinks (sid, account_sid, description, type, configuration, status, created, updated) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		s.sid, s.account, s.description, s.kind, s.configuration, s.status, s.created, s.updated)
	return err
}

func listSinks(c *call) (reply, error) {
	l := listing[sinkJSON]{
		key: "sinks", order: "seq", filters: []string{"Status"},
		query: "SELECT " + sinkColumns + " FROM sinks WHERE account_sid = ?", args: []any{c.account},
		scan: func(rows *sql.Rows) (sinkJSON, int64, error) {
			s, err := scanSink(rows.Scan)
			return c.sinkJSON(s), s.seq, err
		},
	}
	if status, sent := c.query.get("Status"); sent {
		l.query, l.args = l.query+" AND status = ?", append(l.args, status)
	}
	return l.page(c)
}

func createSink(c *call) (reply, error) {
	for _, name := range []string{"Description", "SinkConfiguration", "SinkType"} {
		if _, sent := c.form.get(name); !sent {
			return reply{}, missing(name)
		}
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
	if err := c.insertSink(s); err != nil {
		return reply{}, err
	}
	return created(c.sinkJSON(s)), nil
}

func fetchSink(c *call) (reply, error) {
	s, err := c.sink(c.args[0])
	if err != nil {
		return reply{}, err
	}
	return ok(c.sinkJSON(s)), nil
}

func updateSink(c *call) (reply, error) {
	s, err := c.sink(c.args[0])
	if err != nil {
		return reply{}, err
	}
	var sent bool
	if s.description, sent = c.form.get("Description"); !sent {
		return reply{}, missing("Description")
	}
	s.updated = millis(c.now)
	if _, err := c.exec("UPDATE sinks SET description = ?, updated = ? WHERE seq = ?", s.description, s.updated, s.seq); err != nil {
		return reply{}, err
	}
	return ok(c.sinkJSON(s)), nil
}

func deleteSink(c *call) (reply, error) {
	s, err := c.sink(c.args[0])
	if err != nil {
		return reply{}, err
	}
	_, err = c.exec("DELETE FROM sinks WHERE seq = ?", s.seq)
	return noContent(), err
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

const subscriptionColumns = "seq, sid, account_sid, description, sink_sid, created, updated"

func scanSubscription(scan func(...any) error) (*subscription, error) {
	var s subscription
	return &s, scan(&s.seq, &s.sid, &s.account, &s.description, &s.sink, &s.created, &s.updated)
}

// subscription is the one that the path names.
func (c *call) subscription() (*subscription, error) {
	s, err := scanSubscription(c.tx.tx.QueryRowContext(c.ctx, "SELECT "+subscriptionColumns+" FROM subscriptions WHERE sid = ? AND account_sid = ?", c.args[0], c.account).Scan)
	if err == sql.ErrNoRows {
		return nil, c.notFound()
	}
	return s, err
}

func (t *tx) insertSubscription(s *subscription, events ...subscribedEvent) error {
	_, err := t.exec("INSERT INTO subscriptions (sid, account_sid, description, sink_sid, created, updated) VALUES (?, ?, ?, ?, ?, ?)",
		s.sid, s.account, s.description, s.sink, s.created, s.updated)
	if err != nil {
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
	l := listing[subscriptionJSON]{
		key: "subscriptions", order: "seq", filters: []string{"SinkSid"},
		query: "SELECT " + subscriptionColumns + " FROM subscriptions WHERE account_sid = ?", args: []any{c.account},
		scan: func(rows *sql.Rows) (subscriptionJSON, int64, error) {
			s, err := scanSubscription(rows.Scan)
			return c.subscriptionJSON(s), s.seq, err
		},
	}
	if sid, sent := c.query.get("SinkSid"); sent {
		l.query, l.args = l.query+" AND sink_sid = ?", append(l.args, sid)
	}
	return l.page(c)
}

func createSubscription(c *call) (reply, error) {
	for _, name := range []string{"Description", "SinkSid", "Types"} {
		if _, sent := c.form.get(name); !sent {
			return reply{}, missing(name)
		}
	}
	if _, err := c.sink(c.form.text("SinkSid")); err != nil {
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
	s := &subscription{sid: c.newSID("DF"), account: c.account, description: c.form.text("Description"), sink: c.form.text("SinkSid"),
		created: millis(c.now), updated: millis(c.now)}
	if err := c.insertSubscription(s, events...); err != nil {
		return reply{}, err
	}
	return created(c.subscriptionJSON(s)), nil
}

func fetchSubscription(c *call) (reply, error) {
	s, err := c.subscription()
	if err != nil {
		return reply{}, err
	}
	return ok(c.subscriptionJSON(s)), nil
}

func updateSubscription(c *call) (reply, error) {
	s, err := c.subscription()
	if err != nil {
		return reply{}, err
	}
	if text, sent := c.form.get("Description"); sent {
		s.description = text
	}
	s.updated = millis(c.now)
	if _, err := c.exec("UPDATE subscriptions SET description = ?, updated = ? WHERE seq = ?", s.description, s.updated, s.seq); err != nil {
		return reply{}, err
	}
	return ok(c.subscriptionJSON(s)), nil
}

func deleteSubscription(c *call) (reply, error) {
	s, err := c.subscription()
	if err != nil {
		return reply{}, err
	}
	if _, err := c.exec("DELETE FROM subscribed_events WHERE subscription_sid = ?", s.sid); err != nil {
		return reply{}, err
	}
	_, err = c.exec("DELETE FROM subscriptions WHERE seq = ?", s.seq)
	return noContent(), err
}

// subscribedEvent is one event type of a subscription.
type subscribedEvent struct {
	Type    string `json:"type"`
	Version int    `json:"schema_version"`
}

type subscribedEventJSON struct {
	Account      string `json:"account_sid"`
	Type         string `json:"type"`
	Version      int    `json:"schema_version"`
	Subscription string `json:"subscription_sid"`
	URL          string `json:"url"`
}

func (c *call) subscribedEventJSON(s *subscription, e subscribedEvent) subscribedEventJSON {
	return subscribedEventJSON{s.account, e.Type, e.Version, s.sid, c.link("v1", "Subscriptions", s.sid, "SubscribedEvents", e.Type)}
}

func (t *tx) subscribe(subscription string, e subscribedEvent) error {
	_, err := t.exec(`INSERT INTO subscribed_events (subscription_sid, type, schema_version) VALUES (?, ?, ?)
		ON CONFLICT DO UPDATE SET schema_version = excluded.schema_version`, subscription, e.Type, e.Version)
	return err
}

func listSubscribedEvents(c *call) (reply, error) {
	s, err := c.subscription()
	if err != nil {
		return reply{}, err
	}
	return listing[subscribedEventJSON]{
		key: "types", order: "seq",
		query: "SELECT seq, type, schema_version FROM subscribed_events WHERE subscription_sid = ?", args: []any{s.sid},
		scan: func(rows *sql.Rows) (subscribedEventJSON, int64, error) {
			var seq int64
			var e subscribedEvent
			err := rows.Scan(&seq, &e.Type, &e.Version)
			return c.subscribedEventJSON(s, e), seq, err
		},
	}.page(c)
}

func createSubscribedEvent(c *call) (reply, error) {
	s, err := c.subscription()
	if err != nil {
		return reply{}, err
	}
	e := subscribedEvent{Type: c.form.text("Type"), Version: 1}
	if e.Type == "" {
		return reply{}, missing("Type")
	}
	if e.Version, err = c.schemaVersion(e.Version); err != nil {
		return reply{}, err
	}
	return created(c.subscribedEventJSON(s, e)), c.subscribe(s.sid, e)
}

func (c *call) schemaVersion(otherwise int) (int, error) {
	text, sent := c.form.get("SchemaVersion")
	if !sent {
		return otherwise, nil
	}
	version, err := strconv.Atoi(text)
	if err != nil || version < 1 {
		return 0, invalid(20001, "Invalid SchemaVersion: '%s'", text)
	}
	return version, nil
}

func (c *call) subscribedEvent(s *subscription) (subscribedEvent, error) {
	e := subscribedEvent{Type: c.args[1]}
	found, err := c.row([]any{&e.Version}, "SELECT schema_version FROM subscribed_events WHERE subscription_sid = ? AND type = ?", s.sid, e.Type)
	if err == nil && !found {
		err = c.notFound()
	}
	return e, err
}

func fetchSubscribedEvent(c *call) (reply, error) {
	s, err := c.subscription()
	if err != nil {
		return reply{}, err
	}
	e, err := c.subscribedEvent(s)
	return ok(c.subscribedEventJSON(s, e)), err
}

func updateSubscribedEvent(c *call) (reply, error) {
	s, err := c.subscription()
	if err != nil {
		return reply{}, err
	}
	e, err := c.subscribedEvent(s)
	if err != nil {
		return reply{}, err
	}
	if e.Version, err = c.schemaVersion(e.Version); err != nil {
		return reply{}, err
	}
	return ok(c.subscribedEventJSON(s, e)), c.subscribe(s.sid, e)
}

func deleteSubscribedEvent(c *call) (reply, error) {
	s, err := c.subscription()
	if err != nil {
		return reply{}, err
	}
	if _, err := c.subscribedEvent(s); err != nil {
		return reply{}, err
	}
	_, err = c.exec("DELETE FROM subscribed_events WHERE subscription_sid = ? AND type = ?", s.sid, c.args[1])
	return noContent(), err
}
