package challenge_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/challenge"
	"github.com/verifyctl/verifyctl/internal/simulator"
	"github.com/verifyctl/verifyctl/internal/store"
	_ "github.com/verifyctl/verifyctl/internal/tmpdir" // for temporary folders
	"github.com/verifyctl/verifyctl/internal/twilio"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// The world in which every incident happens: one Service in order, with the user in question on an iPhone or an Android
// phone, other users beside them, and another team's Service in the same account with troubles of its own.
const (
	serviceSID  = "VA00000000000000000000000000000001"
	elsewhere   = "VA00000000000000000000000000000002"
	apnSID      = "CR000000000000000000000000000000a1"
	fcmSID      = "CR000000000000000000000000000000f1"
	gcmSID      = "CR00000000000000000000000000000061"
	theirAPN    = "CR000000000000000000000000000000a2"
	theirFCM    = "CR000000000000000000000000000000f2"
	user        = verify.Identity("user-0001")
	iPhone      = "YF000000000000000000000000000000a1"
	android     = "YF000000000000000000000000000000f1"
	pollingOnly = "YF00000000000000000000000000000001"
	otherIPhone = "YF000000000000000000000000000000a2"
	otherPhone  = "YF000000000000000000000000000000f2"
	theirPhone  = "YF000000000000000000000000000000f3"
	appID       = "example.bank.app"
	project     = "bank-example"
)

var noonInMay = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func world(only string) simulator.World {
	no := "False"
	phone := func(sid, platform string) simulator.WorldFactor {
		f := simulator.WorldFactor{SID: sid, Platform: platform, AppID: appID, Created: "-1200h", Updated: "-1200h"}
		if platform == "apn" {
			f.Build = simulator.BuildDistribution
		} else {
			f.Project = project
		}
		return f
	}
	phones := map[string]simulator.WorldFactor{iPhone: phone(iPhone, "apn"), android: phone(android, "fcm"), pollingOnly: phone(pollingOnly, "none")}
	apn := simulator.CredentialContents{Topic: appID}
	fcm := simulator.CredentialContents{Project: project}
	const old = "-2400h"
	return simulator.World{
		Credentials: []simulator.WorldCredential{
			{SID: apnSID, Type: "apn", Sandbox: &no, Contents: apn, Created: old, Updated: old},
			{SID: fcmSID, Type: "fcm", Contents: fcm, Created: old, Updated: old},
			{SID: gcmSID, Type: "gcm", Created: old, Updated: old},
			{SID: theirAPN, Type: "apn", Sandbox: &no, Contents: simulator.CredentialContents{Revoked: true}, Created: old, Updated: old},
			{SID: theirFCM, Type: "fcm", Contents: simulator.CredentialContents{Revoked: true}, Created: old, Updated: old},
		},
		Services: []simulator.WorldService{
			{SID: serviceSID, APN: apnSID, FCM: fcmSID, Created: old, Updated: old, Entities: []simulator.WorldEntity{
				{Identity: string(user), Created: "-1200h", Factors: []simulator.WorldFactor{phones[only]}},
				{Identity: "user-0002", Created: "-1200h", Factors: []simulator.WorldFactor{phone(otherIPhone, "apn"), phone(otherPhone, "fcm")}},
			}},
			{SID: elsewhere, APN: theirAPN, FCM: theirFCM, Created: old, Updated: old, Entities: []simulator.WorldEntity{
				{Identity: "their-user-1", Created: "-1200h", Factors: []simulator.WorldFactor{phone(theirPhone, "fcm")}},
			}},
		},
	}
}

// scene is one incident under way.
type scene struct {
	*simulated
	t       *testing.T
	env     verify.Environment
	memory  challenge.Memory
	machine *store.Store // made by remembering
	factor  string       // the user's
	down    bool
}

func (s *scene) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) wait(d time.Duration) { s.must(s.Advance(s.t.Context(), d)) }

// ask creates a challenge for a factor as the backend does, and gives it.
func (s *scene) askOn(svc verify.ServiceSID, identity verify.Identity, factor string) verify.ChallengeSID {
	s.t.Helper()
	c, err := s.client.Writer().CreateChallenge(s.t.Context(), svc, identity, verify.NewChallenge{FactorSID: verify.FactorSID(factor), Message: "Log in?"})
	s.must(err)
	return c.SID
}

