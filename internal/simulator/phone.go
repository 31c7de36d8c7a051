package simulator

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/json"
	"time"
)

// Build is how a phone's iOS app is signed, which decides for which APNs environment its push token is good, whatever
// credential the Service has. Undeclared, the zero value, is good for both.
type Build string

// The builds. TestFlight and Ad Hoc are distribution.
const (
	BuildDebug        Build = "debug"
	BuildDistribution Build = "distribution"
)

func (b Build) check() error {
	switch b {
	case "", BuildDebug, BuildDistribution:
		return nil
	}
	return badInput("unknown build %q: it is %q or %q", b, BuildDebug, BuildDistribution)
}

// phone is the simulated phone of a factor, as stored. The zero value is one in perfect order.
type phone struct {
	Key         []byte `json:"key,omitempty"`       // the private key of a phone enrolled here
	Build       Build  `json:"build,omitempty"`     // iOS
	Project     string `json:"project,omitempty"`   // the Firebase project of the Android app
	BadToken    bool   `json:"bad_token,omitempty"` // the app stored its push token wrongly
	Muted       bool   `json:"muted,omitempty"`     // notifications are switched off: pushes arrive unseen
	Loses       bool   `json:"loses,omitempty"`     // pushes get lost on the way
	Reported    bool   `json:"reported,omitempty"`  // the provider has told, or never will, that the app is gone
	uninstalled *time.Time
}

// phoneOf reads a factor's phone.
func (t *tx) phoneOf(factorSID string) (*phone, error) {
	var p phone
	var since *int64
	var state []byte
	found, err := t.row([]any{&since, &state}, "SELECT uninstalled, state FROM devices WHERE factor_sid = ?", factorSID)
	if err != nil || !found {
		return &p, err
	}
	if since != nil {
		at := time.UnixMilli(*since).UTC()
		p.uninstalled = &at
	}
	return &p, json.Unmarshal(state, &p)
}

func (t *tx) storePhone(factorSID string, p *phone) error {
	var since *int64
	if p.uninstalled != nil {
		ms := millis(*p.uninstalled)
		since = &ms
	}
	_, err := t.exec("INSERT OR REPLACE INTO devices (factor_sid, uninstalled, state) VALUES (?, ?, ?)", factorSID, since, string(encode(p)))
	return err
}

// deviceKey is the private key of a factor that was seeded or generated: it derives from the factor's SID.
func (t *tx) deviceKey(factorSID string) *ecdsa.PrivateKey {
	return deriveKey("device", t.world.seed, factorSID)
}

// privateKey is the key of a phone, however its factor was made; nil for a factor enrolled from outside.
func (t *tx) privateKey(f *factor, p *phone) (*ecdsa.PrivateKey, error) {
	switch {
	case len(p.Key) > 0:
		return ecdsa.ParseRawPrivateKey(elliptic.P256(), p.Key)
	case !f.publicKey.Valid && f.kind == typePush:
		return t.deviceKey(f.sid), nil
	}
	return nil, nil
}

// installed gives the phone of a new factor the build that its Service declares, unless it has one. Undeclared, its
// pushes pass whatever the credential's sandbox setting: how an app from outside is signed cannot be known here.
func (t *tx) installed(f *factor) error {
	declared := f.entity.service.settings.IOSBuild
	if f.platform.String != platformAPN || declared == "" {
		return nil
	}
	p, err := t.phoneOf(f.sid)
	if err != nil || p.Build != "" {
		return err
	}
	p.Build = declared
	return t.storePhone(f.sid, p)
}

// alive notes that the app of a factor told its push token: it is there, and knows the token.
func (t *tx) alive(f *factor) error {
	p, err := t.phoneOf(f.sid)
	if err != nil || p.uninstalled == nil && !p.BadToken {
		return err
	}
	p.uninstalled, p.Reported, p.BadToken = nil, false, false
	return t.storePhone(f.sid, p)
}
