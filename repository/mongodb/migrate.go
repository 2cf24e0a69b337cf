package mongodb

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"signet/issuer"
)

// The version of the schema is one document, and only goes up. A migration brings the database from the version before it
// to its own. Replicas start at the same time, and older ones still run while the first newer one starts, so a migration
//   - may run several times at once: each of its steps is idempotent;
//   - leaves everything in a form that the version before it can read and write.
//
// The version is moved after the work is done, so one that was interrupted runs again.

const schemaID = "schema"

// schemaDocument is the version that the database is at.
type schemaDocument struct {
	ID      string `bson:"_id"`
	Version int    `bson:"version"`
}

// migration is one step forward; that of index i makes version i+1.
type migration func(ctx context.Context, db *mongo.Database) error

// migrations: 1 is the first schema, which needs nothing but the indexes; these are looked after at every start. 2 gives sessions their active_hour, 3 users
// and sessions what their lists need.
var migrations = []migration{createIndexes, dateSessions, makeLists}

// migrate brings db to the version that the steps end at; ErrNewerSchema when it is beyond that.
func migrate(ctx context.Context, db *mongo.Database, steps []migration) error {
	c := db.Collection("schema")
	at, err := read[schemaDocument](ctx, c, "read schema version", schemaID)
	if err != nil && !errors.Is(err, issuer.ErrNotFound) {
		return err
	}
	if at.Version > len(steps) {
		return fmt.Errorf("%w: version %d, this signet knows up to %d; run the newer signet, or restore a backup",
			ErrNewerSchema, at.Version, len(steps))
	}
	for v := at.Version; v < len(steps); v++ {
		if err := steps[v](ctx, db); err != nil {
			return fmt.Errorf("migrate to schema version %d: %w", v+1, err)
		}
		if err := moveVersion(ctx, c, v); err != nil {
			return err
		}
	}
	return nil
}

// upToDate refuses a database that a server has still to bring to version want, or that none has made.
func upToDate(ctx context.Context, db *mongo.Database, want int) error {
	at, err := read[schemaDocument](ctx, db.Collection("schema"), "read schema version", schemaID)
	switch {
	case errors.Is(err, issuer.ErrNotFound):
		return fmt.Errorf("%w: there is none yet", ErrOlderSchema)
	case err != nil:
		return err
	case at.Version > want:
		return fmt.Errorf("%w: version %d, this signet knows up to %d", ErrNewerSchema, at.Version, want)
	case at.Version < want:
		return fmt.Errorf("%w: version %d, this signet writes %d", ErrOlderSchema, at.Version, want)
	}
	return nil
}

// moveVersion records that version from is done with. That another replica did so first is fine.
func moveVersion(ctx context.Context, c *mongo.Collection, from int) error {
	const what = "write schema version"
	if from == 0 {
		err := insert(ctx, c, what, schemaDocument{ID: schemaID, Version: 1})
		if errors.Is(err, issuer.ErrExists) {
			return nil
		}
		return err
	}
	_, err := changed(ctx, c, what, schemaID, bson.M{"version": from}, bson.M{"$set": bson.M{"version": from + 1}})
	return err
}
