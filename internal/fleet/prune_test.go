package fleet

import (
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// The subject of these tests: an Android factor of January whose push failed on the 1st of February with nobody answering,
// looked at on the 1st of March.
func deadCandidate() candidate {
	f := verify.Factor{SID: factorA, Identity: "user-0001", Status: verify.FactorVerified, Type: verify.FactorPush, DateCreated: date(1, 1), DateUpdated: date(1, 2)}
	f.Config.Platform = verify.PlatformFCM
	return candidate{
		Factor:     f,
		Event:      &deadToken{Code: 52103, At: date(2, 1), Platform: verify.PlatformFCM, Grade: event.EvidenceStrong},
		Challenges: []verify.Challenge{expired(factorA, date(2, 1).Add(-time.Second)), approved(factorA, date(1, 30))},
	}
}

func date(month time.Month, dayOfMonth int) time.Time {
	return time.Date(2026, month, dayOfMonth, 12, 0, 0, 0, time.UTC)
}

func expired(sid verify.FactorSID, at time.Time) verify.Challenge {
	return verify.Challenge{FactorSID: sid, Status: verify.ChallengeExpired, DateCreated: at, DateUpdated: at, ExpirationDate: at.Add(callLife)}
}

func approved(sid verify.FactorSID, at time.Time) verify.Challenge {
	c := expired(sid, at)
	c.Status, c.DateResponded = verify.ChallengeApproved, at.Add(time.Minute)
	return c
}

func TestFindings(t *testing.T) {
	now := date(3, 1)
	idle := Rules{MinUnanswered: 1, Quiet: verify.Period(14 * day), Idle: verify.Period(20 * day)}
	noEvent := func(s *candidate) { s.Event = nil }
	weak := func(s *candidate) { s.Event.Code, s.Event.Grade = 52141, event.EvidenceWeak }
	vain := func(s *candidate) {
		s.Challenges = []verify.Challenge{expired(factorA, date(2, 25)), expired(factorA, date(2, 20)), expired(factorA, date(2, 15))}
	}
	for _, tc := range []struct {
		name   string
		rules  Rules
		change []func(*candidate)
		want   Reason
	}{
		{"dead", DefaultRules, nil, reasonDeadToken},
		{"TOTP", DefaultRules, []func(*candidate){func(s *candidate) { s.Factor.Type = verify.FactorTOTP }}, reasonNotPush},
		{"unverified", DefaultRules, []func(*candidate){func(s *candidate) { s.Factor.Status = verify.FactorUnverified }}, reasonUnverified},
		{"updated after", DefaultRules, []func(*candidate){func(s *candidate) { s.Factor.DateUpdated = date(2, 2) }}, reasonUpdated},
		{"updated while the push was under way", DefaultRules, []func(*candidate){func(s *candidate) { s.Factor.DateUpdated = date(2, 1).Add(-10 * time.Minute) }}, reasonUpdated},
		{"created after", DefaultRules, []func(*candidate){func(s *candidate) { s.Factor.DateCreated = date(2, 2) }}, reasonUpdated},
		{"answered after", DefaultRules, []func(*candidate){func(s *candidate) { s.Challenges = append(s.Challenges, approved(factorA, date(2, 3))) }}, reasonAnswered},
		{"the failed one was answered by polling", DefaultRules, []func(*candidate){func(s *candidate) { s.Challenges[0] = approved(factorA, date(2, 1).Add(-30*time.Second)) }}, reasonAnswered},
		{"answered in a word that Twilio does not know yet", DefaultRules, []func(*candidate){func(s *candidate) { s.Challenges[0].Status, s.Challenges[0].DateUpdated = "postponed", date(2, 2) }}, reasonAnswered},
		{"answered on another phone", DefaultRules, []func(*candidate){func(s *candidate) { s.Challenges = append(s.Challenges, approved(factorB, date(2, 3))) }}, reasonDeadToken},
		{"seen by the backend after", DefaultRules, []func(*candidate){func(s *candidate) { s.LastSeen = date(2, 1) }}, reasonSeen},
		{"seen by the backend before", DefaultRules, []func(*candidate){func(s *candidate) { s.LastSeen = date(1, 31) }}, reasonDeadToken},
		{"nobody asked it", DefaultRules, []func(*candidate){func(s *candidate) { s.Challenges = nil }}, reasonNotAsked},
		{"asked before only", DefaultRules, []func(*candidate){func(s *candidate) { s.Challenges = []verify.Challenge{expired(factorA, date(1, 31))} }}, reasonNotAsked},
		{"a challenge that Twilio still calls pending", DefaultRules, []func(*candidate){func(s *candidate) { s.Challenges[0].Status = verify.ChallengePending }}, reasonDeadToken},
		{"a challenge that is pending", DefaultRules, []func(*candidate){func(s *candidate) {
			s.Challenges[0].Status, s.Challenges[0].ExpirationDate = verify.ChallengePending, date(3, 2)
		}}, reasonNotAsked},
		{"two wanted", Rules{MinUnanswered: 2, Quiet: verify.Period(14 * day)}, nil, reasonNotAsked},
		{"too recent", Rules{MinUnanswered: 1, Quiet: verify.Period(30 * day)}, nil, reasonQuiet},
		{"no time", DefaultRules, []func(*candidate){func(s *candidate) { s.Event.At = time.Time{} }}, reasonUndated},
		{"from the future", DefaultRules, []func(*candidate){func(s *candidate) { s.Event.At = date(3, 2) }}, reasonUndated},
		{"another platform", DefaultRules, []func(*candidate){func(s *candidate) { s.Event.Platform = verify.PlatformAPN }}, reasonContradicted},
		{"an event that names no platform", DefaultRules, []func(*candidate){func(s *candidate) { s.Event.Platform = "" }}, reasonDeadToken},
		{"in a storm", DefaultRules, []func(*candidate){storm(52103, date(2, 1))}, reasonStorm},
		{"a storm on another platform", DefaultRules, []func(*candidate){func(s *candidate) { storm(52103, date(2, 1))(s); s.Storms[0].Platform = verify.PlatformAPN }}, reasonDeadToken},
		{"a storm later on", DefaultRules, []func(*candidate){storm(52109, date(2, 5))}, reasonStorm},
		{"a storm later on, and asked after it", DefaultRules, []func(*candidate){storm(52109, date(2, 5)), vain}, reasonDeadToken},

		{"52141 without the idle rule", DefaultRules, []func(*candidate){weak}, reasonNeedsIdle},
		{"52141 with it, asked before only", idle, []func(*candidate){weak}, reasonNotAsked},
		{"52141 with it", idle, []func(*candidate){weak, vain}, reasonIdle},
		{"52141 with it, asked once", idle, []func(*candidate){weak, vain, func(s *candidate) { s.Challenges = s.Challenges[:1] }}, reasonIdle},
		{"52141 in a storm, asked once", idle, []func(*candidate){weak, vain, storm(52141, date(2, 1)), func(s *candidate) { s.Challenges = s.Challenges[:1] }}, reasonNotAsked},
		{"idle alone", idle, []func(*candidate){noEvent, vain}, reasonIdle},
		{"idle alone, asked on two days", idle, []func(*candidate){noEvent, vain, func(s *candidate) { s.Challenges = s.Challenges[:2] }}, reasonNotAsked},
		{"idle alone, asked three times in one hour", idle, []func(*candidate){noEvent, func(s *candidate) {
			s.Challenges = []verify.Challenge{expired(factorA, date(2, 20)), expired(factorA, date(2, 20)), expired(factorA, date(2, 20))}
		}}, reasonNotAsked},
		{"not seen by the backend for long, asked once", idle, []func(*candidate){noEvent, vain, func(s *candidate) { s.Challenges, s.LastSeen = s.Challenges[:1], date(1, 5) }}, reasonIdle},
		{"seen by the backend lately", idle, []func(*candidate){noEvent, vain, func(s *candidate) { s.LastSeen = date(2, 20) }}, reasonSeen},
		{"idle, while its user answers on another phone", idle, []func(*candidate){noEvent, vain, func(s *candidate) {
			for _, c := range s.Challenges[:3] {
				s.Challenges = append(s.Challenges, approved(factorB, c.DateCreated))
			}
		}}, reasonNotAsked},
		{"idle, asked in a storm", idle, []func(*candidate){noEvent, vain, storm(52109, date(2, 26))}, reasonStorm},
		{"idle, but updated", idle, []func(*candidate){noEvent, vain, func(s *candidate) { s.Factor.DateUpdated = date(2, 20) }}, reasonUpdated},
	} {
		s := deadCandidate()
		for _, change := range tc.change {
			change(&s)
		}
		j := tc.rules.judge(s, now)
		if j.Reason != tc.want || (j.Decision == Delete) != (tc.want == reasonDeadToken || tc.want == reasonIdle) || (j.Decision == Defer) != (tc.want == reasonStorm) {
			t.Errorf("%s: %s because %s (%s), want %s", tc.name, j.Decision, j.Reason, j.Detail, tc.want)
		}
	}
}

func storm(code int, at time.Time) func(*candidate) {
	return func(s *candidate) {
		s.Storms = []Storm{{Platform: verify.PlatformFCM, Code: code, From: at.Add(-time.Minute), Until: at.Add(time.Minute), Factors: 9, Of: 50}}
	}
}
