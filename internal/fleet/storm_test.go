package fleet

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/verifyctl/verifyctl/internal/verify"
)

func TestStormsNeedManyFactorsOfOneCodeInOneHour(t *testing.T) {
	at := func(minutes int) time.Time { return planTime.Add(time.Duration(minutes) * time.Minute) }
	burst := func(factors, code, everyMinutes int) (failures []failure) {
		for i := range factors {
			failures = append(failures, failure{verify.PlatformFCM, code, fmt.Sprint("YF", i), at(i * everyMinutes)})
		}
		return failures
	}
	for _, tc := range []struct {
		name     string
		failures []failure
		fleet    int
		storms   int
	}{
		{"five of forty", burst(5, 52103, 1), 40, 1},
		{"four of ten", burst(4, 52103, 1), 10, 0},
		{"five of a hundred, which is not over five per cent", burst(5, 52103, 1), 100, 0},
		{"six of a hundred", burst(6, 52103, 1), 100, 1},
		{"within the hour to the minute", burst(5, 52103, 15), 40, 1},
		{"slower than that", burst(5, 52103, 16), 40, 0},
		{"one factor many times", append(burst(4, 52103, 1), burst(4, 52103, 2)...), 10, 0},
		{"two codes", append(burst(4, 52103, 1), burst(4, 52141, 1)...), 10, 0},
		{"a fleet that nobody counted", burst(5, 52103, 1), 0, 1},
		{"a long storm is one", burst(100, 52103, 5), 100, 1},
	} {
		storms := findStorms(tc.failures, map[verify.Platform]int{verify.PlatformFCM: tc.fleet})
		if len(storms) != tc.storms {
			t.Errorf("%s: %v, want %d", tc.name, storms, tc.storms)
		}
	}
	long := findStorms(burst(100, 52103, 5), map[verify.Platform]int{verify.PlatformFCM: 100})[0]
	if !long.From.Equal(at(0)) || !long.Until.Equal(at(495)) || long.Factors != 13 {
		t.Errorf("the long storm is %+v", long)
	}
}

// Every event of an hour that is a storm is in one, and no other: compared with the definition, event by event.
func TestStormsAreWhatTheRuleSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var failures []failure
		for range rapid.IntRange(0, 60).Draw(t, "failures") {
			failures = append(failures, failure{
				platform: verify.PlatformFCM, code: rapid.SampledFrom([]int{52103, 52109}).Draw(t, "code"),
				factor: fmt.Sprint(rapid.IntRange(1, 12).Draw(t, "factor")), at: planTime.Add(time.Duration(rapid.IntRange(0, 600).Draw(t, "minute")) * time.Minute),
			})
		}
		total := rapid.IntRange(0, 160).Draw(t, "fleet")
		storms := findStorms(failures, map[verify.Platform]int{verify.PlatformFCM: total})
		for _, f := range failures {
			_, got := struckBy(storms, f.platform, f.code, f.at)
			if want := inStormByDefinition(f, failures, total); got != want {
				t.Fatalf("%+v is in a storm: %v, want %v (%+v)", f, got, want, storms)
			}
		}
	})
}

// inStormByDefinition tries every hour that contains the failure and begins with one.
func inStormByDefinition(f failure, all []failure, total int) bool {
	for _, first := range all {
		if first.code != f.code || first.at.After(f.at) || f.at.Sub(first.at) > stormSpan {
			continue
		}
		factors := map[string]bool{}
		for _, other := range all {
			if other.code == f.code && !other.at.Before(first.at) && other.at.Sub(first.at) <= stormSpan {
				factors[other.factor] = true
			}
		}
		if n := len(factors); n >= stormFactors && n*100 > 5*total {
			return true
		}
	}
	return false
}
