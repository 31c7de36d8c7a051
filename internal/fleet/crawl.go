package fleet

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// crawlMemory is where a crawl leaves what it reads, and the list of entities that it has yet to read. Both outlive the
// process.
type crawlMemory interface {
	BeginCrawl(ctx context.Context, account verify.AccountSID, service verify.ServiceSID, kind verify.CrawlKind, now time.Time) (verify.Crawl, error)
	FinishCrawl(ctx context.Context, crawl verify.Crawl, now time.Time) (verify.Crawl, error)
	Freshness(ctx context.Context) (verify.Freshness, error)

	SaveEntityPage(ctx context.Context, crawl verify.Crawl, page []verify.Entity, next string) error
	QueueEntities(ctx context.Context, crawl verify.Crawl, identities []verify.Identity) error
	NextEntities(ctx context.Context, crawl verify.Crawl, after verify.Identity, limit int) ([]verify.Entity, error)

	SaveFactors(ctx context.Context, crawl verify.Crawl, read []verify.EntityFactors) error
	ChangedIdentities(ctx context.Context, receivedSince time.Time) ([]verify.Identity, error)
}

const (
	crawlConcurrency = 32
	listBatch        = 500 // entities taken off the list at once

	// These bound what a crash makes a crawl read again: so many entities, or as many as come in so long.
	saveBatch = 100
	saveEvery = 100 * time.Millisecond
)

// SyncOptions says what a crawl reads and when.
type SyncOptions struct {
	Environment verify.Environment
	Changed     bool             // only what events name, and entities never read
	Limit       int              // entities to read in this run; 0 means all of them
	All         bool             // read more than [UnaskedEntities] even in production
	Concurrency int              // 0 means 32; the client may allow fewer
	Hours       Hours            // when to read
	Now         func() time.Time // in the time zone of Hours
	Sleep       func(ctx context.Context, d time.Duration) error
	Cost        func(SyncCost)        // called once, when the first page of entities is in; may be nil
	Progress    func(SyncProgress)    // may be nil; never called by two goroutines at once
	Waiting     func(until time.Time) // called before a sleep until the hours open; may be nil
}

// SyncCost is what a crawl will take, as far as it is known.
type SyncCost struct {
	Entities int  // to read
	AtLeast  bool // there are more pages of entities, which nobody has counted; Entities is what the last crawl found
	Resumed  bool // goes on where an earlier one was cut off
}

// SyncProgress is how far a crawl has come in this run.
type SyncProgress struct {
	Listed   int  // entities that Twilio's list showed in this run
	AllSeen  bool // the list is complete, so Left is all that is left
	Read     int  // entities whose factors were read
	Factors  int
	Gone     int // entities that were not there any more
	Failed   int // entities that could not be read; they stay on the list
	Left     int // entities on the list; 0 while that is not known
	Requests int // pages and factor lists asked for; retries not counted
}

// Sync fills the index from Twilio. Everything it has read is on disk soon after, so that a crawl that was cut off at any
// point goes on where it was, by the same call. Entities that cannot be read stay on its list: the error is then of
// KindPartial and the next call reads them. A full crawl takes what is not at Twilio any more out of the index.
func Sync(ctx context.Context, api factorReader, memory crawlMemory, opts SyncOptions) (verify.Crawl, SyncProgress, error) {
	c := &crawler{api: api, memory: memory, opts: opts, claimed: map[verify.Identity]bool{}, grown: make(chan struct{}, 1)}
	if err := c.begin(ctx); err != nil {
		return c.crawl, c.progress, err
	}
	if err := c.run(ctx); err != nil {
		return c.crawl, c.progress, err
	}
	finished, err := memory.FinishCrawl(ctx, c.crawl, opts.Now())
	if err == nil {
		c.crawl = finished
	}
	return c.crawl, c.progress, err
}

type crawler struct {
	api    factorReader
	memory crawlMemory
	opts   SyncOptions
	crawl  verify.Crawl
	known  int // entities that the index had before

	counting sync.Mutex // held while the list and what progress says of it change together; taken before mu

	mu       sync.Mutex
	progress SyncProgress
	claimed  map[verify.Identity]bool // taken off the list in this run and not saved yet, or failed
	listed   bool
	fatal    error
	grown    chan struct{} // a page was saved, or the list is complete
	failing  int           // entities in a row that failed
}

func (c *crawler) begin(ctx context.Context) error {
	c.opts.Concurrency = cmp.Or(c.opts.Concurrency, crawlConcurrency)
	fresh, err := c.memory.Freshness(ctx)
	if err != nil {
		return err
	}
	c.known = fresh.LastFull.Entities
	kind := verify.CrawlFull
	if c.opts.Changed {
		kind = verify.CrawlChanged
		if fresh.LastFull.ID == 0 {
			return verify.Refusedf("there is no index of %s yet, so nobody can say what changed", c.opts.Environment.Name).
				WithHint("%s", c.opts.Environment.Command("fleet", "sync"))
		}
	}
	if c.crawl, err = c.memory.BeginCrawl(ctx, c.opts.Environment.AccountSID, c.opts.Environment.ServiceSID, kind, c.opts.Now()); err != nil {
		return err
	}
	if c.listed = c.crawl.Listed; c.listed {
		c.progress.AllSeen, c.progress.Left = true, fresh.Waiting
	}
	if c.crawl.Resumed {
		return c.mayRead(fresh.Waiting)
	}
	if c.opts.Changed {
		return c.queueChanged(ctx, fresh.LastFull.Started)
	}
	return nil
}

