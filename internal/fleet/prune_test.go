package fleet

import (
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// The subject of these tests: an Android factor of January whose push failed on the 1st of February with nobody answering,
// looked at on the 1st of March.
func deadSubject() Subject {
	f := verify.Factor{SID: factorA, Identity: "user-0001", Status: verify.FactorVerified, Type: verify.FactorPush, DateCreated: date(1, 1), DateUpdated: date(1, 2)}
	f.Config.Platform = verify.PlatformFCM
	return Subject{
		Factor:     f,
		Event:      &DeadToken{Code: 52103, At: date(2, 1), Platform: verify.PlatformFCM, Grade: event.EvidenceStrong},
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

func TestJudgement(t *testing.T) {
	now := date(3, 1)
	idle := Rules{MinUnanswered: 1, Quiet: Period(14 * day), Idle: Period(20 * day)}
	noEvent := func(s *Subject) { s.Event = nil }
	weak := func(s *Subject) { s.Event.Code, s.Event.Grade = 52141, event.EvidenceWeak }
	vain := func(s *Subject) {
		s.Challenges = []verify.Challenge{expired(factorA, date(2, 25)), expired(factorA, date(2, 20)), expired(factorA, date(2, 15))}
	}
	for _, tc := range []struct {
		name   string
		rules  Rules
		change []func(*Subject)
		want   Reason
	}{
		{"dead", DefaultRules, nil, ReasonDeadToken},
		{"TOTP", DefaultRules, []func(*Subject){func(s *Subject) { s.Factor.Type = verify.FactorTOTP }}, ReasonNotPush},
		{"unverified", DefaultRules, []func(*Subject){func(s *Subject) { s.Factor.Status = verify.FactorUnverified }}, ReasonUnverified},
		{"updated after", DefaultRules, []func(*Subject){func(s *Subject) { s.Factor.DateUpdated = date(2, 2) }}, ReasonUpdated},
		{"updated while the push was under way", DefaultRules, []func(*Subject){func(s *Subject) { s.Factor.DateUpdated = date(2, 1).Add(-10 * time.Minute) }}, ReasonUpdated},
		{"created after", DefaultRules, []func(*Subject){func(s *Subject) { s.Factor.DateCreated = date(2, 2) }}, ReasonUpdated},
		{"answered after", DefaultRules, []func(*Subject){func(s *Subject) { s.Challenges = append(s.Challenges, approved(factorA, date(2, 3))) }}, ReasonAnswered},
		{"the failed one was answered by polling", DefaultRules, []func(*Subject){func(s *Subject) { s.Challenges[0] = approved(factorA, date(2, 1).Add(-30*time.Second)) }}, ReasonAnswered},
		{"answered in a word that Twilio does not know yet", DefaultRules, []func(*Subject){func(s *Subject) { s.Challenges[0].Status, s.Challenges[0].DateUpdated = "postponed", date(2, 2) }}, ReasonAnswered},
		{"answered on another phone", DefaultRules, []func(*Subject){func(s *Subject) { s.Challenges = append(s.Challenges, approved(factorB, date(2, 3))) }}, ReasonDeadToken},
		{"seen by the backend after", DefaultRules, []func(*Subject){func(s *Subject) { s.LastSeen = date(2, 1) }}, ReasonSeen},
		{"seen by the backend before", DefaultRules, []func(*Subject){func(s *Subject) { s.LastSeen = date(1, 31) }}, ReasonDeadToken},
		{"nobody asked it", DefaultRules, []func(*Subject){func(s *Subject) { s.Challenges = nil }}, ReasonNotAsked},
		{"asked before only", DefaultRules, []func(*Subject){func(s *Subject) { s.Challenges = []verify.Challenge{expired(factorA, date(1, 31))} }}, ReasonNotAsked},
		{"a challenge that Twilio still calls pending", DefaultRules, []func(*Subject){func(s *Subject) { s.Challenges[0].Status = verify.ChallengePending }}, ReasonDeadToken},
		{"a challenge that is pending", DefaultRules, []func(*Subject){func(s *Subject) {
			s.Challenges[0].Status, s.Challenges[0].ExpirationDate = verify.ChallengePending, date(3, 2)
		}}, ReasonNotAsked},
		{"two wanted", Rules{MinUnanswered: 2, Quiet: Period(14 * day)}, nil, ReasonNotAsked},
		{"too recent", Rules{MinUnanswered: 1, Quiet: Period(30 * day)}, nil, ReasonQuiet},
		{"no time", DefaultRules, []func(*Subject){func(s *Subject) { s.Event.At = time.Time{} }}, ReasonUndated},
		{"from the future", DefaultRules, []func(*Subject){func(s *Subject) { s.Event.At = date(3, 2) }}, ReasonUndated},
		{"another platform", DefaultRules, []func(*Subject){func(s *Subject) { s.Event.Platform = verify.PlatformAPN }}, ReasonContradicted},
		{"an event that names no platform", DefaultRules, []func(*Subject){func(s *Subject) { s.Event.Platform = "" }}, ReasonDeadToken},
		{"in a storm", DefaultRules, []func(*Subject){storm(52103, date(2, 1))}, ReasonStorm},
		{"a storm on another platform", DefaultRules, []func(*Subject){func(s *Subject) { storm(52103, date(2, 1))(s); s.Storms[0].Platform = verify.PlatformAPN }}, ReasonDeadToken},
		{"a storm later on", DefaultRules, []func(*Subject){storm(52109, date(2, 5))}, ReasonStorm},
		{"a storm later on, and asked after it", DefaultRules, []func(*Subject){storm(52109, date(2, 5)), vain}, ReasonDeadToken},

		{"52141 without the idle rule", DefaultRules, []func(*Subject){weak}, ReasonNeedsIdle},
		{"52141 with it, asked before only", idle, []func(*Subject){weak}, ReasonNotAsked},
		{"52141 with it", idle, []func(*Subject){weak, vain}, ReasonIdle},
		{"52141 with it, asked once", idle, []func(*Subject){weak, vain, func(s *Subject) { s.Challenges = s.Challenges[:1] }}, ReasonIdle},
		{"52141 in a storm, asked once", idle, []func(*Subject){weak, vain, storm(52141, date(2, 1)), func(s *Subject) { s.Challenges = s.Challenges[:1] }}, ReasonNotAsked},
		{"idle alone", idle, []func(*Subject){noEvent, vain}, ReasonIdle},
		{"idle alone, asked on two days", idle, []func(*Subject){noEvent, vain, func(s *Subject) { s.Challenges = s.Challenges[:2] }}, ReasonNotAsked},
		{"idle alone, asked three times in one hour", idle, []func(*Subject){noEvent, func(s *Subject) {
			s.Challenges = []verify.Challenge{expired(factorA, date(2, 20)), expired(factorA, date(2, 20)), expired(factorA, date(2, 20))}
		}}, ReasonNotAsked},
		{"not seen by the backend for long, asked once", idle, []func(*Subject){noEvent, vain, func(s *Subject) { s.Challenges, s.LastSeen = s.Challenges[:1], date(1, 5) }}, ReasonIdle},
		{"seen by the backend lately", idle, []func(*Subject){noEvent, vain, func(s *Subject) { s.LastSeen = date(2, 20) }}, ReasonSeen},
		{"idle, while its user answers on another phone", idle, []func(*Subject){noEvent, vain, func(s *Subject) {
			for _, c := range s.Challenges[:3] {
				s.Challenges = append(s.Challenges, approved(factorB, c.DateCreated))
			}
		}}, ReasonNotAsked},
		{"idle, asked in a storm", idle, []func(*Subject){noEvent, vain, storm(52109, date(2, 26))}, ReasonStorm},
		{"idle, but updated", idle, []func(*Subject){noEvent, vain, func(s *Subject) { s.Factor.DateUpdated = date(2, 20) }}, ReasonUpdated},
	} {
		s := deadSubject()
		for _, change := range tc.change {
			change(&s)
		}
		j := tc.rules.Judge(s, now)
		if j.Reason != tc.want || (j.Decision == Delete) != (tc.want == ReasonDeadToken || tc.want == ReasonIdle) || (j.Decision == Defer) != (tc.want == ReasonStorm) {
			t.Errorf("%s: %s because %s (%s), want %s", tc.name, j.Decision, j.Reason, j.Detail, tc.want)
		}
	}
}

func storm(code int, at time.Time) func(*Subject) {
	return func(s *Subject) {
		s.Storms = []Storm{{Platform: verify.PlatformFCM, Code: code, From: at.Add(-time.Minute), Until: at.Add(time.Minute), Factors: 9, Of: 50}}
	}
}
