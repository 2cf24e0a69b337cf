package mongodb_test

import (
	"context"
	"testing"
	"time"

	"signet/repository/conformance"
	"signet/repository/mongodb"
	"signet/repository/mongodb/mongotest"
)

func TestConformance(t *testing.T) {
	mongotest.Server(t)
	uris := map[conformance.Store]string{}
	conformance.Run(t, conformance.Harness{
		Open: func(t *testing.T) conformance.Store {
			uri := mongotest.URI(t)
			s := open(t, uri, mongodb.Options{})
			uris[s] = uri
			return s
		},
		Reopen: func(t *testing.T, s conformance.Store) conformance.Store {
			if err := s.(*mongodb.Store).Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			again := open(t, uris[s], mongodb.Options{})
			uris[again] = uris[s]
			return again
		},
	})
}

// open opens a store and closes it when the test ends.
func open(t *testing.T, uri string, o mongodb.Options) *mongodb.Store {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	s, err := mongodb.Open(ctx, uri, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = s.Close(ctx)
	})
	return s
}
