package fleet

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/verifyctl/verifyctl/internal/verify"
)

const testService = verify.ServiceSID("VA00000000000000000000000000000001")

// people is a Service in memory: each entity has as many factors as its index modulo 3.
type people struct {
	count    int
	fail     map[verify.Identity]error
	pageFail error // of the second page
	shifted  bool  // pages begin with entities that stood on those before
	block    chan struct{}

	requests, flying, mostFlying atomic.Int32
}

func identityAt(i int) verify.Identity { return verify.Identity(fmt.Sprintf("user-%05d", i)) }

func (p *people) EntityPage(_ context.Context, _ verify.ServiceSID, cursor string, size int) ([]verify.Entity, string, error) {
	p.requests.Add(1)
	start := 0
	fmt.Sscanf(cursor, "PT%d", &start) //nolint:errcheck // "" means 0
	if start > 0 && p.pageFail != nil {
		return nil, "", p.pageFail
	}
	var page []verify.Entity
	if start > 0 && p.shifted {
		page = append(page, verify.Entity{Identity: identityAt(start - 1)}, verify.Entity{Identity: identityAt(2)})
	}
	for i := start; i < min(start+size, p.count); i++ {
		page = append(page, verify.Entity{Identity: identityAt(i)})
	}
	if start+size >= p.count {
		return page, "", nil
	}
	return page, fmt.Sprintf("PT%d", start+size), nil
}

func (p *people) Factors(ctx context.Context, _ verify.ServiceSID, identity verify.Identity) iter.Seq2[verify.Factor, error] {
	return func(yield func(verify.Factor, error) bool) {
		p.requests.Add(1)
		flying := p.flying.Add(1)
		defer p.flying.Add(-1)
		for most := p.mostFlying.Load(); flying > most && !p.mostFlying.CompareAndSwap(most, flying); most = p.mostFlying.Load() {
		}
		if p.block != nil {
			select {
			case <-p.block:
			case <-ctx.Done():
				yield(verify.Factor{}, ctx.Err())
				return
			}
		}
		i := 0
		fmt.Sscanf(string(identity), "user-%d", &i) //nolint:errcheck // our own identities
		for n := range i % 3 {
			f := verify.Factor{SID: verify.FactorSID(fmt.Sprintf("YF%028d%04d", i, n)), Identity: identity, Type: verify.FactorPush}
			f.Config.Platform = []verify.Platform{verify.PlatformAPN, verify.PlatformFCM}[n]
			if !yield(f, nil) {
				return
			}
		}
		if err := p.fail[identity]; err != nil {
			yield(verify.Factor{}, err)
		}
	}
}

func collect(walk iter.Seq2[verify.Factor, error]) (sids []verify.FactorSID, errs []error) {
	for factor, err := range walk {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		sids = append(sids, factor.SID)
	}
	return sids, errs
}

func TestWalkGivesEveryFactorInOrder(t *testing.T) {
	defer goleak.VerifyNone(t)
	for _, count := range []int{0, 1, 999, 1000, 1001, 3456} {
		p := &people{count: count}
		var last WalkProgress
		sids, errs := collect(Walk(t.Context(), p, testService, Filter{}, WalkOptions{Concurrency: 7, Progress: func(p WalkProgress) { last = p }}))
		if len(errs) > 0 || !slices.IsSorted(sids) || len(slices.Compact(sids)) != last.Factors {
			t.Fatalf("%d entities: errors %v, sorted %v, %d factors of %+v", count, errs, slices.IsSorted(sids), len(sids), last)
		}
		if last.Entities != count {
			t.Errorf("%d entities: progress ended at %+v", count, last)
		}
		if want := count + max(1, (count+999)/1000); int(p.requests.Load()) != want {
			t.Errorf("%d entities: %d requests, want %d", count, p.requests.Load(), want)
		}
		if p.mostFlying.Load() > 7 {
			t.Errorf("%d requests at the same time, 7 allowed", p.mostFlying.Load())
		}
	}
}

func TestWalkGivesTheFactorsOfAnEntityOnce(t *testing.T) {
	p := &people{count: 2500, shifted: true}
	sids, errs := collect(Walk(t.Context(), p, testService, Filter{}, WalkOptions{Concurrency: 3}))
	if slices.Sort(sids); len(errs) > 0 || len(slices.Compact(slices.Clone(sids))) != len(sids) || len(sids) != 2499 {
		t.Errorf("%d factors, %d of them different, %v", len(sids), len(slices.Compact(sids)), errs)
	}
}

func TestWalkKeepsErrorsApart(t *testing.T) {
	broken := &verify.Error{Kind: verify.KindFailed, Message: "internal error"}
	p := &people{count: 30, fail: map[verify.Identity]error{
		identityAt(4): &verify.Error{Kind: verify.KindNotFound, Message: "not found"},
		identityAt(5): broken,
	}}
	var last WalkProgress
	sids, errs := collect(Walk(t.Context(), p, testService, Filter{}, WalkOptions{Progress: func(p WalkProgress) { last = p }}))
	if len(errs) != 1 || !errors.Is(errs[0], broken) || !strings.Contains(errs[0].Error(), "user-00005") {
		t.Errorf("errors %v, want the one of user-00005", errs)
	}
	if want := (WalkProgress{Entities: 30, Factors: 30, Gone: 1, Failed: 1}); last != want || len(sids) != 30 {
		t.Errorf("progress %+v with %d rows, want %+v", last, len(sids), want)
	}
}

