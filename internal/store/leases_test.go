package store

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// expire ends a lease by the memory's clock, as when its holder was frozen for longer than it lasts.
func expire(t *testing.T, s *Store, name string) {
	t.Helper()
	check(t, s.exec(t.Context(), "", `UPDATE leases SET until = ? WHERE name = ?`, noon.AddDate(-1, 0, 0), name))
}

func aHolderThatLostItsCrawlWritesNothing(t *testing.T, w *world) {
	ctx := t.Context()
	frozen, next := w.open(t), w.another(t).open(t)
	crawl := begin(t, frozen, verify.CrawlFull)
	if _, err := next.BeginCrawl(ctx, account, service, verify.CrawlFull, noon); verify.KindOf(err) != verify.KindRefused {
		t.Fatalf("two crawl at once: %v", err)
	}
	if w.address == "" {
		check(t, frozen.owner.end(nil)) // on one machine the operating system tells; a frozen process keeps its crawl
	} else {
		expire(t, frozen, crawlLease)
		if err := frozen.SaveEntityPage(ctx, crawl, []verify.Entity{entityOf(1)}, "page-2"); verify.KindOf(err) != verify.KindRefused {
			t.Errorf("a holder past its lease writes: %v", err)
		}
	}
	resumed := begin(t, next, verify.CrawlFull)
	if resumed.ID != crawl.ID || !resumed.Resumed {
		t.Errorf("the next one goes on with %+v", resumed)
	}
	for what, write := range map[string]error{
		"a page":   frozen.SaveEntityPage(ctx, crawl, []verify.Entity{entityOf(1)}, ""),
		"a list":   frozen.QueueEntities(ctx, crawl, []verify.Identity{identityOf(1)}),
		"factors":  frozen.SaveFactors(ctx, crawl, []verify.EntityFactors{readOf(1, noon)}),
		"its end":  second(frozen.FinishCrawl(ctx, crawl, noon)),
		"the next": second(frozen.BeginCrawl(ctx, account, service, verify.CrawlFull, noon)),
	} {
		if verify.KindOf(write) != verify.KindRefused {
			t.Errorf("the one that was woken writes %s: %v", what, write)
		}
	}
	check(t, next.SaveEntityPage(ctx, resumed, []verify.Entity{entityOf(2)}, ""))
	check(t, next.SaveFactors(ctx, resumed, []verify.EntityFactors{readOf(2, noon)}))
	must[verify.Crawl](t)(next.FinishCrawl(ctx, resumed, noon))
	must[verify.Crawl](t)(frozen.BeginCrawl(ctx, account, service, verify.CrawlFull, noon))
}

func second[T any](_ T, err error) error { return err }

func oneClientAtATimeWorksAlone(t *testing.T, w *world) {
	ctx := t.Context()
	a, b := w.open(t), w.another(t).open(t)
	alone := must[bool](t)(a.Alone(ctx, "backfill", func(ctx context.Context) error {
		if alone := must[bool](t)(b.Alone(ctx, "backfill", func(context.Context) error { t.Error("two at once"); return nil })); alone {
			t.Error("another one is alone as well")
		}
		if alone := must[bool](t)(b.Alone(ctx, "something else", func(context.Context) error { return nil })); !alone {
			t.Error("another work waits")
		}
		return nil
	}))
	if !alone || !must[bool](t)(b.Alone(ctx, "backfill", func(context.Context) error { return nil })) {
		t.Error("the work is not free after it was done")
	}
}

// TestFiftyRunsOfFiveMachinesMakeOneChallenge says that an action is claimed once, from wherever it is asked.
func TestFiftyRunsOfFiveMachinesMakeOneChallenge(t *testing.T) {
	w := sharedWorld(t)
	var mine atomic.Int32
	var all sync.WaitGroup
	for range 5 {
		s := w.another(t).open(t)
		for range 10 {
			all.Go(func() {
				for {
					claim, err := s.ClaimChallenge(t.Context(), theKey)
					switch {
					case err != nil:
						t.Error(err)
						return
					case claim.State == verify.ClaimMade:
						return
					case claim.State == verify.ClaimMine:
						mine.Add(1)
						if err := s.FulfilClaim(t.Context(), claim, created(int(mine.Load()))); err != nil {
							t.Error(err)
						}
						return
					}
				}
			})
		}
	}
	all.Wait()
	if mine.Load() != 1 {
		t.Errorf("%d of them made it", mine.Load())
	}
}

// TestAClaimOfALostMachineNeedsAWord says that no time ends a claim, and that taking one over brings the duty to look first.
func TestAClaimOfALostMachineNeedsAWord(t *testing.T) {
	ctx := t.Context()
	w := sharedWorld(t)
	lost, here := w.open(t), w.another(t).open(t)
	late := must[verify.Claim](t)(lost.ClaimChallenge(ctx, theKey))
	check(t, here.exec(ctx, "", `UPDATE claims SET at = ?`, noon)) // long ago
	claim := func(s *Store) verify.Claim { return must[verify.Claim](t)(s.ClaimChallenge(ctx, theKey)) }
	if c := claim(here); c.State != verify.ClaimElsewhere || c.Machine == "" || !c.Since.Equal(noon) {
		t.Fatalf("on another machine the claim is %+v", c)
	}
	wantRefusal(t, lost.TakeOverClaim(ctx, theKey), verify.KindRefused, "still running on this machine")
	check(t, here.TakeOverClaim(ctx, theKey))
	mine := claim(here)
	if mine.State != verify.ClaimMine || !mine.LookFirst {
		t.Fatalf("taken over as %+v", mine)
	}
	check(t, lost.FulfilClaim(ctx, late, created(1)))
	check(t, here.FulfilClaim(ctx, mine, created(2)))
	if c := claim(lost); c.State != verify.ClaimMade || c.ChallengeSID != challengeSID(2) {
		t.Errorf("afterwards it is %+v", c)
	}
}

// TestAClaimOfADeadRunIsFreeOnItsMachine says that what a killed run had is free for the next run there, and then everywhere.
func TestAClaimOfADeadRunIsFreeOnItsMachine(t *testing.T) {
	ctx := t.Context()
	w := sharedWorld(t)
	died := w.child(t, "claim")
	died.Env = append(died.Env, "STORE_TEST_DIE=1")
	if err := died.Run(); err == nil {
		t.Fatal("it did not die")
	}
	elsewhere := w.another(t).open(t)
	if c := must[verify.Claim](t)(elsewhere.ClaimChallenge(ctx, theKey)); c.State != verify.ClaimElsewhere {
		t.Errorf("another machine cannot know that it died: %+v", c)
	}
	must[bool](t)(w.open(t).Alone(ctx, "anything", func(context.Context) error { return nil }))
	if c := must[verify.Claim](t)(elsewhere.ClaimChallenge(ctx, theKey)); c.State != verify.ClaimMine || !c.LookFirst {
		t.Errorf("after a run on its machine: %+v", c)
	}
}

// TestLeasesEndByTheDatabasesClock says that a wrong clock of a machine has no say.
func TestLeasesEndByTheDatabasesClock(t *testing.T) {
	w := sharedWorld(t)
	s := w.open(t)
	begin(t, s, verify.CrawlFull)
	var left float64
	check(t, s.read.queryRow(t.Context(), `SELECT extract(epoch FROM until - clock_timestamp()) FROM leases`).Scan(&left))
	if left <= 0 || left > leaseTime.Seconds() {
		t.Errorf("the lease lasts %v", time.Duration(left*float64(time.Second)))
	}
}
