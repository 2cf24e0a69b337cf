package mongodb

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"signet/issuer"
)

// beyond is the condition of what comes after a place in order of a time and _id.
func beyond(field string, after issuer.Place) bson.M {
	return bson.M{
		field: bson.M{"$gte": after.At},
		"$or": bson.A{bson.M{field: bson.M{"$gt": after.At}}, bson.M{"_id": bson.M{"$gt": after.ID}}},
	}
}

func inOrder(field string) bson.D { return bson.D{{Key: field, Value: 1}, {Key: "_id", Value: 1}} }

// ListUsers implements issuer.Users. A prefix that many have is found by walking the order, one that few have by the indexes of the keys; the server
// tries both and goes on with what yields more.
func (s *Store) ListUsers(ctx context.Context, q issuer.UserQuery, after issuer.Place, limit int) ([]issuer.User, error) {
	filter := beyond("created_at", after)
	filter["state"] = bson.M{"$ne": string(issuer.UserDeleted)}
	if q.Disabled != nil {
		filter["state"] = string(issuer.UserActive)
		if *q.Disabled {
			filter["state"] = string(issuer.UserDisabled)
		}
	}
	if q.Role != "" {
		filter["roles"] = q.Role
	}
	if q.Prefix != "" {
		begins, possible := eitherBegins(q.Prefix)
		if !possible {
			return nil, nil
		}
		filter["$and"] = bson.A{bson.M{"$or": begins}}
	}
	found, err := list[userDocument](ctx, s.users, "list users", filter, inOrder("created_at"), limit)
	return mapAll(found, userDocument.user), err
}

// HashKinds implements issuer.Users. Each kind is found by one command, which reads one entry of the index, however many users have it.
func (s *Store) HashKinds(ctx context.Context) (kinds []string, err error) {
	byKind := bson.D{{Key: "hash_kind", Value: 1}}
	for last := ""; ; {
		found, err := list[struct {
			Kind string `bson:"hash_kind"`
		}](ctx, s.users, "list kinds of hashes", bson.M{"hash_kind": bson.M{"$gt": last}, "state": bson.M{"$ne": string(issuer.UserDeleted)}},
			byKind, 1, options.Find().SetProjection(byKind))
		if err != nil || len(found) == 0 {
			return kinds, err
		}
		last = found[0].Kind
		kinds = append(kinds, last)
	}
}

// Counts implements issuer.Users. States, and what has ended, are counted in their indexes; sessions that may be used are read, for when they
// expire changes at every refresh and is in none.
func (s *Store) Counts(ctx context.Context, now time.Time) (c issuer.Counts, err error) {
	live := bson.M{"ended": nil, "revoked": absent, "idle_at": bson.M{"$gt": now}, "abs_at": bson.M{"$gt": now}}
	for _, part := range []struct {
		n      *int64
		of     *mongo.Collection
		filter bson.M
	}{
		{&c.Active, s.users, bson.M{"state": string(issuer.UserActive)}},
		{&c.Disabled, s.users, bson.M{"state": string(issuer.UserDisabled)}},
		{&c.Deleted, s.users, bson.M{"state": string(issuer.UserDeleted)}},
		{&c.Outstanding, s.sessions, live},
		{&c.Revoked, s.sessions, bson.M{"ended": true}},
	} {
		if *part.n, err = part.of.CountDocuments(ctx, part.filter); err != nil {
			return c, mapped("count users and sessions", err)
		}
	}
	return c, nil
}
