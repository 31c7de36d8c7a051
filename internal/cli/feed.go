package cli

import (
	"context"
	"time"

	"github.com/verifyctl/verifyctl/internal/debugger"
	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/store"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// feed gives the debugger events of the environment's account: those that this machine has stored, and those that Twilio
// still has, each once.
func (c *connection) feed(memory *store.Store) *debugger.Feed {
	return debugger.NewFeed(c.client, memory, c.now)
}

// alertsSince gives the time of --since, and refuses one of which Twilio has no alerts any more.
func alertsSince(since verify.Since, now time.Time, env verify.Environment) (time.Time, error) {
	from, err := since.Time(now)
	if err == nil && now.Sub(from) > debugger.AlertsKept {
		return from, verify.Usagef("--since %s: Twilio keeps alerts for 30 days", since).
			WithHint("older ones are here if they were stored: %s", env.Command("debugger", "replay"))
	}
	return from, err
}

// feedSince is the feed for doctor. What this machine has stored is only of help: that it cannot be read is no failure.
type feedSince struct{ c *connection }

func (f feedSince) Events(ctx context.Context, since, until time.Time) ([]event.Event, []event.Span, error) {
	feed, within := debugger.NewFeed(f.c.client, nil, f.c.now), event.Span{From: since, Until: until}
	if memory, err := f.c.memory(ctx); err == nil {
		feed = f.c.feed(memory)
	}
	events, err := collect(feed.Events(ctx, within))
	if err != nil {
		return nil, nil, err
	}
	missing, err := feed.Gaps(ctx, within)
	return events, missing, err
}
