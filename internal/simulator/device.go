package simulator

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"database/sql"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Device is the simulated phone of a factor.
type Device struct {
	Factor    string `json:"factor_sid"`
	Service   string `json:"service_sid"`
	Identity  string `json:"identity"`
	Name      string `json:"friendly_name"`
	Status    string `json:"status"` // of the factor
	Platform  string `json:"notification_platform"`
	AppID     string `json:"app_id"`
	SDK       string `json:"sdk_version"`
	TokenDead bool   `json:"token_dead"` // the provider refused its push token for good
	// HasKey tells whether the simulator holds the phone's private key, so that it can answer. A factor enrolled by a
	// client from outside keeps its key there.
	HasKey bool `json:"has_key"`
	DeviceState
}

// DeviceState is how a phone is set up and what became of it. The zero value is an app in perfect order.
type DeviceState struct {
	Build       Build  `json:"build,omitempty"`       // how the iOS app is signed; what its Service declares when empty at enrolment
	Project     string `json:"project,omitempty"`     // the Android app's Firebase project; "" fits every credential
	Uninstalled bool   `json:"uninstalled,omitempty"` // the app is gone
	Muted       bool   `json:"muted,omitempty"`       // notifications are off: pushes arrive unseen
	LosesPushes bool   `json:"loses_pushes,omitempty"`
	BadToken    bool   `json:"bad_token,omitempty"` // the app stored its push token wrongly
}

// Enrolment is a new phone.
type Enrolment struct {
	Service    string            `json:"service_sid"`
	Identity   string            `json:"identity"`
	Name       string            `json:"friendly_name"`
	Platform   string            `json:"notification_platform"` // apn (the default), fcm or none
	AppID      string            `json:"app_id"`
	SDKVersion string            `json:"sdk_version,omitempty"` // the newest known when empty
	Token      string            `json:"notification_token,omitempty"`
	Metadata   map[string]string `json:"metadata,omitempty"`
	Unverified bool              `json:"unverified,omitempty"` // stop before the proof of possession
	DeviceState
}

// DeviceFilter picks devices; an empty field picks all.
type DeviceFilter struct {
	Service, Identity, Factor string
	Limit                     int // the first ones; 0 for all
}

// Devices gives the phones of all push factors that the filter picks, in the order they were enrolled.
func (s *Simulator) Devices(ctx context.Context, filter DeviceFilter) ([]Device, error) {
	if filter.Limit <= 0 {
		filter.Limit = -1
	}
	where, args := picked("s.sid", filter.Service, "e.identity", filter.Identity, "f.sid", filter.Factor)
	return read(ctx, s, func(t *tx) ([]Device, error) {
		sids, err := collect(t, func(rows *sql.Rows) (sid string, err error) {
			err = rows.Scan(&sid)
			return sid, err
		}, `SELECT f.sid FROM factors f JOIN entities e ON e.seq = f.entity_id JOIN services s ON s.seq = e.service_id
			WHERE f.type = 'push' AND `+where+` ORDER BY f.seq LIMIT ?`, append(args, filter.Limit)...)
		devices := make([]Device, len(sids))
		for i, sid := range sids {
			d, err := t.device(sid)
			if err != nil {
				return nil, err
			}
			devices[i] = d.Device
		}
		return devices, err
	})
}

// handset is a device at a time, with what its app keeps to itself.
type handset struct {
	Device
	factor *factor
	phone  *phone
	key    *ecdsa.PrivateKey
	now    time.Time
}

func (t *tx) device(factorSID string) (*handset, error) {
	f, err := t.factorBy("sid", factorSID)
	if err != nil {
		return nil, err
	}
	if f == nil || f.kind != typePush {
		return nil, fmt.Errorf("device %s: %w", factorSID, ErrNotFound)
	}
	p, err := t.phoneOf(f.sid)
	if err != nil {
		return nil, err
	}
	key, err := t.privateKey(f, p)
	return &handset{
		Device: Device{
			Factor: f.sid, Service: f.entity.service.sid, Identity: f.entity.identity, Name: f.name, Status: f.status,
			Platform: f.platform.String, AppID: f.appID.String, SDK: f.sdkVersion.String, TokenDead: f.tokenDead, HasKey: key != nil, DeviceState: p.state(),
		},
		factor: f, phone: p, key: key, now: t.now,
	}, err
}

