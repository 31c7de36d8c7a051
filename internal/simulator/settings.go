package simulator

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"slices"
	"time"
)

// Settings are properties of the simulation that no API of Twilio's sets.
type Settings struct {
	// AlertShape is how much the alerts of failed pushes tell.
	AlertShape AlertShape `json:"alert_shape"`
	// DebuggerWebhookURL gets every alert about a push, as the account's debugger webhook; empty for none. At Twilio it
	// is set in the Console only.
	DebuggerWebhookURL string `json:"debugger_webhook_url,omitempty"`
	// SignatureFields are the keys that phones have to sign, in place of the usual ones.
	SignatureFields []string `json:"signature_fields,omitempty"`
	// EntityRate is how many entities an account may get in a second (error 60328): zero for Twilio's 40, which a clock
	// that stands still does not hold, NoEntityRate for no limit.
	EntityRate int `json:"entity_rate,omitempty"`
}

// NoEntityRate as the entity rate means no limit.
const NoEntityRate = -1

func (g Settings) check() error {
	switch g.AlertShape {
	case AlertCorrelated, AlertCredentialOnly, AlertBare:
	default:
		return badInput("unknown alert shape %q: it is %q, %q or %q", g.AlertShape, AlertCorrelated, AlertCredentialOnly, AlertBare)
	}
	if u, err := url.Parse(g.DebuggerWebhookURL); g.DebuggerWebhookURL != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		return badInput("%q is not an http or https URL", g.DebuggerWebhookURL)
	}
	if slices.Contains(g.SignatureFields, "") {
		return badInput("a signature field cannot be empty")
	}
	if g.EntityRate < NoEntityRate {
		return badInput("the entity rate %d is neither a number of entities per second, 0 for Twilio's %d, nor %d for no limit",
			g.EntityRate, documentedEntityRate, NoEntityRate)
	}
	return nil
}

// Settings gives the present settings.
func (s *Simulator) Settings(ctx context.Context) (Settings, error) {
	var g Settings
	err := s.view(ctx, func(t *tx) error { g = t.world.settings.Settings; return nil })
	return g, err
}

// ChangeSettings stores what change makes of the present settings.
func (s *Simulator) ChangeSettings(ctx context.Context, change func(*Settings)) (Settings, error) {
	var g Settings
	err := s.update(ctx, func(t *tx) error {
		change(&t.world.settings.Settings)
		g = t.world.settings.Settings
		return g.check()
	})
	return g, err
}

// SetCredentialContents changes what is in a push credential and what the providers think of it. No reply shows it;
// the next pushes do.
func (s *Simulator) SetCredentialContents(ctx context.Context, sid string, contents CredentialContents) error {
	return s.update(ctx, func(t *tx) error {
		changed, err := t.exec("UPDATE credentials SET contents = ? WHERE sid = ?", string(encode(contents)), sid)
		if err == nil && changed == 0 {
			return fmt.Errorf("credential %s: %w", sid, ErrNotFound)
		}
		return err
	})
}

// Accounts gives the accounts of the world, each with the token that opens it.
func (s *Simulator) Accounts(ctx context.Context) ([]Account, error) {
	accounts := []Account{}
	err := s.view(ctx, func(t *tx) error {
		return t.each(func(rows *sql.Rows) error {
			var a Account
			err := rows.Scan(&a.SID, &a.AuthToken, &a.Name, &a.Owner, &a.Status, &a.Type, &a.Test)
			if a.Owner == a.SID {
				a.Owner = ""
			}
			accounts = append(accounts, a)
			return err
		}, "SELECT sid, auth_token, friendly_name, owner_sid, status, type, test FROM accounts ORDER BY seq")
	})
	return accounts, err
}

// PutAccount adds an account, or changes the one with its SID.
func (s *Simulator) PutAccount(ctx context.Context, a Account) error {
	return s.update(ctx, func(t *tx) error { return t.putAccount(a) })
}

func (t *tx) putAccount(a Account) error {
	if !isSID("AC", a.SID) || a.AuthToken == "" {
		return badInput("an account needs a SID, AC and 32 hexadecimal digits, and an auth token")
	}
	if !slices.Contains([]string{"", "active", "suspended", "closed"}, a.Status) || !slices.Contains([]string{"", "Full", "Trial"}, a.Type) {
		return badInput("an account is active, suspended or closed, and Full or Trial")
	}
	if _, err := t.exec("DELETE FROM accounts WHERE sid = ?", a.SID); err != nil {
		return err
	}
	return t.insertAccount(a, t.now)
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
	if k.Kind == "" {
		k.Kind = keyStandard
	}
	if !isSID("SK", k.SID) || k.Secret == "" || !slices.Contains([]string{keyMain, keyStandard, keyRestricted}, k.Kind) {
		return badInput("a key needs a SID, SK and 32 hexadecimal digits, a secret, and a kind: main, standard or restricted")
	}
	if k.Account == "" {
		k.Account = t.s.opts.AccountSID
	}
	if k.Created.IsZero() {
		k.Created = t.now
	}
	stored := &apiKey{sid: k.SID, account: k.Account, secret: k.Secret, name: k.Name, kind: k.Kind, created: millis(k.Created), updated: millis(k.Created)}
	if k.Kind == keyRestricted {
		stored.policy = text(string(encode(map[string]any{"allow": append([]string{}, k.Allow...)})))
	}
	if _, err := t.exec("DELETE FROM api_keys WHERE sid = ?", k.SID); err != nil {
		return err
	}
	return t.insertKey(stored)
}
