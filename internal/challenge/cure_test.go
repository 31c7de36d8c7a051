package challenge_test

import (
	"strings"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/challenge"
	"github.com/verifyctl/verifyctl/internal/simulator"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// TestACureEndsTheClaim breaks the world in one way, lets a push fail by it, applies the cure and asks again about the
// challenge whose push failed: what was the cause is no longer claimed, neither before nor after the push is sent again.
func TestACureEndsTheClaim(t *testing.T) {
	renewed := func(sid string) func(*scene) {
		return func(s *scene) {
			s.post("http://notify.twilio.com/v1/Credentials/"+sid, "FriendlyName=renewed")
			s.contents(sid, simulator.CredentialContents{Topic: appID, Project: project})
		}
	}
	worlds := newStages(t)
	attached := func(s *scene) { s.slots(apnSID, fcmSID) }
	for _, tc := range []struct {
		cause        challenge.CauseKind
		on           string
		breakIt, fix func(*scene)
	}{
		{challenge.EnvironmentMismatch, iPhone, func(s *scene) { s.sandbox("true") }, func(s *scene) { s.sandbox("false") }},
		{challenge.EnvironmentMismatch, iPhone, func(s *scene) {
			s.env.IOSBuild = verify.IOSUndeclared
			s.sandbox("true")
		}, func(s *scene) { s.sandbox("false") }},
		{challenge.EnvironmentMismatch, iPhone, func(s *scene) {
			s.post("http://notify.twilio.com/v1/Credentials/"+theirAPN, "Sandbox=true")
			s.contents(theirAPN, simulator.CredentialContents{Topic: appID})
			s.slots(theirAPN, fcmSID)
		}, attached},
		{challenge.CredentialBroken, iPhone, func(s *scene) {
			s.contents(apnSID, simulator.CredentialContents{Topic: appID, Expires: s.now().Add(-time.Hour)})
		}, renewed(apnSID)},
		{challenge.CredentialBroken, android, func(s *scene) { s.contents(fcmSID, simulator.CredentialContents{Revoked: true}) }, renewed(fcmSID)},
		{challenge.CredentialBroken, android, func(s *scene) { s.slots(apnSID, theirFCM) }, attached},
		{challenge.LegacyFCM, android, func(s *scene) { s.contents(fcmSID, simulator.CredentialContents{Legacy: true}) }, renewed(fcmSID)},
		{challenge.LegacyFCM, android, func(s *scene) { s.slots(apnSID, gcmSID) }, attached},
		{challenge.AppMismatch, iPhone, func(s *scene) { s.contents(apnSID, simulator.CredentialContents{Topic: "other.app"}) }, renewed(apnSID)},
		{challenge.AppMismatch, android, func(s *scene) { s.contents(fcmSID, simulator.CredentialContents{Project: "other-example"}) }, renewed(fcmSID)},
		{challenge.CredentialMissing, iPhone, func(s *scene) { s.slots("", fcmSID) }, attached},
		{challenge.CredentialWrongType, iPhone, func(s *scene) { s.slots(fcmSID, fcmSID) }, attached},
		{challenge.TokenDead, android, func(s *scene) { s.phone(func(d *simulator.DeviceState) { d.Uninstalled = true }) }, func(s *scene) {
			s.phone(func(d *simulator.DeviceState) { d.Uninstalled = false })
			_, err := s.RotateToken(s.t.Context(), s.factor)
			s.must(err)
		}},
		{challenge.TokenInvalid, android, func(s *scene) { s.phone(func(d *simulator.DeviceState) { d.BadToken = true }) }, func(s *scene) {
			s.phone(func(d *simulator.DeviceState) { d.BadToken = false })
			_, err := s.RotateToken(s.t.Context(), s.factor)
			s.must(err)
		}},
	} {
		for _, shape := range []simulator.AlertShape{simulator.AlertCorrelated, simulator.AlertCredentialOnly, simulator.AlertBare} {
			t.Run(string(tc.cause)+" "+tc.on+" "+string(shape), func(t *testing.T) {
				s := worlds.scene(t, tc.on, shape)
				tc.breakIt(s)
				s.wait(time.Hour)
				sid := s.ask()
				if found := claimed(s.why(t, of(sid), s.env, s.memory), tc.cause); shape == simulator.AlertCorrelated && !found {
					t.Fatalf("%s is not claimed while it is so", tc.cause)
				}
				tc.fix(s)
				s.wait(time.Minute)
				if answer := s.why(t, of(sid), s.env, s.memory); claimed(answer, tc.cause) {
					t.Errorf("claimed after the cure: %+v", answer.Causes)
				}
				s.resend(sid, 1)
				s.wait(time.Minute)
				answer := s.why(t, of(sid), s.env, s.memory)
				if claimed(answer, tc.cause) {
					t.Errorf("claimed after the push was sent again: %+v", answer.Causes)
				}
			})
		}
	}
}

// TestWhoDeletedAFactor: this machine is said to have deleted a factor only when it did.
func TestWhoDeletedAFactor(t *testing.T) {
	for outcome, evidence := range map[string]string{
		"deleted":      "it was deleted from this machine at 2026-05-04T12:00:00Z by operator",
		"already gone": "it was gone already when it was to be deleted from this machine",
		"unknown":      "may have reached Twilio: how it ended is not known here",
		"":             "may have reached Twilio: how it ended is not known here",
		"failed":       "it was seen in this environment, and it no longer exists",
	} {
		s := &scene{t: t, memory: blank{}, factor: android, env: verify.Environment{Name: "prod", ServiceSID: serviceSID}}
		s.simulated = newSimulated(t, simulator.Options{World: world(android), Clock: simulator.Clock{Mode: simulator.ClockFrozen, At: noonInMay}})
		f, err := s.client.Factor(t.Context(), serviceSID, user, verify.FactorSID(s.factor))
		s.must(err)
		ids, err := s.remember().RecordDeletions(t.Context(), []verify.Factor{f}, "operator", "lost phone", s.now())
		s.must(err)
		if outcome != "" {
			s.must(s.remember().FinishDeletions(t.Context(), verify.DeletionEnd{ID: ids[0], Outcome: outcome, At: s.now()}))
		}
		s.must(s.client.Writer().DeleteFactor(t.Context(), serviceSID, user, f.SID))
		answer := s.why(t, thePhone(s), s.env, s.memory)
		if len(answer.Causes) == 0 || answer.Causes[0].Kind != challenge.FactorGone || !strings.Contains(strings.Join(answer.Causes[0].Evidence, "\n"), evidence) {
			t.Errorf("a delete that ended as %q: %+v", outcome, answer.Causes)
		}
	}
}

// claimed tells whether an answer calls a cause certain or likely.
func claimed(answer challenge.Answer, kind challenge.CauseKind) bool {
	for _, c := range answer.Causes {
		if c.Kind == kind && (c.Confidence == challenge.Certain || c.Confidence == challenge.Likely) {
			return true
		}
	}
	return false
}
