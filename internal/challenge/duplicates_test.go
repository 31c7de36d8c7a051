package challenge

import (
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

func TestDuplicates(t *testing.T) {
	made := func(last, factor, action string) verify.Challenge {
		return verify.Challenge{SID: verify.ChallengeSID(sidOf("YC", last)), FactorSID: verify.FactorSID(sidOf("YF", factor)),
			HiddenDetails: map[string]string{verify.ActionID: action}}
	}
	list := []verify.Challenge{made("1", "1", "login"), made("2", "2", "login"), made("3", "1", "pay"), made("4", "1", "login"),
		made("5", "1", ""), made("6", "1", ""), {SID: "YC7"}}
	got := Duplicates(list)
	if len(got) != 1 || len(got[0]) != 2 || got[0][0].SID != list[0].SID || got[0][1].SID != list[3].SID {
		t.Errorf("got %v, want the two challenges about one login of one factor", got)
	}
}

func TestAnswerTime(t *testing.T) {
	c := pendingChallenge()
	if _, answered := AnswerTime(c); answered {
		t.Error("a pending challenge has an answer time")
	}
	c.DateResponded = c.DateCreated.Add(9 * time.Second) // Twilio's own examples have one while pending
	if _, answered := AnswerTime(c); answered {
		t.Error("a pending challenge with a date has an answer time")
	}
	c.Status = verify.ChallengeDenied
	if took, answered := AnswerTime(c); !answered || took != 9*time.Second {
		t.Errorf("answered after %v, %v", took, answered)
	}
}
