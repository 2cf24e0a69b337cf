package main

import (
	"context"
	"runtime/debug"
	"time"

	"signet/issuer"
)

// settleLoop carries out, every poll, what a crash left recorded and undone (issuer.Provider.Settle). A store that is away for a while
// is logged when it begins and when it ends, not at every poll.
func (s *server) settleLoop(p *issuer.Provider) func(context.Context) error {
	return func(ctx context.Context) error {
		failing := false
		every(ctx, s.config.KeyPoll, func() {
			pass, cancel := context.WithTimeout(ctx, max(10*time.Second, s.config.KeyPoll))
			defer cancel()
			err := p.Settle(pass)
			switch {
			case ctx.Err() != nil:
			case err != nil && !failing:
				failing = true
				s.log.Error().Str("event", "settle.failed").AnErr("error", err).Msg("a pass over unfinished effects failed; the next poll tries again")
			case err == nil && failing:
				failing = false
				s.log.Info().Str("event", "settle.again").Msg("passes over unfinished effects work again")
			}
		})
		return nil
	}
}

// Pace of the sweeper: small bites, so that a request never waits long behind one.
const (
	sweepEvery = time.Minute
	sweepLimit = 500
	sweepRest  = 200 * time.Millisecond
)

// sweepLoop deletes what has expired. It only saves space: whether something has expired is decided by whoever reads it.
func (s *server) sweepLoop(st sweeper, now func() time.Time) func(context.Context) error {
	return func(ctx context.Context) error {
		every(ctx, sweepEvery, func() {
			for ctx.Err() == nil {
				deleted, err := st.Sweep(ctx, now(), sweepLimit)
				if err != nil && ctx.Err() == nil {
					s.log.Warn().Str("event", "sweep.failed").AnErr("error", err).Msg("expired documents stay for now")
				}
				if err != nil || deleted < sweepLimit {
					return
				}
				rest(ctx, sweepRest)
			}
		})
		return nil
	}
}

// every acts at once and then each period, until ctx ends.
func every(ctx context.Context, period time.Duration, act func()) {
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		act()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// rest waits, or until ctx ends.
func rest(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// tidyEvery is how soon after a sign-in its memory goes back to the system, at most.
const tidyEvery = 5 * time.Second

// tidyLoop gives memory back after passwords were hashed. Each holds 19 MiB for a moment, which a collector that paces itself by
// allocation would keep until the next sign-in, on a quiet server for hours.
func tidyLoop(hasher hashStats) func(context.Context) error {
	return func(ctx context.Context) error {
		var before int64
		every(ctx, tidyEvery, func() {
			if _, _, hashes := hasher.Stats(); hashes != before {
				before = hashes
				debug.FreeOSMemory()
			}
		})
		return nil
	}
}