// queueChanged puts the identities on the list that events have named since the last full crawl began.
func (c *crawler) queueChanged(ctx context.Context, since time.Time) error {
	identities, err := c.memory.ChangedIdentities(ctx, since)
	if err != nil {
		return err
	}
	if err := c.mayRead(len(identities)); err != nil {
		return err
	}
	return c.memory.QueueEntities(ctx, c.crawl, identities)
}

// mayRead refuses what would take too much from logins without having been asked for.
func (c *crawler) mayRead(entities int) error {
	if c.opts.Environment.IsProduction() && !c.opts.All && c.opts.Limit == 0 && entities > UnaskedEntities {
		return verify.Refusedf("Service %s has more than %d entities to read, and each costs one request that competes with logins",
			c.opts.Environment.ServiceSID, UnaskedEntities).WithHint("read them all with --all, best within --between HH:MM-HH:MM, or so many at a time with --limit")
	}
	return nil
}

// run lists and reads at the same time, and saves what comes in.
func (c *crawler) run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	var lister sync.WaitGroup
	lister.Go(func() { c.list(ctx) })
	defer lister.Wait()
	defer stop()

	var batch []verify.EntityFactors
	saved := c.opts.Now()
	for result := range asDone(ctx, c.opts.Concurrency, c.queue, c.read) {
		if !c.account(ctx, result) {
			continue
		}
		batch = append(batch, result.EntityFactors)
		if now := c.opts.Now(); len(batch) >= saveBatch || now.Sub(saved) >= saveEvery {
			if err := c.save(ctx, batch); err != nil {
				return err
			}
			batch, saved = batch[:0], now
		}
	}
	if err := c.save(ctx, batch); err != nil {
		return err
	}
	return c.end(ctx)
}

// end says how a run ended that may have left something on the list.
func (c *crawler) end(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.progress
	switch {
	case ctx.Err() == nil && c.fatal != nil:
		return c.fatal
	case ctx.Err() != nil:
		return interrupted(ctx, "interrupted after %d entities; the same command goes on", p.Read)
	case p.Failed > 0:
		return &verify.Error{Kind: verify.KindPartial, Message: fmt.Sprintf("%d entities could not be read and stay on the list", p.Failed),
			Hint: "the same command reads them again"}
	case c.opts.Limit > 0 && p.Read+p.Gone >= c.opts.Limit:
		return &verify.Error{Kind: verify.KindPartial, Message: fmt.Sprintf("the limit of %d entities is reached", c.opts.Limit),
			Hint: "the same command reads the next ones"}
	}
	return nil
}

// list reads the pages of entities that are still missing and puts them on the list.
func (c *crawler) list(ctx context.Context) {
	cursor, first := c.crawl.Cursor, true
	for !c.isListed() {
		if err := c.waitForHours(ctx); err != nil {
			c.fail(err)
			break
		}
		page, next, err := c.api.EntityPage(ctx, c.opts.Environment.ServiceSID, cursor, maxPageSize)
		if err == nil && first && !c.opts.Changed {
			err = c.announce(len(page), next != "")
		}
		if err == nil {
			err = c.memory.SaveEntityPage(ctx, c.crawl, page, next)
		}
		if err == nil {
			err = c.pageSaved(ctx, len(page), next == "")
		}
		if err != nil {
			c.fail(err)
			break
		}
		cursor, first = next, false
	}
	c.wakeQueue()
}

// announce tells the cost when the first page is in, before any factors are read.
func (c *crawler) announce(entities int, more bool) error {
	if more {
		if err := c.mayRead(UnaskedEntities + 1); err != nil {
			return err
		}
		entities = max(c.known, entities+1)
	}
	if c.opts.Cost != nil {
		c.opts.Cost(SyncCost{Entities: entities, AtLeast: more, Resumed: c.crawl.Resumed})
	}
	return nil
}

// queue gives the entities on the list, each once, until the list is complete and empty or the limit is reached.
func (c *crawler) queue(ctx context.Context) iter.Seq[verify.Entity] {
	return func(yield func(verify.Entity) bool) {
		given := 0
		for claimed := range c.unclaimed(ctx) {
			for _, entity := range claimed {
				if err := c.waitForHours(ctx); err != nil {
					c.fail(err)
					return
				}
				given++
				if !yield(entity) || given == c.opts.Limit || c.stopped() != nil {
					return
				}
			}
		}
	}
}

