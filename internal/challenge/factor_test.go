package challenge

import (
	"errors"
	"strings"
	"testing"

	"github.com/verifyctl/verifyctl/internal/verify"
)

const hex31 = "0123456789abcdef0123456789abcde"

func sidOf(prefix string, last string) string { return prefix + hex31 + last }

func pushFactor(last string, status verify.FactorStatus) verify.Factor {
	return verify.Factor{SID: verify.FactorSID(sidOf("YF", last)), Identity: "user-1001", FriendlyName: "Pixel " + last,
		Type: verify.FactorPush, Status: status, Config: verify.FactorConfig{Platform: verify.PlatformFCM}}
}

func TestChooseFactor(t *testing.T) {
	good, other := pushFactor("1", verify.FactorVerified), pushFactor("2", verify.FactorVerified)
	raw := pushFactor("3", verify.FactorUnverified)
	totp := verify.Factor{SID: verify.FactorSID(sidOf("YF", "4")), Type: verify.FactorTOTP, Status: verify.FactorVerified}
	for name, tc := range map[string]struct {
		factors []verify.Factor
		want    verify.FactorSID
		kind    verify.Kind
		says    []string
	}{
		"the only one":        {[]verify.Factor{good}, good.SID, 0, nil},
		"the only usable one": {[]verify.Factor{totp, raw, good}, good.SID, 0, nil},
		"two":                 {[]verify.Factor{good, other}, "", verify.KindUsage, []string{string(good.SID), string(other.SID), "Pixel 2"}},
		"unverified only":     {[]verify.Factor{raw}, "", verify.KindFailed, []string{"no verified push factor", string(raw.SID)}},
		"TOTP only":           {[]verify.Factor{totp}, "", verify.KindNotFound, []string{"no push factor", string(totp.SID)}},
		"none":                {nil, "", verify.KindNotFound, []string{"user-1001 has no factor"}},
	} {
		got, err := ChooseFactor(verify.Environment{Name: "staging"}, "user-1001", tc.factors)
		if got.SID != tc.want || (err == nil) != (tc.want != "") || err != nil && verify.KindOf(err) != tc.kind {
			t.Errorf("%s: got %q, %v", name, got.SID, err)
			continue
		}
		var choice *FactorChoice
		if err != nil && (!errors.As(err, &choice) || len(choice.Usable)+len(choice.Others) != len(tc.factors)) {
			t.Errorf("%s: the error does not carry the factors: %#v", name, err)
		}
		for _, s := range tc.says {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("%s: %q does not say %q", name, err, s)
			}
		}
	}
}

func TestVerifiedPush(t *testing.T) {
	good, other, raw := pushFactor("1", verify.FactorVerified), pushFactor("2", verify.FactorVerified), pushFactor("3", verify.FactorUnverified)
	got, err := VerifiedPush(verify.Environment{Name: "staging"}, "user-1001", []verify.Factor{good, raw, other})
	if err != nil || len(got) != 2 {
		t.Errorf("got %v, %v; want the two verified ones", got, err)
	}
	if _, err := VerifiedPush(verify.Environment{Name: "staging"}, "user-1001", []verify.Factor{raw}); verify.KindOf(err) != verify.KindFailed {
		t.Errorf("got %v, want a failure", err)
	}
}
