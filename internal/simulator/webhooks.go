package simulator

import (
	"net/http"
	"net/url"
	"slices"
)

// webhookEvents are what a webhook can be told (twilio.com/docs/verify/api/webhooks).
var webhookEvents = []string{"*", "factor.created", "factor.verified", "factor.deleted", "challenge.approved", "challenge.denied"}

// webhook is a Verify webhook as stored.
type webhook struct {
	seq                        int64
	sid, name                  string
	serviceID                  int64
	service                    *service // filled in by the code that shows it
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

func (c *call) webhookJSON(w *webhook) webhookJSON {
	s := w.service
	return webhookJSON{w.sid, s.sid, s.account, w.name, w.events, w.status, w.version, w.targetURL, http.MethodPost,
		iso(w.created), iso(w.updated), c.link("v2", "Services", s.sid, "Webhooks", w.sid)}
}

var webhookTable = table[webhook]{"webhooks", "seq, sid, service_id, friendly_name, event_types, status, version, url, created, updated",
	func(w *webhook) []any {
		return []any{&w.seq, &w.sid, &w.serviceID, &w.name, asJSON{&w.events}, &w.status, &w.version, &w.targetURL, &w.created, &w.updated}
	}}

// webhook is the one that the path names, with its Service.
func (c *call) webhook() (*webhook, error) {
	s, err := c.service()
	if err != nil {
		return nil, err
	}
	w, err := webhookTable.named(c, "service_id = ? AND sid = ?", s.seq, c.args[1])
	if err != nil {
		return nil, err
	}
	w.service = s
	return w, nil
}

func listWebhooks(c *call, s *service) (reply, error) {
	return listing[webhook, webhookJSON]{
		key: "webhooks", from: webhookTable, where: "service_id = ?", args: []any{s.seq},
		show: func(w *webhook) webhookJSON {
			w.service = s
			return c.webhookJSON(w)
		},
	}.page(c)
}

func createWebhook(c *call, s *service) (reply, error) {
	if err := c.require("FriendlyName", "EventTypes", "WebhookUrl"); err != nil {
		return reply{}, err
	}
	w := &webhook{sid: c.newSID("YW"), serviceID: s.seq, service: s, status: "enabled", version: "v2", created: millis(c.now), updated: millis(c.now)}
	if err := c.readWebhook(w); err != nil {
		return reply{}, err
	}
	return created(c.webhookJSON(w)), webhookTable.insert(c.tx, w)
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
		if !isWebURL(text) {
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

func updateWebhook(c *call, w *webhook) (reply, error) {
	if err := c.readWebhook(w); err != nil {
		return reply{}, err
	}
	w.updated = millis(c.now)
	return ok(c.webhookJSON(w)), webhookTable.update(c.tx, w)
}

func deleteWebhook(c *call, w *webhook) (reply, error) {
	return noContent(), webhookTable.delete(c.tx, w)
}

// announce tells a Service's webhooks what happened to a factor, or to a challenge of it.
func (t *tx) announce(f *factor, ch *challenge, event string) error {
	s := f.entity.service
	webhooks, err := webhookTable.list(t, "service_id = ? AND status = 'enabled' ORDER BY seq", s.seq)
	if err != nil {
		return err
	}
	for _, w := range webhooks {
		if !slices.Contains(w.events, event) && !slices.Contains(w.events, "*") {
			continue
		}
		body := url.Values{
			"uuid": {t.newUUID()}, "type": {event}, "account_sid": {s.account}, "service_sid": {s.sid},
			"entity_identity": {f.entity.identity}, "factor_sid": {f.sid}, "factor_type": {f.kind},
		}
		if ch != nil {
			body.Set("challenge_sid", ch.sid)
		}
		if err := t.post(hook{url: w.targetURL, body: body, account: s.account, service: s.sid, due: millis(t.now)}); err != nil {
			return err
		}
	}
	return nil
}
