package simulator

import (
	"context"
	"database/sql"
	"slices"
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
	where, args := picked("service_sid", filter.Service, "identity", filter.Identity, "factor_sid", filter.Factor, "challenge_sid", filter.Challenge)
	return read(ctx, s, func(t *tx) ([]Push, error) {
		return collect(t, scanPush, "SELECT "+pushColumns+" FROM (SELECT * FROM pushes WHERE "+where+" ORDER BY seq DESC LIMIT ?) ORDER BY seq",
			append(args, filter.Limit)...)
	})
}

// picked gives the condition that each column has its value, of those whose value is not empty, and its arguments. An index
// can serve it.
func picked(columnsAndValues ...string) (where string, args []any) {
	where = "TRUE"
	for pair := range slices.Chunk(columnsAndValues, 2) {
		if pair[1] != "" {
			where += " AND " + pair[0] + " = ?"
			args = append(args, pair[1])
		}
	}
	return where, args
}

const pushColumns = "service_sid, identity, factor_sid, challenge_sid, notification, platform, outcome, code, data, at"

func scanPush(rows *sql.Rows) (p Push, err error) {
	var at int64
	err = rows.Scan(&p.Service, &p.Identity, &p.Factor, &p.Challenge, &p.Notification, &p.Platform, &p.Outcome, &p.Code, asJSON{&p.Data}, &at)
	p.At = time.UnixMilli(at).UTC()
	return p, err
}
