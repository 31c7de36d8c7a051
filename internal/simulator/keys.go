package simulator

import (
	"database/sql"
	"encoding/json"
	"net/http"
	"unicode/utf8"
)

func keyRoutes() []route {
	return []route{
		on(iam, http.MethodGet, "v1/Keys", "ListGetKeys", listKeys),
		on(iam, http.MethodPost, "v1/Keys", "CreateNewKey", createKey),
		on(iam, http.MethodGet, "v1/Keys/{}", "FetchKey", fetchKey),
		on(iam, http.MethodPost, "v1/Keys/{}", "UpdateKey", updateKey),
		on(iam, http.MethodDelete, "v1/Keys/{}", "DeleteKey", deleteKey),
	}
}

// apiKey is an API key as stored. Its secret is shown once, when it is made.
type apiKey struct {
	seq                        int64
	sid, account, secret, name string
	kind                       string
	policy                     sql.NullString
	created, updated           int64
}

type keyItemJSON struct {
	SID     string   `json:"sid"`
	Name    string   `json:"friendly_name"`
	Created string   `json:"date_created"`
	Updated string   `json:"date_updated"`
	Flags   []string `json:"flags"`
}

type keyJSON struct {
	SID     string          `json:"sid"`
	Name    string          `json:"friendly_name"`
	Created string          `json:"date_created"`
	Updated string          `json:"date_updated"`
	Policy  json.RawMessage `json:"policy"`
}

type newKeyJSON struct {
	keyJSON
	Secret string `json:"secret"`
}

func (k *apiKey) json() keyJSON {
	return keyJSON{k.sid, k.name, rfc2822(k.created), rfc2822(k.updated), rawOrNull(k.policy)}
}

const keyColumns = "seq, sid, account_sid, secret, friendly_name, kind, policy, created, updated"

func scanKey(scan func(...any) error) (*apiKey, error) {
	var k apiKey
	return &k, scan(&k.seq, &k.sid, &k.account, &k.secret, &k.name, &k.kind, &k.policy, &k.created, &k.updated)
}

func (c *call) apiKey() (*apiKey, error) {
	k, err := scanKey(c.tx.tx.QueryRowContext(c.ctx, "SELECT "+keyColumns+" FROM api_keys WHERE sid = ? AND account_sid = ?", c.args[0], c.account).Scan)
	if err == sql.ErrNoRows {
		return nil, c.notFound()
	}
	return k, err
}

func listKeys(c *call) (reply, error) {
	switch account, sent := c.query.get("AccountSid"); {
	case !sent:
		return reply{}, invalid(20001, "Missing required parameter AccountSid")
	case account != c.account:
		return reply{}, c.notFound()
	}
	return listing[keyItemJSON]{
		key: "keys", order: "seq", filters: []string{"AccountSid"},
		query: "SELECT " + keyColumns + " FROM api_keys WHERE account_sid = ?", args: []any{c.account},
		scan: func(rows *sql.Rows) (keyItemJSON, int64, error) {
			k, err := scanKey(rows.Scan)
			return keyItemJSON{k.sid, k.name, rfc2822(k.created), rfc2822(k.updated), []string{"rest_api", "signing"}}, k.seq, err
		},
	}.page(c)
}

func createKey(c *call) (reply, error) {
	switch account, sent := c.form.get("AccountSid"); {
	case !sent:
		return reply{}, missing("AccountSid")
	case account != c.account:
		return reply{}, c.notFound()
	}
	k := &apiKey{sid: c.newSID("SK"), account: c.account, secret: alphanumeric(c.newText(64)), kind: keyStandard, created: millis(c.now), updated: millis(c.now)}
	if err := c.readKey(k); err != nil {
		return reply{}, err
	}
	switch kind := c.form.text("KeyType"); {
	case kind == "" && k.policy.Valid, kind == keyRestricted:
		k.kind = keyRestricted
	case kind == "" || kind == keyStandard:
	default:
		return reply{}, invalid(20001, "Invalid KeyType: '%s'", kind)
	}
	if err := c.insertKey(k); err != nil {
		return reply{}, err
	}
	return created(newKeyJSON{k.json(), k.secret}), c.record(auditedKey, k.sid, nil, k.json())
}

func (t *tx) insertKey(k *apiKey) error {
	_, err := t.exec("INSERT INTO api_keys (sid, account_sid, secret, friendly_name, kind, policy, created, updated) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		k.sid, k.account, k.secret, k.name, k.kind, k.policy, k.created, k.updated)
	return err
}

// alphanumeric cuts a text to 32 letters and digits, the only characters that Twilio's libraries take in a secret.
func alphanumeric(s string) string {
	secret := make([]rune, 0, 32)
	for _, r := range s {
		if r != '-' && r != '_' && len(secret) < 32 {
			secret = append(secret, r)
		}
	}
	return string(secret)
}

func (c *call) readKey(k *apiKey) error {
	if name, sent := c.form.get("FriendlyName"); sent {
		if utf8.RuneCountInString(name) > maxFriendlyName {
			return invalid(20001, "FriendlyName must have at most %d characters", maxFriendlyName)
		}
		k.name = name
	}
	policy, sent := c.form.get("Policy")
	if !sent || policy == "" {
		return nil
	}
	var object map[string]any
	if err := json.Unmarshal([]byte(policy), &object); err != nil {
		return invalid(20001, "Policy is not a JSON object")
	}
	k.policy = sql.NullString{String: string(encode(object)), Valid: true}
	return nil
}

func fetchKey(c *call) (reply, error) {
	k, err := c.apiKey()
	if err != nil {
		return reply{}, err
	}
	return ok(k.json()), nil
}

func updateKey(c *call) (reply, error) {
	k, err := c.apiKey()
	if err != nil {
		return reply{}, err
	}
	before := k.json()
	if err := c.readKey(k); err != nil {
		return reply{}, err
	}
	k.updated = millis(c.now)
	_, err = c.exec("UPDATE api_keys SET friendly_name = ?, policy = ?, updated = ? WHERE seq = ?", k.name, k.policy, k.updated, k.seq)
	if err != nil {
		return reply{}, err
	}
	return ok(k.json()), c.record(auditedKey, k.sid, before, k.json())
}

func deleteKey(c *call) (reply, error) {
	k, err := c.apiKey()
	if err != nil {
		return reply{}, err
	}
	if _, err = c.exec("DELETE FROM api_keys WHERE seq = ?", k.seq); err != nil {
		return reply{}, err
	}
	return noContent(), c.record(auditedKey, k.sid, k.json(), nil)
}
