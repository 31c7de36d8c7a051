package simulator

import "net/http"

// What Twilio documents about resending (twilio_verify_v2.json, CreateNotification; error 60309). That the push a
// challenge sends by itself does not count is an assumption.
const (
	maxNotifications = 3
	defaultTTL       = 300
)

type notificationJSON struct {
	SID       string `json:"sid"`
	Account   string `json:"account_sid"`
	Service   string `json:"service_sid"`
	Entity    string `json:"entity_sid"`
	Identity  string `json:"identity"`
	Challenge string `json:"challenge_sid"`
	Priority  string `json:"priority"`
	TTL       int    `json:"ttl"`
	Created   string `json:"date_created"`
}

// createNotification sends the push of a pending challenge again.
func createNotification(c *call, ch *challenge) (reply, error) {
	ttl := defaultTTL
	p := params{form: c.form, code: 60306}
	p.int("Ttl", &ttl, 0, defaultTTL)
	if err := p.err(); err != nil {
		return reply{}, err
	}
	e := ch.entity
	f, err := c.factorFor(e, ch.factorSID)
	if err != nil {
		return reply{}, err
	}
	if err := checkOpen(ch); err != nil {
		return reply{}, err
	}
	switch {
	case f.platform.String == platformNone || f.kind != typePush:
		return reply{}, invalid(60307, "Cannot resend push notifications to 'none' notification platform")
	case ch.notifications >= maxNotifications:
		return reply{}, refuse(http.StatusTooManyRequests, 60309, "Push notifications limit reached for a Challenge")
	}
	if _, err := c.exec("UPDATE challenges SET notifications = notifications + 1 WHERE seq = ?", ch.seq); err != nil {
		return reply{}, err
	}
	sid := c.newSID("NT")
	return created(notificationJSON{sid, e.service.account, e.service.sid, e.sid, e.identity, ch.sid, "high", ttl, iso(millis(c.now))}),
		c.push(f, ch, sid)
}