func (p *phone) state() DeviceState {
	return DeviceState{Build: p.Build, Project: p.Project, Uninstalled: p.uninstalled != nil, Muted: p.Muted, LosesPushes: p.Loses, BadToken: p.BadToken}
}

func (p *phone) set(state DeviceState, now time.Time) {
	p.Build, p.Project, p.Muted, p.Loses, p.BadToken = state.Build, state.Project, state.Muted, state.LosesPushes, state.BadToken
	switch {
	case !state.Uninstalled:
		p.uninstalled, p.Reported = nil, false
	case p.uninstalled == nil:
		p.uninstalled = &now
	}
}

// ChangeDevice gives a phone the state that change makes of its present one.
func (s *Simulator) ChangeDevice(ctx context.Context, factorSID string, change func(*DeviceState)) (Device, error) {
	return s.changeDevice(ctx, factorSID, func(state *DeviceState) error {
		change(state)
		return nil
	})
}

// changeDevice is ChangeDevice for a change that may fail, which then changes nothing.
func (s *Simulator) changeDevice(ctx context.Context, factorSID string, change func(*DeviceState) error) (Device, error) {
	var d Device
	err := s.update(ctx, func(t *tx) error {
		h, err := t.device(factorSID)
		if err != nil {
			return err
		}
		if err := cmp.Or(change(&h.DeviceState), h.Build.check()); err != nil {
			return err
		}
		h.phone.set(h.DeviceState, t.now)
		d = h.Device
		return t.storePhone(factorSID, h.phone)
	})
	return d, err
}

// Enroll puts a new phone into the world as an app does it: an access token, a factor with a key of its own, and the
// proof of possession. Refusals of the API are errors that hold its code and message.
func (s *Simulator) Enroll(ctx context.Context, e Enrolment) (Device, error) {
	key, owner, err := s.prepareEnrolment(ctx, &e)
	if err != nil {
		return Device{}, err
	}
	service := "/v2/Services/" + url.PathEscape(e.Service)
	token, err := s.exchange(ctx, owner, http.MethodPost, service+"/AccessTokens",
		url.Values{"Identity": {e.Identity}, "FactorType": {typePush}, "FactorFriendlyName": {e.Name}})
	if err != nil {
		return Device{}, err
	}
	form, err := e.form(key)
	if err != nil {
		return Device{}, err
	}
	made, err := s.exchange(ctx, login{"token", token.text("token")}, http.MethodPost, service+"/Entities/"+url.PathEscape(e.Identity)+"/Factors", form)
	if err != nil {
		return Device{}, err
	}
	factorSID := made.text("sid")
	if err := s.moveIn(ctx, factorSID, key, e.DeviceState); err != nil {
		return Device{}, err
	}
	if !e.Unverified {
		signature, err := signDER(key, factorSID)
		if err != nil {
			return Device{}, err
		}
		h, err := s.handset(ctx, factorSID)
		if err != nil {
			return Device{}, err
		}
		proof := url.Values{"AuthPayload": {base64.StdEncoding.EncodeToString(signature)}}
		if _, err := s.asPhone(ctx, h, http.MethodPost, "/Factors/"+factorSID, proof); err != nil {
			return Device{}, err
		}
	}
	return s.device(ctx, factorSID)
}

// handset reads the phone of a factor.
func (s *Simulator) handset(ctx context.Context, factorSID string) (*handset, error) {
	return read(ctx, s, func(t *tx) (*handset, error) { return t.device(factorSID) })
}

func (s *Simulator) device(ctx context.Context, factorSID string) (Device, error) {
	h, err := s.handset(ctx, factorSID)
	if err != nil {
		return Device{}, err
	}
	return h.Device, nil
}

// login is a pair of Basic credentials.
type login struct{ user, password string }

