package sqlite

import (
	"context"
	"errors"
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

var audit = newCollection("audit", []string{"at"},
	func(e *issuer.AuditEvent) []any { return []any{int64(stamp(e.At))} },
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

// AuditSince implements issuer.Audit.
func (s *Store) AuditSince(ctx context.Context, since time.Time, limit int) ([]issuer.AuditEvent, error) {
	return audit.list(ctx, s, `SELECT id, doc FROM audit WHERE at >= ? ORDER BY at, id LIMIT ?`, int64(stamp(since)), limit)
}
