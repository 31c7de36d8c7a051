package simulator

import (
	"context"
	"database/sql"
	"slices"
	"time"
)

// Glance is the world at one look, for a person: the newest of everything, so that a large world costs no more.
type Glance struct {
	Clock      ClockReading
	Services   []ServiceName
	Devices    []Device // newest first, after those with a pending challenge
	Challenges []ShownChallenge
	Pushes     []Push // newest first
	Alerts     []ShownAlert
	Faults     []Fault
	More       bool // there are more phones than shown
}

// ServiceName is a Service to choose.
type ServiceName struct{ SID, Name string }

// ShownChallenge is a challenge as its user sees it.
type ShownChallenge struct {
	SID, Service, Identity, Factor string
	Status                         string
	Message                        string
	Fields                         []Field
	Created, Updated, Expires      time.Time
}

// Field is a labelled line of a challenge.
type Field struct{ Label, Value string }

// ShownAlert is an alert as Monitor gives it.
type ShownAlert struct {
	SID, Account, Service, Resource string
	Code, Level, Text               string
	Created                         time.Time
}

// How much a glance shows of each kind.
const (
	glanceServices   = 50
	glanceDevices    = 24
	glanceChallenges = 24
	glanceAlerts     = 20
)

// Glance gives the world as it is now.
func (s *Simulator) Glance(ctx context.Context) (g Glance, err error) {
	return g, s.view(ctx, func(t *tx) error {
		g.Clock = ClockReading{t.now, t.world.clock.frozenAt.Valid}
		return firstError(
			func() (err error) { g.Services, err = t.serviceNames(); return err },
			func() (err error) { g.Challenges, err = t.newestChallenges(); return err },
			func() (err error) { g.Pushes, err = t.pushesOf(g.Challenges); return err },
			func() (err error) { g.Devices, g.More, err = t.newestDevices(g.Challenges); return err },
			func() (err error) { g.Alerts, err = t.newestAlerts(); return err },
			func() (err error) { g.Faults, err = t.faults(); return err },
		)
	})
}

func (t *tx) serviceNames() ([]ServiceName, error) {
	return collect(t, func(rows *sql.Rows) (n ServiceName, err error) {
		err = rows.Scan(&n.SID, &n.Name)
		return n, err
	}, "SELECT sid, friendly_name FROM services ORDER BY seq LIMIT ?", glanceServices)
}

func (t *tx) newestChallenges() ([]ShownChallenge, error) {
	return collect(t, func(rows *sql.Rows) (ShownChallenge, error) {
		var c ShownChallenge
		var details challengeDetails
		var created, updated, expires int64
		err := rows.Scan(&c.SID, &c.Factor, &c.Status, asJSON{&details}, &created, &updated, &expires, &c.Identity, &c.Service)
		if c.Status == pending && expires <= millis(t.now) {
			c.Status, updated = expired, expires
		}
		c.Message = details.Message
		for _, f := range details.Fields {
			c.Fields = append(c.Fields, Field(f))
		}
		c.Created, c.Updated, c.Expires = time.UnixMilli(created).UTC(), time.UnixMilli(updated).UTC(), time.UnixMilli(expires).UTC()
		return c, err
	}, `SELECT c.sid, c.factor_sid, c.status, c.details, c.created, c.updated, c.expires, e.identity, s.sid
		FROM (SELECT * FROM challenges WHERE factor_type = 'push' ORDER BY seq DESC LIMIT ?) c
		JOIN entities e ON e.seq = c.entity_id JOIN services s ON s.seq = e.service_id ORDER BY c.seq DESC`, glanceChallenges)
}

// pushesOf gives the newest attempt to push each challenge.
func (t *tx) pushesOf(challenges []ShownChallenge) ([]Push, error) {
	var pushes []Push
	for _, c := range challenges {
		found, err := collect(t, scanPush, "SELECT "+pushColumns+" FROM pushes WHERE factor_sid = ? AND challenge_sid = ? ORDER BY seq DESC LIMIT 1",
			c.Factor, c.SID)
		if err != nil {
			return nil, err
		}
		pushes = append(pushes, found...)
	}
	return pushes, nil
}

// newestDevices gives the phones that are asked something, then the newest.
func (t *tx) newestDevices(challenges []ShownChallenge) (devices []Device, more bool, err error) {
	sids, err := collect(t, func(rows *sql.Rows) (sid string, err error) {
		err = rows.Scan(&sid)
		return sid, err
	}, "SELECT sid FROM factors WHERE type = 'push' ORDER BY seq DESC LIMIT ?", glanceDevices+1)
	if err != nil {
		return nil, false, err
	}
	if more = len(sids) > glanceDevices; more {
		sids = sids[:glanceDevices]
	}
	var asked []string
	for _, c := range challenges {
		if c.Status == pending {
			asked = append(asked, c.Factor)
		}
	}
	shown := map[string]bool{}
	for _, sid := range append(asked, sids...) {
		if shown[sid] {
			continue
		}
		shown[sid] = true
		h, err := t.device(sid)
		if err != nil {
			return nil, false, err
		}
		devices = append(devices, h.Device)
	}
	return devices, more, nil
}

func (t *tx) newestAlerts() ([]ShownAlert, error) {
	found, err := alertTable.list(t, "created <= ? ORDER BY seq DESC LIMIT ?", millis(t.now), glanceAlerts)
	shown := make([]ShownAlert, len(found))
	for i, a := range found {
		shown[i] = ShownAlert{
			SID: a.sid, Account: a.account, Service: a.service.String, Resource: a.resource.String, Code: a.code, Level: a.level, Text: a.text,
			Created: time.UnixMilli(a.created).UTC(),
		}
	}
	slices.SortStableFunc(shown, func(a, b ShownAlert) int { return b.Created.Compare(a.Created) })
	return shown, err
}
