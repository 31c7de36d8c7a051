package simulator

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Outcome is what became of one attempt to push.
type Outcome string

// The outcomes. Only a refused push makes an alert; none shows in any reply.
const (
	Delivered Outcome = "delivered" // the phone shows it
	Unseen    Outcome = "unseen"    // it arrived, but notifications are off
	Lost      Outcome = "lost"      // the provider took it, the phone never got it
	Refused   Outcome = "refused"   // by the sender or the provider
	Skipped   Outcome = "skipped"   // not tried: the token is known to be dead, or the platform is none
)

// verdict is what the sender or the provider makes of a push.
type verdict struct {
	outcome     Outcome
	credential  string // the SID of the one that was used, "" for none
	code        int
	description string
	late        time.Duration // after which the provider tells
	tokenDead   bool
}

// push tries to bring a challenge to the factor's phone. Whatever happens, the API call that caused it succeeds.
func (t *tx) push(f *factor, ch *challenge, notification string) error {
	p, err := t.phoneOf(f.sid)
	if err != nil {
		return err
	}
	v, err := t.judge(f, p)
	if err != nil {
		return err
	}
	if v.outcome == Delivered {
		lost, err := t.losesPush()
		if err != nil {
			return err
		}
		if lost {
			v.outcome = Lost
		}
	}
	data := map[string]string{"type": "verify_push_challenge", "challenge_sid": ch.sid, "factor_sid": f.sid, "message": ch.details.Message}
	_, err = t.exec(`INSERT INTO pushes (service_sid, identity, factor_sid, challenge_sid, notification, platform, token, outcome, code, data, at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, f.entity.service.sid, f.entity.identity, f.sid, ch.sid, notification,
		f.platform.String, f.token.String, string(v.outcome), v.code, string(encode(data)), millis(t.now))
	if err != nil || v.code == 0 {
		return err
	}
	if v.tokenDead {
		f.tokenDead = true
		if _, err := t.exec("UPDATE factors SET token_dead = 1 WHERE seq = ?", f.seq); err != nil {
			return err
		}
	}
	return t.reportPush(f, ch, notification, v)
}

// judge decides the fate of a push from the Service's credentials, what is in them, and the phone.
func (t *tx) judge(f *factor, p *phone) (*verdict, error) {
	if f.platform.String == platformNone || f.tokenDead {
		return &verdict{outcome: Skipped}, nil
	}
	slot := f.entity.service.apn
	if f.platform.String == platformFCM {
		slot = f.entity.service.fcm
	}
	if !slot.Valid {
		return refused(52004, "Credential SID is not specified for the service"), nil
	}
	cr, err := credentialTable.find(t, "sid = ?", slot.String)
	if err != nil {
		return nil, err
	}
	v := judgeCredential(f, cr)
	switch {
	case v != nil:
	case f.platform.String == platformFCM:
		v = judgeFCM(p, cr)
	default:
		v = judgeAPNs(t, f, p, cr)
	}
	if v == nil {
		if v, err = t.judgePhone(f, p); err != nil {
			return nil, err
		}
	}
	v.credential = slot.String
	return v, nil
}

func refused(code int, description string) *verdict {
	return &verdict{outcome: Refused, code: code, description: description}
}

// judgeCredential finds what is wrong with a credential whatever the platform.
func judgeCredential(f *factor, cr *credential) *verdict {
	switch {
	case cr == nil:
		return refused(52002, "Invalid Credential Sid")
	case cr.account != f.entity.service.account:
		return refused(52162, "Credentials do not belong to used account")
	case cr.kind == typeAPN && f.platform.String == platformFCM:
		return refused(52003, "Invalid credential type(Can not use credentialType='apn' credentials for FCM notifications)")
	case cr.kind != typeAPN && f.platform.String == platformAPN:
		return refused(52003, fmt.Sprintf("Invalid credential type(Can not use credentialType='%s' credentials for APN notifications)", cr.kind))
	case cr.contents.Empty:
		return refused(52161, "Empty Credentials")
	case cr.contents.Malformed:
		return refused(52005, "The stored credential has invalid contents")
	}
	return nil
}

func judgeAPNs(t *tx, f *factor, p *phone, cr *credential) *verdict {
	g := cr.contents
	sandbox := cr.sandbox.String == "True"
	switch {
	case !g.Expires.IsZero() && !t.now.Before(g.Expires):
		return refused(52131, "The APNs certificate has expired")
	case g.KeyMismatch || g.Revoked:
		return refused(52145, "Failed to authenticate with APNs: TLS handshake failed")
	case !isAPNsToken(f.token.String):
		return refused(52134, invalidAPNsToken)
	case g.VoIP || g.Topic != "" && g.Topic != f.appID.String:
		return refused(52143, "DeviceTokenNotForTopic")
	case p.BadToken:
		return refused(52142, "BadDeviceToken: the provided APNs device token is not correct")
	case p.Build == BuildDebug && !sandbox, p.Build == BuildDistribution && sandbox:
		return refused(52134, invalidAPNsToken)
	}
	return nil
}

// invalidAPNsToken is the description of a real 52134, which Twilio gives for both of its reasons.
const invalidAPNsToken = "The specified device token is either malformed or not valid for the given environment."

// isAPNsToken tells whether Apple would take a text for a device token: 32 bytes or more, written in hexadecimal. Twilio
// takes any text at enrolment.
func isAPNsToken(token string) bool {
	raw, err := hex.DecodeString(token)
	return err == nil && len(raw) >= 32
}

func judgeFCM(p *phone, cr *credential) *verdict {
	g := cr.contents
	switch {
	case cr.kind == typeGCM || g.Legacy:
		return refused(52117, "Deprecated GCM/FCM API is used to send notifications")
	case g.Revoked:
		return refused(52109, "401 http response from Fcm Service")
	case g.KeyMismatch:
		return refused(52101, "Invalid GCM Api Key or FCM Secret")
	case g.NoPermission:
		return refused(52115, "FCM failure='PERMISSION_DENIED'")
	case g.Project != "" && p.Project != "" && g.Project != p.Project:
		return refused(52104, "FCM failure='SENDER_ID_MISMATCH'")
	case p.BadToken:
		return refused(52102, "FCM failure='InvalidRegistration'")
	}
	return nil
}

// judgePhone is what happens to a push that the provider takes.
func (t *tx) judgePhone(f *factor, p *phone) (*verdict, error) {
	switch {
	case p.uninstalled != nil:
		return t.judgeUninstalled(f, p)
	case p.Loses:
		return &verdict{outcome: Lost}, nil
	case p.Muted:
		return &verdict{outcome: Unseen}, nil
	}
	return &verdict{outcome: Delivered}, nil
}

// judgeUninstalled plays what the providers say about an app that is gone. FCM tells at once, and once: the token is
// then disabled. APNs tells some phones apart, hours later, and keeps quiet about others.
func (t *tx) judgeUninstalled(f *factor, p *phone) (*verdict, error) {
	if f.platform.String == platformFCM {
		v := refused(52103, "FCM failure='NotRegistered'")
		v.tokenDead = true
		return v, nil
	}
	if p.Reported {
		return &verdict{outcome: Lost}, nil
	}
	p.Reported = true
	if err := t.storePhone(f.sid, p); err != nil {
		return nil, err
	}
	chance := derive("unregistered", t.world.seed, f.sid)
	if chance[0] >= 154 { // four in ten are never told apart
		return &verdict{outcome: Lost}, nil
	}
	v := refused(52141, "The provided APNs device token has been unregistered")
	v.outcome = Lost
	v.late = time.Hour + time.Duration(chance[1])*15*time.Minute
	return v, nil
}

// detail is one name and value of an alert, in the order Twilio writes them.
type detail struct{ name, value string }

// reportPush tells the account of a failed push: as an alert and to the debugger webhook.
func (t *tx) reportPush(f *factor, ch *challenge, notification string, v *verdict) error {
	s := f.entity.service
	details := t.pushDetails(f, ch, notification, v)
	a := &alert{
		sid: t.newSID("NO"), account: s.account, level: "error", code: fmt.Sprint(v.code), text: alertText(details),
		resource: valid(notification), created: millis(t.now.Add(v.late)), generated: millis(t.now),
	}
	if t.world.settings.AlertShape == AlertCorrelated {
		a.service = valid(s.sid)
	}
	if err := t.insertAlert(a); err != nil {
		return err
	}
	return t.postDebugger(a, details)
}

// pushDetails are the facts of a failed push in the state's alert shape.
func (t *tx) pushDetails(f *factor, ch *challenge, notification string, v *verdict) []detail {
	shape := t.world.settings.AlertShape
	module := "APNSBA"
	if f.platform.String == platformFCM {
		module = "FCMBA"
	}
	about := []detail{{"module", module}, {"description", v.description}, {"isPassthrough", "false"}}
	if shape == AlertBare {
		return append([]detail{{"bindingType", f.platform.String}}, about...)
	}
	delivery := t.newSID("RU")
	details := []detail{{"bindingType", f.platform.String}, {"primaryCorrelationId", delivery}}
	if shape == AlertCorrelated {
		details = append(details, detail{"correlationIds", t.correlationIDs(f.entity.service.sid, f.entity.identity, f.sid, ch.sid)})
	}
	details = append(details, detail{"bindingSid", t.newSID("BS")}, detail{"providerMessageId", delivery},
		detail{"requestId", t.newSID("RQ")}, detail{"notificationSid", notification}, detail{"deliverySid", t.newSID("DA")})
	if v.credential != "" {
		details = append(details, detail{"fromReference", v.credential})
	}
	return append(details, about...)
}

// correlationIDs prints the ids as a list without quotes, in no fixed order.
func (t *tx) correlationIDs(ids ...string) string {
	order := derive("order", t.world.seed, t.next())
	for i := len(ids) - 1; i > 0; i-- {
		j := int(order[i]) % (i + 1)
		ids[i], ids[j] = ids[j], ids[i]
	}
	return "[" + strings.Join(ids, ", ") + "]"
}

// alertText writes details as Twilio does: escaped, except that quotes and equals signs in values stay.
func alertText(details []detail) string {
	keep := strings.NewReplacer("%27", "'", "%3D", "=")
	pairs := make([]string, len(details))
	for i, d := range details {
		pairs[i] = d.name + "=" + keep.Replace(url.QueryEscape(d.value))
	}
	return strings.Join(pairs, "&")
}

// debuggerPayload is the JSON inside the debugger webhook's form.
type debuggerPayload struct {
	Resource *string           `json:"resource_sid"`
	Service  *string           `json:"service_sid"`
	Code     string            `json:"error_code"`
	MoreInfo map[string]string `json:"more_info"`
}

// postDebugger tells the account's debugger webhook about an alert (twilio.com/docs/usage/troubleshooting/debugging-event-webhooks).
func (t *tx) postDebugger(a *alert, details []detail) error {
	target := t.world.settings.DebuggerWebhookURL
	if target == "" {
		return nil
	}
	info := map[string]string{}
	for _, d := range details {
		info[d.name] = d.value
	}
	payload := debuggerPayload{orNull(a.resource), orNull(a.service), a.code, info}
	parent, err := t.parentAccount(a.account)
	if err != nil {
		return err
	}
	body := url.Values{
		"Sid": {a.sid}, "AccountSid": {a.account}, "ParentAccountSid": {parent}, "Timestamp": {iso(a.created)},
		"Level": {strings.ToUpper(a.level)}, "PayloadType": {"application/json"}, "Payload": {string(encode(payload))},
	}
	return t.post(hook{url: target, body: body, account: a.account, due: a.created})
}

// parentAccount is the owner of a subaccount, "" for a main account.
func (t *tx) parentAccount(account string) (string, error) {
	var owner string
	_, err := t.row([]any{&owner}, "SELECT owner_sid FROM accounts WHERE sid = ?", account)
	if owner == account {
		owner = ""
	}
	return owner, err
}
