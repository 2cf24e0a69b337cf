package main

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"signet/issuer"
)

// Pace of the audit log's retention: small bites with a rest between them, so that a request never waits long behind one, and a bound on each pass, so
// that the first one over a log of years is no storm.
const (
	retainEvery = time.Hour
	retainLimit = 500
	retainRest  = 200 * time.Millisecond
	retainBites = 2000
)

// retentionLoop deletes what the audit log has kept for longer than keep; 0 is for ever. Every server does so: what one deletes the others don't find.
func retentionLoop(st issuer.Audit, keep time.Duration, now func() time.Time, log zerolog.Logger) func(context.Context) error {
	return func(ctx context.Context) error {
		if keep == 0 {
			return nil
		}
		every(ctx, retainEvery, func() {
			deleted, err := purgeAudit(ctx, st, now().Add(-keep), retainBites, func() { rest(ctx, retainRest) })
			switch {
			case ctx.Err() != nil:
			case err != nil:
				log.Warn().Str("event", "audit.retention").AnErr("error", err).Msg("old audit events stay for now")
			case deleted > 0:
				log.Info().Str("event", "audit.retention").Int("deleted", deleted).Msg("audit events older than the retention are deleted")
			}
		})
		return nil
	}
}

// purgeAudit deletes events before the time, bite by bite; most is how many bites, 0 as many as it takes. It returns how many events it deleted, also
// beside an error.
func purgeAudit(ctx context.Context, st issuer.Audit, before time.Time, most int, between func()) (deleted int, err error) {
	for bites := 1; ; bites++ {
		n, err := st.PurgeAudit(ctx, before, retainLimit)
		deleted += n
		if err != nil || n < retainLimit || bites == most {
			return deleted, err
		}
		if between(); ctx.Err() != nil {
			return deleted, ctx.Err()
		}
	}
}