// prepareEnrolment completes an enrolment, makes the phone's key and gives the account that owns the Service.
func (s *Simulator) prepareEnrolment(ctx context.Context, e *Enrolment) (*ecdsa.PrivateKey, login, error) {
	e.Platform = cmp.Or(e.Platform, platformAPN)
	e.SDKVersion = cmp.Or(e.SDKVersion, map[string]string{platformAPN: iosSDK}[e.Platform], androidSDK)
	e.Name = cmp.Or(e.Name, "Simulated phone")
	e.AppID = cmp.Or(e.AppID, "com.example.app")
	if err := e.Build.check(); err != nil {
		return nil, login{}, err
	}
	var key *ecdsa.PrivateKey
	var owner login
	err := s.update(ctx, func(t *tx) error {
		service, err := t.serviceBySID(e.Service)
		if err != nil {
			return err
		}
		if service == nil {
			return fmt.Errorf("the Service %s: %w", e.Service, ErrNotFound)
		}
		owner.user = service.account
		number := t.next()
		key = deriveKey("phone", t.world.seed, number)
		if e.Token == "" && e.Platform != platformNone {
			e.Token = demoToken(e.Platform, t.world.seed+number)
		}
		_, err = t.row([]any{&owner.password}, "SELECT auth_token FROM accounts WHERE sid = ?", owner.user)
		return err
	})
	return key, owner, err
}

func (e Enrolment) form(key *ecdsa.PrivateKey) (url.Values, error) {
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	form := url.Values{
		"FriendlyName": {e.Name}, "FactorType": {typePush}, "Binding.Alg": {"ES256"},
		"Binding.PublicKey": {base64.StdEncoding.EncodeToString(public)}, "Config.SdkVersion": {e.SDKVersion}, "Config.AppId": {e.AppID},
		"Config.NotificationPlatform": {e.Platform},
	}
	if e.Platform != platformNone {
		form.Set("Config.NotificationToken", e.Token)
	}
	if len(e.Metadata) > 0 {
		form.Set("Metadata", string(encode(e.Metadata)))
	}
	return form, nil
}

// moveIn keeps a new phone's key and state.
func (s *Simulator) moveIn(ctx context.Context, factorSID string, key *ecdsa.PrivateKey, state DeviceState) error {
	raw, err := key.Bytes()
	if err != nil {
		return err
	}
	return s.update(ctx, func(t *tx) error {
		p, err := t.phoneOf(factorSID)
		if err != nil {
			return err
		}
		state.Build = cmp.Or(state.Build, p.Build)
		p.Key = raw
		p.set(state, t.now)
		return t.storePhone(factorSID, p)
	})
}

// Answer lets a phone approve or deny a challenge as its user, with the factor's key. An empty challenge means the
// newest one that is pending, which the app finds by polling: no push is needed.
func (s *Simulator) Answer(ctx context.Context, factorSID, challengeSID string, approve bool) (string, error) {
	if challengeSID == "" {
		waiting, err := s.pending(ctx, factorSID)
		if err != nil {
			return "", err
		}
		if len(waiting) == 0 {
			return "", fmt.Errorf("device %s sees no pending challenge: %w", factorSID, ErrNotFound)
		}
		challengeSID = waiting[0]
	}
	h, err := s.usable(ctx, factorSID)
	if err != nil {
		return "", err
	}
	path := "/Challenges/" + url.PathEscape(challengeSID)
	seen, err := s.asPhone(ctx, h, http.MethodGet, path, nil)
	if err != nil {
		return "", err
	}
	claims := map[string]any{}
	for _, name := range strings.Split(seen.header.Get("Twilio-Verify-Signature-Fields"), ",") {
		if name != "" {
			claims[name] = seen.body[name]
		}
	}
	claims["status"] = denied
	if approve {
		claims["status"] = approved
	}
	payload, err := h.sign(map[string]any{"typ": "JWT", "alg": "ES256"}, claims)
	if err != nil {
		return "", err
	}
	_, err = s.asPhone(ctx, h, http.MethodPost, path, url.Values{"AuthPayload": {payload}})
	return challengeSID, err
}

// pending gives the challenges that a phone sees when its app is opened, newest first.
func (s *Simulator) pending(ctx context.Context, factorSID string) ([]string, error) {
	h, err := s.usable(ctx, factorSID)
	if err != nil {
		return nil, err
	}
	list, err := s.asPhone(ctx, h, http.MethodGet, "/Challenges?Status=pending&Order=desc&PageSize=50&FactorSid="+url.QueryEscape(factorSID), nil)
	if err != nil {
		return nil, err
	}
	var body struct {
		Challenges []struct{ SID string } `json:"challenges"`
	}
	if err := json.Unmarshal(list.raw, &body); err != nil {
		return nil, err
	}
	sids := make([]string, len(body.Challenges))
	for i, ch := range body.Challenges {
		sids[i] = ch.SID
	}
	return sids, nil
}

