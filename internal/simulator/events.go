package simulator

import (
	"database/sql"
	"encoding/json"
	"net"
	"net/http"
	"reflect"
)

// auditEvent is a Monitor Event as stored: who changed what in the account. Changes to Services, push credentials and
// API keys make one; how Twilio names those of Services and push credentials is not published.
type auditEvent struct {
	seq                                          int64
	sid, account, actor, actorType               string
	kind, resource, resourceType, source, fromIP string
	data                                         sql.NullString
	at                                           int64
}

type eventJSON struct {
	Account      string          `json:"account_sid"`
	Actor        string          `json:"actor_sid"`
	ActorType    string          `json:"actor_type"`
	Description  *string         `json:"description"`
	Data         json.RawMessage `json:"event_data"`
	Date         string          `json:"event_date"`
	Kind         string          `json:"event_type"`
	Resource     string          `json:"resource_sid"`
	ResourceType string          `json:"resource_type"`
	SID          string          `json:"sid"`
	Source       string          `json:"source"`
	IP           string          `json:"source_ip_address"`
	URL          string          `json:"url"`
	Links        eventLinks      `json:"links"`
}

type eventLinks struct {
	Actor    string `json:"actor"`
	Resource string `json:"resource"`
}

func (c *call) eventJSON(e *auditEvent) eventJSON {
	account := c.link("2010-04-01", "Accounts", e.account)
	return eventJSON{e.account, e.actor, e.actorType, nil, rawOrNull(e.data), iso(e.at), e.kind, e.resource, e.resourceType, e.sid,
		e.source, e.fromIP, c.link("v1", "Events", e.sid), eventLinks{account, account}}
}

var eventTable = table[auditEvent]{"events", "seq, sid, account_sid, actor_sid, actor_type, type, resource_sid, resource_type, data, source, source_ip, at",
	func(e *auditEvent) []any {
		return []any{&e.seq, &e.sid, &e.account, &e.actor, &e.actorType, &e.kind, &e.resource, &e.resourceType, &e.data, &e.source, &e.fromIP, &e.at}
	}}

func listEvents(c *call) (reply, error) {
	l := listing[auditEvent, eventJSON]{
		key: "events", from: eventTable, where: "account_sid = ?", args: []any{c.account}, newest: true, show: c.eventJSON,
	}
	l.filter(c, "ActorSid", "actor_sid")
	l.filter(c, "EventType", "type")
	l.filter(c, "ResourceSid", "resource_sid")
	l.filter(c, "SourceIpAddress", "source_ip")
	if err := l.between(c, "at"); err != nil {
		return reply{}, err
	}
	return l.page(c)
}

func (c *call) event() (*auditEvent, error) {
	return eventTable.named(c, "sid = ? AND account_sid = ?", c.args[0], c.account)
}

// The resources whose changes are recorded, as event_type and resource_type name them.
const (
	auditedService    = "verify-service"
	auditedCredential = "push-credential"
	auditedKey        = "api-key"
)

// change is a property of a resource before and after (twilio_monitor_v1.json, ListEvent).
type change struct {
	Previous any `json:"previous"`
	Updated  any `json:"updated"`
}

// record makes an event of what the caller did to a resource: before and after are its replies, nil where it did not
// exist. As documented for events of the form RESOURCE.updated, those name the properties that changed. The actor is the
// account, as documented for a change by an API request, though the pattern of actor_sid has users only.
func (c *call) record(resourceType, sid string, before, after any) error {
	e := &auditEvent{
		sid: c.newSID("AE"), account: c.account, actor: c.account, actorType: "account", resource: sid, resourceType: resourceType,
		source: "api", fromIP: callerIP(c.req), at: millis(c.now),
	}
	switch {
	case before == nil:
		e.kind = resourceType + ".created"
	case after == nil:
		e.kind = resourceType + ".deleted"
	default:
		e.kind = resourceType + ".updated"
		e.data = valid(string(encode(map[string]any{"resource_properties": changes(before, after)})))
	}
	return eventTable.insert(c.tx, e)
}

// changes are the properties in which two replies differ.
func changes(before, after any) map[string]change {
	was, is := properties(before), properties(after)
	changed := map[string]change{}
	for name, value := range is {
		if name != "date_updated" && !reflect.DeepEqual(was[name], value) {
			changed[name] = change{was[name], value}
		}
	}
	return changed
}

func properties(resource any) map[string]any {
	var object map[string]any
	if err := json.Unmarshal(encode(resource), &object); err != nil {
		panic("simulator: a resource is no object: " + err.Error()) // our own types: a programming error
	}
	return object
}

// callerIP is where a request came from; the network inside this process has no addresses.
func callerIP(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return "127.0.0.1"
}
