package simulator

import (
	"net/http"
	"regexp"
	"sync"
)

// entity is an Entity as stored, with its Service.
type entity struct {
	seq              int64
	sid, identity    string
	serviceID        int64
	service          *service // filled in by the code that reads it
	created, updated int64
}

type entityJSON struct {
	SID      string      `json:"sid"`
	Identity string      `json:"identity"`
	Account  string      `json:"account_sid"`
	Service  string      `json:"service_sid"`
	Created  string      `json:"date_created"`
	Updated  string      `json:"date_updated"`
	URL      string      `json:"url"`
	Links    entityLinks `json:"links"`
}

type entityLinks struct {
	Factors    string `json:"factors"`
	NewFactors string `json:"new_factors"`
	Challenges string `json:"challenges"`
}

func (c *call) entityJSON(e *entity) entityJSON {
	url := c.link("v2", "Services", e.service.sid, "Entities", e.identity)
	return entityJSON{e.sid, e.identity, e.service.account, e.service.sid, iso(e.created), iso(e.updated), url,
		entityLinks{url + "/Factors", url + "/Factors", url + "/Challenges"}}
}

var entityTable = table[entity]{"entities", "seq, sid, service_id, identity, created, updated",
	func(e *entity) []any {
		return []any{&e.seq, &e.sid, &e.serviceID, &e.identity, &e.created, &e.updated}
	}}

// entityOf reads the Entity of an identity, nil when the Service has none. The letter case counts.
func (t *tx) entityOf(s *service, identity string) (*entity, error) {
	e, err := entityTable.find(t, "service_id = ? AND identity = ?", s.seq, identity)
	if e != nil {
		e.service = s
	}
	return e, err
}

// entity is the Entity that the path names.
func (c *call) entity() (*entity, error) {
	s, err := c.service()
	if err != nil {
		return nil, err
	}
	e, err := c.entityOf(s, c.args[1])
	if err != nil {
		return nil, err
	}
	if e == nil {
		return nil, c.notFound()
	}
	return e, nil
}

var identityPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9A-Za-z]+(-+[0-9A-Za-z]+)*$`) })

// checkIdentity holds an identity against the documented rule: 8 to 64 letters and digits, separated by dashes
// (twilio_verify_v2.json, CreateEntity, Identity; error 60367).
func checkIdentity(identity string) error {
	if len(identity) < 8 || len(identity) > 64 || !identityPattern().MatchString(identity) {
		return invalid(60367, "Invalid entity identity: it must be 8 to 64 alphanumeric characters, separated by dashes")
	}
	return nil
}

func listEntities(c *call, s *service) (reply, error) {
	return listing[entity, entityJSON]{
		key: "entities", from: entityTable, where: "service_id = ?", args: []any{s.seq},
		show: func(e *entity) entityJSON {
			e.service = s
			return c.entityJSON(e)
		},
	}.page(c)
}

func createEntity(c *call, s *service) (reply, error) {
	if err := c.require("Identity"); err != nil {
		return reply{}, err
	}
	identity := c.form.text("Identity")
	if err := checkIdentity(identity); err != nil {
		return reply{}, err
	}
	existing, err := c.entityOf(s, identity)
	if err != nil {
		return reply{}, err
	}
	if existing != nil {
		return reply{}, refuse(http.StatusConflict, 60301, "Entity already exists")
	}
	e, err := c.newEntity(s, identity)
	if err != nil {
		return reply{}, err
	}
	return created(c.entityJSON(e)), nil
}

// newEntity makes an Entity, by itself or because its first factor is made (error 60328).
func (t *tx) newEntity(s *service, identity string) (*entity, error) {
	if err := t.checkEntityRate(s.account); err != nil {
		return nil, err
	}
	e := &entity{sid: t.newSID("YE"), identity: identity, serviceID: s.seq, service: s, created: millis(t.now), updated: millis(t.now)}
	return e, entityTable.insert(t, e)
}

// documentedEntityRate is how many entities an account may get in a second (error 60328).
const documentedEntityRate = 40

// checkEntityRate holds the limit of entities per second and account. On a clock that stands still no second ever
// passes, so only a limit that was asked for is held there.
func (t *tx) checkEntityRate(account string) error {
	limit := t.world.settings.EntityRate
	if limit == 0 && !t.world.clock.frozenAt.Valid {
		limit = documentedEntityRate
	}
	if limit <= 0 {
		return nil
	}
	// The entities of the last second are among the newest rows, of which a bounded number is looked at.
	var recent int
	_, err := t.row([]any{&recent}, `SELECT count(*) FROM entities e JOIN services s ON s.seq = e.service_id
		WHERE e.seq > (SELECT coalesce(max(seq), 0) FROM entities) - ? AND e.created > ? AND s.account_sid = ?`,
		max(1000, 4*limit), millis(t.now)-1000, account)
	if err != nil || recent < limit {
		return err
	}
	return refuse(http.StatusTooManyRequests, 60328, "Entities rate limit exceeded")
}

// deleteEntity removes an Entity with its factors and its challenges. Twilio documents only that they cannot be reached
// afterwards (error 60392), and no webhook for it.
func deleteEntity(c *call, e *entity) (reply, error) {
	for _, statement := range []string{
		"DELETE FROM devices WHERE factor_sid IN (SELECT sid FROM factors WHERE entity_id = ?)",
		"DELETE FROM challenges WHERE entity_id = ?",
		"DELETE FROM factors WHERE entity_id = ?",
		"DELETE FROM entities WHERE seq = ?",
	} {
		if _, err := c.exec(statement, e.seq); err != nil {
			return reply{}, err
		}
	}
	return noContent(), nil
}
