package doctor

import (
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// BenchmarkThreeEnvironments examines three environments of one account, each request taking 20 ms, and reports the time
// as a multiple of the longest chain of requests that depend on each other: the Service, then its credential. The target
// is 1.3.
func BenchmarkThreeEnvironments(b *testing.B) {
	const latency, chain = 20 * time.Millisecond, 2
	f, env := healthy()
	f.delay[""] = latency
	var targets []Target
	var envs []verify.Environment
	for i, name := range []string{"dev", "staging", "live"} {
		e := env
		e.Name, e.ServiceSID = name, serviceSID(i+1)
		service := f.services[0]
		service.SID = e.ServiceSID
		f.services = append(f.services, service)
		envs, targets = append(envs, e), append(targets, f.target(e))
	}
	opts := Options{Declared: envs}
	for b.Loop() {
		if _, err := Run(b.Context(), targets, opts); err != nil {
			b.Fatal(err)
		}
	}
	perRun := b.Elapsed().Seconds() / float64(b.N)
	b.ReportMetric(perRun/(chain*latency).Seconds(), "x-chain")
	b.ReportMetric(float64(len(f.asked))/float64(b.N), "reads/op")
}
