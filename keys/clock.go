package keys

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// instant is a moment by both of the machine's clocks: the wall clock, which people and daemons set, and the monotonic one, which stops
// while the machine is suspended.
type instant struct {
	wall time.Time // without a monotonic reading
	mono time.Duration
}

// since is how long ago an earlier instant was: the larger by either clock, so that neither a suspended machine
// nor a wall clock put back makes old things young.
func (i instant) since(earlier instant) time.Duration {
	return max(i.mono-earlier.mono, i.wall.Sub(earlier.wall))
}

// clock tells the store's time: what the store said at the last poll, corrected by half the round trip, plus the monotonic time
// since. A jump of the wall clock changes nothing of it.
type clock struct {
	wall func() time.Time
	mono func() time.Duration
	skew time.Duration
	last atomic.Pointer[sample]
}

type sample struct {
	store  time.Time
	at     instant
	offset time.Duration // wall minus store
}

func newClock(wall func() time.Time, mono func() time.Duration, skew time.Duration) *clock {
	if mono == nil {
		origin := wall() // its readings carry the monotonic clock, when they are the system's
		mono = func() time.Duration { return wall().Sub(origin) }
	}
	return &clock{wall: wall, mono: mono, skew: skew}
}

func (c *clock) instant() instant { return instant{wall: c.wall().Round(0), mono: c.mono()} }

// now is the store's time, to the millisecond, in UTC. Before the first sample it is the wall clock's.
func (c *clock) now() time.Time {
	s := c.last.Load()
	if s == nil {
		return c.wall().UTC().Truncate(time.Millisecond)
	}
	return s.store.Add(c.mono() - s.at.mono).UTC().Truncate(time.Millisecond)
}

// offset is the wall clock minus the store's, at the last sample.
func (c *clock) offset() time.Duration {
	if s := c.last.Load(); s != nil {
		return s.offset
	}
	return 0
}

// skewed says that the wall clock and the store's differ by more than S: one of them is wrong, and nobody knows which.
func (c *clock) skewed() error {
	if off := c.offset(); off.Abs() > c.skew {
		return fmt.Errorf("clock differs from the store's by %s, more than %s", off.Round(time.Millisecond), c.skew)
	}
	return nil
}

// sync asks the store. An answer that took so long that half of it exceeds S says too little; the sample before stays, if there is one.
func (c *clock) sync(ctx context.Context, store RingStore) error {
	before := c.instant()
	t, err := store.StoreTime(ctx)
	after := c.instant()
	if err != nil {
		return fmt.Errorf("ask the store's time: %w", err)
	}
	half := (after.mono - before.mono) / 2
	if half > c.skew {
		if c.last.Load() == nil {
			return errors.New("ask the store's time: the answer took too long to say what time it is")
		}
		return nil
	}
	middle := instant{wall: before.wall.Add(half), mono: before.mono + half}
	c.last.Store(&sample{store: t, at: middle, offset: middle.wall.Sub(t)})
	return nil
}
