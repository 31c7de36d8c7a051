package challenge

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func pendingChallenge() verify.Challenge {
	return verify.Challenge{SID: verify.ChallengeSID(sidOf("YC", "1")), Identity: "user-1001",
		FactorSID: pushFactor("1", verify.FactorVerified).SID, Status: verify.ChallengePending,
		Details:     verify.Details{Message: "Log in?"},
		DateCreated: noon.Add(-time.Minute), ExpirationDate: noon.Add(4 * time.Minute)}
}

func TestCheckResendRefusesWhatCannotWork(t *testing.T) {
	good := pushFactor("1", verify.FactorVerified)
	for name, tc := range map[string]struct {
		change func(*verify.Challenge, *verify.Factor)
		kind   verify.Kind
		reason string // "" when it may be sent again
		next   string
	}{
		"pending":        {func(*verify.Challenge, *verify.Factor) {}, 0, "", ""},
		"unknown factor": {func(_ *verify.Challenge, f *verify.Factor) { *f = verify.Factor{} }, 0, "", ""},
		"approved": {func(c *verify.Challenge, _ *verify.Factor) {
			c.Status, c.DateResponded = verify.ChallengeApproved, noon.Add(-20*time.Second)
		}, verify.KindFailed, "already approved 20s ago", "challenge create user-1001 --factor"},
		"denied": {func(c *verify.Challenge, _ *verify.Factor) { c.Status = verify.ChallengeDenied },
			verify.KindFailed, "already denied", "--message 'Log in?'"},
		"expired": {func(c *verify.Challenge, _ *verify.Factor) { c.Status = verify.ChallengeExpired },
			verify.KindExpired, "expired", "--or-recreate"},
		"pending past its date": {func(c *verify.Challenge, _ *verify.Factor) { c.ExpirationDate = noon },
			verify.KindExpired, "expired 0s ago", "verifyctl -e staging challenge resend"},
		"status nobody knows": {func(c *verify.Challenge, _ *verify.Factor) { c.Status = "held" },
			verify.KindFailed, `the status "held"`, ""},
		"platform none": {func(_ *verify.Challenge, f *verify.Factor) { f.Config.Platform = verify.PlatformNone },
			verify.KindFailed, "never gets a push", "challenge watch"},
		"unverified": {func(_ *verify.Challenge, f *verify.Factor) { f.Status = verify.FactorUnverified },
			verify.KindFailed, "not verified", "enrolment"},
	} {
		c, f := pendingChallenge(), good
		tc.change(&c, &f)
		err := CheckResend(verify.Environment{Name: "staging"}, c, f, noon)
		if tc.reason == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		var e *verify.Error
		if !errors.As(err, &e) || e.Kind != tc.kind || !strings.Contains(e.Message, tc.reason) || !strings.Contains(e.Hint, tc.next) {
			t.Errorf("%s: got %+v; want kind %v, reason %q, next %q", name, e, tc.kind, tc.reason, tc.next)
		}
	}
}

func TestResendTTLNeverOutlivesTheChallenge(t *testing.T) {
	seconds := func(n int) *time.Duration { d := time.Duration(n) * time.Second; return &d }
	for _, tc := range []struct {
		left  time.Duration
		asked *time.Duration
		want  time.Duration
	}{
		{4 * time.Minute, nil, 4 * time.Minute},
		{50 * time.Minute, nil, 5 * time.Minute},
		{90*time.Second + 900*time.Millisecond, nil, 90 * time.Second},
		{4 * time.Minute, seconds(120), 2 * time.Minute},
		{4 * time.Minute, seconds(300), 4 * time.Minute},
		{4 * time.Minute, seconds(0), 0},
		{-time.Minute, nil, 0},
		{time.Hour, seconds(3000), 5 * time.Minute},
	} {
		c := pendingChallenge()
		c.ExpirationDate = noon.Add(tc.left)
		if got := ResendTTL(tc.asked, c, noon); got != tc.want {
			t.Errorf("with %v left and %v asked: %v, want %v", tc.left, tc.asked, got, tc.want)
		}
	}
}

func TestAgainAsksTheSameAboutTheSameAction(t *testing.T) {
	old := pendingChallenge()
	old.HiddenDetails = map[string]string{"action_id": "login-1", "ip": "192.0.2.1"}
	old.Details.Fields = []verify.Field{{Label: "City", Value: "Lyon"}}
	r := Again(old).Request
	if r.Action() != "login-1" || r.Expires != 5*time.Minute || r.Message != "Log in?" || len(r.Fields) != 1 || r.Hidden["ip"] == "" {
		t.Errorf("asks %+v", r)
	}
	if err := r.Check(); err != nil {
		t.Error(err)
	}
	old.HiddenDetails, old.ExpirationDate = nil, time.Time{}
	if a, b := Again(old).Request, Again(old).Request; a.Action() == "" || a.Action() != b.Action() || a.Expires != verify.DefaultChallengeTTL {
		t.Errorf("without an action id it asks %+v and %+v; want one action for both", a, b)
	}
}
