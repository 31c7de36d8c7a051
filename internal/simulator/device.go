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
	devices := []Device{}
	if filter.Limit <= 0 {
		filter.Limit = -1
	}
	err := s.view(ctx, func(t *tx) error {
		sids, err := collect(t, func(rows *sql.Rows) (sid string, err error) {
			err = rows.Scan(&sid)
			return sid, err
		}, `SELECT f.sid FROM factors f JOIN entities e ON e.seq = f.entity_id JOIN services s ON s.seq = e.service_id
			WHERE f.type = 'push' AND (?1 = '' OR s.sid = ?1) AND (?2 = '' OR e.identity = ?2) AND (?3 = '' OR f.sid = ?3)
			ORDER BY f.seq LIMIT ?4`, filter.Service, filter.Identity, filter.Factor, filter.Limit)
		if err != nil {
			return err
		}
		for _, sid := range sids {
			d, err := t.device(sid)
			if err != nil {
				return err
			}
			devices = append(devices, d.Device)
		}
		return nil
	})
	return devices, err
}

// handset is a device with what its app keeps to itself.
type handset struct {
	Device
	factor *factor
	phone  *phone
	key    *ecdsa.PrivateKey
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
			Platform: f.platform.String, AppID: f.appID.String, TokenDead: f.tokenDead, HasKey: key != nil, DeviceState: p.state(),
		},
		factor: f, phone: p, key: key,
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
	var d Device
	err := s.update(ctx, func(t *tx) error {
		h, err := t.device(factorSID)
		if err != nil {
			return err
		}
		change(&h.DeviceState)
		if err := h.Build.check(); err != nil {
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
	entity := "/v2/Services/" + url.PathEscape(e.Service) + "/Entities/" + url.PathEscape(e.Identity)
	token, err := s.exchange(ctx, owner, http.MethodPost, "/v2/Services/"+url.PathEscape(e.Service)+"/AccessTokens",
		url.Values{"Identity": {e.Identity}, "FactorType": {typePush}, "FactorFriendlyName": {e.Name}})
	if err != nil {
		return Device{}, err
	}
	form, err := e.form(key)
	if err != nil {
		return Device{}, err
	}
	made, err := s.exchange(ctx, login{"token", token.text("token")}, http.MethodPost, entity+"/Factors", form)
	if err != nil {
		return Device{}, err
	}
	factorSID := made.text("sid")
	if err := s.moveIn(ctx, factorSID, key, e.DeviceState); err != nil || e.Unverified {
		return s.deviceAfter(ctx, factorSID, err)
	}
	signature, err := signDER(key, factorSID)
	if err == nil {
		err = s.asPhone(ctx, factorSID, http.MethodPost, entity+"/Factors/"+factorSID,
			url.Values{"AuthPayload": {base64.StdEncoding.EncodeToString(signature)}})
	}
	return s.deviceAfter(ctx, factorSID, err)
}

func (s *Simulator) deviceAfter(ctx context.Context, factorSID string, err error) (Device, error) {
	if err != nil {
		return Device{}, err
	}
	devices, err := s.Devices(ctx, DeviceFilter{Factor: factorSID})
	if err != nil || len(devices) == 0 {
		return Device{}, cmp.Or(err, fmt.Errorf("device %s: %w", factorSID, ErrNotFound))
	}
	return devices[0], nil
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
		waiting, err := s.Pending(ctx, factorSID)
		if err != nil {
			return "", err
		}
		if len(waiting) == 0 {
			return "", fmt.Errorf("device %s sees no pending challenge: %w", factorSID, ErrNotFound)
		}
		challengeSID = waiting[0]
	}
	path, err := s.pathOf(ctx, factorSID, "/Challenges/"+url.PathEscape(challengeSID))
	if err != nil {
		return "", err
	}
	seen, err := s.asPhoneReads(ctx, factorSID, http.MethodGet, path, nil)
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
	payload, err := s.signAs(ctx, factorSID, map[string]any{"typ": "JWT", "alg": "ES256"}, claims)
	if err != nil {
		return "", err
	}
	return challengeSID, s.asPhone(ctx, factorSID, http.MethodPost, path, url.Values{"AuthPayload": {payload}})
}

// Pending gives the challenges that a phone sees when its app is opened, newest first.
func (s *Simulator) Pending(ctx context.Context, factorSID string) ([]string, error) {
	path, err := s.pathOf(ctx, factorSID, "/Challenges?Status=pending&Order=desc&PageSize=50&FactorSid="+url.QueryEscape(factorSID))
	if err != nil {
		return nil, err
	}
	list, err := s.asPhoneReads(ctx, factorSID, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	var body struct {
		Challenges []struct{ SID string } `json:"challenges"`
	}
	if err := json.Unmarshal(list.raw, &body); err != nil {
		return nil, err
	}
	sids := []string{}
	for _, ch := range body.Challenges {
		sids = append(sids, ch.SID)
	}
	return sids, nil
}

// RotateToken gives a phone a new push token, which its app tells Twilio; a dead token is thereby replaced.
func (s *Simulator) RotateToken(ctx context.Context, factorSID string) (Device, error) {
	path, err := s.pathOf(ctx, factorSID, "/Factors/"+factorSID)
	if err != nil {
		return Device{}, err
	}
	var form url.Values
	err = s.update(ctx, func(t *tx) error {
		h, err := t.device(factorSID)
		if err != nil {
			return err
		}
		form = url.Values{"FriendlyName": {h.Name}, "Config.SdkVersion": {h.factor.sdkVersion.String}, "Config.AppId": {h.AppID},
			"Config.NotificationPlatform": {h.Platform}, "Config.NotificationToken": {demoToken(h.Platform, t.world.seed+t.next())}}
		return nil
	})
	if err != nil {
		return Device{}, err
	}
	return s.deviceAfter(ctx, factorSID, s.asPhone(ctx, factorSID, http.MethodPost, path, form))
}

// Reinstall brings the app of a phone back, as an iOS app does that keeps its key over a reinstallation: it has a new
// push token, which it tells Twilio.
func (s *Simulator) Reinstall(ctx context.Context, factorSID string) (Device, error) {
	before, err := s.Devices(ctx, DeviceFilter{Factor: factorSID})
	if err == nil && len(before) > 0 && !before[0].HasKey {
		err = badInput("device %s was enrolled from outside: its app tells its token itself", factorSID)
	}
	if err == nil {
		_, err = s.ChangeDevice(ctx, factorSID, func(state *DeviceState) { state.Uninstalled = false })
	}
	if err != nil {
		return Device{}, err
	}
	return s.RotateToken(ctx, factorSID)
}

// pathOf gives the path of a resource of the phone's identity. A phone whose app is gone can do nothing.
func (s *Simulator) pathOf(ctx context.Context, factorSID, rest string) (string, error) {
	var path string
	err := s.view(ctx, func(t *tx) error {
		h, err := t.device(factorSID)
		switch {
		case err != nil:
			return err
		case h.Uninstalled:
			return badInput("the app of device %s is uninstalled", factorSID)
		case h.key == nil:
			return badInput("device %s was enrolled from outside: its key is not here", factorSID)
		}
		path = "/v2/Services/" + h.Service + "/Entities/" + url.PathEscape(h.Identity) + rest
		return nil
	})
	return path, err
}

// asPhone makes one request with a token that the phone signs for it.
func (s *Simulator) asPhone(ctx context.Context, factorSID, method, path string, form url.Values) error {
	_, err := s.asPhoneReads(ctx, factorSID, method, path, form)
	return err
}

func (s *Simulator) asPhoneReads(ctx context.Context, factorSID, method, path string, form url.Values) (*exchanged, error) {
	var header, claims map[string]any
	err := s.view(ctx, func(t *tx) error {
		h, err := t.device(factorSID)
		if err != nil {
			return err
		}
		header = map[string]any{"cty": "twilio-pba;v=1", "kid": h.factor.credential, "typ": "JWT", "alg": "ES256"}
		claims = map[string]any{"sub": h.factor.entity.service.account, "nbf": t.now.Unix(), "exp": t.now.Add(10 * time.Minute).Unix()}
		return nil
	})
	if err != nil {
		return nil, err
	}
	token, err := s.signAs(ctx, factorSID, header, claims)
	if err != nil {
		return nil, err
	}
	return s.exchange(ctx, login{"token", token}, method, path, form)
}

// signAs writes a compact ES256 JWT with the phone's key.
func (s *Simulator) signAs(ctx context.Context, factorSID string, header, claims map[string]any) (string, error) {
	var key *ecdsa.PrivateKey
	err := s.view(ctx, func(t *tx) error {
		h, err := t.device(factorSID)
		if err == nil && h.key == nil {
			err = badInput("device %s was enrolled from outside: its key is not here", factorSID)
		}
		if err == nil {
			key = h.key
		}
		return err
	})
	if err != nil {
		return "", err
	}
	signed := base64.RawURLEncoding.EncodeToString(encode(header)) + "." + base64.RawURLEncoding.EncodeToString(encode(claims))
	der, err := signDER(key, signed)
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
