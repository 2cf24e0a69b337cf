package sqlite

import (
	"context"
	"errors"
	"strings"
	"time"

	"signet/issuer"
)

type auditDoc struct {
	Type      string `json:"type"`
	At        millis `json:"at,omitempty"`
	Actor     string `json:"actor,omitempty"`
	Target    string `json:"target,omitempty"`
	SID       string `json:"sid,omitempty"`
	ClientID  string `json:"client_id,omitempty"`
	Source    string `json:"source,omitempty"`
	RequestID string `json:"request_id,omitempty"`
	Detail    string `json:"detail,omitempty"`
}

var audit = newCollection("audit", []string{"at", "type", "actor", "target"},
	func(e *issuer.AuditEvent) []any {
		return []any{int64(stamp(e.At)), e.Type, unless(e.Actor), unless(e.Target)}
	},
	func(e *issuer.AuditEvent) auditDoc {
		return auditDoc{e.Type, stamp(e.At), e.Actor, e.Target, e.SID, e.ClientID, e.Source, e.RequestID, e.Detail}
	},
	func(id string, d *auditDoc) issuer.AuditEvent {
		return issuer.AuditEvent{ID: id, Type: d.Type, At: d.At.time(), Actor: d.Actor, Target: d.Target, SID: d.SID, ClientID: d.ClientID,
			Source: d.Source, RequestID: d.RequestID, Detail: d.Detail}
	})

// AppendAudit implements issuer.Audit.
func (s *Store) AppendAudit(ctx context.Context, e issuer.AuditEvent) error {
	err := audit.insert(ctx, s, e.ID, &e)
	if errors.Is(err, issuer.ErrExists) {
		return nil
	}
	return err
}

// ListAudit implements issuer.Audit. What a user did and what was done to it are two lists, each in order, of which the page is the beginning
// of both.
func (s *Store) ListAudit(ctx context.Context, q issuer.AuditQuery, after issuer.Place, limit int) ([]issuer.AuditEvent, error) {
	where, args := auditFilter(q, placeOf(after))
	args = append(args, max(limit, 0))
	if q.UserID == "" {
		return audit.list(ctx, s, `SELECT id, doc FROM audit WHERE `+where+` ORDER BY at, id LIMIT ?`, args...)
	}
	part := func(field string) string {
		return `SELECT * FROM (SELECT at, id FROM audit WHERE ` + field + ` = ? AND ` + where + ` ORDER BY at, id LIMIT ?)`
	}
	part1 := append([]any{q.UserID}, args...)
	both := append(append(part1, part1...), max(limit, 0))
	return audit.list(ctx, s, `SELECT a.id, a.doc FROM (`+part("actor")+` UNION `+part("target")+` ORDER BY at, id LIMIT ?) f
		CROSS JOIN audit a ON a.id = f.id ORDER BY f.at, f.id`, both...)
}

// auditFilter is the condition of everything but the user.
func auditFilter(q issuer.AuditQuery, from place) (where string, args []any) {
	where, args = `(at, id) > (?, ?)`, []any{from.at, from.id}
	if !q.Since.IsZero() && int64(stamp(q.Since)) > from.at {
		args = []any{int64(stamp(q.Since)), ""}
	}
	if !q.Until.IsZero() {
		where, args = where+` AND at < ?`, append(args, int64(stamp(q.Until)))
	}
	if begin, all := strings.CutSuffix(q.Type, "."); all {
		where, args = where+` AND type >= ? AND type < ?`, append(args, q.Type, begin+"/") // which follows the dot
	} else if q.Type != "" {
		where, args = where+` AND type = ?`, append(args, q.Type)
	}
	return where, args
}

// ScrubAudit implements issuer.Audit.
func (s *Store) ScrubAudit(ctx context.Context, id string) (bool, error) {
	_, hit, err := audit.update(ctx, s, id, func(e *issuer.AuditEvent) bool {
		e.Source = ""
		return true
	})
	return hit, err
}

const purgeAudit = `DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < ? ORDER BY at, id LIMIT ?)`

// PurgeAudit implements issuer.Audit.
func (s *Store) PurgeAudit(ctx context.Context, before time.Time, limit int) (int, error) {
	n, err := write(ctx, s.writer, func(x *tx) (int64, error) {
		return x.exec(purgeAudit, int64(stamp(before)), max(limit, 0))
	})
	return int(n), err
}