// ask creates a challenge for the user, with the other users' business around it.
func (s *scene) ask() verify.ChallengeSID {
	s.t.Helper()
	s.askOn(elsewhere, "their-user-1", theirPhone)
	sid := s.askOn(serviceSID, user, s.factor)
	s.wait(2 * time.Second)
	return sid
}

// askInVain is ask, and the time until the challenge has expired.
func (s *scene) askInVain() verify.ChallengeSID {
	sid := s.ask()
	s.wait(6 * time.Minute)
	return sid
}

func (s *scene) contents(sid string, c simulator.CredentialContents) {
	s.must(s.SetCredentialContents(s.t.Context(), sid, c))
}

func (s *scene) sandbox(value string) {
	s.post("http://notify.twilio.com/v1/Credentials/"+apnSID, "Sandbox="+value)
}

func (s *scene) slots(apn, fcm string) {
	s.post("http://verify.twilio.com/v2/Services/"+serviceSID, "Push.ApnCredentialSid="+apn+"&Push.FcmCredentialSid="+fcm)
}

func (s *scene) phone(change func(*simulator.DeviceState)) {
	_, err := s.ChangeDevice(s.t.Context(), s.factor, change)
	s.must(err)
}

func (s *scene) answer(yes bool) {
	_, err := s.Answer(s.t.Context(), s.factor, "", yes)
	s.must(err)
}

func (s *scene) remember() *store.Store {
	if s.machine == nil {
		machine, err := store.Open(s.t.Context(), s.t.TempDir(), "incident")
		s.must(err)
		s.t.Cleanup(func() { machine.Close() })
		s.machine, s.memory = machine, machine
	}
	return s.machine
}

func (s *scene) resend(sid verify.ChallengeSID, times int) {
	c, err := s.client.Challenge(s.t.Context(), serviceSID, user, sid)
	s.must(err)
	resender := challenge.Resender{Env: verify.Environment{Name: "prod"}, Notifier: s.client.Writer(), Log: s.remember(), Clock: stillClock(s.now)}
	for range times {
		if _, err := resender.Resend(s.t.Context(), c, time.Minute); err != nil && verify.KindOf(err) != verify.KindPartial {
			s.t.Fatal(err)
		}
	}
}

// stillClock tells the time and does not sleep.
type stillClock func() time.Time

func (c stillClock) Now() time.Time                                   { return c() }
func (c stillClock) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// incident is something that went wrong, made by changing the world only.
type incident struct {
	name  string
	cause challenge.CauseKind
	also  []challenge.CauseKind // causes that may come first as well, where two are at work
	on    string                // the user's phone
	play  func(*scene) challenge.Subject
}

func of(sid verify.ChallengeSID) challenge.Subject {
	return challenge.Subject{Challenge: sid, Identity: user}
}

var theUser = challenge.Subject{Identity: user}

func thePhone(s *scene) challenge.Subject {
	return challenge.Subject{Identity: user, Factor: verify.FactorSID(s.factor)}
}

// broken makes the four variants of a broken set-up: asked about as the expired challenge, as the pending one, as the
// user, and as the factor when others have met the same before.
func variants(name string, cause challenge.CauseKind, on string, breakIt func(*scene)) []incident {
	return []incident{
		{name + ", expired", cause, nil, on, func(s *scene) challenge.Subject { breakIt(s); return of(s.askInVain()) }},
		{name + ", pending", cause, nil, on, func(s *scene) challenge.Subject { breakIt(s); return of(s.ask()) }},
		{name + ", by user", cause, nil, on, func(s *scene) challenge.Subject { breakIt(s); s.askInVain(); return theUser }},
		{name + ", by factor after others", cause, nil, on, func(s *scene) challenge.Subject {
			breakIt(s)
			s.askOn(serviceSID, "user-0002", otherIPhone)
			s.askOn(serviceSID, "user-0002", otherPhone)
			s.askInVain()
			return thePhone(s)
		}},
	}
}

