package fleet_test

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	twiliogo "github.com/twilio/twilio-go/client"
	verifyv2 "github.com/twilio/twilio-go/rest/verify/v2"

	"github.com/verifyctl/verifyctl/internal/fleet"
	"github.com/verifyctl/verifyctl/internal/simulator"
	"github.com/verifyctl/verifyctl/internal/store"
	"github.com/verifyctl/verifyctl/internal/twilio"
	"github.com/verifyctl/verifyctl/internal/verify"
	"github.com/verifyctl/verifyctl/internal/where"
)

var (
	benchEntities = flag.Int("fleet.entities", 10_000, "entities that BenchmarkSync crawls")
	benchFactors  = flag.Int("fleet.factors", 100_000, "factors in the index of BenchmarkIndex; a million is what is promised")
)

const (
	benchLatency  = 50 * time.Millisecond
	benchInFlight = 50
	naiveEntities = 60 // that the obvious loop reads, one after the other
)

// BenchmarkSync crawls a Service on the simulator, which answers after 50 ms and takes 50 requests at a time. It reports:
//
//   - of-limit: the speed, as a share of what latency and limit allow; 0.90 is promised
//   - requests/min: requests, as a multiple of the fewest possible; 1.02 is promised
//   - x-naive: how many times faster an entity is read than by the obvious loop over twilio-go, one request after another
//   - MiB-live: the live heap of the crawl at its end over that at its beginning, simulator included
func BenchmarkSync(b *testing.B) {
	sim, err := simulator.Open(b.Context(), simulator.Options{State: filepath.Join(b.TempDir(), "sim.sqlite")})
	if err != nil {
		b.Fatal(err)
	}
	defer sim.Close()
	made, err := sim.Generate(b.Context(), simulator.Fleet{Entities: *benchEntities, Factors: 1})
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range []simulator.Fault{
		{Kind: simulator.FaultConcurrency, Limit: benchInFlight}, {Kind: simulator.FaultLatency, Delay: simulator.Duration(benchLatency)},
	} {
		if _, err := sim.AddFault(b.Context(), f); err != nil {
			b.Fatal(err)
		}
	}
	network := simulator.NewPipeListener()
	go sim.Serve(network)
	defer network.Close()
	for b.Loop() {
		benchSync(b, network, made.Service)
	}
}

func benchSync(b *testing.B, network *simulator.PipeListener, service string) {
	limiter := twilio.NewLimiter(twilio.Limits{MaxInFlight: benchInFlight})
	client, err := twilio.New(twilio.Options{
		Username: simulator.DefaultAccountSID, Password: simulator.DefaultAuthToken, BaseURL: "http://simulator", Dial: network.DialContext, Limiter: limiter,
	})
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	dir, err := os.MkdirTemp(b.TempDir(), "state")
	if err != nil {
		b.Fatal(err)
	}
	memory, err := store.Open(b.Context(), dir, "test")
	if err != nil {
		b.Fatal(err)
	}
	defer memory.Close()

	before, begin := liveHeap(), time.Now()
	_, progress, err := fleet.Sync(b.Context(), client, memory, fleet.SyncOptions{
		Environment: simulated(service), Now: time.Now, Sleep: sleep, Concurrency: benchInFlight,
	})
	took := time.Since(begin)
	if err != nil || progress.Read != *benchEntities {
		b.Fatalf("%+v, %v", progress, err)
	}
	after := liveHeap()
	fewest := float64(*benchEntities + (*benchEntities+999)/1000)
	allowed := fewest / benchInFlight * benchLatency.Seconds()
	requests, throttled := limiter.Counts()
	b.ReportMetric(allowed/took.Seconds(), "of-limit")
	b.ReportMetric(float64(requests)/fewest, "requests/min")
	b.ReportMetric(float64(throttled), "429s")
	b.ReportMetric(float64(max(after, before)-before)/(1<<20), "MiB-live")
	b.ReportMetric(naive(b, network, service)/(took.Seconds()/float64(*benchEntities)), "x-naive")
}

func liveHeap() uint64 {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// through sends what twilio-go means for Twilio into a network inside this process.
type through struct{ http.RoundTripper }

func (t through) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host = "http", "simulator"
	return t.RoundTripper.RoundTrip(r)
}

