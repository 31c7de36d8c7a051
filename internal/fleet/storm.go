package fleet

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// A storm is what a broken push credential looks like from here: many factors fail with one code at the same time. What
// fails in a storm says nothing about the phones.
const (
	stormFactors = 5         // at least so many factors
	stormShare   = 0.05      // and more than this share of the platform's
	stormSpan    = time.Hour // within this time, with one code
)

// Storm is a time in which so many factors of a platform failed with one code that the cause is not the phones.
type Storm struct {
	Platform verify.Platform `json:"platform"`
	Code     int             `json:"code"`
	From     time.Time       `json:"from"`
	Until    time.Time       `json:"until"`   // the last event of the storm
	Factors  int             `json:"factors"` // that failed within the worst hour
	Of       int             `json:"of"`      // factors that the platform has
}

// failure is one push that failed, of whatever code.
type failure struct {
	platform verify.Platform
	code     int
	factor   string // its SID as the event has it, or another text that tells factors apart
	at       time.Time
}

// findStorms gives the storms among the failures, of a fleet that has so many factors on each platform.
func findStorms(failures []failure, fleet map[verify.Platform]int) []Storm {
	byKind := map[failure][]failure{} // keyed by platform and code alone
	for _, f := range failures {
		kind := failure{platform: f.platform, code: f.code}
		byKind[kind] = append(byKind[kind], f)
	}
	var storms []Storm
	for kind, series := range byKind {
		slices.SortFunc(series, func(a, b failure) int { return a.at.Compare(b.at) })
		storms = append(storms, stormsOf(kind, series, fleet[kind.platform])...)
	}
	slices.SortFunc(storms, func(a, b Storm) int {
		return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.Platform, b.Platform), cmp.Compare(a.Code, b.Code))
	})
	return storms
}

// stormsOf slides a window of stormSpan over a series of one platform and code, in order of time, and joins the windows
// that are storms.
func stormsOf(kind failure, series []failure, total int) []Storm {
	var storms []Storm
	inWindow := map[string]int{} // failures of each factor
	first := 0
	for _, f := range series {
		inWindow[f.factor]++
		for f.at.Sub(series[first].at) > stormSpan {
			leaving := series[first].factor
			if inWindow[leaving]--; inWindow[leaving] == 0 {
				delete(inWindow, leaving)
			}
			first++
		}
		n := len(inWindow)
		if n < stormFactors || float64(n) <= stormShare*float64(total) {
			continue
		}
		if last := len(storms) - 1; last >= 0 && !series[first].at.After(storms[last].Until) {
			storms[last].Until = f.at
			storms[last].Factors = max(storms[last].Factors, n)
			continue
		}
		storms = append(storms, Storm{kind.platform, kind.code, series[first].at, f.at, n, total})
	}
	return storms
}

// on tells whether the storm concerns a platform; one of events that name none may concern any.
func (s Storm) on(platform verify.Platform) bool { return s.Platform == platform || s.Platform == "" }

// struckBy gives the storm that a failure with this code at this time belongs to.
func struckBy(storms []Storm, platform verify.Platform, code int, at time.Time) (Storm, bool) {
	return firstStorm(storms, func(s Storm) bool {
		return s.on(platform) && s.Code == code && !at.Before(s.From) && !at.After(s.Until)
	})
}

func firstStorm(storms []Storm, fits func(Storm) bool) (Storm, bool) {
	i := slices.IndexFunc(storms, fits)
	if i < 0 {
		return Storm{}, false
	}
	return storms[i], true
}

// stormActive tells whether any storm of the platform was on at a time, or within stormSpan of it.
func stormActive(storms []Storm, platform verify.Platform, at time.Time) bool {
	return slices.ContainsFunc(storms, func(s Storm) bool {
		return s.on(platform) && at.After(s.From.Add(-stormSpan)) && at.Before(s.Until.Add(stormSpan))
	})
}

// lastStorm gives the end of the platform's latest storm; zero without one.
func lastStorm(storms []Storm, platform verify.Platform) time.Time {
	var end time.Time
	for _, s := range storms {
		if s.on(platform) {
			end = later(end, s.Until)
		}
	}
	return end
}

// begunSince gives a storm of the platform that went on after a time.
func begunSince(storms []Storm, platform verify.Platform, since time.Time) (Storm, bool) {
	return firstStorm(storms, func(s Storm) bool { return s.on(platform) && s.Until.After(since) })
}

// failureOf gives what an event says about the fleet of a Service, and whether it says anything. A failed push counts
// towards a storm even if it is too unclear to be evidence.
func failureOf(e event.Event, service verify.ServiceSID, platform verify.Platform) (failure, bool) {
	if e.ErrorCode == nil || e.Product != event.ProductVerifyPush || e.ServiceSID != "" && !verify.SameSID(e.ServiceSID, string(service)) {
		return failure{}, false
	}
	return failure{platform: platform, code: *e.ErrorCode, factor: strings.ToUpper(cmp.Or(e.FactorSID, e.EventSID)), at: e.Timestamp}, true
}
