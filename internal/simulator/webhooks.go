package simulator

import (
	"database/sql"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
)

func webhookRoutes() []route {
	const all, one = "v2/Services/{}/Webhooks", "v2/Services/{}/Webhooks/{}"
	return []route{
		on(verify, http.MethodGet, all, "ListWebhook", listWebhooks),
		on(verify, http.MethodPost, all, "CreateWebhook", createWebhook),
		on(verify, http.MethodGet, one, "FetchWebhook", fetchWebhook),
		on(verify, http.MethodPost, one, "UpdateWebhook", updateWebhook),
		on(verify, http.MethodDelete, one, "DeleteWebhook", deleteWebhook),
	}
}

// webhookEvents are what a webhook can be told (twilio.com/docs/verify/api/webhooks).
var webhookEvents = []string{"*", "factor.created", "factor.verified", "factor.deleted", "challenge.approved", "challenge.denied"}

// webhook is a Verify webhook as stored.
type webhook struct {
	seq                        int64
	sid, name                  string
	events                     []string
	status, version, targetURL string
	created, updated           int64
}

type webhookJSON struct {
	SID       string   `json:"sid"`
	Service   string   `json:"service_sid"`
	Account   string   `json:"account_sid"`
	Name      string   `json:"friendly_name"`
	Events    []string `json:"event_types"`
	Status    string   `json:"status"`
	Version   string   `json:"version"`
	TargetURL string   `json:"webhook_url"`
	Method    string   `json:"webhook_method"`
	Created   string   `json:"date_created"`
	Updated   string   `json:"date_updated"`
	URL       string   `json:"url"`
}

func (c *call) webhookJSON(s *service, w *webhook) webhookJSON {
	return webhookJSON{w.sid, s.sid, s.account, w.name, w.events, w.status, w.version, w.targetURL, http.MethodPost,
		iso(w.created), iso(w.updated), c.link("v2", "Services", s.sid, "Webhooks", w.sid)}
}

const webhookColumns = "seq, sid, friendly_name, event_types, status, version, url, created, updated"

func scanWebhook(scan func(...any) error) (*webhook, error) {
	var w webhook
	var events []byte
	if err := scan(&w.seq, &w.sid, &w.name, &events, &w.status, &w.version, &w.targetURL, &w.created, &w.updated); err != nil {
		return nil, err
	}
	return &w, json.Unmarshal(events, &w.events)
}

// webhook is the one that the path names, with its Service.
func (c *call) webhook() (*service, *webhook, error) {
	s, err := c.service()
	if err != nil {
		return nil, nil, err
	}
	row := c.tx.tx.QueryRowContext(c.ctx, "SELECT "+webhookColumns+" FROM webhooks WHERE service_id = ? AND sid = ?", s.seq, c.args[1])
	w, err := scanWebhook(row.Scan)
	if err == sql.ErrNoRows {
		return nil, nil, c.notFound()
	}
	return s, w, err
}

func listWebhooks(c *call) (reply, error) {
	s, err := c.service()
	if err != nil {
		return reply{}, err
	}
	return listing[webhookJSON]{
		key: "webhooks", order: "seq",
		query: "SELECT " + webhookColumns + " FROM webhooks WHERE service_id = ?", args: []any{s.seq},
		scan: func(rows *sql.Rows) (webhookJSON, int64, error) {
			w, err := scanWebhook(rows.Scan)
			if err != nil {
				return webhookJSON{}, 0, err
			}
			return c.webhookJSON(s, w), w.seq, nil
		},
	}.page(c)
}

func createWebhook(c *call) (reply, error) {
	s, err := c.service()
	if err != nil {
		return reply{}, err
	}
	for _, name := range []string{"FriendlyName", "EventTypes", "WebhookUrl"} {
		if _, sent := c.form.get(name); !sent {
			return reply{}, missing(name)
		}
	}
	w := &webhook{sid: c.newSID("YW"), status: "enabled", version: "v2", created: millis(c.now), updated: millis(c.now)}
	if err := c.readWebhook(w); err != nil {
		return reply{}, err
	}
	if err := c.insertWebhook(s, w); err != nil {
		return reply{}, err
	}
	return created(c.webhookJSON(s, w)), nil
}

