package mongodb

import (
	"context"
	"errors"
	"math"
	"time"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"signet/issuer"
)

// The kinds of steps that the ports are made of. Invariant: each sends one command, and those that change something
// name one document by its _id.

// keptLonger is how long a document stays after the last moment that any step may need it.
const keptLonger = 24 * time.Hour

// contendedTries bounds how often a step is tried that another caller came between.
const contendedTries = 8

var (
	absent  = bson.M{"$exists": false}
	present = bson.M{"$exists": true}
	byID    = bson.D{{Key: "_id", Value: 1}}
)

// read returns the document with this id, or issuer.ErrNotFound.
func read[D any](ctx context.Context, c *mongo.Collection, what, id string) (D, error) {
	var d D
	if !utf8.ValidString(id) {
		return d, issuer.ErrNotFound
	}
	err := c.FindOne(ctx, bson.M{"_id": id}).Decode(&d)
	return d, mapped(what, err)
}

// insert adds a document, or returns issuer.ErrExists.
func insert(ctx context.Context, c *mongo.Collection, what string, d any) error {
	_, err := c.InsertOne(ctx, d)
	return mapped(what, err)
}

// change applies update to the document with this id if the conditions hold, and returns it as it is then; false when
// they don't.
func change[D any](ctx context.Context, c *mongo.Collection, what, id string, conditions, update bson.M,
	opts ...options.Lister[options.FindOneAndUpdateOptions],
) (D, bool, error) {
	var d D
	if !utf8.ValidString(id) {
		return d, false, nil
	}
	conditions["_id"] = id
	opts = append(opts, options.FindOneAndUpdate().SetReturnDocument(options.After))
	err := mapped(what, c.FindOneAndUpdate(ctx, conditions, update, opts...).Decode(&d))
	if errors.Is(err, issuer.ErrNotFound) {
		return d, false, nil
	}
	return d, err == nil, err
}

// changed is change for callers that only need to know whether the conditions held.
func changed(ctx context.Context, c *mongo.Collection, what, id string, conditions, update bson.M,
	opts ...options.Lister[options.FindOneAndUpdateOptions],
) (bool, error) {
	opts = append(opts, options.FindOneAndUpdate().SetProjection(byID))
	_, ok, err := change[onlyID](ctx, c, what, id, conditions, update, opts...)
	return ok, err
}

func upserted() *options.FindOneAndUpdateOptionsBuilder {
	return options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)
}

// upsert applies update to the document with this id, made if there is none, and returns it as it is then. Servers may
// refuse one of two callers who make it at once; that one tries again.
func upsert[D any](ctx context.Context, c *mongo.Collection, what, id string, update bson.M) (D, error) {
	for range contendedTries {
		var d D
		err := mapped(what, c.FindOneAndUpdate(ctx, bson.M{"_id": id}, update, upserted()).Decode(&d))
		if !errors.Is(err, issuer.ErrExists) {
			return d, err
		}
	}
	var none D
	return none, contended(what)
}

// remove deletes the document with this id if the conditions hold.
func remove(ctx context.Context, c *mongo.Collection, what, id string, conditions bson.M) (bool, error) {
	if !utf8.ValidString(id) {
		return false, nil
	}
	conditions["_id"] = id
	r, err := c.DeleteOne(ctx, conditions)
	if err != nil {
		return false, mapped(what, err)
	}
	return r.DeletedCount == 1, nil
}

// list returns up to limit documents in order, in one answer unless they exceed a message.
func list[D any](ctx context.Context, c *mongo.Collection, what string, filter bson.M, order bson.D, limit int,
	opts ...options.Lister[options.FindOptions],
) ([]D, error) {
	if limit <= 0 {
		return nil, nil // to the server, 0 is no limit
	}
	batch := int32(min(limit, math.MaxInt32))
	opts = append(opts, options.Find().SetLimit(int64(limit)).SetBatchSize(batch))
	return listAll[D](ctx, c, what, filter, order, opts...)
}

// listAll returns all documents in order, for what there is little of.
func listAll[D any](ctx context.Context, c *mongo.Collection, what string, filter bson.M, order bson.D,
	opts ...options.Lister[options.FindOptions],
) ([]D, error) {
	cursor, err := c.Find(ctx, filter, append(opts, options.Find().SetSort(order))...)
	if err != nil {
		return nil, mapped(what, err)
	}
	var all []D
	if err := cursor.All(ctx, &all); err != nil {
		return nil, mapped(what, err)
	}
	return all, nil
}

// listIDs is list for the ids alone.
func listIDs(ctx context.Context, c *mongo.Collection, what string, filter bson.M, order bson.D, limit int) ([]string, error) {
	found, err := list[onlyID](ctx, c, what, filter, order, limit, options.Find().SetProjection(byID))
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(found))
	for i, d := range found {
		ids[i] = d.ID
	}
	return ids, nil
}

type onlyID struct {
	ID string `bson:"_id"`
}

// lastKept is the update operator that appends an entry and keeps the last n.
func lastKept(n int, entry any) bson.M {
	return bson.M{"$each": bson.A{entry}, "$slice": -n}
}

// mapAll converts documents.
func mapAll[D, V any](documents []D, convert func(D) V) []V {
	if documents == nil {
		return nil
	}
	values := make([]V, len(documents))
	for i, d := range documents {
		values[i] = convert(d)
	}
	return values
}
