package sqlite

import (
	"context"

	"signet/issuer"
)

// ListSessions implements issuer.Sessions. What was not revoked is held to the hour in which it expires, and only within that hour to the moment, which
// is in the document.
func (s *Store) ListSessions(ctx context.Context, q issuer.SessionQuery, after issuer.Place, limit int) ([]issuer.Session, error) {
	from := placeOf(after)
	query, args := `SELECT id, doc FROM sessions WHERE ended = 0`, []any(nil)
	if q.Revoked {
		query = `SELECT id, doc FROM sessions WHERE ended = 1`
	}
	if q.UserID != "" {
		query, args = query+` AND user_id = ?`, append(args, q.UserID)
	}
	query, args = query+` AND (created_at, id) > (?, ?)`, append(args, from.at, from.id)
	if !q.Revoked {
		hour, at := issuer.HourOf(q.Now), int64(stamp(q.Now))
		query += ` AND +ends_hour >= ? AND (+ends_hour > ? OR min(doc ->> '$.idle_at', doc ->> '$.abs_at') > ?)`
		args = append(args, hour, hour, at)
	}
	return sessions.list(ctx, s, query+` ORDER BY created_at, id LIMIT ?`, append(args, max(limit, 0))...)
}