func (t *tx) insertWebhook(s *service, w *webhook) error {
	_, err := t.exec("INSERT INTO webhooks (sid, service_id, friendly_name, event_types, status, version, url, created, updated) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		w.sid, s.seq, w.name, string(encode(w.events)), w.status, w.version, w.targetURL, w.created, w.updated)
	return err
}

// readWebhook takes over the parameters that were sent (twilio_verify_v2.json, CreateWebhook).
func (c *call) readWebhook(w *webhook) error {
	if name, sent := c.form.get("FriendlyName"); sent {
		if err := checkFriendlyName(name); err != nil {
			return err
		}
		w.name = name
	}
	if events := c.form["EventTypes"]; len(events) > 0 {
		for _, event := range events {
			if !slices.Contains(webhookEvents, event) {
				return invalid(60306, "Invalid EventTypes: '%s'", event)
			}
		}
		w.events = events
	}
	if text, sent := c.form.get("WebhookUrl"); sent {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return invalid(60306, "Invalid WebhookUrl: '%s'", text)
		}
		w.targetURL = text
	}
	for _, choice := range []struct {
		name    string
		into    *string
		allowed []string
	}{{"Status", &w.status, []string{"enabled", "disabled"}}, {"Version", &w.version, []string{"v1", "v2"}}} {
		if text, sent := c.form.get(choice.name); sent {
			if !slices.Contains(choice.allowed, text) {
				return invalid(60306, "Invalid %s: '%s'", choice.name, text)
			}
			*choice.into = text
		}
	}
	return nil
}

func fetchWebhook(c *call) (reply, error) {
	s, w, err := c.webhook()
	if err != nil {
		return reply{}, err
	}
	return ok(c.webhookJSON(s, w)), nil
}

func updateWebhook(c *call) (reply, error) {
	s, w, err := c.webhook()
	if err != nil {
		return reply{}, err
	}
	if err := c.readWebhook(w); err != nil {
		return reply{}, err
	}
	w.updated = millis(c.now)
	_, err = c.exec("UPDATE webhooks SET friendly_name = ?, event_types = ?, status = ?, version = ?, url = ?, updated = ? WHERE seq = ?",
		w.name, string(encode(w.events)), w.status, w.version, w.targetURL, w.updated, w.seq)
	if err != nil {
		return reply{}, err
	}
	return ok(c.webhookJSON(s, w)), nil
}

func deleteWebhook(c *call) (reply, error) {
	_, w, err := c.webhook()
	if err != nil {
		return reply{}, err
	}
	_, err = c.exec("DELETE FROM webhooks WHERE seq = ?", w.seq)
	return noContent(), err
}

// announce tells a Service's webhooks what happened to a factor, or to a challenge of it.
func (t *tx) announce(f *factor, ch *challenge, event string) error {
	s := f.entity.service
	var targets []string
	err := t.each(func(rows *sql.Rows) error {
		w, err := scanWebhook(rows.Scan)
		if err == nil && (slices.Contains(w.events, event) || slices.Contains(w.events, "*")) {
			targets = append(targets, w.targetURL)
		}
		return err
	}, "SELECT "+webhookColumns+" FROM webhooks WHERE service_id = ? AND status = 'enabled' ORDER BY seq", s.seq)
	if err != nil {
		return err
	}
	for _, target := range targets {
		body := url.Values{
			"uuid": {t.newUUID()}, "type": {event}, "account_sid": {s.account}, "service_sid": {s.sid},
			"entity_identity": {f.entity.identity}, "factor_sid": {f.sid}, "factor_type": {f.kind},
		}
		if ch != nil {
			body.Set("challenge_sid", ch.sid)
		}
		if err := t.post(hook{url: target, body: body, account: s.account, service: s.sid, due: millis(t.now)}); err != nil {
			return err
		}
	}
	return nil
}
