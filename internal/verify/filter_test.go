package verify

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestVersionsCompareAsVersions(t *testing.T) {
	inOrder := []string{"0", "0.0.1", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1",
		"1", "1.0.1", "1.2", "1.10", "v2.0.0", "2.0.0.1", "10", "99999999999999999999999.1", "100000000000000000000000"}
	for i, a := range inOrder {
		for j, b := range inOrder {
			v, okV := ParseVersion(a)
			w, okW := ParseVersion(b)
			if got := v.Compare(w); !okV || !okW || sign(got) != sign(i-j) {
				t.Errorf("%s against %s: %d (%v %v)", a, b, got, okV, okW)
			}
		}
	}
	for _, same := range [][2]string{{"3.0", "3.0.0"}, {"v1", "1.00"}, {"1.2+build.7", "1.2"}, {"007", "7"}} {
		v, _ := ParseVersion(same[0])
		w, _ := ParseVersion(same[1])
		if v.Compare(w) != 0 {
			t.Errorf("%s and %s differ", same[0], same[1])
		}
	}
	for _, none := range []string{"", "v", "abc", "1.", ".1", "1..2", "1.x", "-1", "1-", "1-a..b", "1 ", "١"} {
		if _, ok := ParseVersion(none); ok {
			t.Errorf("%q passed as a version", none)
		}
	}
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

func TestComparisonsMeanWhatTheySay(t *testing.T) {
	now := time.Date(2026, 2, 1, 12, 0, 0, 0, time.UTC)
	factor := Factor{
		SID: "YF0123456789abcdef0123456789ABCDEF", Identity: "user-0001", FriendlyName: "Jane's iPhone", Status: FactorVerified, Type: FactorPush,
		Config:      FactorConfig{Platform: PlatformAPN, AppID: "com.bank.example", SDKVersion: "3.0.0"},
		Metadata:    map[string]string{"app_version": "4.2.10", "os": "iOS"},
		DateCreated: time.Date(2026, 1, 1, 23, 59, 59, 0, time.UTC), DateUpdated: now.Add(-30 * 24 * time.Hour),
	}
	for _, tc := range []struct {
		field  string
		op     Op
		values []string
		want   bool
	}{
		{"sid", OpEqual, []string{"YF0123456789ABCDEF0123456789abcdef"}, true},
		{"factor_sid", OpIn, []string{"YF1", "YF0123456789ABCDEF0123456789abcdef"}, true},
		{"identity", OpEqual, []string{"USER-0001"}, false},
		{"identity", OpNotEqual, []string{"user-0001"}, false},
		{"friendly_name", OpLike, []string{"*IPHONE"}, true},
		{"friendly_name", OpLike, []string{"iPhone"}, false},
		{"friendly_name", OpNotLike, []string{"iPhone"}, true},
		{"platform", OpEqual, []string{"apn"}, true},
		{"platform", OpNotIn, []string{"fcm", "none"}, true},
		{"platform", OpLike, []string{"a*"}, true},
		{"sdk_version", OpEqual, []string{"3.0"}, true},
		{"sdk_version", OpLess, []string{"3.0.1"}, true},
		{"sdk_version", OpLess, []string{"3.0"}, false},
		{"sdk_version", OpLessEqual, []string{"3.0"}, true},
		{"metadata.app_version", OpGreater, []string{"4.2.9"}, true},
		{"metadata.app_version", OpEqual, []string{"4.2.10"}, true},
		{"metadata.app_version", OpEqual, []string{"4.2.10.0"}, false},
		{"metadata.os", OpLess, []string{"9"}, false},
		{"metadata.os", OpGreaterEqual, []string{"0"}, false},
		{"metadata.gone", OpEqual, []string{""}, true},
		{"metadata.gone", OpNotEqual, []string{"x"}, true},
		{"metadata.gone", OpLess, []string{"9"}, false},
		{"created", OpEqual, []string{"2026-01-01"}, true},
		{"created", OpNotEqual, []string{"2026-01-01"}, false},
		{"created", OpLess, []string{"2026-01-01"}, false},
		{"created", OpLessEqual, []string{"2026-01-01"}, true},
		{"created", OpGreater, []string{"2026-01-01"}, false},
		{"created", OpGreaterEqual, []string{"2026-01-01"}, true},
		{"created", OpLess, []string{"2026-01-02T00:00:00Z"}, true},
		{"created", OpEqual, []string{"2026-01-02T00:59:59+01:00"}, true},
		{"updated", OpEqual, []string{"now-30d"}, true},
		{"updated", OpLess, []string{"now-29d"}, true},
		{"updated", OpLess, []string{"now-5w"}, false},
		{"date_updated", OpLess, []string{"now"}, true},
	} {
		field, ok := FactorFieldOf(tc.field)
		if !ok {
			t.Fatalf("no field %s", tc.field)
		}
		c, _, err := NewComparison(field, tc.op, now, tc.values...)
		if err != nil {
			t.Errorf("%s %s %v: %v", tc.field, tc.op, tc.values, err)
			continue
		}
		if got := c.Match(factor); got != tc.want {
			t.Errorf("%s is %v, want %v", c, got, tc.want)
		}
		if strings.Contains(c.String(), "now") {
			t.Errorf("%s still depends on when it is read", c)
		}
	}
	unborn := Factor{}
	for _, op := range []Op{OpEqual, OpLess, OpLessEqual, OpGreater, OpGreaterEqual} {
		field, _ := FactorFieldOf("created")
		if c, _, err := NewComparison(field, op, now, "now"); err != nil || c.Match(unborn) {
			t.Errorf("a factor without a date fits %s (%v)", c, err)
		}
	}
}

func TestComparisonsThatMakeNoSenseAreRefused(t *testing.T) {
	now := time.Date(2026, 2, 1, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		field   string
		op      Op
		value   string
		message string
		hint    string
	}{
		{"identity", OpLess, "user-0001", "identity has no order", "in (…)"},
		{"status", OpGreater, "verified", "status has no order", ""},
		{"created", OpLike, "2026*", "created is a date", ""},
		{"created", OpLess, "30d", `"30d" is not a date`, "now-30d for 30d ago"},
		{"created", OpLess, "yesterday", `"yesterday" is not a date`, "2026-01-31"},
		{"created", OpLess, "now-99999999d", "is not a date", ""},
		{"status", OpEqual, "verifed", `"verifed" is not a status`, "did you mean verified?"},
		{"platform", OpEqual, "android", `"android" is not a platform`, "apn, fcm, none"},
		{"sdk_version", OpEqual, "latest", `"latest" is not a version`, ""},
		{"metadata.os", OpLess, "iOS", "neither a version nor a number", ""},
	} {
		field, _ := FactorFieldOf(tc.field)
		_, _, err := NewComparison(field, tc.op, now, tc.value)
		e, ok := err.(*Error)
		if !ok || e.Kind != KindUsage || !strings.Contains(e.Message, tc.message) || !strings.Contains(e.Hint, tc.hint) {
			t.Errorf("%s %s %q: %v, want %q and %q", tc.field, tc.op, tc.value, err, tc.message, tc.hint)
		}
	}
	for _, name := range []string{"", "metadata.", "platfrom", "Platform"} {
		if _, ok := FactorFieldOf(name); ok {
			t.Errorf("%q passed as a field", name)
		}
	}
}

// A pattern is compared with the textbook's definition, which is right but takes exponential time.
func TestGlob(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringOfN(rapid.SampledFrom([]rune("aB*?é")), 0, 6, -1).Draw(t, "pattern")
		s := rapid.StringOfN(rapid.SampledFrom([]rune("abé*")), 0, 8, -1).Draw(t, "s")
		if got, want := Glob(pattern, s), slowGlob([]rune(strings.ToLower(pattern)), []rune(s)); got != want {
			t.Fatalf("Glob(%q, %q) = %v", pattern, s, got)
		}
	})
	if Glob(strings.Repeat("*a", 40)+"b", strings.Repeat("a", 2000)) {
		t.Error("a pattern matched that cannot")
	}
}

