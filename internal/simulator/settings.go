package simulator

import (
	"cmp"
	"context"
	"slices"
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
	if g.DebuggerWebhookURL != "" && !isWebURL(g.DebuggerWebhookURL) {
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

func (s *Simulator) settings(ctx context.Context) (Settings, error) {
	return read(ctx, s, func(t *tx) (Settings, error) { return t.world.settings.Settings, nil })
}

// ChangeSettings stores what change makes of the present settings, unless that is an error.
func (s *Simulator) ChangeSettings(ctx context.Context, change func(*Settings) error) (Settings, error) {
	var g Settings
	err := s.update(ctx, func(t *tx) error {
		err := change(&t.world.settings.Settings)
		g = t.world.settings.Settings
		return cmp.Or(err, g.check())
	})
	return g, err
}
