package simulator

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

// World is a description of things to put into a state, as a file of JSON holds it. SIDs and times that are left out
// are made up. Nothing of it is checked against Twilio's rules: it can hold what Twilio would not take, so that a
// reader of such data can be tried.
type World struct {
	Settings    *Settings         `json:"settings,omitempty"`
	Accounts    []Account         `json:"accounts,omitempty"`
	Keys        []Key             `json:"keys,omitempty"`
	Credentials []WorldCredential `json:"credentials,omitempty"`
	Services    []WorldService    `json:"services,omitempty"`
	Alerts      []WorldAlert      `json:"alerts,omitempty"`
	Events      []WorldEvent      `json:"events,omitempty"`
}

// Moment is a time as RFC 3339 or relative to the world's clock, as in "-36h"; empty for now.
type Moment string

func (m Moment) at(now time.Time) (int64, error) {
	if m == "" {
		return millis(now), nil
	}
	if d, err := time.ParseDuration(string(m)); err == nil {
		return millis(now.Add(d)), nil
	}
	at, err := time.Parse(time.RFC3339, string(m))
	if err != nil {
		return 0, badInput("%q is neither a time like 2026-05-04T10:00:00Z nor a duration like -36h", string(m))
	}
	return millis(at), nil
}

// WorldCredential is a push credential. Sandbox is the reply's value as it stands: null, or any text; OmitSandbox
// leaves the key out.
type WorldCredential struct {
	SID         string             `json:"sid,omitempty"`
	Account     string             `json:"account_sid,omitempty"`
	Name        string             `json:"friendly_name,omitempty"`
	Type        string             `json:"type"`
	Sandbox     *string            `json:"sandbox,omitempty"`
	OmitSandbox bool               `json:"omit_sandbox,omitempty"`
	Contents    CredentialContents `json:"contents,omitzero"`
	Created     Moment             `json:"created,omitempty"`
	Updated     Moment             `json:"updated,omitempty"`
}

// WorldService is a Verify Service with all that belongs to it.
type WorldService struct {
	SID         string         `json:"sid,omitempty"`
	Account     string         `json:"account_sid,omitempty"`
	Name        string         `json:"friendly_name,omitempty"`
	APN         string         `json:"apn_credential_sid,omitempty"`
	FCM         string         `json:"fcm_credential_sid,omitempty"`
	IncludeDate bool           `json:"include_date,omitempty"`
	IOSBuild    Build          `json:"ios_build,omitempty"` // how the iOS app that enrols there is signed
	Created     Moment         `json:"created,omitempty"`
	Updated     Moment         `json:"updated,omitempty"`
	Webhooks    []WorldWebhook `json:"webhooks,omitempty"`
	Entities    []WorldEntity  `json:"entities,omitempty"`
}

// WorldWebhook is a Verify webhook.
type WorldWebhook struct {
	SID     string   `json:"sid,omitempty"`
	Name    string   `json:"friendly_name,omitempty"`
	Events  []string `json:"event_types,omitempty"` // all when empty
	URL     string   `json:"webhook_url"`
	Status  string   `json:"status,omitempty"`  // enabled when empty
	Version string   `json:"version,omitempty"` // v2 when empty
}

// WorldEntity is an identity with its phones and challenges.
type WorldEntity struct {
	SID        string           `json:"sid,omitempty"`
	Identity   string           `json:"identity"`
	Created    Moment           `json:"created,omitempty"`
	Factors    []WorldFactor    `json:"factors,omitempty"`
	Challenges []WorldChallenge `json:"challenges,omitempty"`
}

// WorldFactor is a push factor and its phone.
type WorldFactor struct {
	SID        string            `json:"sid,omitempty"`
	Name       string            `json:"friendly_name,omitempty"`
	Status     string            `json:"status,omitempty"`                // verified when empty
	Platform   string            `json:"notification_platform,omitempty"` // apn when empty
	AppID      string            `json:"app_id,omitempty"`
	SDKVersion string            `json:"sdk_version,omitempty"`
	Token      string            `json:"notification_token,omitempty"`
	Metadata   map[string]string `json:"metadata,omitempty"`
	Created    Moment            `json:"created,omitempty"`
	Updated    Moment            `json:"updated,omitempty"`
	DeviceState
}

// WorldChallenge is a challenge of the past, for the entity's factor of that number, counted from 0.
type WorldChallenge struct {
	SID      string            `json:"sid,omitempty"`
	Factor   int               `json:"factor"`
	Message  string            `json:"message,omitempty"`
	Fields   map[string]string `json:"fields,omitempty"`
	Hidden   map[string]string `json:"hidden_details,omitempty"`
	Status   string            `json:"status,omitempty"` // approved or denied; pending or expired by the clock when empty
	Created  Moment            `json:"created,omitempty"`
	Lasts    Duration          `json:"lasts,omitempty"`    // five minutes when zero
	Answered Duration          `json:"answered,omitempty"` // how long after its creation
	SkipPush bool              `json:"skip_push,omitempty"`
	Notified int               `json:"notifications,omitempty"` // how many resends are used up
}

