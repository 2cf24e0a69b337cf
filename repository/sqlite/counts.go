package sqlite

import (
	"context"
	"database/sql"
	"time"

	"signet/issuer"
)

// Counts implements issuer.Users. Triggers count what is in the tables; of the sessions that may be used, those that have expired since the last sweep are few
// and are counted one by one, in an index that the planner has to be told of: it takes any equality for better, and would read all that may be used.
func (s *Store) Counts(ctx context.Context, now time.Time) (c issuer.Counts, err error) {
	counted := map[string]*int64{
		"users active": &c.Active, "users disabled": &c.Disabled, "users deleted": &c.Deleted, "sessions 0": &c.Outstanding, "sessions 1": &c.Revoked,
	}
	var expired int64
	hour, at := issuer.HourOf(now), int64(stamp(now))
	err = readRows(ctx, s, func(rows *sql.Rows) error {
		var what string
		var n int64
		if err := rows.Scan(&what, &n); err != nil {
			return err
		}
		if what == "expired" {
			expired += n
		} else if count := counted[what]; count != nil {
			*count = n
		}
		return nil
	}, `SELECT what, n FROM counts
		UNION ALL SELECT 'expired', count(*) FROM sessions INDEXED BY sessions_ends WHERE ended = 0 AND ends_hour < ?
		UNION ALL SELECT 'expired', count(*) FROM sessions INDEXED BY sessions_ends WHERE ended = 0 AND ends_hour = ?
			AND min(coalesce(doc ->> '$.idle_at', 0), coalesce(doc ->> '$.abs_at', 0)) <= ?`, hour, hour, at)
	c.Outstanding -= expired
	return c, err
}
