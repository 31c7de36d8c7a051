package where

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/verifyctl/verifyctl/internal/verify"
)

var whereNow = time.Date(2026, 2, 1, 12, 0, 0, 0, time.UTC)

func TestWhereBindsAsDocumented(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"platform=apn", "platform = apn"},
		{"platform=apn and sdk_version<3.0.1 and updated<2026-01-01", "platform = apn and sdk_version < 3.0.1 and updated < 2026-01-01"},
		{"status=verified or platform=apn and platform!=fcm", "status = verified or (platform = apn and platform != fcm)"},
		{"(status=verified or platform=apn) and platform!=fcm", "(status = verified or platform = apn) and platform != fcm"},
		{"not status=verified AND Not platform=fcm", "not (status = verified) and not (platform = fcm)"},
		{"not not status=verified", "not (not (status = verified))"},
		{"app_id in (com.bank.example, 'com.bank example', \"\\\"\")", `app_id in (com.bank.example, "com.bank example", "\"")`},
		{"notification_platform NOT IN (apn)", "platform not in (apn)"},
		{"friendly_name~iPhone*", `friendly_name ~ "iPhone*"`},
		{"friendly_name !~ '*Pixel*'", `friendly_name !~ "*Pixel*"`},
		{"metadata.app_version=''", `metadata.app_version = ""`},
		{"metadata.app-version>=4.2", "metadata.app-version >= 4.2"},
		{"updated<now-30d", "updated < 2026-01-02T12:00:00Z"},
		{"created>=2026-01-01T08:00:00+01:00", "created >= 2026-01-01T07:00:00Z"},
		{"identity = and", "identity = and"},
		{"identity='*'", `identity = "*"`},
		{" \n status\t=\nverified ", "status = verified"},
	} {
		c, err := Parse(tc.in, whereNow)
		if err != nil || c.String() != tc.want {
			t.Errorf("%q reads as %v (%v), want %s", tc.in, c, err, tc.want)
		}
	}
}

func TestWhereShowsTheMistake(t *testing.T) {
	for _, tc := range []struct{ in, message, caret, hint string }{
		{"", "the expression is empty", "", "such as 'platform = apn"},
		{"platfrom=apn", `unknown field "platfrom"`, "^", "did you mean platform?"},
		{"status=verified and colour=red", `unknown field "colour"`, "                    ^", "the fields are sid, identity"},
		{"status=verified and", "the expression is incomplete", "                   ^", ""},
		{"status=verified platform=apn", "platform was not expected here", "                ^", ""},
		{"status==verified", "unknown operator ==", "      ^", "write ="},
		{"status=verified && platform=apn", "unknown operator &&", "                ^", "write and"},
		{"!status=verified", "unknown operator !", "^", "write not"},
		{"status=verifed", `"verifed" is not a status`, "       ^", "did you mean verified?"},
		{"identity<user-0001", "identity has no order", "        ^", ""},
		{"platform in (apn, android)", `"android" is not a platform`, "                  ^", "apn, fcm, none"},
		{"platform in ()", ") was not expected here", "             ^", ""},
		{"friendly_name=iPhone*", "= compares letter by letter", "              ^", `friendly_name ~ "iPhone*"`},
		{"updated<30d", `"30d" is not a date`, "        ^", "write now-30d"},
		{"friendly_name='Jané' and updated<30d", `"30d" is not a date`, "                                 ^", ""},
		{"friendly_name='Jane", "the quote is not closed", "              ^", ""},
		{`friendly_name="\q"`, "is not quoted text", "              ^", ""},
		{"'status'=verified", "begins with the name of a field", "^", ""},
		{"status=verified)", ") was not expected here", "               ^", ""},
		{"(status=verified", "the expression is incomplete", "                ^", ""},
		{strings.Repeat("(", 5000), "has 5000 bytes", "", "--from FILE"},
		{"status=\xff", "not valid UTF-8", "", ""},
	} {
		_, err := Parse(tc.in, whereNow)
		e, ok := err.(*verify.Error)
		if !ok || e.Kind != verify.KindUsage {
			t.Errorf("%q: %v is not a usage error", tc.in, err)
			continue
		}
		if !strings.Contains(e.Message, tc.message) || !strings.Contains(e.Hint, tc.hint) {
			t.Errorf("%q: %q, hint %q; want %q and %q", tc.in, e.Message, e.Hint, tc.message, tc.hint)
		}
		if tc.caret != "" && e.Excerpt != "  "+tc.in+"\n  "+tc.caret {
			t.Errorf("%q: the place is shown as\n%s", tc.in, e.Excerpt)
		}
	}
}