func incidents() []incident {
	list := slices.Concat(
		variants("sandbox switched on", challenge.EnvironmentMismatch, iPhone, func(s *scene) { s.sandbox("true"); s.wait(time.Hour) }),
		variants("debug build on a live Service", challenge.EnvironmentMismatch, iPhone, func(s *scene) {
			s.phone(func(d *simulator.DeviceState) { d.Build = simulator.BuildDebug })
		})[:3],
		variants("certificate expired", challenge.CredentialBroken, iPhone, func(s *scene) {
			s.contents(apnSID, simulator.CredentialContents{Topic: appID, Expires: s.now().Add(-time.Hour)})
		}),
		variants("certificate and key do not match", challenge.CredentialBroken, iPhone, func(s *scene) {
			s.contents(apnSID, simulator.CredentialContents{KeyMismatch: true})
		}),
		variants("service account revoked", challenge.CredentialBroken, android, func(s *scene) {
			s.contents(fcmSID, simulator.CredentialContents{Revoked: true})
		}),
		variants("service account without permission", challenge.CredentialBroken, android, func(s *scene) {
			s.contents(fcmSID, simulator.CredentialContents{NoPermission: true})
		}),
		variants("legacy server key", challenge.LegacyFCM, android, func(s *scene) {
			s.contents(fcmSID, simulator.CredentialContents{Legacy: true})
		}),
		variants("credential of the type gcm", challenge.LegacyFCM, android, func(s *scene) { s.slots(apnSID, gcmSID); s.wait(time.Hour) }),
		variants("certificate of another app", challenge.AppMismatch, iPhone, func(s *scene) {
			s.contents(apnSID, simulator.CredentialContents{Topic: "example.bank.other"})
		})[:3],
		variants("VoIP certificate", challenge.AppMismatch, iPhone, func(s *scene) {
			s.contents(apnSID, simulator.CredentialContents{VoIP: true})
		})[:3],
		variants("other Firebase project", challenge.AppMismatch, android, func(s *scene) {
			s.contents(fcmSID, simulator.CredentialContents{Project: "other-example"})
		})[:3],
		variants("no APN credential on the Service", challenge.CredentialMissing, iPhone, func(s *scene) { s.slots("", fcmSID); s.wait(time.Hour) }),
		variants("credential deleted", challenge.CredentialMissing, android, func(s *scene) {
			s.request("DELETE", "http://notify.twilio.com/v1/Credentials/"+fcmSID, "")
		}),
		variants("credential emptied", challenge.CredentialMissing, android, func(s *scene) {
			s.contents(fcmSID, simulator.CredentialContents{Empty: true})
		}),
		variants("FCM credential in the APN slot", challenge.CredentialWrongType, iPhone, func(s *scene) { s.slots(fcmSID, fcmSID); s.wait(time.Hour) }),
		variants("app removed", challenge.TokenDead, android, func(s *scene) {
			s.phone(func(d *simulator.DeviceState) { d.Uninstalled = true })
		}),
		variants("push token stored wrongly on Android", challenge.TokenInvalid, android, func(s *scene) {
			s.phone(func(d *simulator.DeviceState) { d.BadToken = true })
		}),
		variants("push token stored wrongly on iOS", challenge.TokenInvalid, iPhone, func(s *scene) {
			s.phone(func(d *simulator.DeviceState) { d.BadToken = true })
		}),
	)
	return append(list, singles()...)
}

