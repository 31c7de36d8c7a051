package doctor

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// ourOwn are the checks beyond the catalogue that testdata/catalogue-ids.txt pins.
var ourOwn = []string{"INT-01", "BUILD-01", "BUILD-02", "BUILD-03"}

func TestCatalogueIsComplete(t *testing.T) {
	text, err := os.ReadFile("testdata/catalogue-ids.txt")
	if err != nil {
		t.Fatal(err)
	}
	pinned := strings.Fields(string(text))
	if len(pinned) != 82 {
		t.Fatalf("%d pinned ids, want 82", len(pinned))
	}
	var have []string
	for _, c := range Catalogue() {
		if slices.Contains(have, c.ID) {
			t.Errorf("%s is there twice", c.ID)
		}
		have = append(have, c.ID)
		if c.Title == "" || c.Severity == "" || c.Certainty == "" || c.Remedy == "" || c.Judge == nil || c.Group() == "" {
			t.Errorf("%s lacks a title, severity, certainty, remedy, judge or group", c.ID)
		}
	}
	for _, id := range pinned {
		if !slices.Contains(have, id) {
			t.Errorf("%s of the catalogue is not made", id)
		}
	}
	for _, id := range have {
		if !slices.Contains(pinned, id) && !slices.Contains(ourOwn, id) {
			t.Errorf("%s is neither in the catalogue nor one of our own", id)
		}
	}
	for id := range impossible() {
		i := slices.IndexFunc(Catalogue(), func(c Check) bool { return c.ID == id })
		if i < 0 || Catalogue()[i].Certainty != attested {
			t.Errorf("%s is called impossible, but does not wait for an attestation", id)
		}
	}
	for _, c := range Catalogue() {
		if _, impossible := impossible()[c.ID]; c.Certainty == attested && !impossible {
			t.Errorf("%s waits for an attestation, but is not called impossible", c.ID)
		}
	}
}

// bench is what a case may break: one healthy account, and the environment, options and connection that look at it.
type bench struct {
	*fakeTwilio
	env  verify.Environment
	opts Options
	conn Connection
	more []verify.Environment // further environments of the same account
	now  time.Time
}

func (b *bench) service() *verify.Service   { return &b.services[0] }
func (b *bench) apn() *verify.Credential    { return &b.credentials[0] }
func (b *bench) fcm() *verify.Credential    { return &b.credentials[1] }
func (b *bench) hook() *verify.Webhook      { return &b.webhooks[b.env.ServiceSID][0] }
func (b *bench) user() verify.Identity      { return b.entities[b.env.ServiceSID][0].Identity }
func (b *bench) factor() *verify.Factor     { return &b.factors[b.user()][0] }
func (b *bench) answer1() *verify.Challenge { return &b.challenges[b.user()][0] }
func (b *bench) addFactor(f verify.Factor)  { b.factors[b.user()] = append(b.factors[b.user()], f) }
func (b *bench) rename(id verify.Identity) {
	b.entities[b.env.ServiceSID][0].Identity, b.factors[id] = id, b.factors[b.user()]
}
func (b *bench) refuseAll(err error) { b.refuse["Service"], b.refuse["Account"] = err, err }
func (b *bench) attest(id, until string) {
	b.env.Attestations[id] = verify.Attestation{By: "Ana", On: "2026-01-01", Until: until}
}

// note changes what is recorded of the APNs certificate; nil forgets it.
func (b *bench) note(change func(*verify.CredentialNote)) {
	note := b.env.CredentialNotes[verify.PlatformAPN]
	if change == nil {
		delete(b.env.CredentialNotes, verify.PlatformAPN)
		return
	}
	change(&note)
	b.env.CredentialNotes[verify.PlatformAPN] = note
}

// pushError adds an event of the environment's Service.
func (b *bench) pushError(code int, platform verify.Platform, credential verify.CredentialSID, device int) {
	known, _ := event.Lookup(code)
	b.events = append(b.events, event.Event{EventSID: sid("NO", len(b.events)+1), ErrorCode: &code, ErrorName: known.Name, Verdict: known.Verdict,
		Product: event.ProductVerifyPush, ServiceSID: string(b.env.ServiceSID), CredentialSID: string(credential), Platform: platform,
		FactorSID: sid("YF", device), Timestamp: noon.Add(-2 * time.Hour)})
}

// challengeAt adds a challenge of the user.
func (b *bench) challengeAt(ago time.Duration, status verify.ChallengeStatus, took time.Duration) *verify.Challenge {
	c := *b.answer1()
	c.SID = verify.ChallengeSID(sid("YC", len(b.challenges[b.user()])+1))
	c.Status, c.DateCreated, c.ExpirationDate = status, noon.Add(-ago), noon.Add(-ago+5*time.Minute)
	c.DateResponded = c.DateCreated.Add(took)
	if status == verify.ChallengePending || status == verify.ChallengeExpired {
		c.DateResponded = time.Time{}
	}
	b.challenges[b.user()] = append(b.challenges[b.user()], c)
	return &b.challenges[b.user()][len(b.challenges[b.user()])-1]
}

// secondEnvironment adds one with a Service of its own that uses the same credentials and webhook address.
func (b *bench) secondEnvironment() {
	other := b.env
	other.Name, other.ServiceSID = "staging", serviceSID(2)
	service := *b.service()
	service.SID = other.ServiceSID
	b.services = append(b.services, service)
	b.webhooks[other.ServiceSID] = b.webhooks[b.env.ServiceSID]
	b.more = append(b.more, other)
}

