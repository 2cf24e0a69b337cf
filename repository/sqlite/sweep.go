package sqlite

import (
	"context"
	"fmt"
	"time"

	"signet/issuer"
)

// day is how long a document stays after the last moment that any step may need it, and the unit that ttl_at is rounded
// up to, so that the column and its index stay as they are when the document's end moves a little.
const day = 24 * time.Hour

// ttl is the value of the column ttl_at: when what was needed until then may go.
func ttl(until time.Time) any {
	return int64(stamp(until.Add(2*day - 1).Truncate(day)))
}

// swept are the tables with a ttl_at. Users, identifiers, clients, the ring and the audit log stay.
var swept = []string{"challenges", "sessions", "outbox", "throttles", "heartbeats"}

// sweepStep bounds how long one deletion keeps the writer from its callers.
const sweepStep = 64

// Sweep deletes up to limit documents that nobody has needed for a day at now, a few at a time between the writes of
// others. It only saves space: whether something has expired is decided by whoever uses it.
func (s *Store) Sweep(ctx context.Context, now time.Time, limit int) (deleted int, err error) {
	for _, table := range swept {
		query := sweepQuery(table)
		for deleted < limit {
			step := min(sweepStep, limit-deleted)
			n, err := write(ctx, s.writer, func(x *tx) (int64, error) { return x.exec(query, int64(stamp(now)), step) })
			if err != nil {
				return deleted, err
			}
			deleted += int(n)
			if int(n) < step {
				break
			}
		}
	}
	return deleted, s.retire(ctx, now)
}

// retireSessions marks sessions that expired a day ago, which no replica takes for live any more, so that lists of live ones need not pass over them. The planner has to be
// told of the index; see Counts.
const retireSessions = `UPDATE sessions SET ended = 2 WHERE id IN (SELECT id FROM sessions INDEXED BY sessions_ends WHERE ended = 0 AND ends_hour < ? ORDER BY ends_hour LIMIT ?)`

func (s *Store) retire(ctx context.Context, now time.Time) error {
	for {
		n, err := write(ctx, s.writer, func(x *tx) (int64, error) { return x.exec(retireSessions, issuer.HourOf(now.Add(-day)), sweepStep) })
		if err != nil || n < sweepStep {
			return err
		}
	}
}

// ForgetTransient deletes what a restored store must not go on with: codes that wait for an answer, mail on its way out, budgets, heartbeats. Again
// is a no-op.
func (s *Store) ForgetTransient(ctx context.Context) error {
	for _, table := range []string{"challenges", "outbox", "throttles", "heartbeats"} {
		if _, err := write(ctx, s.writer, func(x *tx) (int64, error) { return x.exec(`DELETE FROM ` + table) }); err != nil {
			return err
		}
	}
	return nil
}

func sweepQuery(table string) string {
	return fmt.Sprintf(`DELETE FROM %s WHERE id IN (SELECT id FROM %s WHERE ttl_at < ? ORDER BY ttl_at LIMIT ?)`, table, table)
}
