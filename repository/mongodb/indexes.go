package mongodb

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// collectionIndexes are those of one collection.
type collectionIndexes struct {
	collection string
	models     []mongo.IndexModel
}

// indexes find lists and expire documents; none is unique or partial. Their names are the driver's (`field_1`), which it
// writes into the models: so each caller has models of its own.
func indexes() []collectionIndexes {
	return []collectionIndexes{
		{"users", []mongo.IndexModel{
			sparse("pending"), sparse("release"), plain("created_at", "_id"), plain("state", "created_at", "_id"), plain("roles", "created_at", "_id"),
			plain("id_key"), sparse("email_key"), sparse("username_key"), sparse("given_key"), sparse("family_key"), sparse("hash_kind"),
		}},
		{"identifiers", []mongo.IndexModel{sparse("open_since")}},
		{"sessions", []mongo.IndexModel{
			plain("user_id", "_id"), plain("active_hour", "_id"), sparse("notice"), expiring(),
			plain("user_id", "ended", "created_at", "_id"), plain("ended", "created_at", "_id"),
		}},
		{"challenges", []mongo.IndexModel{expiring()}},
		{"outbox", []mongo.IndexModel{plain("due_at", "_id"), plain("give_up_at"), expiring()}},
		{"throttles", []mongo.IndexModel{expiring()}},
		{"audit", []mongo.IndexModel{plain("at", "_id"), plain("actor", "at", "_id"), plain("target", "at", "_id")}},
		{"keyring", []mongo.IndexModel{expiring()}},
	}
}

func plain(fields ...string) mongo.IndexModel {
	var by bson.D
	for _, f := range fields {
		by = append(by, bson.E{Key: f, Value: 1})
	}
	return mongo.IndexModel{Keys: by}
}

// sparse holds only the documents that have the field.
func sparse(field string) mongo.IndexModel {
	i := plain(field)
	i.Options = options.Index().SetSparse(true)
	return i
}

// expiring lets the server delete documents once their ttl_at has come.
func expiring() mongo.IndexModel {
	i := plain("ttl_at")
	i.Options = options.Index().SetExpireAfterSeconds(0)
	return i
}

// createIndexes makes those that are missing, one command a collection.
func createIndexes(ctx context.Context, db *mongo.Database) error {
	for _, i := range indexes() {
		if _, err := db.Collection(i.collection).Indexes().CreateMany(ctx, i.models); err != nil {
			return fmt.Errorf("indexes of %s: %w", i.collection, err)
		}
	}
	return nil
}
