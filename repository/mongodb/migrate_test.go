package mongodb

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"signet/issuer"
	"signet/repository/mongodb/mongotest"
)

// opened is a store at the schema of today, and its database.
func opened(t *testing.T) (*Store, *mongo.Database) {
	t.Helper()
	s, err := Open(t.Context(), mongotest.URI(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s, s.users.Database()
}

func version(t *testing.T, db *mongo.Database) int {
	t.Helper()
	d, err := read[schemaDocument](t.Context(), db.Collection("schema"), "read", schemaID)
	if err != nil {
		t.Fatal(err)
	}
	return d.Version
}

// rename is a migration as one would be written: it marks each user, one update each, and can run again.
func rename(ctx context.Context, db *mongo.Database) error {
	ids, err := listIDs(ctx, db.Collection("users"), "list", bson.M{"marks": bson.M{"$exists": false}}, byID, 100)
	for _, id := range ids {
		if err == nil {
			_, err = changed(ctx, db.Collection("users"), "mark", id, bson.M{"marks": absent}, bson.M{"$inc": bson.M{"marks": 1}})
		}
	}
	return err
}

func TestMigrateForward(t *testing.T) {
	s, db := opened(t)
	if v := version(t, db); v != len(migrations) {
		t.Fatalf("a new database is at version %d, want %d", v, len(migrations))
	}
	for _, id := range []string{"a", "b", "c"} {
		if err := s.InsertUser(t.Context(), issuer.User{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	var fails atomic.Bool
	fails.Store(true)
	broken := errors.New("interrupted")
	steps := append(append([]migration{}, migrations...), rename, func(ctx context.Context, db *mongo.Database) error {
		if fails.Load() {
			return broken
		}
		return rename(ctx, db)
	})
	if err := migrate(t.Context(), db, steps); !errors.Is(err, broken) {
		t.Fatalf("got %v", err)
	}
	if v := version(t, db); v != len(steps)-1 {
		t.Errorf("interrupted at version %d, want %d", v, len(steps)-1)
	}
	fails.Store(false)
	var replicas sync.WaitGroup
	for range 6 {
		replicas.Go(func() {
			if err := migrate(t.Context(), db, steps); err != nil {
				t.Error(err)
			}
		})
	}
	replicas.Wait()
	if v := version(t, db); v != len(steps) {
		t.Errorf("at version %d, want %d", v, len(steps))
	}
	if n, err := s.users.CountDocuments(t.Context(), bson.M{"marks": 1}); n != 3 || err != nil {
		t.Errorf("%d users were brought forward once, want 3 (%v)", n, err)
	}
	if err := migrate(t.Context(), db, migrations); !errors.Is(err, ErrNewerSchema) {
		t.Errorf("the version before got %v", err)
	}
	if u, err := s.User(t.Context(), "a"); err != nil || u.ID != "a" {
		t.Errorf("the version before, still running, reads %+v, %v", u, err)
	}
}