// singles are the incidents whose variants differ in more than how they are asked about.
func singles() []incident {
	muted := func(d *simulator.DeviceState) { d.Muted = true }
	loses := func(d *simulator.DeviceState) { d.LosesPushes = true }
	removed := func(d *simulator.DeviceState) { d.Uninstalled = true }
	return []incident{
		{"approved", challenge.Answered, nil, iPhone, func(s *scene) challenge.Subject { sid := s.ask(); s.answer(true); return of(sid) }},
		{"denied", challenge.Answered, nil, android, func(s *scene) challenge.Subject { sid := s.ask(); s.answer(false); return of(sid) }},
		{"approved by polling after a lost push", challenge.Answered, nil, android, func(s *scene) challenge.Subject {
			s.phone(loses)
			sid := s.ask()
			s.answer(true)
			return of(sid)
		}},
		{"approved, asked about the user", challenge.Answered, nil, pollingOnly, func(s *scene) challenge.Subject { s.ask(); s.answer(true); return theUser }},

		{"notifications off", challenge.ExpiredUnanswered, nil, android, func(s *scene) challenge.Subject { s.phone(muted); return of(s.askInVain()) }},
		{"pushes lost", challenge.ExpiredUnanswered, nil, iPhone, func(s *scene) challenge.Subject { s.phone(loses); return of(s.askInVain()) }},
		{"user not looking", challenge.ExpiredUnanswered, nil, iPhone, func(s *scene) challenge.Subject { return of(s.askInVain()) }},
		{"user not looking, asked about the user", challenge.ExpiredUnanswered, nil, android, func(s *scene) challenge.Subject { s.askInVain(); return theUser }},

		{"platform none, expired", challenge.PlatformNone, nil, pollingOnly, func(s *scene) challenge.Subject { return of(s.askInVain()) }},
		{"platform none, pending", challenge.PlatformNone, nil, pollingOnly, func(s *scene) challenge.Subject { return of(s.ask()) }},
		{"platform none, never challenged", challenge.PlatformNone, nil, pollingOnly, func(s *scene) challenge.Subject { return theUser }},
		{"platform none, by factor", challenge.PlatformNone, nil, pollingOnly, func(s *scene) challenge.Subject { return thePhone(s) }},

		{"enrolment unfinished, by user", challenge.FactorUnverified, nil, iPhone, func(s *scene) challenge.Subject {
			return challenge.Subject{Identity: s.unverified("fcm").Identity}
		}},
		{"enrolment unfinished, by factor", challenge.FactorUnverified, nil, iPhone, func(s *scene) challenge.Subject { return s.unverified("apn") }},
		{"enrolment unfinished, platform none", challenge.FactorUnverified, nil, iPhone, func(s *scene) challenge.Subject { return s.unverified("none") }},
		{"enrolment unfinished, refused challenge", challenge.FactorUnverified, nil, iPhone, func(s *scene) challenge.Subject {
			f := s.unverified("fcm")
			if _, err := s.client.Writer().CreateChallenge(s.t.Context(), serviceSID, f.Identity, verify.NewChallenge{FactorSID: f.Factor, Message: "?"}); verify.CodeOf(err) != 60318 {
				s.t.Fatalf("an unverified factor was challenged: %v", err)
			}
			return f
		}},

		{"factor deleted while pending", challenge.FactorGone, nil, android, func(s *scene) challenge.Subject {
			sid := s.ask()
			s.must(s.client.Writer().DeleteFactor(s.t.Context(), serviceSID, user, verify.FactorSID(s.factor)))
			return of(sid)
		}},
		{"factor deleted, by factor", challenge.FactorGone, nil, iPhone, func(s *scene) challenge.Subject {
			s.askInVain()
			s.must(s.client.Writer().DeleteFactor(s.t.Context(), serviceSID, user, verify.FactorSID(s.factor)))
			return thePhone(s)
		}},
		{"factor deleted from here, never challenged", challenge.FactorGone, nil, iPhone, func(s *scene) challenge.Subject {
			f, err := s.client.Factor(s.t.Context(), serviceSID, user, verify.FactorSID(s.factor))
			s.must(err)
			_, err = s.remember().RecordDeletions(s.t.Context(), []verify.Factor{f}, "operator", "lost phone", s.now())
			s.must(err)
			s.must(s.client.Writer().DeleteFactor(s.t.Context(), serviceSID, user, f.SID))
			return thePhone(s)
		}},
		{"last factor deleted, by user", challenge.FactorGone, nil, android, func(s *scene) challenge.Subject {
			s.askInVain()
			s.must(s.client.Writer().DeleteFactor(s.t.Context(), serviceSID, user, verify.FactorSID(s.factor)))
			return theUser
		}},

		{"three resends from here", challenge.ResendLimit, nil, android, func(s *scene) challenge.Subject {
			s.phone(loses)
			sid := s.ask()
			s.resend(sid, 3)
			return of(sid)
		}},
		{"three resends from here to a muted phone", challenge.ResendLimit, nil, iPhone, func(s *scene) challenge.Subject {
			s.phone(muted)
			sid := s.ask()
			s.resend(sid, 3)
			return of(sid)
		}},
		{"three resends, the replies lost", challenge.ResendLimit, nil, android, func(s *scene) challenge.Subject {
			sid := s.ask()
			_, err := s.AddFault(s.t.Context(), simulator.Fault{Kind: simulator.FaultResetAfter, Operation: "CreateNotification"})
			s.must(err)
			s.resend(sid, 3)
			return of(sid)
		}},
		{"three resends from here, by user", challenge.ResendLimit, nil, iPhone, func(s *scene) challenge.Subject {
			s.phone(loses)
			s.resend(s.ask(), 3)
			return theUser
		}},

		{"challenge of another Service", challenge.NeverExistedHere, nil, android, func(s *scene) challenge.Subject {
			return challenge.Subject{Challenge: s.askOn(elsewhere, "their-user-1", theirPhone), Identity: "their-user-1"}
		}},
		{"user of another Service", challenge.NeverExistedHere, nil, android, func(s *scene) challenge.Subject {
			s.askOn(elsewhere, "their-user-1", theirPhone)
			return challenge.Subject{Identity: "their-user-1"}
		}},
		{"factor of another Service", challenge.NeverExistedHere, nil, android, func(s *scene) challenge.Subject {
			return challenge.Subject{Identity: "their-user-1", Factor: theirPhone}
		}},
		{"challenge under another identity", challenge.NeverExistedHere, nil, android, func(s *scene) challenge.Subject {
			return challenge.Subject{Challenge: s.ask(), Identity: "user-0002"}
		}},

		{"no way to Twilio, by challenge", challenge.TwilioUnreachable, nil, android, func(s *scene) challenge.Subject { sid := s.ask(); s.down = true; return of(sid) }},
		{"no way to Twilio, by user", challenge.TwilioUnreachable, nil, android, func(s *scene) challenge.Subject { s.down = true; return theUser }},
		{"no way to Twilio, by factor", challenge.TwilioUnreachable, nil, iPhone, func(s *scene) challenge.Subject { s.down = true; return thePhone(s) }},
		{"no way to Twilio, everything", challenge.TwilioUnreachable, nil, iPhone, func(s *scene) challenge.Subject { s.down = true; return challenge.Subject{} }},

		{"app removed, reported once, asked about the next challenge", challenge.TokenDead, nil, android, func(s *scene) challenge.Subject {
			s.phone(removed)
			s.askInVain()
			s.wait(72 * time.Hour)
			return of(s.askInVain())
		}},
		{"app removed from the iPhone, told days later", challenge.TokenDead, []challenge.CauseKind{challenge.ExpiredUnanswered}, iPhone, func(s *scene) challenge.Subject {
			s.phone(removed)
			sid := s.askInVain()
			s.wait(72 * time.Hour)
			return of(sid)
		}},
		{"token refreshed since its death", challenge.ExpiredUnanswered, nil, android, func(s *scene) challenge.Subject {
			s.phone(removed)
			s.askInVain()
			s.phone(func(d *simulator.DeviceState) { d.Uninstalled = false })
			s.wait(time.Minute)
			_, err := s.RotateToken(s.t.Context(), s.factor)
			s.must(err)
			s.wait(time.Minute)
			return of(s.askInVain())
		}},

		{"another user's app removed, this one not looking", challenge.ExpiredUnanswered, nil, android, func(s *scene) challenge.Subject {
			_, err := s.ChangeDevice(s.t.Context(), otherPhone, removed)
			s.must(err)
			s.askOn(serviceSID, "user-0002", otherPhone)
			return of(s.askInVain())
		}},
		{"the user's other phone without its app, this one muted", challenge.ExpiredUnanswered, nil, android, func(s *scene) challenge.Subject {
			second, err := s.Enroll(s.t.Context(), simulator.Enrolment{Service: serviceSID, Identity: string(user), Platform: "fcm", AppID: appID})
			s.must(err)
			_, err = s.ChangeDevice(s.t.Context(), second.Factor, removed)
			s.must(err)
			s.askOn(serviceSID, user, second.Factor)
			s.phone(muted)
			return of(s.askInVain())
		}},
		{"sandbox switched on, ios_build not declared", challenge.EnvironmentMismatch, nil, iPhone, func(s *scene) challenge.Subject {
			s.env.IOSBuild = verify.IOSUndeclared
			s.sandbox("true")
			s.wait(time.Hour)
			return of(s.askInVain())
		}},
		{"certificate renewed since, user not looking", challenge.ExpiredUnanswered, nil, iPhone, func(s *scene) challenge.Subject {
			s.contents(apnSID, simulator.CredentialContents{Topic: appID, Expires: s.now().Add(-time.Hour)})
			s.askInVain()
			s.post("http://notify.twilio.com/v1/Credentials/"+apnSID, "FriendlyName=renewed")
			s.contents(apnSID, simulator.CredentialContents{Topic: appID})
			s.wait(2 * time.Hour)
			return of(s.askInVain())
		}},
		{"a storm: the Android key of another project, all phones at once", challenge.AppMismatch, nil, android, func(s *scene) challenge.Subject {
			s.contents(fcmSID, simulator.CredentialContents{Project: "other-example"})
			for range 6 {
				s.askOn(serviceSID, "user-0002", otherPhone)
			}
			return of(s.askInVain())
		}},

		{"two: certificate expired and sandbox on", challenge.CredentialBroken, []challenge.CauseKind{challenge.EnvironmentMismatch}, iPhone, func(s *scene) challenge.Subject {
			s.sandbox("true")
			s.contents(apnSID, simulator.CredentialContents{Expires: s.now().Add(-time.Hour)})
			s.wait(time.Hour)
			return of(s.askInVain())
		}},
		{"two: app removed, then the key revoked", challenge.TokenDead, []challenge.CauseKind{challenge.CredentialBroken}, android, func(s *scene) challenge.Subject {
			s.phone(removed)
			s.askInVain()
			s.contents(fcmSID, simulator.CredentialContents{Revoked: true})
			s.askOn(serviceSID, "user-0002", otherPhone)
			return of(s.askInVain())
		}},
		{"two: platform none and the key revoked", challenge.PlatformNone, nil, pollingOnly, func(s *scene) challenge.Subject {
			s.contents(fcmSID, simulator.CredentialContents{Revoked: true})
			s.askOn(serviceSID, "user-0002", otherPhone)
			return of(s.askInVain())
		}},
		{"two: push token stored wrongly, approved by polling", challenge.Answered, nil, android, func(s *scene) challenge.Subject {
			s.phone(func(d *simulator.DeviceState) { d.BadToken = true })
			sid := s.ask()
			s.answer(true)
			return of(sid)
		}},
		{"two: factor deleted and no credential", challenge.FactorGone, nil, iPhone, func(s *scene) challenge.Subject {
			s.slots("", fcmSID)
			sid := s.askInVain()
			s.must(s.client.Writer().DeleteFactor(s.t.Context(), serviceSID, user, verify.FactorSID(s.factor)))
			return of(sid)
		}},
		{"two: muted phone, and the sandbox switched on afterwards", challenge.ExpiredUnanswered, []challenge.CauseKind{challenge.EnvironmentMismatch}, iPhone,
			func(s *scene) challenge.Subject {
				s.phone(muted)
				sid := s.askInVain()
				s.sandbox("true")
				s.wait(time.Hour)
				return of(sid)
			}},
		{"two: legacy key and the resends used up", challenge.LegacyFCM, []challenge.CauseKind{challenge.ResendLimit}, android, func(s *scene) challenge.Subject {
			s.contents(fcmSID, simulator.CredentialContents{Legacy: true})
			sid := s.ask()
			s.resend(sid, 3)
			return of(sid)
		}},
	}
}

