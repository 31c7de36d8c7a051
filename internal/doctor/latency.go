package doctor

import (
	"math"
	"slices"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// ServerPromise is how long Twilio says a request takes it, network apart (Verify Push best practices, "What is the
// expected latency for API responses?").
const ServerPromise = 300 * time.Millisecond

// slowRoundTrip is from how long on a whole request on an open connection is slow.
const slowRoundTrip = 500 * time.Millisecond

// Percentiles are of a set of durations, by the nearest-rank method: each is a value that was measured.
type Percentiles struct {
	Count int           `json:"count"`
	P50   time.Duration `json:"p50"`
	P95   time.Duration `json:"p95"`
	P99   time.Duration `json:"p99"`
}

// percentilesOf sums up durations; all zero when there are none.
func percentilesOf(durations []time.Duration) Percentiles {
	if len(durations) == 0 {
		return Percentiles{}
	}
	sorted := slices.Sorted(slices.Values(durations))
	at := func(share float64) time.Duration { return sorted[int(math.Ceil(share*float64(len(sorted))))-1] }
	return Percentiles{len(sorted), at(0.50), at(0.95), at(0.99)}
}

// latencySummary is what a probe tells, parts that were not measured left at zero.
type latencySummary struct {
	DNS     Percentiles `json:"dns"`
	Connect Percentiles `json:"connect"`
	TLS     Percentiles `json:"tls"`
	Cold    Percentiles `json:"cold"`   // whole requests on a new connection
	Reused  Percentiles `json:"reused"` // whole requests on an open one
	Server  Percentiles `json:"server"` // Twilio's own share, where it told or where it can be told from the rest

	// ServerEstimated is set when Twilio did not tell: its share is then the wait for the first byte less one round trip.
	ServerEstimated bool `json:"server_estimated"`

	// OwnShares is what Server sums up, a duration for each request.
	OwnShares []time.Duration `json:"-"`
}

// SummariseLatency sums a probe up.
func SummariseLatency(p verify.Probe) latencySummary {
	var dns, connect, tls, cold, reused, told, estimated []time.Duration
	roundTrip := time.Duration(0)
	for _, s := range p.Samples {
		if s.Reused {
			reused = append(reused, s.Total)
		} else {
			cold = append(cold, s.Total)
			dns, connect = append(dns, s.DNS), append(connect, s.Connect)
			if s.TLS > 0 {
				tls = append(tls, s.TLS)
			}
			if roundTrip == 0 || s.Connect < roundTrip {
				roundTrip = s.Connect
			}
		}
		if s.HasServer {
			told = append(told, s.Server)
		}
		estimated = append(estimated, max(0, s.FirstByte-roundTrip))
	}
	l := latencySummary{DNS: percentilesOf(dns), Connect: percentilesOf(connect), TLS: percentilesOf(tls),
		Cold: percentilesOf(cold), Reused: percentilesOf(reused), OwnShares: told}
	if len(told) == 0 && roundTrip > 0 {
		l.OwnShares, l.ServerEstimated = estimated, true
	}
	l.Server = percentilesOf(l.OwnShares)
	return l
}
