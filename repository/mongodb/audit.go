package mongodb

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"signet/issuer"
)

// auditDocument is one line of the audit log.
type auditDocument struct {
	ID        string    `bson:"_id"`
	Type      string    `bson:"type"`
	At        time.Time `bson:"at"`
	Actor     string    `bson:"actor,omitempty"`
	Target    string    `bson:"target,omitempty"`
	SID       string    `bson:"sid,omitempty"`
	ClientID  string    `bson:"client_id,omitempty"`
	Source    string    `bson:"source,omitempty"`
	RequestID string    `bson:"request_id,omitempty"`
	Detail    string    `bson:"detail,omitempty"`
}

func fromAuditEvent(e issuer.AuditEvent) auditDocument {
	return auditDocument{
		ID: e.ID, Type: e.Type, At: e.At, Actor: readable(e.Actor), Target: readable(e.Target), SID: readable(e.SID),
		ClientID: readable(e.ClientID), Source: readable(e.Source), RequestID: readable(e.RequestID), Detail: readable(e.Detail),
	}
}

func (d auditDocument) event() issuer.AuditEvent {
	return issuer.AuditEvent{
		ID: d.ID, Type: d.Type, At: d.At, Actor: d.Actor, Target: d.Target, SID: d.SID, ClientID: d.ClientID,
		Source: d.Source, RequestID: d.RequestID, Detail: d.Detail,
	}
}

// AppendAudit implements issuer.Audit.
func (s *Store) AppendAudit(ctx context.Context, e issuer.AuditEvent) error {
	err := insert(ctx, s.audit, "append to audit log", fromAuditEvent(e))
	if errors.Is(err, issuer.ErrExists) {
		return nil
	}
	return err
}

// ListAudit implements issuer.Audit.
func (s *Store) ListAudit(ctx context.Context, q issuer.AuditQuery, after issuer.Place, limit int) ([]issuer.AuditEvent, error) {
	filter := beyond("at", after)
	at := bson.M{"$gte": after.At}
	if q.Since.After(after.At) {
		at["$gte"] = q.Since
	}
	if !q.Until.IsZero() {
		at["$lt"] = q.Until
	}
	filter["at"] = at
	if strings.HasSuffix(q.Type, ".") {
		filter["type"] = family(q.Type)
	} else if q.Type != "" {
		filter["type"] = q.Type
	}
	if q.UserID != "" {
		filter["$and"] = bson.A{bson.M{"$or": bson.A{bson.M{"actor": q.UserID}, bson.M{"target": q.UserID}}}}
	}
	found, err := list[auditDocument](ctx, s.audit, "list audit log", filter, inOrder("at"), limit)
	return mapAll(found, auditDocument.event), err
}

// ScrubAudit implements issuer.Audit.
func (s *Store) ScrubAudit(ctx context.Context, id string) (bool, error) {
	return changed(ctx, s.audit, "scrub audit event", id, bson.M{}, bson.M{"$unset": bson.M{"source": ""}})
}

// PurgeAudit implements issuer.Audit: purging what has expired is no step of a protocol.
func (s *Store) PurgeAudit(ctx context.Context, before time.Time, limit int) (int, error) {
	ids, err := listIDs(ctx, s.audit, "list audit events to purge", bson.M{"at": bson.M{"$lt": before}}, inOrder("at"), limit)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	return purge(ctx, s.audit, "purge audit log", bson.M{"_id": bson.M{"$in": ids}})
}