func TestWalkEndsWhereGoingOnIsPointless(t *testing.T) {
	auth := &verify.Error{Kind: verify.KindAuth, Message: "wrong keys"}
	down := &verify.Error{Kind: verify.KindUnreachable, Message: "no answer"}
	allDown := map[verify.Identity]error{}
	for i := range 5000 {
		allDown[identityAt(i)] = down
	}
	for _, tc := range []struct {
		name     string
		people   *people
		errs     int
		requests int // at most
		want     error
	}{
		{"wrong keys", &people{count: 5000, fail: map[verify.Identity]error{identityAt(3): auth}}, 1, 200, auth},
		{"a page that fails", &people{count: 5000, pageFail: auth}, 1, 1002, auth},
		{"nothing answers", &people{count: 5000, fail: allDown}, failuresInARow + 1, 200, down},
	} {
		t.Run(tc.name, func(t *testing.T) {
			defer goleak.VerifyNone(t)
			_, errs := collect(Walk(t.Context(), tc.people, testService, Filter{}, WalkOptions{}))
			if len(errs) != tc.errs || !errors.Is(errs[len(errs)-1], tc.want) {
				t.Errorf("%d errors, the last %v", len(errs), errs[len(errs)-1])
			}
			if n := int(tc.people.requests.Load()); n > tc.requests {
				t.Errorf("%d requests, at most %d make sense", n, tc.requests)
			}
		})
	}
}

func TestWalkStopsWithItsConsumer(t *testing.T) {
	defer goleak.VerifyNone(t)
	p := &people{count: 5000}
	for range Walk(t.Context(), p, testService, Filter{}, WalkOptions{}) {
		break
	}
	if n := p.requests.Load(); n > 200 {
		t.Errorf("%d requests after the consumer stopped at the first row", n)
	}

	ctx, cancel := context.WithCancel(t.Context())
	p = &people{count: 5000, block: make(chan struct{})}
	go cancel()
	_, errs := collect(Walk(ctx, p, testService, Filter{}, WalkOptions{}))
	if len(errs) != 1 || verify.KindOf(errs[0]) != verify.KindInterrupted || !errors.Is(errs[0], context.Canceled) {
		t.Errorf("errors %v, want one that says interrupted", errs)
	}
}

func TestWalkFiltersAndLimits(t *testing.T) {
	p := &people{count: 300}
	sids, errs := collect(Walk(t.Context(), p, testService, Filter{Platform: verify.PlatformFCM, Type: verify.FactorPush}, WalkOptions{Limit: 10}))
	if len(sids) != 10 || len(errs) != 0 {
		t.Errorf("%d rows and %v, want 10", len(sids), errs)
	}
	for _, sid := range sids {
		if !strings.HasSuffix(string(sid), "0001") {
			t.Errorf("%s is not an fcm factor", sid)
		}
	}
	for _, f := range []Filter{{Status: verify.FactorVerified}, {AppID: "com.bank.example"}, {Type: verify.FactorTOTP}} {
		if sids, _ := collect(Walk(t.Context(), p, testService, f, WalkOptions{})); len(sids) != 0 {
			t.Errorf("%+v let %d rows through", f, len(sids))
		}
	}
}

func TestWalkInProductionNeedsToBeAsked(t *testing.T) {
	for _, tc := range []struct {
		name           string
		count          int
		opts           WalkOptions
		filter         Filter
		rows, requests int
		refused        bool
	}{
		{"as many as are read unasked", 1000, WalkOptions{}, Filter{}, 999, 1001, false},
		{"one more", 1001, WalkOptions{}, Filter{}, 0, 1, true},
		{"all", 1001, WalkOptions{All: true}, Filter{}, 1000, 1003, false},
		{"a limit", 5000, WalkOptions{Limit: 20}, Filter{}, 20, 200, false},
		{"a limit that a filter makes endless", 5000, WalkOptions{Limit: 20}, Filter{AppID: "none"}, 0, 1100, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := &people{count: tc.count}
			tc.opts.Production = true
			sids, errs := collect(Walk(t.Context(), p, testService, tc.filter, tc.opts))
			if len(sids) != tc.rows || int(p.requests.Load()) > tc.requests {
				t.Errorf("%d rows with %d requests, want %d rows with at most %d", len(sids), p.requests.Load(), tc.rows, tc.requests)
			}
			if refused := len(errs) == 1 && verify.KindOf(errs[0]) == verify.KindRefused; refused != tc.refused || len(errs) > 1 {
				t.Errorf("errors %v, want a refusal: %v", errs, tc.refused)
			}
		})
	}
}
