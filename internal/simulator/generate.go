package simulator

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"strconv"
)

// Fleet says what to generate: many identities, each with some phones, all in order.
type Fleet struct {
	Service  string `json:"service_sid"` // an existing one; a new one when empty
	Entities int    `json:"entities"`
	Factors  int    `json:"factors"` // of each entity, at most 20
}

// Generated says what was made.
type Generated struct {
	Service  string `json:"service_sid"`
	Entities int    `json:"entities"`
	Factors  int    `json:"factors"`
}

// generateStep is how many rows one transaction makes: a larger one that is killed leaves a write-ahead log that slows
// every later start.
const generateStep = 10_000

// Generate fills a Service with a fleet, in transactions of some thousand rows: what was made before an interruption
// stays. A world, a seed and a number give the same fleet every time.
func (s *Simulator) Generate(ctx context.Context, f Fleet) (Generated, error) {
	if f.Entities < 1 || f.Factors < 0 || f.Factors > maxPushFactors {
		return Generated{}, badInput("a fleet has at least 1 entity and 0 to %d factors for each", maxPushFactors)
	}
	made := Generated{Service: f.Service}
	for made.Entities < f.Entities {
		n := min(generateStep/(1+f.Factors), f.Entities-made.Entities)
		err := s.update(ctx, func(t *tx) error {
			g, err := t.newGenerator(made.Service, f.Factors)
			if err != nil {
				return err
			}
			defer g.close()
			made.Service = g.service.sid
			return g.make(n)
		})
		if err != nil {
			return made, err
		}
		made.Entities += n
		made.Factors += n * f.Factors
	}
	_, err := s.db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	return made, err
}

// generator makes rows through prepared statements.
type generator struct {
	*tx
	service        *service
	factors        int
	entity, factor *sql.Stmt
	first          int64 // the number of the first entity, so that a second fleet gets other identities
	made           int64 // factors so far
}

func (t *tx) newGenerator(serviceSID string, factors int) (*generator, error) {
	if serviceSID == "" {
		serviceSID = t.newSID("VA")
		s := &service{sid: serviceSID, account: t.s.opts.AccountSID, name: "Generated fleet", settings: newServiceSettings(),
			created: millis(t.now), updated: millis(t.now)}
		if err := serviceTable.insert(t, s); err != nil {
			return nil, err
		}
	}
	g := &generator{tx: t, factors: factors}
	// The index of random SIDs does not fit SQLite's usual 2 MiB of pages, and would be read again for every row.
	_, err := t.exec("PRAGMA cache_size = -131072")
	if err != nil {
		return nil, err
	}
	if g.service, err = t.serviceBySID(serviceSID); err != nil {
		return nil, err
	}
	if g.service == nil {
		return nil, fmt.Errorf("the Service %s: %w", serviceSID, ErrNotFound)
	}
	if _, err := t.row([]any{&g.first}, "SELECT coalesce(max(seq), 0) FROM entities"); err != nil {
		return nil, err
	}
	g.entity, err = t.tx.PrepareContext(t.ctx, "INSERT INTO entities (sid, service_id, identity, created, updated) VALUES (?, ?, ?, ?, ?)")
	if err != nil {
		return nil, err
	}
	g.factor, err = t.tx.PrepareContext(t.ctx, `INSERT INTO factors (sid, entity_id, friendly_name, status, type, credential, platform, token,
		app_id, sdk_version, metadata, created, updated) VALUES (?, ?, ?, 'verified', 'push', ?, ?, ?, ?, ?, ?, ?, ?)`)
	return g, err
}

func (g *generator) close() {
	for _, statement := range []*sql.Stmt{g.entity, g.factor} {
		if statement != nil {
			statement.Close()
		}
	}
}

// models are what a fleet's phones are, three iPhones to two Android ones.
var models = []struct{ name, platform, sdk, metadata string }{
	{"iPhone 16", platformAPN, iosSDK, `{"app_version":"8.5.0","os":"iOS"}`},
	{"Pixel 9", platformFCM, androidSDK, `{"app_version":"8.5.0","os":"Android"}`},
	{"iPhone 14", platformAPN, iosSDK, `{"app_version":"8.4.1","os":"iOS"}`},
	{"Galaxy S24", platformFCM, androidSDK, `{"app_version":"8.3.0","os":"Android"}`},
	{"iPhone 13", platformAPN, iosSDK, `{"app_version":"8.1.0","os":"iOS"}`},
}

func (g *generator) make(entities int) error {
	for i := range int64(entities) {
		number := g.first + i + 1
		at := millis(g.now) - number%(400*24*3600)*1000
		label := strconv.FormatInt(number, 10)
		result, err := g.entity.ExecContext(g.ctx, deriveSID("YE", g.world.seed, g.service.sid, label), g.service.seq,
			fmt.Sprintf("user-%08d", number), at, at)
		if err != nil {
			return err
		}
		id, err := result.LastInsertId()
		if err != nil {
			return err
		}
		for n := range g.factors {
			if err := g.makeFactor(id, at, label+"."+strconv.Itoa(n), models[(number+int64(n))%int64(len(models))]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *generator) makeFactor(entity, at int64, label string, m struct{ name, platform, sdk, metadata string }) error {
	sid := deriveSID("YF", g.world.seed, g.service.sid, label)
	sum := derive("token", sid)
	token := hex.EncodeToString(sum[:])
	// The number in front lets the index of these grow at its end.
	g.made++
	credential := fmt.Sprintf("CR%016x%s", g.first<<8+g.made, token[:16])
	_, err := g.factor.ExecContext(g.ctx, sid, entity, m.name, credential, m.platform, token, demoApp, m.sdk, m.metadata, at, at)
	return err
}
