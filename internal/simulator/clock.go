package simulator

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// ClockMode says what moves a state's clock.
type ClockMode string

// The ways a clock can go.
const (
	ClockWall    ClockMode = "wall"    // with the time of day, plus what was advanced
	ClockRunning ClockMode = "running" // only while a process has the state open
	ClockFrozen  ClockMode = "frozen"  // only when advanced
)

// Clock is a state's clock when it is made: At is where a running or frozen one starts, to which the wall clock is
// moved when At is given with it.
type Clock struct {
	Mode ClockMode
	At   time.Time
}

func (c *Clock) complete() error {
	switch c.Mode {
	case "":
		c.Mode = ClockWall
	case ClockWall:
	case ClockRunning, ClockFrozen:
		if c.At.IsZero() {
			return fmt.Errorf("a %s clock needs a time to start at", c.Mode)
		}
	default:
		return fmt.Errorf("unknown clock %q: it is %q, %q or %q", c.Mode, ClockWall, ClockRunning, ClockFrozen)
	}
	return nil
}

// clockState is the clock as stored, in nanoseconds. The time is frozenAt when that is set, else offset plus the wall
// clock or, for a running clock, plus how long it ran. ran only grows: each process writes the larger of the stored
// value and its own, so that two processes open at once do not make time go twice as fast.
type clockState struct {
	running  bool
	offset   int64
	ran      int64
	frozenAt sql.NullInt64
}

// localClock is what this process adds to a running clock: how far it had run when the state was opened, and since.
type localClock struct {
	ranAtOpen int64
	openedAt  time.Time
}

func (s *Simulator) ran(stored int64) int64 {
	own := s.clock.ranAtOpen + int64(s.opts.Wall().Sub(s.clock.openedAt))
	return max(stored, own)
}

// base is what the offset is added to.
func (s *Simulator) base(c clockState) int64 {
	if c.running {
		return s.ran(c.ran)
	}
	return s.opts.Wall().UnixNano()
}

func (s *Simulator) at(c clockState) time.Time {
	if c.frozenAt.Valid {
		return time.Unix(0, c.frozenAt.Int64).UTC()
	}
	return time.Unix(0, c.offset+s.base(c)).UTC()
}

func (s *Simulator) newClockState(c Clock) clockState {
	switch c.Mode {
	case ClockRunning:
		return clockState{running: true, offset: c.At.UnixNano()}
	case ClockFrozen:
		return clockState{frozenAt: sql.NullInt64{Int64: c.At.UnixNano(), Valid: true}}
	}
	var offset time.Duration
	if !c.At.IsZero() {
		offset = c.At.Sub(s.opts.Wall())
	}
	return clockState{offset: int64(offset)}
}

// Now is the simulated time, to which challenges expire and devices sign.
func (s *Simulator) Now(ctx context.Context) (time.Time, error) {
	return read(ctx, s, func(t *tx) (time.Time, error) { return t.now, nil })
}

// Advance moves the clock by d, which may not be negative: what happened stays in the past. What falls due in between,
// such as a late alert, is there afterwards.
func (s *Simulator) Advance(ctx context.Context, d time.Duration) error {
	if d < 0 {
		return badInput("the clock cannot go back by %s", -d)
	}
	return s.changeClock(ctx, func(c *clockState, _ time.Time) {
		if c.frozenAt.Valid {
			c.frozenAt.Int64 += int64(d)
			return
		}
		c.offset += int64(d)
	})
}

// Freeze stops the clock where it is.
func (s *Simulator) Freeze(ctx context.Context) error {
	return s.changeClock(ctx, func(c *clockState, now time.Time) {
		c.frozenAt = sql.NullInt64{Int64: now.UnixNano(), Valid: true}
	})
}

// Resume lets a frozen clock go on from where it stands.
func (s *Simulator) Resume(ctx context.Context) error {
	return s.changeClock(ctx, func(c *clockState, now time.Time) {
		if !c.frozenAt.Valid {
			return
		}
		c.frozenAt = sql.NullInt64{}
		c.offset = now.UnixNano() - s.base(*c)
	})
}

func (s *Simulator) changeClock(ctx context.Context, change func(*clockState, time.Time)) error {
	err := s.update(ctx, func(t *tx) error {
		change(&t.world.clock, t.now)
		return nil
	})
	s.hooks.wake(s)
	return err
}

// storeClock keeps how far a running clock ran, so that the next process goes on from there.
func (s *Simulator) storeClock(ctx context.Context) error {
	running, err := read(ctx, s, func(t *tx) (bool, error) { return t.world.clock.running, nil })
	if err != nil || !running {
		return err
	}
	return s.update(ctx, func(*tx) error { return nil })
}

// Duration is a [time.Duration] that JSON writes as "1m30s".
type Duration time.Duration

// MarshalText writes the duration as [time.Duration.String] does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what [time.ParseDuration] accepts.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}
