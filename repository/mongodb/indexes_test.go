package mongodb_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"signet/issuer"
	"signet/keys"
	"signet/repository/mongodb"
	"signet/repository/mongodb/mongotest"
)

func TestIndexes(t *testing.T) {
	uri := mongotest.URI(t)
	open(t, uri, mongodb.Options{})
	db := raw(t, uri)
	for collection, want := range map[string][]string{
		"users": {"created_at,_id", "email_key sparse", "family_key sparse", "given_key sparse", "hash_kind sparse", "id_key", "pending sparse",
			"release sparse", "roles,created_at,_id", "state,created_at,_id", "username_key sparse"},
		"identifiers": {"open_since sparse"},
		"sessions":    {"active_hour,_id", "ended,created_at,_id", "notice sparse", "ttl_at expires 0", "user_id,_id", "user_id,ended,created_at,_id"},
		"challenges":  {"ttl_at expires 0"},
		"outbox":      {"due_at,_id", "give_up_at", "ttl_at expires 0"},
		"throttles":   {"ttl_at expires 0"},
		"audit":       {"actor,at,_id", "at,_id", "target,at,_id"},
		"keyring":     {"ttl_at expires 0"},
		"clients":     nil,
		"schema":      nil,
	} {
		cursor, err := db.Collection(collection).Indexes().List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var found []bson.Raw
		if err := cursor.All(t.Context(), &found); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, index := range found {
			if d := describe(t, index); d != "_id" {
				got = append(got, d)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s has indexes %q, want %q", collection, got, want)
		}
	}
}

// describe is an index definition in words.
func describe(t *testing.T, index bson.Raw) (d string) {
	elements, err := index.Lookup("key").Document().Elements()
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range elements {
		if i > 0 {
			d += ","
		}
		d += e.Key()
		if n, ok := e.Value().AsInt64OK(); !ok || n != 1 {
			d += " " + e.Value().String()
		}
	}
	for _, option := range []string{"unique", "sparse"} {
		if set, _ := index.Lookup(option).BooleanOK(); set && d != "_id" {
			d += " " + option
		}
	}
	if after, ok := index.Lookup("expireAfterSeconds").AsInt64OK(); ok {
		d += fmt.Sprint(" expires ", after)
	}
	if _, err := index.LookupErr("partialFilterExpression"); err == nil {
		d += " partial"
	}
	return d
}

// TestDocuments: what only MongoDB sees of a document, the end of its life and the markers, is there when it must be and
// only then.
func TestDocuments(t *testing.T) {
	uri := mongotest.URI(t)
	s, db := open(t, uri, mongodb.Options{}), raw(t, uri)
	ctx, day := t.Context(), 24*time.Hour
	for _, err := range []error{
		s.InsertUser(ctx, theUser), s.InsertSession(ctx, theSession), s.InsertChallenge(ctx, theChallenge), s.InsertMail(ctx, theMail),
		s.InsertIdentifier(ctx, issuer.Identifier{ID: "name:n"}), s.PutHeartbeat(ctx, keys.Heartbeat{Replica: "r", At: noon}),
		take(ctx, s, "a"), answeredAt(s.TakeBudget(ctx, "k2", "a", 2, time.Hour, noon)),
		answeredAt(s.TakeBudget(ctx, "k2", "b", 2, time.Hour, noon.Add(-time.Minute))), ignore(s.CountSource(ctx, "n", noon.Add(time.Minute))), ignore(s.CountSource(ctx, "n", noon)),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	read := func(collection, id string) (d bson.Raw) {
		t.Helper()
		if err := db.Collection(collection).FindOne(ctx, bson.M{"_id": id}).Decode(&d); err != nil {
			t.Fatal(err)
		}
		return d
	}
	for at, want := range map[[2]string]time.Time{
		{"sessions", "s"}:        theSession.AbsAt.Add(day),
		{"challenges", "c"}:      theChallenge.ExpiresAt.Add(day),
		{"outbox", "m"}:          theMail.GiveUpAt.Add(day),
		{"throttles", "k"}:       noon.Add(time.Hour + day),
		{"throttles", "k2"}:      noon.Add(time.Hour + day),
		{"throttles", "n"}:       noon.Add(time.Minute + day), // a later expiry stays
		{"keyring", "replica:r"}: noon.Add(day),
	} {
		if got, _ := read(at[0], at[1]).Lookup("ttl_at").TimeOK(); !got.Equal(want) {
			t.Errorf("%v goes at %v, want %v", at, got, want)
		}
	}
	markers := map[string][]string{
		"users u": {"pending", "pending_at", "release", "release_at"}, "sessions s": {"notice", "revoked"}, "identifiers name:n": {"open_since", "payload"},
	}
	look := func(want bool) {
		t.Helper()
		for of, fields := range maps.All(markers) {
			var collection, id string
			_, _ = fmt.Sscan(of, &collection, &id)
			for _, f := range fields {
				if _, err := read(collection, id).LookupErr(f); (err == nil) != want && !(f == "revoked" && !want) {
					t.Errorf("%s of %s: %v, want it there: %v", f, of, err, want)
				}
			}
		}
	}
	look(false)
	for _, err := range []error{
		answered(s.ActOnUser(ctx, "u", theAct("a"))), answered(s.MoveUsername(ctx, "u", 0, "n", "name:o", noon)),
		answered(s.RevokeSession(ctx, "s", issuer.Revoking{At: noon, Notice: true})),
		ignore(s.ReclaimIdentifier(ctx, "", issuer.Identifier{ID: "name:n", OpenSince: noon, Payload: &theUser})),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	look(true)
	for _, err := range []error{
		ignore(s.ClearPending(ctx, "u", 1)), ignore(s.ClearRelease(ctx, "u", "name:o", 1)), ignore(s.ClearNotice(ctx, "s")),
		ignore(s.FirmIdentifier(ctx, "name:n", "")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	look(false)
}