// brokenWorld breaks one thing, and tells what the check that watches it says then.
type brokenWorld struct {
	id, name string
	break_   func(*bench)
	want     Status
	says     string // in the reason, the fix or the commands
}

// examine makes every check there, and gives the name of the environment that was broken.
func (w brokenWorld) examine(t *testing.T) (Report, string) {
	f, env := healthy()
	b := &bench{fakeTwilio: f, env: env, opts: everything(), conn: f.target(env).Connection}
	w.break_(b)
	envs := append([]verify.Environment{b.env}, b.more...)
	b.opts.Declared = envs
	var targets []Target
	for _, e := range envs {
		target := f.target(e)
		target.Connection = b.conn
		targets = append(targets, target)
	}
	return examine(t, targets, b.opts), b.env.Name
}

func brokenWorlds() []brokenWorld {
	const day = 24 * time.Hour
	return []brokenWorld{
		{"AUTH-01", "wrong key", func(b *bench) { b.refuseAll(denied(401, 20003)) }, Fail, "was deleted"},
		{"AUTH-01", "test key", func(b *bench) { b.refuseAll(denied(403, 20008)) }, Fail, "test credential"},
		{"AUTH-01", "suspended", func(b *bench) { b.refuse["Service"] = denied(401, 20003); b.account.Status = "suspended" }, Fail, "suspended"},
		{"AUTH-01", "suspended by code", func(b *bench) { b.refuseAll(denied(403, 20005)) }, Fail, "not active"},
		{"AUTH-01", "parent account's token", func(b *bench) { b.refuseAll(denied(401, 20003)); b.conn.KeySID = sid("AC", 2) }, Fail, "subaccount"},
		{"AUTH-01", "other region", func(b *bench) { b.refuseAll(denied(401, 20003)); b.conn.Region = "ie1" }, Fail, "region ie1"},
		{"AUTH-01", "restricted key", func(b *bench) { b.refuseAll(denied(403, 20006)) }, Fail, "restricted key"},
		{"AUTH-01", "proxy", func(b *bench) { b.refuseAll(denied(401, 20003)); b.conn.Proxy = "http://proxy.bank.example:3128" }, Fail, "Authorization"},
		{"AUTH-01", "reaches the account only", func(b *bench) { b.refuse["Service"] = denied(401, 20003) }, Fail, "reaches the account"},
		{"AUTH-01", "no such Service", func(b *bench) { b.services = nil }, Fail, "services list"},
		{"AUTH-01", "Twilio is down", func(b *bench) { b.refuseAll(broken()) }, Unknown, "503"},
		{"AUTH-02", "", func(b *bench) { b.refuseAll(denied(403, 20008)) }, Fail, "test credential"},
		{"AUTH-02", "other refusal", func(b *bench) { b.refuseAll(denied(401, 20003)) }, Unknown, "20003"},
		{"AUTH-03", "", func(b *bench) { b.conn.KeySID = string(account) }, Warn, "auth token"},
		{"AUTH-03", "unknown", func(b *bench) { b.conn.KeySID = "" }, Unknown, ""},
		{"AUTH-04", "refused is good", func(b *bench) { b.refuse["Account"] = denied(401, 20003) }, Pass, "as it should be"},
		{"AUTH-05", "", func(b *bench) { b.service().AccountSID = "AC00000000000000000000000000000002" }, Fail, "subaccount"},
		{"AUTH-05", "undeclared", func(b *bench) { b.env.AccountSID = "" }, Unknown, "account_sid"},
		{"AUTH-06", "suspended", func(b *bench) { b.account.Status = "suspended" }, Fail, "suspended"},
		{"AUTH-06", "trial", func(b *bench) { b.account.Type = "Trial" }, Warn, "trial"},
		{"AUTH-06", "refused", func(b *bench) { b.refuse["Account"] = denied(401, 20003) }, Unknown, "trial is not known"},
		{"AUTH-06", "no status", func(b *bench) { b.account.Status = "" }, Unknown, ""},
		{"AUTH-07", "", func(b *bench) { b.keys[0].DateCreated = noon.Add(-400 * day) }, Warn, "400 days"},
		{"AUTH-07", "not listed", func(b *bench) { b.keys = nil }, Unknown, "not in"},
		{"AUTH-07", "no date", func(b *bench) { b.keys[0].DateCreated = time.Time{} }, Unknown, ""},
		{"AUTH-08", "", func(b *bench) { b.refuse["Events"] = denied(401, 20003) }, Warn, "Monitor: read Alerts"},
		{"AUTH-09", "", func(b *bench) { b.refuseAll(denied(401, 20003)); b.conn.Region = "au1" }, Fail, "au1"},
		{"AUTH-10", "a little", func(b *bench) { b.probe.Skew = -40 * time.Second }, Warn, "40s behind"},
		{"AUTH-10", "much", func(b *bench) { b.probe.Skew = 6 * time.Minute }, Fail, "ahead of"},
		{"AUTH-10", "no date", func(b *bench) { b.probe.HasDate = false }, Unknown, ""},

		{"INT-01", "build without apn", func(b *bench) { b.env.Platforms = []verify.Platform{verify.PlatformFCM} }, Fail, "apn is not among"},
		{"INT-01", "apn without build", func(b *bench) { b.env.IOSBuild = verify.IOSNone }, Fail, "apn is among"},
		{"INT-01", "debug in production", func(b *bench) { b.env.IOSBuild = verify.IOSDebug }, Warn, "debug builds"},
		{"INT-01", "unknown build", func(b *bench) { b.env.IOSBuild = "adhoc" }, Fail, "adhoc"},
		{"INT-01", "unknown platform", func(b *bench) { b.env.Platforms = append(b.env.Platforms, "wns") }, Fail, "wns"},

		{"SVC-01", "", func(b *bench) { b.service().Push = &verify.PushConfig{} }, Fail, "no push credential"},
		{"SVC-01", "undeclared", func(b *bench) { b.service().Push = &verify.PushConfig{}; b.env.IOSBuild, b.env.Platforms = "", nil }, Unknown, "platforms=none"},
		{"SVC-01", "null push", func(b *bench) { b.service().Push = nil }, Unknown, "no push object"},
		{"SVC-01", "polls only", func(b *bench) { b.env.IOSBuild, b.env.Platforms = "", []verify.Platform{verify.PlatformNone} }, Skipped, "only poll"},
		{"SVC-02", "misleading", func(b *bench) { b.service().FriendlyName = "Bank dev" }, Warn, "development"},
		{"SVC-02", "undeclared", func(b *bench) { b.env.Kind = "" }, Unknown, "with kind=staging it would warn"},
		{"SVC-02", "twins", func(b *bench) { b.secondEnvironment() }, Warn, "2 Services"},
		{"SVC-03", "", func(b *bench) {
			b.services = append(b.services, verify.Service{SID: serviceSID(9), Push: b.service().Push})
		}, Pass, "in no environment"},
		{"SVC-04", "", func(b *bench) {
			other := b.env
			other.Name = "staging"
			b.more = append(b.more, other)
		}, Warn, "staging too"},
		{"SVC-05", "", func(b *bench) { b.service().Push.IncludeDate = true }, Warn, "include_date"},
		{"SVC-05", "null push", func(b *bench) { b.service().Push = nil }, Unknown, "no push object"},
		{"SVC-06", "", func(b *bench) {
			b.addFactor(verify.Factor{SID: verify.FactorSID(sid("YF", 9)), Type: verify.FactorTOTP})
		}, Pass, `"totp" (1)`},
		{"SVC-07", "", func(b *bench) {
			b.service().DateUpdated = noon.Add(-time.Hour)
			b.changes = []verify.AuditEvent{{ResourceSID: string(b.env.ServiceSID), EventType: "verify-service.updated", ActorType: "user", ActorSID: "US1", EventDate: noon}}
		}, Warn, "by user US1"},
		{"SVC-07", "no date", func(b *bench) { b.service().DateUpdated = time.Time{} }, Unknown, ""},

		{"PUSH-APN-00", "", func(b *bench) { b.service().Push.APNCredentialSID = "" }, Fail, "--credential"},
		{"PUSH-APN-00", "undeclared", func(b *bench) { b.service().Push.APNCredentialSID = ""; b.env.IOSBuild, b.env.Platforms = "", nil }, Unknown, "declare"},
		{"PUSH-APN-01", "sandbox", func(b *bench) { b.apn().Sandbox = verify.SandboxTrue }, Fail, "52134"},
		{"PUSH-APN-01", "a spare one is named", func(b *bench) {
			spare := *b.apn()
			spare.SID = credentialSID(7)
			b.credentials = append(b.credentials, spare)
			b.apn().Sandbox = verify.SandboxTrue
		}, Fail, "verifyctl -e live doctor --fix --credential " + sid("CR", 7)},
		{"PUSH-APN-01", "undeclared", func(b *bench) { b.env.IOSBuild = "" }, Unknown, "verifyctl env set live ios_build=distribution"},
		{"PUSH-APN-02", "production", func(b *bench) { b.env.IOSBuild = verify.IOSDebug }, Fail, "52134"},
		{"PUSH-APN-02", "undeclared", func(b *bench) { b.env.IOSBuild = "" }, Unknown, "with ios_build=debug it would fail"},
		{"PUSH-APN-03", "", func(b *bench) {
			word := "yes"
			b.apn().SandboxText, b.apn().Sandbox = &word, verify.ParseSandbox(&word)
		}, Unknown, `"yes"`},
		{"PUSH-APN-04", "fcm", func(b *bench) { b.apn().Type = "fcm" }, Fail, "52003"},
		{"PUSH-APN-04", "gcm", func(b *bench) { b.apn().Type = "gcm" }, Fail, "52003"},
		{"PUSH-APN-04", "unknown type", func(b *bench) { b.apn().Type = "wns" }, Unknown, "wns"},
		{"PUSH-APN-05", "dangling", func(b *bench) { b.service().Push.APNCredentialSID = credentialSID(9) }, Fail, "52002"},
		{"PUSH-APN-05", "foreign", func(b *bench) { b.apn().AccountSID = "AC00000000000000000000000000000002" }, Fail, "52162"},
		{"PUSH-APN-05", "refused", func(b *bench) { b.refuse["Credential"] = denied(403, 20006) }, Unknown, "20006"},
		{"PUSH-APN-05", "no account", func(b *bench) { b.apn().AccountSID = "" }, Unknown, ""},
		{"PUSH-APN-06", "other environment", func(b *bench) { b.secondEnvironment() }, Warn, "staging"},
		{"PUSH-APN-06", "undeclared Service", func(b *bench) {
			b.services = append(b.services, verify.Service{SID: serviceSID(9), FriendlyName: "old", Push: &verify.PushConfig{APNCredentialSID: credentialSID(1)}})
		}, Warn, `"old"`},
		{"PUSH-APN-06", "Services not listed", func(b *bench) { b.refuse["Services"] = denied(403, 20006) }, Unknown, "could not be listed"},
		{"PUSH-APN-07", "", func(b *bench) { b.apn().DateUpdated = noon.Add(-340 * day); b.note(nil) }, Warn, "--record"},
		{"PUSH-APN-07", "no date", func(b *bench) { b.apn().DateUpdated = time.Time{}; b.note(nil) }, Unknown, ""},
		{"PUSH-APN-08", "", func(b *bench) { b.pushError(52131, verify.PlatformAPN, credentialSID(1), 1) }, Fail, "Do not delete factors"},
		{"PUSH-APN-08", "replaced since", func(b *bench) { b.pushError(52131, verify.PlatformAPN, credentialSID(8), 1) }, Pass, "no longer attached"},
		{"PUSH-APN-08", "renewed since", func(b *bench) {
			b.pushError(52131, verify.PlatformAPN, credentialSID(1), 1)
			b.apn().DateUpdated = noon.Add(-time.Hour)
		}, Pass, "updated since"},
		{"PUSH-APN-08", "another Service's", func(b *bench) {
			b.pushError(52131, verify.PlatformAPN, credentialSID(1), 1)
			b.events[0].ServiceSID = sid("VA", 9)
		}, Pass, ""},
		{"PUSH-APN-08", "Voice", func(b *bench) {
			b.pushError(52131, verify.PlatformAPN, credentialSID(1), 1)
			b.events[0].ServiceSID, b.events[0].Product = "", event.ProductVoice
		}, Pass, ""},
		{"PUSH-APN-09", "few", func(b *bench) { b.pushError(52134, verify.PlatformAPN, credentialSID(1), 1) }, Warn, "Do not delete factors"},
		{"PUSH-APN-09", "many", func(b *bench) {
			b.opts.Sample = 0
			for i := range 6 {
				b.pushError(52134, verify.PlatformAPN, credentialSID(1), i)
			}
		}, Fail, "signed otherwise"},
		{"PUSH-APN-09", "many, and no declaration", func(b *bench) {
			b.env.IOSBuild = verify.IOSUndeclared
			for i := range 9 {
				b.pushError(52134, verify.PlatformAPN, credentialSID(1), i)
			}
		}, Fail, "with ios_build=debug: the credential has sandbox false, which does not fit a debug build"},
		{"PUSH-APN-09", "many, and the sandbox is not known", func(b *bench) {
			b.apn().Sandbox = verify.SandboxUnknown
			for i := range 9 {
				b.pushError(52134, verify.PlatformAPN, credentialSID(1), i)
			}
		}, Fail, "could not be read"},
		{"PUSH-APN-09", "many, and the reason is known", func(b *bench) {
			b.opts.Sample = 0
			b.apn().Sandbox = verify.SandboxTrue
			for i := range 6 {
				b.pushError(52134, verify.PlatformAPN, credentialSID(1), i)
			}
		}, Fail, "fix that first"},
		{"PUSH-APN-10", "refused", func(b *bench) { b.pushError(52143, verify.PlatformAPN, credentialSID(1), 1) }, Fail, "52143"},
		{"PUSH-APN-10", "other app", func(b *bench) { b.factor().Config.AppID = "com.other.example" }, Fail, "com.other.example"},
		{"PUSH-APN-11", "nobody looked", func(b *bench) { b.note(nil) }, Unknown, "--record live"},
		{"PUSH-APN-11", "expired", func(b *bench) { b.note(func(n *verify.CredentialNote) { n.Expires = "2026-11-20" }) }, Fail, "expired on 2026-11-20"},
		{"PUSH-APN-11", "soon", func(b *bench) { b.note(func(n *verify.CredentialNote) { n.Expires = "2026-12-20" }) }, Warn, "in 26 days"},
		{"PUSH-APN-11", "a month", func(b *bench) { b.note(func(n *verify.CredentialNote) { n.Expires = "2026-12-24" }) }, Pass, "as recorded on 2026-11-01"},
		{"PUSH-APN-11", "a week", func(b *bench) { b.note(func(n *verify.CredentialNote) { n.Expires = "2026-12-01" }) }, Warn, "in 7 days"},
		{"PUSH-APN-11", "very soon", func(b *bench) { b.note(func(n *verify.CredentialNote) { n.Expires = "2026-11-30" }) }, Fail, "expires on 2026-11-30, in 6 days"},
		{"PUSH-APN-11", "remembered here, which tells more than the note", func(b *bench) {
			b.note(func(n *verify.CredentialNote) { n.CredentialSID = credentialSID(9) })
			b.files = []verify.CredentialFile{{CredentialSID: credentialSID(1), NotAfter: noon.AddDate(0, 6, 0), At: noon.AddDate(0, -6, 0)}}
		}, Pass, "expires on 2027-05-23, as its file said on 2026-05-23"},
		{"PUSH-APN-11", "remembered of another credential", func(b *bench) {
			b.note(nil)
			b.files = []verify.CredentialFile{{CredentialSID: credentialSID(9), NotAfter: noon.AddDate(0, 6, 0)}}
		}, Unknown, "--record live"},
		{"PUSH-APN-11", "declared, and nobody recorded", func(b *bench) {
			b.note(nil)
			b.files = []verify.CredentialFile{{Platform: verify.PlatformAPN, NotAfter: noon.AddDate(0, 0, 5)}}
		}, Fail, "expires on 2026-11-28, in 5 days"},
		{"PUSH-APN-11", "declared, and nobody recorded that it is what was uploaded", func(b *bench) {
			b.note(nil)
			b.files = []verify.CredentialFile{{Platform: verify.PlatformAPN, NotAfter: noon.AddDate(0, 6, 0)}}
		}, Pass, "as the declared file says, if that is what was uploaded"},
		{"PUSH-APN-11", "declared anew, and the old one is recorded", func(b *bench) {
			b.note(func(n *verify.CredentialNote) { n.Expires = "2026-11-30" })
			b.files = []verify.CredentialFile{{Platform: verify.PlatformAPN, NotAfter: noon.AddDate(0, 6, 0)}}
		}, Fail, "expires on 2026-11-30, in 6 days"},
		{"PUSH-APN-11", "other app", func(b *bench) { b.note(func(n *verify.CredentialNote) { n.Topics = []string{"com.other.example"} }) }, Fail, "52143"},
		{"PUSH-APN-11", "another credential", func(b *bench) { b.note(func(n *verify.CredentialNote) { n.CredentialSID = credentialSID(9) }) }, Unknown, "--record live"},
		{"PUSH-APN-11", "no date", func(b *bench) { b.note(func(n *verify.CredentialNote) { n.Expires = "soon" }) }, Unknown, `"soon"`},
		{"PUSH-APN-11", "never expires", func(b *bench) { b.note(func(n *verify.CredentialNote) { n.Expires = "" }) }, Pass, "does not expire"},
		{"PUSH-APN-11", "expired, whichever the app is", func(b *bench) {
			b.env.AppIDs = nil
			b.note(func(n *verify.CredentialNote) { n.Expires = "2026-11-20" })
		}, Fail, "expired on 2026-11-20"},
		{"PUSH-APN-11", "undeclared", func(b *bench) { b.env.AppIDs = nil }, Unknown, "app_ids=com.bank.example"},
		{"PUSH-APN-11", "somebody's word", func(b *bench) { b.note(nil); b.attest("PUSH-APN-11", "2027-01-01") }, Pass, "attested by Ana"},
		{"PUSH-APN-11", "a word too old", func(b *bench) { b.note(nil); b.attest("PUSH-APN-11", "2026-10-01") }, Unknown, "has passed"},

		{"PUSH-FCM-00", "", func(b *bench) { b.service().Push.FCMCredentialSID = "" }, Fail, "52004"},
		{"PUSH-FCM-00", "undeclared", func(b *bench) { b.service().Push.FCMCredentialSID, b.env.Platforms = "", nil }, Unknown, "with platforms=apn or none it would be skipped"},
		{"PUSH-FCM-00", "not used", func(b *bench) { b.env.Platforms = []verify.Platform{verify.PlatformAPN} }, Skipped, "Android"},
		{"PUSH-FCM-01", "gcm", func(b *bench) { b.fcm().Type = "gcm" }, Fail, "legacy"},
		{"PUSH-FCM-01", "apn", func(b *bench) { b.fcm().Type = "APN" }, Fail, "52003"},
		{"PUSH-FCM-01", "unknown", func(b *bench) { b.fcm().Type = "" }, Unknown, ""},
		{"PUSH-FCM-02", "", func(b *bench) { b.fcm().DateUpdated = time.Date(2022, 1, 1, 0, 0, 0, 0, time.UTC) }, Warn, "legacy server key"},
		{"PUSH-FCM-02", "no date", func(b *bench) { b.fcm().DateUpdated = time.Time{} }, Unknown, ""},
		{"PUSH-FCM-03", "", func(b *bench) { b.pushError(52117, verify.PlatformFCM, credentialSID(2), 1) }, Fail, "52117"},
		{"PUSH-FCM-03", "52005 of iOS", func(b *bench) { b.pushError(52005, verify.PlatformAPN, credentialSID(1), 1) }, Pass, ""},
		{"PUSH-FCM-04", "", func(b *bench) {
			b.pushError(52104, verify.PlatformFCM, credentialSID(2), 1)
			b.pushError(52104, verify.PlatformFCM, credentialSID(2), 2)
		}, Warn, "Firebase"},
		{"PUSH-FCM-04", "one device", func(b *bench) { b.pushError(52104, verify.PlatformFCM, credentialSID(2), 1) }, Pass, "52104"},
		{"PUSH-FCM-05", "", func(b *bench) { b.service().Push.FCMCredentialSID = credentialSID(9) }, Fail, "does not exist"},
		{"PUSH-FCM-06", "", func(b *bench) { b.secondEnvironment() }, Warn, "staging"},
		{"PUSH-CR-01", "", func(b *bench) { b.credentials = append(b.credentials, verify.Credential{SID: credentialSID(9)}) }, Pass, "do not delete blindly"},

		{"BUILD-01", "undeclared", func(b *bench) { b.opts.App, b.env.IOSBuild = appSigned("production", "com.bank.example"), "" }, Unknown, "with ios_build=distribution it would pass"},
		{"BUILD-02", "debug build", func(b *bench) { b.opts.App = appSigned("development", "com.bank.example") }, Fail, "52134"},
		{"BUILD-03", "undeclared", func(b *bench) { b.opts.App, b.env.AppIDs = appSigned("production", "com.bank.example"), nil }, Unknown, "app_ids=com.bank.example"},

		{"HOOK-01", "none", func(b *bench) { b.webhooks = nil }, Fail, "no webhook"},
		{"HOOK-01", "disabled", func(b *bench) { b.hook().Status = "disabled" }, Fail, "verifyctl -e live doctor --fix --only HOOK-01"},
		{"HOOK-01", "unknown status", func(b *bench) { b.hook().Status = "paused" }, Unknown, "paused"},
		{"HOOK-02", "", func(b *bench) { b.hook().EventTypes = []string{"challenge.approved"} }, Fail, "challenge.denied"},
		{"HOOK-03", "", func(b *bench) { b.hook().EventTypes = []string{"challenge.approved", "challenge.denied"} }, Warn, "factor.created"},
		{"HOOK-03", "no webhook", func(b *bench) { b.webhooks = nil }, Skipped, "HOOK-01"},
		{"HOOK-04", "", func(b *bench) { b.hook().Version = "v1" }, Warn, "v1"},
		{"HOOK-05", "http", func(b *bench) { b.hook().URL = "http://hooks.bank.example" }, Fail, "unencrypted"},
		{"HOOK-05", "localhost", func(b *bench) { b.hook().URL = "https://127.0.0.1/x" }, Fail, "cannot reach"},
		{"HOOK-05", "tunnel", func(b *bench) { b.hook().URL = "https://ab12.ngrok.io/x" }, Fail, "tunnel"},
		{"HOOK-05", "a developer's tunnel", func(b *bench) {
			b.hook().URL, b.env.Kind, b.env.IOSBuild = "https://ab12.ngrok.io/x", verify.Development, verify.IOSDebug
		}, Pass, ""},
		{"HOOK-05", "a tunnel of whom it may concern", func(b *bench) { b.hook().URL, b.env.Kind, b.env.IOSBuild = "https://ab12.ngrok.io/x", "", "" }, Unknown, "env set live kind=production"},
		{"HOOK-05", "get", func(b *bench) { b.hook().Method = "GET" }, Fail, "GET"},
		{"HOOK-05", "no URL", func(b *bench) { b.hook().URL = "::" }, Fail, "usable"},
		{"HOOK-06", "other", func(b *bench) { b.hook().URL = "https://elsewhere.bank.example" }, Warn, "declared"},
		{"HOOK-06", "shared", func(b *bench) { b.secondEnvironment() }, Warn, "staging go to"},
		{"HOOK-06", "undeclared", func(b *bench) { b.env.WebhookURL = "" }, Unknown, "env set live webhook_url=https://hooks.bank.example/verify"},
		{"HOOK-06", "shared, whatever is declared", func(b *bench) { b.env.WebhookURL = ""; b.secondEnvironment() }, Warn, "staging go to"},
		{"HOOK-07", "", func(b *bench) { b.pushError(60330, "", "", 1) }, Fail, "60330"},
		{"HOOK-08", "", func(b *bench) {
			second := *b.hook()
			second.SID, second.Status = verify.WebhookSID(sid("YW", 2)), "disabled"
			b.webhooks[b.env.ServiceSID] = append(b.webhooks[b.env.ServiceSID], second)
		}, Warn, sid("YW", 2)},

		{"EVT-01", "", func(b *bench) { delete(b.env.Attestations, "EVT-01") }, Unknown, "attestations: {EVT-01"},
		{"EVT-01", "a word of nobody", func(b *bench) { b.env.Attestations["EVT-01"] = verify.Attestation{Until: "2027-01-01"} }, Unknown, "no by or no until"},
		{"EVT-02", "", func(b *bench) { b.subscriptions = nil; delete(b.env.Attestations, "EVT-01") }, Warn, "reported once"},
		{"EVT-02", "sink failed", func(b *bench) { b.sinks[0].Status = "failed" }, Warn, "failed"},
		{"EVT-02", "debugger webhook attested", func(b *bench) { b.subscriptions = nil }, Pass, "attested"},
		{"EVT-03", "never", func(b *bench) { b.capture = Capture{} }, Warn, "a listener"},
		{"EVT-03", "long ago", func(b *bench) {
			b.capture.Covered[0] = event.Span{From: noon.Add(-50 * day), Until: noon.Add(-40 * day)}
		}, Warn, "lost"},
		{"EVT-03", "yesterday", func(b *bench) { b.capture.Covered[0].Until = noon.Add(-30 * time.Hour) }, Warn, "still running"},
		{"EVT-03", "a gap", func(b *bench) {
			b.capture.Covered = []event.Span{{From: noon.Add(-20 * day), Until: noon.Add(-10 * day)}, {From: noon.Add(-9 * day), Until: noon}}
		}, Warn, "2026-11-13 12:00 UTC and 2026-11-14"},
		{"EVT-04", "", func(b *bench) {
			b.missing = []event.Span{{From: noon.Add(-time.Hour), Until: noon.Add(-time.Hour + time.Second)}}
		}, Warn, "11:00 UTC"},
		{"EVT-05", "", func(b *bench) { b.pushError(52103, verify.PlatformFCM, "", 1); b.events[0].ServiceSID = "" }, Pass, "1 of 1"},

		{"FAC-01", "over the declared number", func(b *bench) {
			for i := range 3 {
				f := *b.factor()
				f.SID, f.Config.Token = verify.FactorSID(sid("YF", 10+i)), verify.PushToken(sid("token", i))
				b.addFactor(f)
			}
		}, Warn, "1 user has"},
		{"FAC-01", "undeclared", func(b *bench) {
			b.env.MaxFactors = 0
			f := *b.factor()
			f.SID = verify.FactorSID(sid("YF", 10))
			b.addFactor(f)
		}, Unknown, "with max_factors=1 it would warn"},
		{"FAC-01", "undeclared, and nobody has two", func(b *bench) { b.env.MaxFactors = 0 }, Pass, ""},
		{"FAC-02", "old", func(b *bench) { b.factor().Status = verify.FactorUnverified }, Warn, "older than a day"},
		{"FAC-02", "share", func(b *bench) {
			for i := range 20 {
				f := *b.factor()
				f.SID, f.DateCreated = verify.FactorSID(sid("YF", 10+i)), noon.Add(-time.Hour)
				if i < 5 {
					f.Status = verify.FactorUnverified
				}
				b.addFactor(f)
			}
		}, Warn, "5 of 20"},
		{"FAC-03", "", func(b *bench) { b.factor().Config.Platform = verify.PlatformNone }, Pass, "only poll"},
		{"FAC-04", "", func(b *bench) { b.factor().Config.AppID = "com.bank.example.dev" }, Warn, "com.bank.example.dev"},
		{"FAC-04", "undeclared", func(b *bench) { b.env.AppIDs = nil }, Unknown, "verifyctl env set live app_ids=com.bank.example"},
		{"FAC-05", "3.0.0", func(b *bench) { b.factor().Config.SDKVersion = "3.0.0" }, Warn, "3.0.1"},
		{"FAC-05", "old Android", func(b *bench) { b.factor().Config.SDKVersion, b.factor().Config.Platform = "0.5.0", verify.PlatformFCM }, Warn, "0.6.1"},
		{"FAC-05", "unreadable version", func(b *bench) { b.factor().Config.SDKVersion = "beta" }, Pass, ""},
		{"FAC-06", "", func(b *bench) {
			b.factor().Config.Platform, b.factor().DateUpdated = verify.PlatformFCM, noon.Add(-300*day)
		}, Warn, "nine months"},
		{"FAC-07", "", func(b *bench) {
			b.challenges[b.user()] = b.challenges[b.user()][:1]
			b.answer1().Status = verify.ChallengeExpired
			b.challengeAt(2*time.Hour, verify.ChallengeExpired, 0)
			b.challengeAt(3*time.Hour, verify.ChallengeExpired, 0)
		}, Warn, "last 3 expired"},
		{"FAC-08", "", func(b *bench) { b.pushError(52103, verify.PlatformFCM, credentialSID(2), 1) }, Warn, "factors prune"},
		{"FAC-08", "updated since", func(b *bench) {
			b.pushError(52103, verify.PlatformFCM, credentialSID(2), 1)
			b.factor().DateUpdated = noon.Add(-time.Minute)
		}, Pass, ""},
		{"FAC-08", "ambiguous event", func(b *bench) {
			b.pushError(52103, verify.PlatformFCM, credentialSID(2), 1)
			b.events[0].Ambiguous = true
		}, Pass, ""},
		{"FAC-09", "", func(b *bench) { b.factor().Metadata = nil }, Warn, "app_version"},
		{"FAC-09", "undeclared", func(b *bench) { b.env.MetadataKeys = nil }, Unknown, "verifyctl env set live metadata_keys=app_version"},
		{"FAC-10", "name", func(b *bench) { b.factor().FriendlyName = "Jane’s iPhone" }, Warn, "a person's name"},
		{"FAC-10", "e-mail", func(b *bench) { b.factor().Metadata["owner"] = "jane@bank.example" }, Warn, "an e-mail address"},
		{"FAC-11", "", func(b *bench) { f := *b.factor(); f.SID = verify.FactorSID(sid("YF", 2)); b.addFactor(f) }, Warn, "2 of 2"},

		{"DATA-01", "phone", func(b *bench) { b.rename("4915112345678") }, Fail, "phone number"},
		{"DATA-01", "e-mail", func(b *bench) { b.rename("jane@bank.example") }, Fail, "e-mail"},
		{"DATA-01", "name", func(b *bench) { b.rename("jane-doe") }, Warn, "name"},
		{"DATA-01", "underscore", func(b *bench) { b.rename("user_0001") }, Fail, "outside"},
		{"DATA-02", "", func(b *bench) { b.rename(verify.Identity(strings.Repeat("ab", 32))) }, Pass, "SHA-256"},
		{"DATA-03", "", func(b *bench) { b.factors = nil }, Warn, "entities delete"},
		{"DATA-04", "card", func(b *bench) { b.answer1().HiddenDetails["card"] = "4111 1111 1111 1111" }, Warn, "card number"},
		{"DATA-04", "code", func(b *bench) { b.answer1().Details.Message = "Your code is 493021" }, Warn, "one-time code"},
		{"DATA-04", "field", func(b *bench) { b.answer1().Details.Fields[0].Value = "jane@bank.example" }, Warn, "e-mail"},

		{"CHL-01", "", func(b *bench) {
			for i := range 10 {
				b.challengeAt(time.Duration(i+2)*time.Hour, verify.ChallengeExpired, 0)
			}
		}, Warn, "10 of 11"},
		{"CHL-02", "", func(b *bench) {
			for i := range 6 {
				b.challengeAt(time.Duration(i)*time.Minute+time.Hour, verify.ChallengeDenied, time.Second*5)
			}
		}, Fail, "flooded"},
		{"CHL-03", "", func(b *bench) {
			for i := range 3 {
				b.challengeAt(time.Hour+time.Duration(i+2)*time.Minute, verify.ChallengeDenied, 5*time.Second)
			}
		}, Fail, "worn-down"},
		{"CHL-04", "same factor", func(b *bench) {
			b.challengeAt(time.Minute, verify.ChallengePending, 0)
			b.challengeAt(2*time.Minute, verify.ChallengePending, 0)
		}, Warn, "2 pending"},
		{"CHL-04", "one on each device", func(b *bench) {
			b.challengeAt(time.Minute, verify.ChallengePending, 0)
			b.challengeAt(2*time.Minute, verify.ChallengePending, 0).FactorSID = verify.FactorSID(sid("YF", 2))
		}, Pass, ""},
		{"CHL-05", "", func(b *bench) { b.answer1().HiddenDetails = nil }, Warn, "action_id"},
		{"CHL-06", "", func(b *bench) { b.answer1().ExpirationDate = b.answer1().DateCreated.Add(time.Hour) }, Warn, "quarter"},
		{"CHL-06", "undeclared", func(b *bench) { b.env.Kind = "" }, Unknown, "kind=production"},
		{"CHL-06", "staging", func(b *bench) { b.env.Kind = verify.Staging }, Skipped, "production"},
		{"CHL-07", "", func(b *bench) { b.answer1().Details.Fields = nil }, Warn, "only the message"},
		{"CHL-08", "", func(b *bench) {
			for i := range 10 {
				b.challengeAt(time.Duration(i+2)*time.Hour, verify.ChallengeApproved, 200*time.Millisecond)
			}
		}, Warn, "within a second"},
		{"COST-01", "", func(b *bench) { b.usage[0].Count = 100 }, Warn, "leaked key"},
		{"COST-01", "only a sample", func(b *bench) {
			b.opts.Sample = 1
			b.entities[b.env.ServiceSID] = append(b.entities[b.env.ServiceSID], verify.Entity{Identity: "another-user"})
		}, Unknown, "only some users"},
		{"COST-01", "a Service that nobody looked at", func(b *bench) { b.services = append(b.services, verify.Service{SID: serviceSID(9)}) }, Unknown, "not looked at"},
		{"COST-02", "", func(b *bench) {
			for i := range 10 {
				b.challengeAt(time.Duration(i+2)*time.Hour, verify.ChallengeDenied, 9*time.Second)
			}
		}, Warn, "billed"},

		{"NET-01", "told", func(b *bench) { b.probe.Samples[1].Server = 400 * time.Millisecond }, Warn, "400 ms"},
		{"NET-01", "nothing measured", func(b *bench) { b.probe.Samples = nil }, Unknown, ""},
		{"NET-02", "", func(b *bench) { b.probe.Samples[1].Total = 700 * time.Millisecond }, Warn, "700 ms"},
		{"NET-03", "", func(b *bench) { b.opts.Hosts = []string{"verify.sydney.au1.twilio.com"} }, Pass, "none is twice as fast"},
		{"NET-04", "", func(b *bench) { b.conn.Hosts = []string{"verify.ie1.twilio.com"} }, Fail, "retired"},
		{"NET-04", "unknown", func(b *bench) { b.conn.Hosts = nil }, Unknown, ""},
		{"NET-05", "", func(b *bench) { b.conn.CAFile = "/etc/bank/twilio.pem" }, Warn, "2027-01-26"},
		{"NET-06", "", func(b *bench) { b.conn.Proxy = "http://proxy.bank.example"; b.refuseAll(denied(401, 20003)) }, Warn, "strip"},
		{"NET-07", "", func(b *bench) { b.conn.Region = "ie1" }, Warn, "us1"},
	}
}

// TestEachCheck breaks one thing at a time and wants the check that watches it to say so. That all of them pass where
// nothing is broken is told by TestHealthyWorldHasNothingToSay.
func TestEachCheck(t *testing.T) {
	tested := map[string]bool{}
	for _, c := range brokenWorlds() {
		tested[c.id] = true
		t.Run(c.id+"/"+c.name, func(t *testing.T) {
			report, env := c.examine(t)
			got := find(t, report, env, c.id)
			if got.Status != c.want {
				t.Fatalf("%s is %s, want %s: %s", c.id, got.Status, c.want, got.Reason)
			}
			said := strings.Join(slices.Concat([]string{got.Reason, got.Fix}, got.Commands, got.Seen), "\n")
			if !strings.Contains(said, c.says) {
				t.Errorf("it does not say %q:\n%s", c.says, said)
			}
			if (got.Status == Fail || got.Status == Warn) && got.Fix == "" && len(got.Commands) == 0 && c.id != "FAC-02" && c.id != "COST-01" {
				t.Errorf("there is no word on what to do: %s", got.Reason)
			}
		})
	}
	for _, c := range Catalogue() {
		if !tested[c.ID] {
			t.Errorf("%s is never broken in a test", c.ID)
		}
	}
}
