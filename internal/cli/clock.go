package cli

import (
	"context"
	"time"
)

// clock is an environment's time, in this machine's time zone, with real sleeping.
type clock struct{ now func() time.Time }

func (c *connection) clock() clock { return clock{c.now} }

func (c clock) Now() time.Time { return c.now().Local() }

func (c clock) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