// unverified is a user with a phone that never finished its enrolment.
func (s *scene) unverified(platform string) challenge.Subject {
	d, err := s.Enroll(s.t.Context(), simulator.Enrolment{Service: serviceSID, Identity: "user-0003", Platform: platform, Unverified: true})
	s.must(err)
	return challenge.Subject{Identity: "user-0003", Factor: verify.FactorSID(d.Factor)}
}

// TestIncidents asks why about every incident in every shape that alerts may have. With correlated alerts the right
// cause comes first; with the others it may be unknown. A push token is never blamed wrongly in any.
func TestIncidents(t *testing.T) {
	all, worlds := incidents(), newStages(t)
	if len(all) < 60 {
		t.Fatalf("%d incidents, at least 60 are wanted", len(all))
	}
	causes := map[challenge.CauseKind]int{}
	for _, i := range all {
		causes[i.cause]++
	}
	for cause, n := range causes {
		if n < 4 {
			t.Errorf("%s is played %d times, at least 4 are wanted", cause, n)
		}
	}
	shapes := []simulator.AlertShape{simulator.AlertCorrelated, simulator.AlertCredentialOnly, simulator.AlertBare}
	if testing.Short() {
		shapes = shapes[:1] // the same code runs side by side in each, which is what the detector of data races is for
	}
	for _, shape := range shapes {
		t.Run(string(shape), func(t *testing.T) {
			var mu sync.Mutex
			right := 0
			var misses []string
			t.Run("all", func(t *testing.T) {
				for _, i := range all {
					t.Run(i.name, func(t *testing.T) {
						t.Parallel()
						answer := playIncident(worlds.scene(t, i.on, shape), i)
						mu.Lock()
						defer mu.Unlock()
						isRight := slices.Contains(append(i.also, i.cause), first(answer))
						if answer.Found && !isRight {
							t.Errorf("found with confidence, and wrong: %+v", answer.Causes)
						}
						if isRight {
							right++
						} else {
							misses = append(misses, fmt.Sprintf("%s: %s instead of %s", i.name, orUnknown(first(answer)), i.cause))
						}
					})
				}
			})
			slices.Sort(misses)
			t.Logf("%d of %d right", right, len(all))
			for _, miss := range misses {
				t.Log("missed: " + miss)
			}
			if shape == simulator.AlertCorrelated && right*100 < len(all)*95 {
				t.Errorf("%d of %d right, 95%% are wanted", right, len(all))
			}
		})
	}
}

