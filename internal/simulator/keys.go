package simulator

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"time"
	"unicode/utf8"
)

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

func (c *call) keyJSON(k *apiKey) keyJSON {
	return keyJSON{k.sid, k.name, rfc2822(k.created), rfc2822(k.updated), rawOrNull(k.policy)}
}

var keyTable = table[apiKey]{"api_keys", "seq, sid, account_sid, secret, friendly_name, kind, policy, created, updated",
	func(k *apiKey) []any {
		return []any{&k.seq, &k.sid, &k.account, &k.secret, &k.name, &k.kind, &k.policy, &k.created, &k.updated}
	}}

func (c *call) apiKey() (*apiKey, error) {
	return keyTable.named(c, "sid = ? AND account_sid = ?", c.args[0], c.account)
}

func listKeys(c *call) (reply, error) {
	switch account, sent := c.query.get("AccountSid"); {
	case !sent:
		return reply{}, invalid(20001, "Missing required parameter AccountSid")
	case account != c.account:
		return reply{}, c.notFound()
	}
	return listing[apiKey, keyItemJSON]{
		key: "keys", from: keyTable, where: "account_sid = ?", args: []any{c.account}, filters: []string{"AccountSid"},
		show: func(k *apiKey) keyItemJSON {
			return keyItemJSON{k.sid, k.name, rfc2822(k.created), rfc2822(k.updated), []string{"rest_api", "signing"}}
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
	if err := keyTable.insert(c.tx, k); err != nil {
		return reply{}, err
	}
	return created(newKeyJSON{c.keyJSON(k), k.secret}), c.record(auditedKey, k.sid, nil, c.keyJSON(k))
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
	k.policy = valid(string(encode(object)))
	return nil
}

func updateKey(c *call, k *apiKey) (reply, error) {
	before := c.keyJSON(k)
	if err := c.readKey(k); err != nil {
		return reply{}, err
	}
	k.updated = millis(c.now)
	if err := keyTable.update(c.tx, k); err != nil {
		return reply{}, err
	}
	return ok(c.keyJSON(k)), c.record(auditedKey, k.sid, before, c.keyJSON(k))
}

func deleteKey(c *call, k *apiKey) (reply, error) {
	if err := keyTable.delete(c.tx, k); err != nil {
		return reply{}, err
	}
	return noContent(), c.record(auditedKey, k.sid, c.keyJSON(k), nil)
}

// Key is an API key of a world.
type Key struct {
	SID     string `json:"sid"`
	Secret  string `json:"secret"`
	Account string `json:"account_sid"`
	Name    string `json:"friendly_name"`
	Kind    string `json:"kind"` // main, standard (the default) or restricted
	// Allow is what a restricted key may do: /twilio/<product>/<resource>/<action>, such as
	// /twilio/verify/factors/list, or a beginning of that with an asterisk.
	Allow []string `json:"allow,omitempty"`
	// Created is when, now when zero.
	Created time.Time `json:"created,omitzero"`
}

// PutKey adds an API key, or changes the one with its SID.
func (s *Simulator) PutKey(ctx context.Context, k Key) error {
	return s.update(ctx, func(t *tx) error { return t.putKey(k) })
}

func (t *tx) putKey(k Key) error {
	k.Kind = cmp.Or(k.Kind, keyStandard)
	k.Account = cmp.Or(k.Account, t.s.opts.AccountSID)
	if !isSID("SK", k.SID) || k.Secret == "" || !slices.Contains([]string{keyMain, keyStandard, keyRestricted}, k.Kind) {
		return badInput("a key needs a SID, SK and 32 hexadecimal digits, a secret, and a kind: main, standard or restricted")
	}
	if k.Created.IsZero() {
		k.Created = t.now
	}
	stored := &apiKey{sid: k.SID, account: k.Account, secret: k.Secret, name: k.Name, kind: k.Kind, created: millis(k.Created), updated: millis(k.Created)}
	if k.Kind == keyRestricted {
		stored.policy = valid(string(encode(map[string]any{"allow": append([]string{}, k.Allow...)})))
	}
	if _, err := t.exec("DELETE FROM api_keys WHERE sid = ?", k.SID); err != nil {
		return err
	}
	return keyTable.insert(t, stored)
}
