package simulator

import (
	"context"
	"database/sql"
	"time"
)

// Push is one attempt to bring a challenge to a phone, and what became of it.
type Push struct {
	Service      string  `json:"service_sid"`
	Identity     string  `json:"identity"`
	Factor       string  `json:"factor_sid"`
	Challenge    string  `json:"challenge_sid"`
	Notification string  `json:"notification_sid"`
	Platform     string  `json:"notification_platform"`
	Outcome      Outcome `json:"outcome"`
	// Code is the error that Twilio reports for it, zero for none. It may be reported later, and to nobody's reply.
	Code int `json:"error_code,omitempty"`
	// Data is what reaches the app: type, challenge_sid, factor_sid and message.
	Data map[string]string `json:"data"`
	At   time.Time         `json:"at"`
}

// PushFilter picks pushes; an empty field picks all.
type PushFilter struct {
	Service, Identity, Factor, Challenge string
	Limit                                int // the newest ones; 0 for all
}

// Pushes gives the attempts that the filter picks, oldest first.
func (s *Simulator) Pushes(ctx context.Context, filter PushFilter) ([]Push, error) {
	if filter.Limit <= 0 {
		filter.Limit = -1
	}
	return read(ctx, s, func(t *tx) ([]Push, error) {
		return collect(t, scanPush, "SELECT "+pushColumns+` FROM (
			SELECT * FROM pushes WHERE (?1 = '' OR service_sid = ?1) AND (?2 = '' OR identity = ?2) AND (?3 = '' OR factor_sid = ?3)
			AND (?4 = '' OR challenge_sid = ?4) ORDER BY seq DESC LIMIT ?5) ORDER BY seq`,
			filter.Service, filter.Identity, filter.Factor, filter.Challenge, filter.Limit)
	})
}

const pushColumns = "service_sid, identity, factor_sid, challenge_sid, notification, platform, outcome, code, data, at"

func scanPush(rows *sql.Rows) (p Push, err error) {
	var at int64
	err = rows.Scan(&p.Service, &p.Identity, &p.Factor, &p.Challenge, &p.Notification, &p.Platform, &p.Outcome, &p.Code, asJSON{&p.Data}, &at)
	p.At = time.UnixMilli(at).UTC()
	return p, err
}
