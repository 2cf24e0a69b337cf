package mongodb

import (
	"context"
	"errors"
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

// AuditSince implements issuer.Audit.
func (s *Store) AuditSince(ctx context.Context, since time.Time, limit int) ([]issuer.AuditEvent, error) {
	order := bson.D{{Key: "at", Value: 1}, {Key: "_id", Value: 1}}
	found, err := list[auditDocument](ctx, s.audit, "list audit log", bson.M{"at": bson.M{"$gte": since}}, order, limit)
	return mapAll(found, auditDocument.event), err
}
