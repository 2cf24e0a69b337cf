package sqlite

import (
	"context"
	"time"

	"signet/issuer"
)

type identifierDoc struct {
	UserID    string                `json:"user_id"`
	Claim     string                `json:"claim"`
	Kind      issuer.IdentifierKind `json:"kind"`
	Rev       int64                 `json:"rev,omitempty"`
	Payload   *payloadDoc           `json:"payload,omitempty"`
	OpenSince millis                `json:"open_since,omitempty"`
}

// payloadDoc is a user that is not yet in its own table.
type payloadDoc struct {
	ID string `json:"id"`
	userDoc
}

func packIdentifier(i *issuer.Identifier) identifierDoc {
	d := identifierDoc{UserID: i.UserID, Claim: i.Claim, Kind: i.Kind, Rev: i.Rev, OpenSince: stamp(i.OpenSince)}
	if i.Payload != nil {
		d.Payload = &payloadDoc{i.Payload.ID, packUser(i.Payload)}
	}
	return d
}

func openIdentifier(id string, d *identifierDoc) issuer.Identifier {
	i := issuer.Identifier{ID: id, UserID: d.UserID, Claim: d.Claim, Kind: d.Kind, Rev: d.Rev, OpenSince: d.OpenSince.time()}
	if d.Payload != nil {
		u := openUser(d.Payload.ID, &d.Payload.userDoc)
		i.Payload = &u
	}
	return i
}

var identifiers = newCollection("identifiers", []string{"open"},
	func(i *issuer.Identifier) []any { return []any{mark(!i.OpenSince.IsZero())} },
	packIdentifier, openIdentifier)

// InsertIdentifier implements issuer.Identifiers.
func (s *Store) InsertIdentifier(ctx context.Context, i issuer.Identifier) error {
	return identifiers.insert(ctx, s, i.ID, &i)
}

// Identifier implements issuer.Identifiers.
func (s *Store) Identifier(ctx context.Context, id string) (issuer.Identifier, error) {
	return identifiers.read(ctx, s, id)
}

// FirmIdentifier implements issuer.Identifiers.
func (s *Store) FirmIdentifier(ctx context.Context, id, claim string) (bool, error) {
	_, hit, err := identifiers.update(ctx, s, id, func(i *issuer.Identifier) bool {
		if i.Claim != claim {
			return false
		}
		i.Kind, i.Payload, i.OpenSince = issuer.IdentifierFirm, nil, time.Time{}
		return true
	})
	return hit, err
}

// ReclaimIdentifier implements issuer.Identifiers.
func (s *Store) ReclaimIdentifier(ctx context.Context, old string, next issuer.Identifier) (bool, error) {
	_, hit, err := identifiers.update(ctx, s, next.ID, func(i *issuer.Identifier) bool {
		if i.Claim != old {
			return false
		}
		i.Claim, i.Kind, i.Rev, i.Payload, i.OpenSince = next.Claim, next.Kind, next.Rev, next.Payload, next.OpenSince
		return true
	})
	return hit, err
}

// DeleteIdentifier implements issuer.Identifiers.
func (s *Store) DeleteIdentifier(ctx context.Context, id, claim string) (bool, error) {
	return identifiers.remove(ctx, s, id, func(i *issuer.Identifier) bool { return i.Claim == claim })
}

// OpenIdentifiers implements issuer.Identifiers.
func (s *Store) OpenIdentifiers(ctx context.Context, after string, limit int) ([]issuer.Identifier, error) {
	return identifiers.list(ctx, s, `SELECT id, doc FROM identifiers WHERE open IS NOT NULL AND id > ? ORDER BY id LIMIT ?`, after, limit)
}

// ListIdentifiers implements issuer.Identifiers.
func (s *Store) ListIdentifiers(ctx context.Context, after string, limit int) ([]issuer.Identifier, error) {
	return identifiers.list(ctx, s, `SELECT id, doc FROM identifiers WHERE id > ? ORDER BY id LIMIT ?`, after, limit)
}