// WorldAlert is an alert of any product.
type WorldAlert struct {
	SID       string `json:"sid,omitempty"`
	Account   string `json:"account_sid,omitempty"`
	Level     string `json:"log_level,omitempty"` // error when empty
	Code      string `json:"error_code"`
	Text      string `json:"alert_text"`
	Resource  string `json:"resource_sid,omitempty"`
	Service   string `json:"service_sid,omitempty"`
	Created   Moment `json:"created,omitempty"`
	Generated Moment `json:"generated,omitempty"`
}

// WorldEvent is an audit event of Monitor: who changed what.
type WorldEvent struct {
	Account      string            `json:"account_sid,omitempty"`
	Actor        string            `json:"actor_sid,omitempty"`
	Type         string            `json:"event_type"`
	Resource     string            `json:"resource_sid"`
	ResourceType string            `json:"resource_type,omitempty"`
	Data         map[string]string `json:"event_data,omitempty"`
	Date         Moment            `json:"event_date,omitempty"`
}

// ParseWorld reads a world from JSON. A key that means nothing is an error.
func ParseWorld(raw []byte) (World, error) {
	var w World
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&w); err != nil {
		return w, badInput("the world cannot be read: %s", err)
	}
	if dec.More() {
		return w, badInput("the world cannot be read: there is more after its end")
	}
	return w, nil
}

// Apply puts a world into the state, all of it or nothing.
func (s *Simulator) Apply(ctx context.Context, w World) error {
	err := s.update(ctx, func(t *tx) error { return t.apply(w) })
	s.hooks.wake(s)
	return err
}

func (t *tx) apply(w World) error {
	if w.Settings != nil {
		t.world.settings.Settings = *w.Settings
		if t.world.settings.AlertShape == "" {
			t.world.settings.AlertShape = AlertCorrelated
		}
		if err := t.world.settings.check(); err != nil {
			return err
		}
	}
	return firstError(
		applyAll(w.Accounts, t.putAccount), applyAll(w.Keys, t.putKey), applyAll(w.Credentials, t.putCredential),
		applyAll(w.Services, t.putService), applyAll(w.Alerts, t.putAlert), applyAll(w.Events, t.putEvent),
	)
}

func applyAll[T any](items []T, put func(T) error) func() error {
	return func() error {
		for _, item := range items {
			if err := put(item); err != nil {
				return err
			}
		}
		return nil
	}
}

func firstError(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) putCredential(c WorldCredential) error {
	cr := &credential{sid: t.sidOr(c.SID, "CR"), account: cmp.Or(c.Account, t.s.opts.AccountSID), name: c.Name, kind: c.Type,
		sandbox: nullable(c.Sandbox), contents: c.Contents}
	cr.contents.OmitSandbox = c.OmitSandbox
	var err error
	if cr.created, cr.updated, err = t.span(c.Created, c.Updated); err != nil {
		return err
	}
	return credentialTable.insert(t, cr)
}

// sidOr gives the SID that a world names, else a new one.
func (t *tx) sidOr(given, prefix string) string {
	if given != "" {
		return given
	}
	return t.newSID(prefix)
}

// span gives two times, the second of which is the first when it is left out.
func (t *tx) span(created, updated Moment) (int64, int64, error) {
	from, err := created.at(t.now)
	if err != nil {
		return 0, 0, err
	}
	if updated == "" {
		return from, from, nil
	}
	until, err := updated.at(t.now)
	return from, until, err
}

func (t *tx) putService(w WorldService) error {
	s := &service{sid: t.sidOr(w.SID, "VA"), account: cmp.Or(w.Account, t.s.opts.AccountSID), name: cmp.Or(w.Name, "Simulated Service"),
		apn: textOrNull(w.APN), fcm: textOrNull(w.FCM), includeDate: w.IncludeDate, settings: newServiceSettings()}
	s.settings.IOSBuild = w.IOSBuild
	err := w.IOSBuild.check()
	if err != nil {
		return err
	}
	if s.created, s.updated, err = t.span(w.Created, w.Updated); err != nil {
		return err
	}
	if err := serviceTable.insert(t, s); err != nil {
		return err
	}
	return firstError(
		applyAll(w.Webhooks, func(w WorldWebhook) error { return t.putWebhook(s, w) }),
		applyAll(w.Entities, func(e WorldEntity) error { return t.putEntity(s, e) }),
	)
}

// sortedFields gives a challenge's fields in the order of their labels.
func sortedFields(fields map[string]string) []challengeField {
	list := []challengeField{}
	for _, label := range slices.Sorted(maps.Keys(fields)) {
		list = append(list, challengeField{label, fields[label]})
	}
	return list
}

