package simulator

import (
	"cmp"
	"database/sql"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// seed fills a new state.
func (t *tx) seed() error {
	name := "Simulated account"
	if t.s.opts.Seed == SeedDemo {
		name = "Example Bank"
	}
	begun := t.now.AddDate(-2, 0, 0)
	if err := t.insertAccount(Account{SID: t.s.opts.AccountSID, AuthToken: t.s.opts.AuthToken, Name: name}, begun); err != nil {
		return err
	}
	if t.s.opts.Seed == SeedDemo {
		return demoSeed{tx: t, start: t.now, account: t.s.opts.AccountSID}.plant()
	}
	return nil
}

// demoSeed plants the demo world by playing its past: credentials and devices are made, settings are changed and
// pushes are sent through the same code as later ones, each at its time.
type demoSeed struct {
	*tx
	start   time.Time
	account string
}

// at does something as if it were earlier.
func (d demoSeed) at(ago time.Duration, do func() error) error {
	d.now = d.start.Add(-ago)
	defer func() { d.now = d.start }()
	return do()
}

// sandboxChanged is how long before the start somebody changed the live credential's sandbox setting.
const sandboxChanged = 6*time.Hour + 58*time.Minute

func (d demoSeed) plant() error {
	dev := d.service(DemoDevServiceSID, "Example Bank dev", demoSharedCredentialSID, DemoDevFCMCredentialSID, 500*day)
	staging := d.service(DemoStagingServiceSID, "Example Bank staging", demoSharedCredentialSID, demoStagingFCMCredentialSID, 490*day)
	live := d.service(DemoServiceSID, "Example Bank live", DemoAPNCredentialSID, DemoFCMCredentialSID, 480*day)
	return firstError(
		d.plantCredentials,
		func() error { return d.plantService(dev, DemoEnvironments()[2], demoDev()) },
		func() error { return d.plantService(staging, DemoEnvironments()[1], demoStaging()) },
		func() error { return d.plantService(live, DemoEnvironments()[0], demoLive()) },
		d.plantAccount,
		func() error { return d.playTests(staging, dev) },
		func() error { return d.playLive(live) },
		d.plantVoiceNoise,
	)
}

func (d demoSeed) service(sid, name, apn, fcm string, ago time.Duration) *service {
	return &service{
		sid: sid, account: d.account, name: name, apn: valid(apn), fcm: valid(fcm), settings: newServiceSettings(),
		created: millis(d.start.Add(-ago)), updated: millis(d.start.Add(-ago + 3*day)),
	}
}

func (d demoSeed) plantCredentials() error {
	expires := d.start.AddDate(0, 8, 0)
	live := CredentialContents{Topic: demoApp, Expires: expires}
	test := CredentialContents{Topic: demoTestApp, Expires: expires}
	for _, c := range []struct {
		sid, name, kind, sandbox string
		contents                 CredentialContents
		ago                      time.Duration
	}{
		{demoSharedCredentialSID, "iOS dev and staging", typeAPN, "True", test, 118 * day},
		{DemoDevFCMCredentialSID, "Android dev", typeFCM, "", CredentialContents{Project: "bank-example-dev"}, 212 * day},
		{demoStagingFCMCredentialSID, "Android staging", typeFCM, "", CredentialContents{Project: "bank-example-staging"}, 211 * day},
		{DemoAPNCredentialSID, "iOS live", typeAPN, "False", live, 118 * day},
		{DemoFCMCredentialSID, "Android live", typeFCM, "", CredentialContents{Project: "bank-example-live"}, 209 * day},
		{DemoSpareCredentialSID, "iOS live, renewed", typeAPN, "False", live, 3 * day},
	} {
		at := millis(d.start.Add(-c.ago))
		cr := &credential{sid: c.sid, account: d.account, name: c.name, kind: c.kind, sandbox: textOrNull(c.sandbox), contents: c.contents,
			created: at, updated: at}
		if err := credentialTable.insert(d.tx, cr); err != nil {
			return err
		}
	}
	return nil
}

// plantService makes a Service with its webhook and its users' phones.
func (d demoSeed) plantService(s *service, env DemoEnvironment, users []demoUser) error {
	s.settings.IOSBuild = env.IOSBuild
	if err := serviceTable.insert(d.tx, s); err != nil {
		return err
	}
	w := &webhook{sid: deriveSID("YW", "demo", s.sid), serviceID: s.seq, name: "backend", events: webhookEvents[1:], status: "enabled", version: "v2",
		targetURL: env.WebhookURL, created: s.created, updated: s.created}
	if err := webhookTable.insert(d.tx, w); err != nil {
		return err
	}
	return applyAll(users, func(u demoUser) error { return d.plantUser(s, env, u) })()
}

func (d demoSeed) plantUser(s *service, env DemoEnvironment, u demoUser) error {
	first := u.phones[0].enrolled
	at := millis(d.start.Add(-first))
	e := &entity{sid: deriveSID("YE", "demo", s.sid, u.identity), identity: u.identity, serviceID: s.seq, service: s, created: at, updated: at}
	if err := entityTable.insert(d.tx, e); err != nil {
		return err
	}
	return applyAll(u.phones, func(p demoPhone) error { return d.plantPhone(e, env, p) })()
}

func (d demoSeed) plantPhone(e *entity, env DemoEnvironment, p demoPhone) error {
	sid := cmp.Or(p.sid, deriveSID("YF", "demo", e.sid, p.model))
	made := d.start.Add(-p.enrolled)
	f := &factor{
		sid: sid, entity: e, name: p.model, status: verified, kind: typePush, credential: deriveSID("CR", "demo", "kid", sid),
		platform: valid(p.platform), appID: valid(env.AppIDs[0]), sdkVersion: valid(p.sdk),
		metadata: valid(string(encode(map[string]string{"app_version": p.app, "os": osOf(p.platform)}))),
		created:  millis(made), updated: millis(made.Add(9 * time.Second)),
	}
	if p.platform != platformNone {
		f.token = valid(demoToken(p.platform, sid))
	}
	if p.unverified {
		f.status, f.updated = unverified, f.created
	}
	if err := d.insertFactor(f); err != nil {
		return err
	}
	if p.platform == platformAPN {
		return d.storePhone(sid, &phone{Build: env.IOSBuild})
	}
	return nil
}

func osOf(platform string) string {
	if platform == platformAPN {
		return "iOS"
	}
	return "Android"
}

// demoToken gives a push token of the length that the provider's have.
func demoToken(platform, sid string) string {
	if platform == platformAPN {
		return fmt.Sprintf("%x", derive("token", sid))
	}
	return deriveText(22, "token", sid) + ":APA91b" + deriveText(134, "token rest", sid)
}

func (d demoSeed) plantAccount() error {
	made := millis(d.start.Add(-130 * day))
	k := &apiKey{sid: demoKeySID, account: d.account, secret: demoKeySecret, name: "release checks", kind: keyStandard, created: made, updated: made}
	if err := keyTable.insert(d.tx, k); err != nil {
		return err
	}
	s := &sink{sid: deriveSID("DG", "demo"), account: d.account, description: "error events", kind: "webhook", status: "active",
		configuration: `{"batch_events":false,"destination":"https://hooks.bank.example/events","method":"POST"}`, created: made, updated: made}
	if err := sinkTable.insert(d.tx, s); err != nil {
		return err
	}
	sub := &subscription{sid: deriveSID("DF", "demo"), account: d.account, description: "push errors", sink: s.sid, created: made, updated: made}
	if err := d.insertSubscription(sub, subscribedEvent{Type: "com.twilio.error-logs.error.logged", Version: 2}); err != nil {
		return err
	}
	return eventTable.insert(d.tx, &auditEvent{
		sid: deriveSID("AE", "demo", "key"), account: d.account, actor: deriveSID("US", "demo"), actorType: "user", kind: "api-key.created",
		resource: k.sid, resourceType: "api-key", source: "web", fromIP: "192.0.2.17", at: made,
	})
}

// sent is one challenge of the past: to whose phone, how long ago, about what, and how it ended.
type sent struct {
	sid      string
	identity string
	phone    int
	ago      time.Duration
	message  string
	fields   []challengeField
	status   string
	after    time.Duration // the answer
	lasts    time.Duration // the default when 0
}

func (d demoSeed) playTests(staging, dev *service) error {
	return firstError(
		applyAll([]sent{
			{identity: "tester-0001-stage", ago: 3 * day, message: "Sign in to Example Bank (staging)?", status: approved, after: 4 * time.Second},
			{identity: "tester-0001-stage", phone: 1, ago: 3*day - time.Minute, message: "Sign in to Example Bank (staging)?", status: approved, after: 6 * time.Second},
		}, func(s sent) error { return d.play(staging, s) }),
		func() error {
			return d.play(dev, sent{identity: "developer-0001", ago: 26 * time.Hour, message: "Sign in to Example Bank (dev)?", status: approved, after: 11 * time.Second})
		},
	)
}

// playLive plays the live Service's last days: all well until the sandbox setting was changed two minutes past two.
func (d demoSeed) playLive(live *service) error {
	from := func(place, device string) []challengeField {
		return []challengeField{{"Location", place}, {"Device", device}}
	}
	const signIn = "Sign in to Example Bank?"
	before := []sent{
		{identity: "user-1003-chloe", ago: 2*day + 3*time.Hour, message: signIn, fields: from("Lyon, FR", "Firefox on Windows"), status: approved, after: 9 * time.Second},
		{sid: DemoApprovedChallengeSID, identity: DemoIdentity, phone: 2, ago: 38*time.Hour + 11*time.Minute, message: signIn, fields: from("Leeds, GB", "Chrome on macOS"), status: approved, after: 21 * time.Second},
		{identity: "user-1009-ines", ago: 31 * time.Hour, message: signIn, fields: from("Porto, PT", "Safari on macOS"), status: approved, after: 7 * time.Second},
		{identity: "user-1004-dario", ago: 26 * time.Hour, message: "Pay 240.00 EUR to Stadtwerke?", fields: []challengeField{{"Amount", "240.00 EUR"}, {"To", "Stadtwerke"}}, status: approved, after: 14 * time.Second},
		{sid: DemoDeniedChallengeSID, identity: DemoIdentity, phone: 2, ago: 17*time.Hour + 24*time.Minute, message: signIn, fields: from("Unknown", "Chrome on Windows"), status: denied, after: 36 * time.Second},
		{identity: "user-1012-lena", ago: 12 * time.Hour, message: signIn, fields: from("Graz, AT", "Edge on Windows"), status: approved, after: 8 * time.Second},
	}
	after := []sent{
		{identity: "user-1011-keiko", ago: 6*time.Hour + 57*time.Minute, message: signIn, fields: from("Osaka, JP", "Chrome on Windows")},
		{identity: "user-1007-greta", ago: 3*time.Hour + 40*time.Minute, message: signIn, fields: from("Malmo, SE", "Safari on iPadOS")},
		{identity: "user-1002-bilal", ago: 2*time.Hour + 5*time.Minute, message: signIn, fields: from("Lille, FR", "Firefox on Linux")},
		{identity: "user-1006-farid", ago: 95 * time.Minute, message: signIn, fields: from("Ghent, BE", "Chrome on Windows"), status: approved, after: 6 * time.Second},
		{identity: "user-1009-ines", ago: 72 * time.Minute, message: signIn, fields: from("Porto, PT", "Safari on macOS")},
		{sid: DemoExpiredChallengeSID, identity: DemoIdentity, phone: 0, ago: 48 * time.Minute, message: signIn, fields: from("Leeds, GB", "Chrome on macOS")},
		{identity: "user-1005-elif", ago: 41 * time.Minute, message: signIn, fields: from("Izmir, TR", "Chrome on Android")},
		{identity: "user-1003-chloe", ago: 17 * time.Minute, message: signIn, fields: from("Lyon, FR", "Firefox on Windows")},
		{sid: DemoPendingChallengeSID, identity: DemoIdentity, phone: 1, ago: 2 * time.Minute, message: signIn, fields: from("Leeds, GB", "Chrome on macOS"), lasts: 15 * time.Minute},
	}
	play := func(s sent) error { return d.play(live, s) }
	return firstError(
		applyAll(before, play),
		d.changeSandbox,
		d.losePhone,
		applyAll(after, play),
	)
}

func (d demoSeed) changeSandbox() error {
	return d.at(sandboxChanged, func() error {
		_, err := d.exec("UPDATE credentials SET sandbox = 'True', updated = ? WHERE sid = ?", millis(d.now), DemoAPNCredentialSID)
		return err
	})
}

func (d demoSeed) losePhone() error {
	gone := d.start.Add(-11 * time.Hour)
	return d.storePhone(DemoDeadFactorSID, &phone{uninstalled: &gone})
}

// play makes a challenge at its time, pushes it and answers it.
func (d demoSeed) play(s *service, p sent) error {
	return d.at(p.ago, func() error {
		e, err := d.entityOf(s, p.identity)
		if err != nil {
			return err
		}
		factors, err := factorTable.list(d.tx, "entity_id = ? ORDER BY seq", e.seq)
		if err != nil {
			return err
		}
		f := factors[p.phone]
		f.entity = e
		p.lasts = cmp.Or(p.lasts, defaultExpiry)
		p.sid = cmp.Or(p.sid, deriveSID("YC", "demo", p.identity, p.ago.String()))
		hidden := encode(map[string]string{"action_id": fmt.Sprintf("%x", derive("action", p.sid))[:12]})
		ch := &challenge{
			sid: p.sid, entity: e, factorSID: f.sid, kind: typePush, status: pending, hidden: valid(string(hidden)),
			details: challengeDetails{Message: p.message, Fields: append([]challengeField{}, p.fields...)},
			created: millis(d.now), updated: millis(d.now), expires: millis(d.now.Add(p.lasts)),
		}
		if p.status != "" {
			ch.status, ch.updated = p.status, millis(d.now.Add(p.after))
			ch.responded = sql.NullInt64{Int64: ch.updated, Valid: true}
		}
		if err := d.insertChallenge(ch); err != nil {
			return err
		}
		return d.push(f, ch, deriveSID("NT", "demo", p.sid))
	})
}

// plantVoiceNoise puts alerts of other products into the stream, as every account has them.
func (d demoSeed) plantVoiceNoise() error {
	for i, n := range []struct {
		code, level string
		ago         time.Duration
		details     []detail
	}{
		{"11200", "error", 29 * time.Hour, retrievalFailure("https://voice.bank.example/ivr", "502")},
		{"52103", "error", 8 * time.Hour, voicePush(1)},
		{"13224", "warning", 5 * time.Hour, []detail{{"Msg", "Dial: Twilio does not support calling this number"}, {"ErrorCode", "13224"}, {"LogLevel", "WARN"}, {"EmailNotification", "false"}}},
		{"52103", "error", 66 * time.Minute, voicePush(2)},
		{"11200", "error", 25 * time.Minute, retrievalFailure("https://voice.bank.example/status", "503")},
	} {
		at := millis(d.start.Add(-n.ago))
		call := deriveSID("CA", "demo", fmt.Sprint(i))
		for j := range n.details {
			n.details[j].value = strings.ReplaceAll(n.details[j].value, "{call}", call)
		}
		a := &alert{sid: deriveSID("NO", "demo", fmt.Sprint(i)), account: d.account, level: n.level, code: n.code, text: alertText(n.details),
			resource: valid(call), created: at, generated: at}
		if n.code == "11200" {
			a.method, a.requestURL = valid("POST"), valid(n.details[len(n.details)-1].value)
			a.requestVars, a.responseBody = valid(url.Values{"CallSid": {call}, "Direction": {"inbound"}}.Encode()), valid("<html>unavailable</html>")
			a.requestHeaders, a.responseHeaders = valid(""), valid("Content-Type=text%2Fhtml")
		}
		if err := d.insertAlert(a); err != nil {
			return err
		}
	}
	return nil
}

func retrievalFailure(target, status string) []detail {
	message := "An attempt to retrieve content from " + target + " returned the HTTP status code " + status
	return []detail{{"msg", message}, {"Msg", message}, {"sourceComponent", "12000"}, {"ErrorCode", "11200"}, {"httpResponse", status},
		{"LogLevel", "ERROR"}, {"EmailNotification", "false"}, {"url", target}}
}

func voicePush(n int) []detail {
	return []detail{{"bindingType", "fcm"}, {"primaryCorrelationId", "{call}"}, {"bindingSid", deriveSID("BS", "demo voice", fmt.Sprint(n))},
		{"module", "FCMV1OABA"}, {"description", "FCM failure='NotRegistered'"}, {"isPassthrough", "true"}}
}