// naive is the loop that everybody writes first, and gives the seconds it takes for each entity.
func naive(b *testing.B, network *simulator.PipeListener, service string) float64 {
	api := verifyv2.NewApiService(&twiliogo.RequestHandler{Client: &twiliogo.Client{
		Credentials: twiliogo.NewCredentials(simulator.DefaultAccountSID, simulator.DefaultAuthToken),
		HTTPClient:  &http.Client{Transport: through{&http.Transport{DialContext: network.DialContext}}},
	}})
	begin := time.Now()
	page, err := api.PageEntity(service, (&verifyv2.ListEntityParams{}).SetPageSize(naiveEntities), "", "")
	if err != nil {
		b.Fatal(err)
	}
	for _, entity := range page.Entities {
		if _, err := api.ListFactor(service, *entity.Identity, &verifyv2.ListFactorParams{}); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(begin).Seconds() / float64(len(page.Entities))
}

// BenchmarkIndex asks an index of many factors. x-scan tells how many times faster a question is than reading every
// factor of the index in Go.
func BenchmarkIndex(b *testing.B) {
	memory, err := store.Open(b.Context(), b.TempDir(), "test")
	if err != nil {
		b.Fatal(err)
	}
	defer memory.Close()
	fillIndex(b, memory, *benchFactors)
	scan := timed(func() {
		for _, err := range memory.FactorsWhere(b.Context(), nil) {
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	fields := func(names ...string) (fields []where.Field) {
		for _, name := range names {
			field, _ := where.FieldOf(name)
			fields = append(fields, field)
		}
		return fields
	}
	where := func(expression string) where.Condition {
		c, err := where.Parse(expression, time.Now())
		if err != nil {
			b.Fatal(err)
		}
		return c
	}
	for name, ask := range map[string]func() error{
		"find": func() error { _, err := memory.FindFactors(b.Context(), benchSID(*benchFactors/2)); return err },
		"stats": func() error {
			_, err := memory.FactorGroupsWhere(b.Context(), fields("platform", "app_id", "sdk_version", "status"), nil)
			return err
		},
		"stats by metadata": func() error {
			_, err := memory.FactorGroupsWhere(b.Context(), fields("metadata.app_version"), nil)
			return err
		},
		"list stale": func() error {
			for _, err := range memory.FactorsWhere(b.Context(), where("factor_type = push and platform in (apn, fcm) and updated < now-60d")) {
				if err != nil {
					return err
				}
			}
			return nil
		},
		"stats where version": func() error {
			_, err := memory.FactorGroupsWhere(b.Context(), fields("platform"), where("sdk_version < 3.0.1"))
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := ask(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(scan/(b.Elapsed().Seconds()/float64(b.N)), "x-scan")
		})
	}
}

func timed(do func()) float64 {
	begin := time.Now()
	do()
	return time.Since(begin).Seconds()
}

func benchSID(i int) verify.FactorSID { return verify.FactorSID(fmt.Sprintf("YF%032x", i)) }

func fillIndex(b *testing.B, memory *store.Store, factors int) {
	ctx, env := context.Background(), crawlEnv
	if err := memory.DeclareMetadata(ctx, []string{"app_version"}); err != nil {
		b.Fatal(err)
	}
	crawl, err := memory.BeginCrawl(ctx, env.AccountSID, env.ServiceSID, verify.CrawlFull, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	var batch []verify.EntityFactors
	for i := range factors {
		f := verify.Factor{SID: benchSID(i), ServiceSID: env.ServiceSID, Identity: user(i), Status: verify.FactorVerified, Type: verify.FactorPush,
			FriendlyName: "phone", DateCreated: time.Now(), DateUpdated: time.Now(), Metadata: map[string]string{"app_version": fmt.Sprintf("4.%d.0", i%20)}}
		f.Config = verify.FactorConfig{Platform: verify.PlatformFCM, AppID: "com.bank.example", SDKVersion: fmt.Sprintf("3.0.%d", i%4)}
		batch = append(batch, verify.EntityFactors{Entity: verify.Entity{Identity: f.Identity}, Factors: []verify.Factor{f}, ReadAt: time.Now()})
		if len(batch) == 2000 || i == factors-1 {
			if err := memory.SaveFactors(ctx, crawl, batch); err != nil {
				b.Fatal(err)
			}
			batch = batch[:0]
		}
	}
}