func (t *tx) putWebhook(s *service, w WorldWebhook) error {
	hook := &webhook{sid: t.sidOr(w.SID, "YW"), serviceID: s.seq, name: cmp.Or(w.Name, "backend"), events: w.Events, status: cmp.Or(w.Status, "enabled"),
		version: cmp.Or(w.Version, "v2"), targetURL: w.URL, created: s.created, updated: s.created}
	if len(hook.events) == 0 {
		hook.events = webhookEvents[1:]
	}
	return webhookTable.insert(t, hook)
}

func (t *tx) putEntity(s *service, w WorldEntity) error {
	e, err := t.entityOf(s, w.Identity)
	if err != nil {
		return err
	}
	if e == nil {
		e = &entity{sid: t.sidOr(w.SID, "YE"), identity: w.Identity, serviceID: s.seq, service: s}
		if e.created, e.updated, err = t.span(w.Created, ""); err != nil {
			return err
		}
		if err := entityTable.insert(t, e); err != nil {
			return err
		}
	}
	var factors []*factor
	for _, f := range w.Factors {
		stored, err := t.putFactor(e, f)
		if err != nil {
			return err
		}
		factors = append(factors, stored)
	}
	for _, ch := range w.Challenges {
		if ch.Factor < 0 || ch.Factor >= len(factors) {
			return badInput("identity %s has no factor number %d", w.Identity, ch.Factor)
		}
		if err := t.putChallenge(factors[ch.Factor], ch); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) putFactor(e *entity, w WorldFactor) (*factor, error) {
	platform := cmp.Or(w.Platform, platformAPN)
	f := &factor{
		entity: e, name: cmp.Or(w.Name, "Simulated phone"), status: cmp.Or(w.Status, verified), kind: typePush,
		credential: t.newSID("CR"), platform: valid(platform), appID: valid(cmp.Or(w.AppID, "com.example.app")),
		sdkVersion: valid(cmp.Or(w.SDKVersion, map[string]string{platformAPN: iosSDK}[platform], androidSDK)),
	}
	f.sid = t.sidOr(w.SID, "YF")
	if platform != platformNone {
		f.token = valid(cmp.Or(w.Token, demoToken(platform, f.sid)))
	}
	if w.Metadata != nil {
		f.metadata = valid(string(encode(w.Metadata)))
	}
	var err error
	if f.created, f.updated, err = t.span(w.Created, w.Updated); err != nil {
		return nil, err
	}
	if err := t.insertFactor(f); err != nil {
		return nil, err
	}
	if err := w.Build.check(); err != nil {
		return nil, err
	}
	p := &phone{}
	p.set(w.DeviceState, t.now)
	if err := t.storePhone(f.sid, p); err != nil {
		return nil, err
	}
	return f, t.installed(f)
}

// putChallenge plays a challenge at its time: it is made, pushed and answered then.
func (t *tx) putChallenge(f *factor, w WorldChallenge) error {
	at, err := w.Created.at(t.now)
	if err != nil {
		return err
	}
	ch := &challenge{
		sid: t.sidOr(w.SID, "YC"), entity: f.entity, factorSID: f.sid, kind: typePush, status: pending, notifications: w.Notified,
		details: challengeDetails{Message: w.Message, Fields: sortedFields(w.Fields)}, created: at, updated: at,
		expires: at + time.Duration(cmp.Or(w.Lasts, Duration(defaultExpiry))).Milliseconds(),
	}
	if w.Hidden != nil {
		ch.hidden = valid(string(encode(w.Hidden)))
	}
	if w.Status == approved || w.Status == denied {
		ch.status, ch.updated = w.Status, at+time.Duration(w.Answered).Milliseconds()
		ch.responded = sql.NullInt64{Int64: ch.updated, Valid: true}
	}
	if err := t.insertChallenge(ch); err != nil || w.SkipPush {
		return err
	}
	defer func(now time.Time) { t.now = now }(t.now)
	t.now = time.UnixMilli(at).UTC()
	return t.push(f, ch, t.newSID("NT"))
}

func (t *tx) putAlert(w WorldAlert) error {
	a := &alert{sid: t.sidOr(w.SID, "NO"), account: cmp.Or(w.Account, t.s.opts.AccountSID), level: cmp.Or(w.Level, "error"), code: w.Code, text: w.Text,
		resource: textOrNull(w.Resource), service: textOrNull(w.Service)}
	var err error
	if a.created, a.generated, err = t.span(w.Created, w.Generated); err != nil {
		return err
	}
	return t.insertAlert(a)
}

func (t *tx) putEvent(w WorldEvent) error {
	e := &auditEvent{
		sid: t.newSID("AE"), account: cmp.Or(w.Account, t.s.opts.AccountSID), actor: t.sidOr(w.Actor, "US"), actorType: "user", kind: w.Type,
		resource: w.Resource, resourceType: w.ResourceType, source: "web", fromIP: "192.0.2.17",
	}
	if w.Data != nil {
		e.data = valid(string(encode(w.Data)))
	}
	var err error
	if e.at, err = w.Date.at(t.now); err != nil {
		return err
	}
	return eventTable.insert(t, e)
}