func orUnknown(kind challenge.CauseKind) string {
	if kind == "" {
		return "nothing"
	}
	return string(kind)
}

// stages are the worlds that scenes were played in. The next one is played there, once everything is as it was.
type stages struct {
	t    *testing.T
	mu   sync.Mutex
	free map[setting][]*simulated
}

// setting is what worlds differ in: the user's phone, and the alerts.
type setting struct {
	phone string
	shape simulator.AlertShape
}

func newStages(t *testing.T) *stages { return &stages{t: t, free: map[setting][]*simulated{}} }

// scene gives a new one in a world of its own.
func (all *stages) scene(t *testing.T, phone string, shape simulator.AlertShape) *scene {
	at := setting{phone, shape}
	s := &scene{simulated: all.take(at), t: t, memory: blank{}, factor: phone, env: verify.Environment{Name: "prod", ServiceSID: serviceSID,
		IOSBuild: verify.IOSDistribution, Platforms: []verify.Platform{verify.PlatformAPN, verify.PlatformFCM}}}
	t.Cleanup(func() {
		s.must(s.Reset(context.Background()))
		all.mu.Lock()
		defer all.mu.Unlock()
		all.free[at] = append(all.free[at], s.simulated)
	})
	return s
}

func (all *stages) take(at setting) *simulated {
	all.mu.Lock()
	defer all.mu.Unlock()
	free := all.free[at]
	if len(free) == 0 {
		return newSimulated(all.t, simulator.Options{AlertShape: at.shape, World: world(at.phone),
			Clock: simulator.Clock{Mode: simulator.ClockFrozen, At: noonInMay}})
	}
	all.free[at] = free[1:]
	return free[0]
}

