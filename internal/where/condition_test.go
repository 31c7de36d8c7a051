package where

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

func TestComparisonsMeanWhatTheySay(t *testing.T) {
	now := time.Date(2026, 2, 1, 12, 0, 0, 0, time.UTC)
	factor := verify.Factor{
		SID: "YF0123456789abcdef0123456789ABCDEF", Identity: "user-0001", FriendlyName: "Jane's iPhone", Status: verify.FactorVerified, Type: verify.FactorPush,
		Config:      verify.FactorConfig{Platform: verify.PlatformAPN, AppID: "com.bank.example", SDKVersion: "3.0.0"},
		Metadata:    map[string]string{"app_version": "4.2.10", "os": "iOS"},
		DateCreated: time.Date(2026, 1, 1, 23, 59, 59, 0, time.UTC), DateUpdated: now.Add(-30 * 24 * time.Hour),
	}
	for _, tc := range []struct {
		field  string
		op     operator
		values []string
		want   bool
	}{
		{"sid", opEqual, []string{"YF0123456789ABCDEF0123456789abcdef"}, true},
		{"factor_sid", opIn, []string{"YF1", "YF0123456789ABCDEF0123456789abcdef"}, true},
		{"identity", opEqual, []string{"USER-0001"}, false},
		{"identity", opNotEqual, []string{"user-0001"}, false},
		{"friendly_name", opLike, []string{"*IPHONE"}, true},
		{"friendly_name", opLike, []string{"iPhone"}, false},
		{"friendly_name", opNotLike, []string{"iPhone"}, true},
		{"platform", opEqual, []string{"apn"}, true},
		{"platform", opNotIn, []string{"fcm", "none"}, true},
		{"platform", opLike, []string{"a*"}, true},
		{"sdk_version", opEqual, []string{"3.0"}, true},
		{"sdk_version", opLess, []string{"3.0.1"}, true},
		{"sdk_version", opLess, []string{"3.0"}, false},
		{"sdk_version", opLessEqual, []string{"3.0"}, true},
		{"metadata.app_version", opGreater, []string{"4.2.9"}, true},
		{"metadata.app_version", opEqual, []string{"4.2.10"}, true},
		{"metadata.app_version", opEqual, []string{"4.2.10.0"}, false},
		{"metadata.os", opLess, []string{"9"}, false},
		{"metadata.os", opGreaterEqual, []string{"0"}, false},
		{"metadata.gone", opEqual, []string{""}, true},
		{"metadata.gone", opNotEqual, []string{"x"}, true},
		{"metadata.gone", opLess, []string{"9"}, false},
		{"created", opEqual, []string{"2026-01-01"}, true},
		{"created", opNotEqual, []string{"2026-01-01"}, false},
		{"created", opLess, []string{"2026-01-01"}, false},
		{"created", opLessEqual, []string{"2026-01-01"}, true},
		{"created", opGreater, []string{"2026-01-01"}, false},
		{"created", opGreaterEqual, []string{"2026-01-01"}, true},
		{"created", opLess, []string{"2026-01-02T00:00:00Z"}, true},
		{"created", opEqual, []string{"2026-01-02T00:59:59+01:00"}, true},
		{"updated", opEqual, []string{"now-30d"}, true},
		{"updated", opLess, []string{"now-29d"}, true},
		{"updated", opLess, []string{"now-5w"}, false},
		{"date_updated", opLess, []string{"now"}, true},
	} {
		field, ok := FieldOf(tc.field)
		if !ok {
			t.Fatalf("no field %s", tc.field)
		}
		c, _, err := newComparison(field, tc.op, now, tc.values...)
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
	unborn := verify.Factor{}
	for _, op := range []operator{opEqual, opLess, opLessEqual, opGreater, opGreaterEqual} {
		field, _ := FieldOf("created")
		if c, _, err := newComparison(field, op, now, "now"); err != nil || c.Match(unborn) {
			t.Errorf("a factor without a date fits %s (%v)", c, err)
		}
	}
}

func TestComparisonsThatMakeNoSenseAreRefused(t *testing.T) {
	now := time.Date(2026, 2, 1, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		field   string
		op      operator
		value   string
		message string
		hint    string
	}{
		{"identity", opLess, "user-0001", "identity has no order", "in (…)"},
		{"status", opGreater, "verified", "status has no order", ""},
		{"created", opLike, "2026*", "created is a date", ""},
		{"created", opLess, "30d", `"30d" is not a date`, "now-30d for 30d ago"},
		{"created", opLess, "yesterday", `"yesterday" is not a date`, "2026-01-31"},
		{"created", opLess, "now-99999999d", "is not a date", ""},
		{"status", opEqual, "verifed", `"verifed" is not a status`, "did you mean verified?"},
		{"platform", opEqual, "android", `"android" is not a platform`, "apn, fcm, none"},
		{"sdk_version", opEqual, "latest", `"latest" is not a version`, ""},
		{"metadata.os", opLess, "iOS", "neither a version nor a number", ""},
	} {
		field, _ := FieldOf(tc.field)
		_, _, err := newComparison(field, tc.op, now, tc.value)
		e, ok := err.(*verify.Error)
		if !ok || e.Kind != verify.KindUsage || !strings.Contains(e.Message, tc.message) || !strings.Contains(e.Hint, tc.hint) {
			t.Errorf("%s %s %q: %v, want %q and %q", tc.field, tc.op, tc.value, err, tc.message, tc.hint)
		}
	}
	for _, name := range []string{"", "metadata.", "platfrom", "Platform"} {
		if _, ok := FieldOf(name); ok {
			t.Errorf("%q passed as a field", name)
		}
	}
}

func TestConditionsJoin(t *testing.T) {
	field, _ := FieldOf("status")
	yes, _, _ := newComparison(field, opEqual, time.Time{}, "verified")
	no, _, _ := newComparison(field, opEqual, time.Time{}, "unverified")
	f := verify.Factor{Status: verify.FactorVerified}
	for _, tc := range []struct {
		c    Condition
		want bool
		text string
	}{
		{and{yes, yes}, true, "status = verified and status = verified"},
		{and{yes, no}, false, "status = verified and status = unverified"},
		{or{no, and{yes, not{no}}}, true, "status = unverified or (status = verified and not (status = unverified))"},
		{not{or{yes, no}}, false, "not (status = verified or status = unverified)"},
	} {
		if got := tc.c.Match(f); got != tc.want || fmt.Sprint(tc.c) != tc.text {
			t.Errorf("%s is %v, want %s, %v", tc.c, got, tc.text, tc.want)
		}
	}
}
