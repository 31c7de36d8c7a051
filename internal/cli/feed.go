package cli

import (
	"context"
	"iter"
	"time"

	"github.com/verifyctl/verifyctl/internal/debugger"
	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/store"
)

// feed gives the debugger events of the environment's account: those that this machine has stored, and those that Twilio
// still has, each once.
func (c *connection) feed(memory *store.Store) *debugger.Feed {
	return debugger.NewFeed(c.client, memory, c.now)
}

// feedSince is a feed for whoever asks by two times.
type feedSince struct{ c *connection }

func (f feedSince) Events(ctx context.Context, since, until time.Time) iter.Seq2[event.Event, error] {
	memory, err := f.c.memory(ctx)
	if err != nil {
		return failed[event.Event](err)
	}
	return f.c.feed(memory).Events(ctx, event.Span{From: since, Until: until})
}
