package store

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/verifyctl/verifyctl/internal/verify"
	"github.com/verifyctl/verifyctl/internal/where"
)

var indexSize = flag.Int("store.factors", 200_000, "how many factors the index of the benchmarks has")

// bigIndex makes an index as a crawl makes it, of entities with two factors each, and gives the state directory.
func bigIndex(b *testing.B) string {
	b.Helper()
	dir := b.TempDir()
	s := must[*Store](b)(Open(b.Context(), dir, "production"))
	check(b, s.DeclareMetadata(b.Context(), []string{"app_version"}))
	crawl := begin(b, s, verify.CrawlFull)
	random := rand.New(rand.NewPCG(1, 2))
	const batch = 500
	for from := 0; from < *indexSize/2; from += batch {
		var page []verify.Entity
		var read []verify.EntityFactors
		for n := from; n < from+batch; n++ {
			e := entityOf(n)
			e.Identity = verify.Identity(fmt.Sprintf("%016x-%d", random.Uint64(), n))
			page = append(page, e)
			set := verify.EntityFactors{Entity: e, ReadAt: noon}
			for i := range 2 {
				set.Factors = append(set.Factors, someFactor(random, 2*n+i, e))
			}
			read = append(read, set)
		}
		check(b, s.SaveEntityPage(b.Context(), crawl, page, fmt.Sprint(from)))
		check(b, s.SaveFactors(b.Context(), crawl, read))
	}
	check(b, s.SaveEntityPage(b.Context(), crawl, nil, ""))
	must[verify.Crawl](b)(s.FinishCrawl(b.Context(), crawl, noon))
	check(b, s.Close())
	return dir
}

// scrambled gives a number of 64 bits for each n, so that SIDs come in no order and can be found again.
func scrambled(n int) verify.FactorSID {
	return verify.FactorSID(fmt.Sprintf("YF%016x%016x", uint64(n+1)*0x9e3779b97f4a7c15, n))
}

func someFactor(random *rand.Rand, n int, e verify.Entity) verify.Factor {
	f := factorOf(n)
	f.SID, f.Identity, f.EntitySID = scrambled(n), e.Identity, e.SID
	f.Config.Token = verify.PushToken(fmt.Sprint("token", random.Uint64()))
	f.Config.Platform = []verify.Platform{verify.PlatformAPN, verify.PlatformFCM}[n%2]
	f.Config.SDKVersion = fmt.Sprintf("%d.%d.%d", 1+random.IntN(3), random.IntN(4), random.IntN(3))
	f.Metadata = map[string]string{"app_version": fmt.Sprintf("4.%d", random.IntN(20)), "os": fmt.Sprint(random.IntN(9))}
	return f
}

// BenchmarkFind opens the file, finds one factor and closes it, as one command does.
func BenchmarkFind(b *testing.B) {
	dir := bigIndex(b)
	for b.Loop() {
		s := must[*Store](b)(Open(b.Context(), dir, "production"))
		n := rand.IntN(*indexSize)
		if found := must[[]verify.IndexedFactor](b)(s.FindFactors(b.Context(), scrambled(n))); len(found) != 1 {
			b.Fatalf("%d found", len(found))
		}
		check(b, s.Close())
	}
}

// BenchmarkGroups counts over columns, over a declared metadata key, and, as the baseline, over one that is not declared.
func BenchmarkGroups(b *testing.B) {
	s := openStore(b, bigIndex(b))
	for _, names := range [][]string{{"platform", "app_id", "sdk_version", "status"}, {"metadata.app_version"},
		{"platform", "app_id", "sdk_version", "status", "metadata.app_version"}, {"metadata.os"}} {
		var fields []where.Field
		for _, name := range names {
			field, _ := where.FieldOf(name)
			fields = append(fields, field)
		}
		b.Run(fmt.Sprint(names), func(b *testing.B) {
			for b.Loop() {
				must[[]verify.FactorGroup](b)(s.FactorGroupsWhere(b.Context(), fields, nil))
			}
		})
	}
}

// BenchmarkCrawl fills the index: factors a second.
func BenchmarkCrawl(b *testing.B) {
	for b.Loop() {
		bigIndex(b)
	}
	b.ReportMetric(float64(*indexSize)*float64(b.N)/b.Elapsed().Seconds(), "factors/s")
}

// BenchmarkPutEvent compares events that share commits with one commit for each, the baseline.
func BenchmarkPutEvent(b *testing.B) {
	for _, c := range []struct {
		name    string
		callers int
	}{{"one at a time", 1}, {"256 at a time", 256}} {
		b.Run(c.name, func(b *testing.B) {
			s := openStore(b, b.TempDir())
			var next atomic.Int64
			run := func() {
				stored, decoded := delivery(int(next.Add(1)))
				if _, err := s.PutEvent(b.Context(), stored, decoded); err != nil {
					b.Error(err)
				}
			}
			if c.callers == 1 {
				for b.Loop() {
					run()
				}
			} else {
				b.SetParallelism(c.callers)
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						run()
					}
				})
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
