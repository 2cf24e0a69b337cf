package mongodb

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// Sweep deletes up to limit documents whose ttl_at has come. A server does so by itself, by the TTL indexes; this is for those that have none that
// work, and harms nothing beside them. It only saves space: whether something has expired is decided by whoever uses it.
func (s *Store) Sweep(ctx context.Context, now time.Time, limit int) (deleted int, err error) {
	for _, c := range []*mongo.Collection{s.challenges, s.sessions, s.outbox, s.throttles, s.keyring} {
		if deleted >= limit {
			break
		}
		n, err := sweep(ctx, c, now, limit-deleted)
		deleted += n
		if err != nil {
			return deleted, err
		}
	}
	return deleted, nil
}

func sweep(ctx context.Context, c *mongo.Collection, now time.Time, limit int) (int, error) {
	const what = "sweep"
	gone := bson.M{"ttl_at": bson.M{"$lt": now}}
	ids, err := listIDs(ctx, c, what, gone, bson.D{{Key: "ttl_at", Value: 1}}, limit)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	return purge(ctx, c, what, bson.M{"_id": bson.M{"$in": ids}, "ttl_at": bson.M{"$lt": now}})
}

// ForgetTransient deletes what a restored store must not go on with: codes that wait for an answer, mail on its way out, budgets, heartbeats. Again
// is a no-op.
func (s *Store) ForgetTransient(ctx context.Context) error {
	heartbeats := bson.M{"_id": bson.M{"$gte": heartbeatPrefix, "$lt": heartbeatEnd}}
	for _, part := range []struct {
		of     *mongo.Collection
		filter bson.M
	}{{s.challenges, bson.M{}}, {s.outbox, bson.M{}}, {s.throttles, bson.M{}}, {s.keyring, heartbeats}} {
		if _, err := purge(ctx, part.of, "forget "+part.of.Name(), part.filter); err != nil {
			return err
		}
	}
	return nil
}

// purge deletes what no protocol needs any more. It is the one write to many documents, and the driver does not resend it.
func purge(ctx context.Context, c *mongo.Collection, what string, filter bson.M) (int, error) {
	r, err := c.DeleteMany(ctx, filter)
	if err != nil {
		return 0, mapped(what, err)
	}
	return int(r.DeletedCount), nil
}