func TestWhereSurvivesNesting(t *testing.T) {
	deep := strings.Repeat("(", 2000) + "status=verified" + strings.Repeat(")", 2000)
	if c, err := Parse(deep, whereNow); err != nil || c.String() != "status = verified" {
		t.Errorf("%v, %v", c, err)
	}
}

// A condition written out and read again is the same condition: plans and audit lines keep it as text.
func TestWhereWritesWhatItReads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawCondition(t, 3)
		again, err := Parse(c.String(), whereNow)
		if err != nil || again.String() != c.String() {
			t.Fatalf("%s reads as %v (%v)", c, again, err)
		}
		for range 5 {
			if f := drawFactor(t); c.Match(f) != again.Match(f) {
				t.Fatalf("%s and %s disagree on %+v", c, again, f)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"platform=apn and sdk_version<3.0.1 and updated<2026-01-01", "not (status=verified or metadata.a in (1,'2'))",
		"friendly_name ~ \"*\\u00e9*\"", "((((", "a=", "created<now-1w", "x y z", "'", "\"\\", "and and and", "metadata.=1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, expression string) {
		c, err := Parse(expression, whereNow)
		if err != nil {
			if c != nil || verify.KindOf(err) != verify.KindUsage {
				t.Fatalf("%q: %v beside %v", expression, c, err)
			}
			return
		}
		if again, err := Parse(c.String(), whereNow); err != nil || again.String() != c.String() {
			t.Fatalf("%q is %s, which reads as %v (%v)", expression, c, again, err)
		}
		c.Match(verify.Factor{})
	})
}

func drawCondition(t *rapid.T, depth int) Condition {
	kind := rapid.IntRange(0, 5).Draw(t, "kind")
	if depth == 0 {
		kind = 0
	}
	switch kind {
	case 1:
		return and{drawCondition(t, depth-1), drawCondition(t, depth-1)}
	case 2:
		return or{drawCondition(t, depth-1), drawCondition(t, depth-1), drawCondition(t, depth-1)}
	case 3:
		return not{drawCondition(t, depth-1)}
	}
	for {
		name := rapid.SampledFrom([]string{"sid", "identity", "friendly_name", "status", "factor_type", "platform", "app_id",
			"sdk_version", "created", "updated", "metadata.app_version", "metadata.os"}).Draw(t, "field")
		field, _ := FieldOf(name)
		op := rapid.SampledFrom([]operator{opEqual, opNotEqual, opLess, opLessEqual, opGreater,
			opGreaterEqual, opLike, opNotLike, opIn, opNotIn}).Draw(t, "op")
		values := rapid.SliceOfN(rapid.SampledFrom(interestingValues), 1, 3).Draw(t, "values")
		if op != opIn && op != opNotIn {
			values = values[:1]
		}
		if c, _, err := newComparison(field, op, whereNow, values...); err == nil {
			return c
		}
	}
}

var interestingValues = []string{"", "apn", "fcm", "none", "verified", "unverified", "push", "totp", "3.0", "3.0.0", "3.0.1-beta", "10",
	"v3", "2026-01-01", "2026-01-01T08:00:00Z", "now-30d", "now", "user-0001", "USER-0001", "*", "*e*", "?", "Jane's \"phone\"\n", "é",
	"YF00000000000000000000000000000a01", "YF00000000000000000000000000000A01", "com.bank.example", "x\x00y", "and"}

func drawFactor(t *rapid.T) verify.Factor {
	text := func(label string) string { return rapid.SampledFrom(interestingValues).Draw(t, label) }
	date := func(label string) time.Time {
		if rapid.Bool().Draw(t, label+" known") {
			return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(-1, 60*24).Draw(t, label)) * time.Hour)
		}
		return time.Time{}
	}
	f := verify.Factor{
		SID: verify.FactorSID(text("sid")), Identity: verify.Identity(text("identity")), FriendlyName: text("friendly_name"),
		Status: verify.FactorStatus(text("status")), Type: verify.FactorType(text("type")),
		Config:      verify.FactorConfig{Platform: verify.Platform(text("platform")), AppID: text("app_id"), SDKVersion: text("sdk")},
		DateCreated: date("created"), DateUpdated: date("updated"),
	}
	if rapid.Bool().Draw(t, "has metadata") {
		f.Metadata = map[string]string{"app_version": text("app_version"), "os": text("os")}
	}
	return f
}