func slowGlob(p, s []rune) bool {
	switch {
	case len(p) == 0:
		return len(s) == 0
	case p[0] == '*':
		return slowGlob(p[1:], s) || len(s) > 0 && slowGlob(p, s[1:])
	case len(s) == 0:
		return false
	}
	return (p[0] == '?' || p[0] == s[0]) && slowGlob(p[1:], s[1:])
}

func TestConditionsJoin(t *testing.T) {
	field, _ := FactorFieldOf("status")
	yes, _, _ := NewComparison(field, OpEqual, time.Time{}, "verified")
	no, _, _ := NewComparison(field, OpEqual, time.Time{}, "unverified")
	f := Factor{Status: FactorVerified}
	for _, tc := range []struct {
		c    Condition
		want bool
		text string
	}{
		{And{yes, yes}, true, "status = verified and status = verified"},
		{And{yes, no}, false, "status = verified and status = unverified"},
		{Or{no, And{yes, Not{no}}}, true, "status = unverified or (status = verified and not (status = unverified))"},
		{Not{Or{yes, no}}, false, "not (status = verified or status = unverified)"},
	} {
		if got := tc.c.Match(f); got != tc.want || fmt.Sprint(tc.c) != tc.text {
			t.Errorf("%s is %v, want %s, %v", tc.c, got, tc.text, tc.want)
		}
	}
}
