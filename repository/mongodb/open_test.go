package mongodb_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"signet/issuer"
	"signet/repository/mongodb"
	"signet/repository/mongodb/mongotest"
)

// raw is the database of uri, without the store.
func raw(t *testing.T, uri string) *mongo.Database {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	_, path, _ := strings.Cut(strings.TrimPrefix(uri, "mongodb://"), "/")
	name, _, _ := strings.Cut(path, "?")
	return client.Database(name)
}

// empty takes all documents out of the database but those that Open puts there.
func empty(t *testing.T, uri string) {
	t.Helper()
	db := raw(t, uri)
	for _, c := range []string{"users", "identifiers", "sessions", "challenges", "outbox", "throttles", "audit", "keyring"} {
		if _, err := db.Collection(c).DeleteMany(t.Context(), bson.M{}); err != nil {
			t.Fatal(err)
		}
	}
}

// retriesWrites says whether the driver resends a write whose answer was lost: it does where the server has sessions.
func retriesWrites(s *mongodb.Store) bool { return s.EffectDelay() > 0 }

func TestOpenAtOnce(t *testing.T) {
	uri := mongotest.URI(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			s, err := mongodb.Open(t.Context(), uri, mongodb.Options{})
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Ping(t.Context()); err != nil {
				t.Error(err)
			}
			_ = s.Close(t.Context())
		})
	}
	all.Wait()
	clients, err := open(t, uri, mongodb.Options{}).AllClients(t.Context())
	if err != nil || len(clients) != 1 || clients[0].ID != issuer.FirstPartyID || !clients[0].FirstParty {
		t.Errorf("clients = %+v, %v", clients, err)
	}
}

func TestOpenNamesDatabase(t *testing.T) {
	uri, other := mongotest.URI(t), mongotest.URI(t)
	name := raw(t, other).Name()
	s := open(t, uri, mongodb.Options{Database: name, AppName: "a test"})
	if err := s.InsertUser(t.Context(), issuer.User{ID: "u"}); err != nil {
		t.Fatal(err)
	}
	for db, want := range map[*mongo.Database]int64{raw(t, other): 1, raw(t, uri): 0} {
		if n, err := db.Collection("users").CountDocuments(t.Context(), bson.M{}); n != want || err != nil {
			t.Errorf("%s holds %d users, want %d (%v)", db.Name(), n, want, err)
		}
	}
}

func TestOpenRefusesNewerSchema(t *testing.T) {
	uri := mongotest.URI(t)
	db := raw(t, uri)
	if _, err := db.Collection("schema").InsertOne(t.Context(), bson.M{"_id": "schema", "version": 99}); err != nil {
		t.Fatal(err)
	}
	_, err := mongodb.Open(t.Context(), uri, mongodb.Options{})
	if !errors.Is(err, mongodb.ErrNewerSchema) || !strings.Contains(err.Error(), "99") {
		t.Errorf("got %v", err)
	}
	if found, err := db.ListCollectionNames(t.Context(), bson.M{}); !slices.Equal(found, []string{"schema"}) || err != nil {
		t.Errorf("a refused database was changed: %v, %v", found, err)
	}
}

func TestOpenWithoutServer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	uri := "mongodb://signet:s3cret@" + address + "/?serverSelectionTimeoutMS=200"
	_, err = mongodb.Open(t.Context(), uri, mongodb.Options{})
	switch {
	case !errors.Is(err, issuer.ErrUnknown):
		t.Errorf("got %v", err)
	case !strings.Contains(err.Error(), address) || !strings.Contains(err.Error(), "refused"):
		t.Errorf("the error says neither where nor why: %v", err)
	case strings.Contains(err.Error(), "s3cret"):
		t.Errorf("the error holds the password: %v", err)
	}
}

func TestOpenRefusesBadURIs(t *testing.T) {
	for _, uri := range []string{
		"", "localhost", "http://u:s3cret@h/", "mongodb://", "mongodb://u:s3cret@@h/", "mongodb://u:s3cret/x@h/", "mongodb://u:s3cret%zz@h/",
		"mongodb://u:s3cret@h/?maxPoolSize=many", "mongodb://u:s3cret@h/%zz", "mongodb://u:s3cret@h:port/", "mongodb://u:a:s3cret@h/", "mongodb://u:s3cret@h/a%2Fb",
		"mongodb+srv://u:s3cret@h1,h2/", "mongodb://u:s3cret@h/?replicaSet=a&directConnection=maybe", "mongodb://u:s3cret@h/a\x00b",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		s, err := mongodb.Open(ctx, uri, mongodb.Options{})
		cancel()
		if err == nil {
			_ = s.Close(t.Context())
			t.Errorf("%q was opened", uri)
		} else if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: the error holds the password: %v", uri, err)
		}
	}
}

// TestDownServer: a server that goes away after Open makes every call fail as unknown within the selection timeout, and calls work
// again once it is back.
func TestDownServer(t *testing.T) {
	uri := mongotest.URI(t)
	r := newRelay(t, uri)
	s := open(t, r.uri+"&serverSelectionTimeoutMS=200", mongodb.Options{})
	if err := s.InsertUser(t.Context(), theUser); err != nil {
		t.Fatal(err)
	}
	server := r.unplug("127.0.0.1:1")
	for name, call := range map[string]func() error{
		"User":       func() error { return ignore(s.User(t.Context(), "u")) },
		"InsertUser": func() error { return s.InsertUser(t.Context(), issuer.User{ID: "u2"}) },
		"ActOnUser":  func() error { return answered(s.ActOnUser(t.Context(), "u", theAct("a"))) },
		"Heartbeats": func() error { return ignore(s.Heartbeats(t.Context())) },
		"Ping":       func() error { return s.Ping(t.Context()) },
	} {
		if err := call(); !errors.Is(err, issuer.ErrUnknown) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	r.unplug(server)
	for deadline := time.Now().Add(15 * time.Second); ; {
		err := ignore(s.User(t.Context(), "u"))
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server is back, and: %v", err)
		}
	}
}
