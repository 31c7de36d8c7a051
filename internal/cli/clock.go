package cli

import (
	"context"
	"time"
)

// clock is an environment's time, in this machine's time zone, and how a command waits in it.
type clock struct {
	now   func() time.Time
	sleep func(context.Context, time.Duration) error
}

func (c *connection) clock() clock {
	if c.shell.clockOf != nil {
		return c.shell.clockOf(c.now)
	}
	return clock{c.now, sleep}
}

// machineClock is this machine's time.
func (s *shell) machineClock() clock {
	if s.clockOf != nil {
		return s.clockOf(time.Now)
	}
	return clock{time.Now, sleep}
}

func (c clock) Now() time.Time { return c.now().Local() }

func (c clock) Sleep(ctx context.Context, d time.Duration) error { return c.sleep(ctx, d) }

// sleep waits for real.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
