package debugger

import (
	"context"
	"iter"

	"golang.org/x/sync/errgroup"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// The cost of reading single alerts. That one tells more of a push than its list entry is not documented, so reading
// stops when it does not.
const (
	batchAlerts   = 100 // looked at together
	fetchesAtOnce = 4
	maxFetches    = 100 // of one feed
	vainFetches   = 8   // after so many that told nothing more, no other is made
)

// FetchMissing makes the feed read single alerts of push errors whose list entry names no factor.
func (f *Feed) FetchMissing(single alertReader) *Feed {
	f.single = single
	return f
}

// complete decodes alerts in their order, with the single ones that were needed.
func (f *Feed) complete(ctx context.Context, alerts iter.Seq2[verify.Alert, error]) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		c := &completion{feed: f}
		for batch, err := range f.inBatches(alerts) {
			if !c.give(ctx, batch, yield) {
				return
			}
			if err != nil {
				yield(event.Event{}, err)
				return
			}
		}
	}
}

// inBatches decodes alerts and gives several at a time, or each at once where no single one is read. An error comes with
// the alerts before it.
func (f *Feed) inBatches(alerts iter.Seq2[verify.Alert, error]) iter.Seq2[[]event.Event, error] {
	return func(yield func([]event.Event, error) bool) {
		var batch []event.Event
		for a, err := range alerts {
			if err != nil {
				yield(batch, err)
				return
			}
			batch = append(batch, f.decode(a))
			if f.single != nil && len(batch) < batchAlerts {
				continue
			}
			if !yield(batch, nil) {
				return
			}
			batch = batch[:0]
		}
		yield(batch, nil)
	}
}

func (f *Feed) decode(a verify.Alert) event.Event {
	e := event.FromAlert(a)
	f.attribute(&e)
	return e
}

type completion struct {
	feed    *Feed
	fetches int
	vain    int
}

// give fills in what is missing in a batch, and gives it.
func (c *completion) give(ctx context.Context, batch []event.Event, yield func(event.Event, error) bool) bool {
	if err := c.fill(ctx, batch); err != nil {
		yield(event.Event{}, err)
		return false
	}
	for _, e := range batch {
		if !yield(e, nil) {
			return false
		}
	}
	return true
}

func (c *completion) fill(ctx context.Context, batch []event.Event) error {
	var needed []int
	for i, e := range batch {
		if c.feed.single != nil && needsSingle(e) && c.fetches+len(needed) < maxFetches && c.vain < vainFetches {
			needed = append(needed, i)
		}
	}
	for len(needed) > 0 && c.vain < vainFetches {
		some := needed[:min(len(needed), fetchesAtOnce)]
		needed = needed[len(some):]
		group, ctx := errgroup.WithContext(ctx)
		for _, i := range some {
			group.Go(func() error { return c.feed.fetch(ctx, &batch[i]) })
		}
		if err := group.Wait(); err != nil {
			return err
		}
		c.fetches += len(some)
		for _, i := range some {
			if batch[i].FactorSID == "" {
				c.vain++
			}
		}
	}
	return nil
}

// needsSingle tells whether a push error may be one of Verify Push though its list entry does not say.
func needsSingle(e event.Event) bool {
	if e.ErrorCode == nil || e.FactorSID != "" || e.Ambiguous || e.Product != event.ProductUnknown && e.Product != event.ProductVerifyPush {
		return false
	}
	code, known := event.Lookup(*e.ErrorCode)
	_, err := verify.ParseAlertSID(e.EventSID)
	return known && code.IsPush() && err == nil
}

// fetch reads one alert. One that is gone meanwhile stays as the list had it.
func (f *Feed) fetch(ctx context.Context, e *event.Event) error {
	a, err := f.single.Alert(ctx, verify.AlertSID(e.EventSID))
	if err != nil && verify.KindOf(err) == verify.KindNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	if whole := f.decode(a); whole.FactorSID != "" || whole.ServiceSID != "" {
		*e = whole
	}
	return nil
}
