// Package mongotest gives tests a database on the server that SIGNET_TEST_MONGODB_URI names: each caller one of its own,
// dropped when its test ends. Nothing else on that server is touched.
package mongotest

import (
	"context"
	"crypto/rand"
	"os"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Variable names the server, as a connection string; what it has as a path is the database to authenticate against.
const Variable = "SIGNET_TEST_MONGODB_URI"

// Server is the connection string of the server. Without one the test is skipped, or fails where CI is set.
func Server(t testing.TB) string {
	t.Helper()
	uri := os.Getenv(Variable)
	switch {
	case uri != "":
	case os.Getenv("CI") != "":
		t.Fatalf("%s is not set, and CI is: the MongoDB tests have to run", Variable)
	default:
		t.Skipf("%s is not set: no MongoDB to test with", Variable)
	}
	return uri
}

// URI is the connection string of a new database.
func URI(t testing.TB) string {
	t.Helper()
	server := Server(t)
	name := "signet_test_" + strings.ToLower(rand.Text()[:12])
	t.Cleanup(func() { drop(t, server, name) })
	return withDatabase(server, name)
}

func drop(t testing.TB, server, name string) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	client, err := mongo.Connect(options.Client().ApplyURI(server))
	if err != nil {
		t.Errorf("drop %s: %v", name, err)
		return
	}
	defer func() { _ = client.Disconnect(ctx) }()
	if err := client.Database(name).Drop(ctx); err != nil {
		t.Errorf("drop %s: %v", name, err)
	}
}

// withDatabase replaces the path of a connection string. What users authenticate against by default depends on the path, so
// it is made explicit.
func withDatabase(server, name string) string {
	scheme, rest, _ := strings.Cut(server, "://")
	rest, query, _ := strings.Cut(rest, "?")
	hosts, path, _ := strings.Cut(rest, "/")
	byPassword := strings.Contains(hosts, "@") && !strings.Contains(query, "authMechanism=MONGODB-")
	if byPassword && !strings.Contains(query, "authSource=") {
		if path == "" {
			path = "admin"
		}
		query = strings.TrimPrefix(query+"&authSource="+path, "&")
	}
	uri := scheme + "://" + hosts + "/" + name
	if query != "" {
		uri += "?" + query
	}
	return uri
}

// Substitute says whether the server is a program of the JVM that speaks MongoDB's protocol, as found on machines without
// a MongoDB. Such a server may return a document with changes that came after the caller's own.
func Substitute(t testing.TB) bool {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(Server(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Disconnect(context.Background()) }()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var status struct {
		Process string `bson:"process"`
	}
	err = client.Database("admin").RunCommand(ctx, bson.D{{Key: "serverStatus", Value: 1}}).Decode(&status)
	return err == nil && status.Process == "java"
}