// RotateToken gives a phone a new push token, which its app tells Twilio; a dead token is thereby replaced.
func (s *Simulator) RotateToken(ctx context.Context, factorSID string) (Device, error) {
	h, err := s.usable(ctx, factorSID)
	if err != nil {
		return Device{}, err
	}
	form := url.Values{"FriendlyName": {h.Name}, "Config.SdkVersion": {h.factor.sdkVersion.String}, "Config.AppId": {h.AppID},
		"Config.NotificationPlatform": {h.Platform}}
	err = s.update(ctx, func(t *tx) error {
		form.Set("Config.NotificationToken", demoToken(h.Platform, t.world.seed+t.next()))
		return nil
	})
	if err != nil {
		return Device{}, err
	}
	if _, err := s.asPhone(ctx, h, http.MethodPost, "/Factors/"+factorSID, form); err != nil {
		return Device{}, err
	}
	return s.device(ctx, factorSID)
}

// Reinstall brings the app of a phone back, as an iOS app does that keeps its key over a reinstallation: it has a new
// push token, which it tells Twilio.
func (s *Simulator) Reinstall(ctx context.Context, factorSID string) (Device, error) {
	h, err := s.handset(ctx, factorSID)
	if err != nil {
		return Device{}, err
	}
	if h.key == nil {
		return Device{}, badInput("device %s was enrolled from outside: its app tells its token itself", factorSID)
	}
	if _, err := s.ChangeDevice(ctx, factorSID, func(state *DeviceState) { state.Uninstalled = false }); err != nil {
		return Device{}, err
	}
	return s.RotateToken(ctx, factorSID)
}

// usable reads a phone that is to do something, which one whose app is gone cannot.
func (s *Simulator) usable(ctx context.Context, factorSID string) (*handset, error) {
	h, err := s.handset(ctx, factorSID)
	switch {
	case err != nil:
		return nil, err
	case h.Uninstalled:
		return nil, badInput("the app of device %s is uninstalled", factorSID)
	case h.key == nil:
		return nil, badInput("device %s was enrolled from outside: its key is not here", factorSID)
	}
	return h, nil
}

// asPhone makes one request about the phone's identity, with a token that the phone signs for it.
func (s *Simulator) asPhone(ctx context.Context, h *handset, method, path string, form url.Values) (*exchanged, error) {
	token, err := h.sign(map[string]any{"cty": "twilio-pba;v=1", "kid": h.factor.credential, "typ": "JWT", "alg": "ES256"},
		map[string]any{"sub": h.factor.entity.service.account, "nbf": h.now.Unix(), "exp": h.now.Add(10 * time.Minute).Unix()})
	if err != nil {
		return nil, err
	}
	path = "/v2/Services/" + h.Service + "/Entities/" + url.PathEscape(h.Identity) + path
	return s.exchange(ctx, login{"token", token}, method, path, form)
}

// sign writes a compact ES256 JWT with the phone's key.
func (h *handset) sign(header, claims map[string]any) (string, error) {
	signed := base64.RawURLEncoding.EncodeToString(encode(header)) + "." + base64.RawURLEncoding.EncodeToString(encode(claims))
	der, err := signDER(h.key, signed)
	if err != nil {
		return "", err
	}
	var parts struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &parts); err != nil {
		return "", err
	}
	raw := make([]byte, 64)
	parts.R.FillBytes(raw[:32])
	parts.S.FillBytes(raw[32:])
	return signed + "." + base64.RawURLEncoding.EncodeToString(raw), nil
}

// signDER signs a text by RFC 6979: without randomness, so that the same world gives the same bytes.
func signDER(key *ecdsa.PrivateKey, text string) ([]byte, error) {
	digest := sha256.Sum256([]byte(text))
	return key.Sign(nil, digest[:], crypto.SHA256)
}
