package mongodb

import (
	"errors"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"signet/repository/mongodb/mongotest"
)

// A command beside a server makes nothing and migrates nothing.
func TestAsIs(t *testing.T) {
	uri := mongotest.URI(t)
	if _, err := Open(t.Context(), uri, Options{AsIs: true}); !errors.Is(err, ErrOlderSchema) {
		t.Errorf("where there is none: %v", err)
	}
	s, err := Open(t.Context(), uri, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	command, err := Open(t.Context(), uri, Options{AsIs: true})
	if err != nil {
		t.Fatal(err)
	}
	_ = command.Close(t.Context())
	for version, want := range map[int]error{len(migrations) - 1: ErrOlderSchema, len(migrations) + 1: ErrNewerSchema} {
		schema := s.users.Database().Collection("schema")
		if _, err := schema.UpdateByID(t.Context(), schemaID, bson.M{"$set": bson.M{"version": version}}); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), uri, Options{AsIs: true}); !errors.Is(err, want) {
			t.Errorf("version %d: %v, want %v", version, err, want)
		}
	}
}