func playIncident(s *scene, i incident) challenge.Answer {
	subject := i.play(s)
	var answer challenge.Answer
	if s.down {
		answer = s.whyWithoutNetwork(subject)
	} else {
		answer = s.why(s.t, subject, s.env, s.memory)
	}
	s.checkTokenClaims(answer)
	return answer
}

func (s *scene) whyWithoutNetwork(subject challenge.Subject) challenge.Answer {
	client, err := twilio.New(twilio.Options{Username: simulator.DefaultAccountSID, Password: simulator.DefaultAuthToken,
		BaseURL: "http://simulator", Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
		Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no route to host") }})
	s.must(err)
	defer client.Close()
	answer, err := challenge.Why(s.t.Context(), challenge.Question{Subject: subject, Env: s.env, Now: s.now()},
		challenge.NewSources(client, s.memory, newAlertFeed))
	s.must(err)
	return answer
}

// checkTokenClaims holds what is said about push tokens against what the phones know of themselves.
func (s *scene) checkTokenClaims(answer challenge.Answer) {
	s.t.Helper()
	devices, err := s.Devices(s.t.Context(), simulator.DeviceFilter{Factor: s.factor})
	s.must(err)
	for _, c := range answer.Causes {
		blames := c.Kind == challenge.TokenDead || c.Kind == challenge.TokenInvalid
		dead := len(devices) == 1 && (devices[0].Uninstalled || devices[0].TokenDead)
		bad := len(devices) == 1 && devices[0].BadToken
		if blames && !(c.Kind == challenge.TokenDead && dead) && !(c.Kind == challenge.TokenInvalid && bad) {
			s.t.Errorf("the push token is blamed wrongly: %+v", c)
		}
		if !blames && strings.Contains(c.Summary, "removed") && c.Kind != challenge.FactorGone {
			s.t.Errorf("%s says that something was removed: %s", c.Kind, c.Summary)
		}
	}
}