// unclaimed goes through the list again and again, and claims and gives what it finds, some entities at a time. It ends
// when the list is complete and a way through it has found nothing.
func (c *crawler) unclaimed(ctx context.Context) iter.Seq[[]verify.Entity] {
	return func(yield func([]verify.Entity) bool) {
		complete, found, place := c.isListed(), false, verify.Identity("")
		for {
			claimed, next, err := c.claimAfter(ctx, place)
			if err != nil {
				c.fail(err)
				return
			}
			if !yield(claimed) {
				return
			}
			found, place = found || len(claimed) > 0, next
			if next != "" {
				continue
			}
			if !found && (complete || !c.awaitMore(ctx)) {
				return
			}
			complete, found = c.isListed(), false
		}
	}
}

// claimAfter claims what nobody has claimed of the entities after a place on the list. The next place is "" at its end.
func (c *crawler) claimAfter(ctx context.Context, place verify.Identity) (claimed []verify.Entity, next verify.Identity, err error) {
	// What is claimed now is skipped, even if it is saved, and free again, before the list is read.
	c.mu.Lock()
	busy := maps.Clone(c.claimed)
	c.mu.Unlock()
	batch, err := c.memory.NextEntities(ctx, c.crawl, place, listBatch)
	if err != nil {
		return nil, "", err
	}
	if len(batch) == listBatch {
		next = batch[listBatch-1].Identity
	}
	claimed = slices.DeleteFunc(batch, func(e verify.Entity) bool { return busy[e.Identity] })
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, entity := range claimed {
		c.claimed[entity.Identity] = true
	}
	return claimed, next, nil
}

type crawled struct {
	verify.EntityFactors
	err error
}

func (c *crawler) read(ctx context.Context, entity verify.Entity) crawled {
	r := crawled{EntityFactors: verify.EntityFactors{Entity: entity, ReadAt: c.opts.Now()}}
	factors := readFactors(ctx, c.api, c.opts.Environment.ServiceSID, entity.Identity)
	r.Factors, r.err = factors.got, factors.err
	if r.Gone = verify.KindOf(r.err) == verify.KindNotFound; r.Gone {
		r.err = nil
	}
	return r
}

// account counts a reading and tells whether it is to be saved.
func (c *crawler) account(ctx context.Context, r crawled) bool {
	if r.err != nil && ctx.Err() != nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.progress.Requests++
	if r.err == nil {
		c.failing = 0
		return true
	}
	c.progress.Failed++
	c.failing++
	switch {
	case c.fatal != nil:
	case verify.KindOf(r.err) == verify.KindAuth:
		c.fatal = r.err
	case c.failing >= failuresInARow:
		c.fatal = fmt.Errorf("the crawl stopped: %d entities in a row could not be read: %w", c.failing, r.err)
	}
	c.report()
	return false
}

// save puts readings into the index, even when ctx has ended: they were paid for.
func (c *crawler) save(ctx context.Context, batch []verify.EntityFactors) error {
	if len(batch) == 0 {
		return nil
	}
	c.counting.Lock()
	defer c.counting.Unlock()
	if err := c.memory.SaveFactors(context.WithoutCancel(ctx), c.crawl, batch); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range batch {
		delete(c.claimed, e.Entity.Identity)
		c.progress.Read++
		c.progress.Left = max(0, c.progress.Left-1)
		c.progress.Factors += len(e.Factors)
		if e.Gone {
			c.progress.Gone++
		}
	}
	c.report()
	return nil
}

func (c *crawler) isListed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.listed
}

// pageSaved counts a page of the list, and after the last one what is on it.
func (c *crawler) pageSaved(ctx context.Context, entities int, last bool) error {
	c.counting.Lock()
	defer c.counting.Unlock()
	waiting := 0
	if last {
		fresh, err := c.memory.Freshness(ctx)
		if err != nil {
			return err
		}
		waiting = fresh.Waiting
	}
	c.mu.Lock()
	c.progress.Requests++
	c.progress.Listed += entities
	c.listed, c.progress.AllSeen, c.progress.Left = last, last, waiting
	c.report()
	c.mu.Unlock()
	c.wakeQueue()
	return nil
}

// wakeQueue has the queue look at the list again.
func (c *crawler) wakeQueue() {
	select {
	case c.grown <- struct{}{}:
	default: // it has not looked since the last time
	}
}

// awaitMore waits until there may be more on the list, and tells whether to look.
func (c *crawler) awaitMore(ctx context.Context) bool {
	select {
	case <-c.grown:
		return c.stopped() == nil
	case <-ctx.Done():
		return false
	}
}

func (c *crawler) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fatal == nil {
		c.fatal = err
	}
}

func (c *crawler) stopped() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fatal
}

// waitForHours sleeps until the hours are open.
func (c *crawler) waitForHours(ctx context.Context) error {
	for {
		now := c.opts.Now()
		open := c.opts.Hours.opens(now)
		if !open.After(now) {
			return ctx.Err()
		}
		if c.opts.Waiting != nil {
			c.opts.Waiting(open)
		}
		if err := c.opts.Sleep(ctx, open.Sub(now)); err != nil {
			return err
		}
	}
}

// report tells how far the crawl has come; the caller holds mu.
func (c *crawler) report() {
	if c.opts.Progress != nil {
		c.opts.Progress(c.progress)
	}
}
