package mongodb

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"signet/issuer"
)

// identifierDocument reserves an address or a username. open_since is a marker.
type identifierDocument struct {
	ID        string        `bson:"_id"`
	UserID    string        `bson:"user_id"`
	Claim     string        `bson:"claim"`
	Kind      string        `bson:"kind"`
	Rev       int64         `bson:"rev"`
	Payload   *userDocument `bson:"payload,omitempty"`
	OpenSince time.Time     `bson:"open_since,omitempty"`
}

func fromIdentifier(i issuer.Identifier) identifierDocument {
	d := identifierDocument{ID: i.ID, UserID: i.UserID, Claim: i.Claim, Kind: string(i.Kind), Rev: i.Rev, OpenSince: i.OpenSince}
	if i.Payload != nil {
		p := fromUser(*i.Payload)
		d.Payload = &p
	}
	return d
}

func (d identifierDocument) identifier() issuer.Identifier {
	i := issuer.Identifier{
		ID: d.ID, UserID: d.UserID, Claim: d.Claim, Kind: issuer.IdentifierKind(d.Kind), Rev: d.Rev, OpenSince: d.OpenSince,
	}
	if d.Payload != nil {
		u := d.Payload.user()
		i.Payload = &u
	}
	return i
}

// InsertIdentifier implements issuer.Identifiers.
func (s *Store) InsertIdentifier(ctx context.Context, i issuer.Identifier) error {
	return insert(ctx, s.identifiers, "insert identifier", fromIdentifier(i))
}

// Identifier implements issuer.Identifiers.
func (s *Store) Identifier(ctx context.Context, id string) (issuer.Identifier, error) {
	d, err := read[identifierDocument](ctx, s.identifiers, "read identifier", id)
	return d.identifier(), err
}

// FirmIdentifier implements issuer.Identifiers.
func (s *Store) FirmIdentifier(ctx context.Context, id, claim string) (bool, error) {
	return changed(ctx, s.identifiers, "firm identifier", id, bson.M{"claim": claim}, bson.M{
		"$set":   bson.M{"kind": string(issuer.IdentifierFirm)},
		"$unset": bson.M{"payload": "", "open_since": ""},
	})
}

// ReclaimIdentifier implements issuer.Identifiers. A field that the new claim does not have must be absent after.
func (s *Store) ReclaimIdentifier(ctx context.Context, old string, i issuer.Identifier) (bool, error) {
	d := fromIdentifier(i)
	set, unset := bson.M{"claim": d.Claim, "kind": d.Kind, "rev": d.Rev}, bson.M{}
	if d.Payload != nil {
		set["payload"] = d.Payload
	} else {
		unset["payload"] = ""
	}
	if !d.OpenSince.IsZero() {
		set["open_since"] = d.OpenSince
	} else {
		unset["open_since"] = ""
	}
	update := bson.M{"$set": set}
	if len(unset) > 0 {
		update["$unset"] = unset
	}
	return changed(ctx, s.identifiers, "reclaim identifier", i.ID, bson.M{"claim": old}, update)
}

// DeleteIdentifier implements issuer.Identifiers.
func (s *Store) DeleteIdentifier(ctx context.Context, id, claim string) (bool, error) {
	return remove(ctx, s.identifiers, "delete identifier", id, bson.M{"claim": claim})
}

// OpenIdentifiers implements issuer.Identifiers.
func (s *Store) OpenIdentifiers(ctx context.Context, after string, limit int) ([]issuer.Identifier, error) {
	found, err := list[identifierDocument](ctx, s.identifiers, "list open identifiers",
		bson.M{"open_since": present, "_id": bson.M{"$gt": after}}, byID, limit)
	return mapAll(found, identifierDocument.identifier), err
}

// ListIdentifiers implements issuer.Identifiers.
func (s *Store) ListIdentifiers(ctx context.Context, after string, limit int) ([]issuer.Identifier, error) {
	found, err := list[identifierDocument](ctx, s.identifiers, "list identifiers", bson.M{"_id": bson.M{"$gt": after}}, byID, limit)
	return mapAll(found, identifierDocument.identifier), err
}
