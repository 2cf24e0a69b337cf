package mongodb

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"signet/issuer"
)

// without is a document as the version before wrote it.
func without(t *testing.T, d any, fields ...string) bson.D {
	t.Helper()
	raw, err := bson.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var all bson.D
	if err := bson.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(e bson.E) bool { return slices.Contains(fields, e.Key) })
}

// TestListsOfTheVersionBefore: replicas of this version start, several at once, on what the version before wrote, while one of that version still
// changes names. Everybody is found by what they are called now, every revoked session is listed as such, and a second pass has nothing to do.
func TestListsOfTheVersionBefore(t *testing.T) {
	s, db := opened(t)
	ctx := t.Context()
	at := time.UnixMilli(1_900_000_000_000).UTC()
	const n = datePage + 50
	var users, sessions []any
	for i := range n {
		id := fmt.Sprintf("u%04d", i)
		users = append(users, without(t, fromUser(issuer.User{ID: id, State: issuer.UserActive, Email: id + "@example.org", GivenName: "ÅSA", PasswordHash: "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
			CreatedAt: at.Add(time.Duration(i) * time.Second)}), "id_key", "email_key", "username_key", "given_key", "family_key", "hash_kind"))
		d := issuer.Session{ID: "s" + id, UserID: id, CreatedAt: at, AbsAt: at.Add(time.Hour), IdleAt: at.Add(time.Hour)}
		if i%2 == 1 {
			d.Revoked = &issuer.Revocation{At: at, Why: issuer.RevokedLogout}
		}
		sessions = append(sessions, without(t, fromSession(d), "ended"))
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, documents := range map[string][]any{"users": users, "sessions": sessions} {
		check(db.Collection(name).Drop(ctx))
		_, err := db.Collection(name).InsertMany(ctx, documents)
		check(err)
	}
	_, err := db.Collection("schema").UpdateOne(ctx, bson.M{"_id": schemaID}, bson.M{"$set": bson.M{"version": 2}})
	check(err)

	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			if err := migrate(ctx, db, migrations); err != nil {
				t.Error(err)
			}
		})
	}
	renamed := 0
	for i := range 20 { // as the version before does it, which knows no keys
		r, err := s.users.UpdateOne(ctx, bson.M{"_id": fmt.Sprintf("u%04d", i*27), "id_key": absent}, bson.M{"$set": bson.M{"given_name": "Björk"}})
		check(err)
		renamed += int(r.ModifiedCount)
	}
	all.Wait()
	if v := version(t, db); v != len(migrations) {
		t.Errorf("at version %d, want %d", v, len(migrations))
	}
	for prefix, want := range map[string]int{issuer.SearchKey("åsa"): n - renamed, issuer.SearchKey("BJÖ"): renamed, "u0007@": 1, "u": n} {
		found, err := s.ListUsers(ctx, issuer.UserQuery{Prefix: prefix}, issuer.Place{}, 2*n)
		if check(err); len(found) != want {
			t.Errorf("%q finds %d, want %d", prefix, len(found), want)
		}
	}
	kinds, err := s.HashKinds(ctx)
	if check(err); len(kinds) != 1 {
		t.Errorf("kinds %q", kinds)
	}
	for revoked, want := range map[bool]int{true: n / 2, false: n - n/2} {
		found, err := s.ListSessions(ctx, issuer.SessionQuery{Revoked: revoked, Now: at}, issuer.Place{}, 2*n)
		if check(err); len(found) != want {
			t.Errorf("revoked %v: %d, want %d", revoked, len(found), want)
		}
	}
	for _, pass := range []func() (int, error){func() (int, error) { return keyPass(ctx, s.users) }, func() (int, error) { return endedPass(ctx, s.sessions) }} {
		if again, err := pass(); again != 0 || err != nil {
			t.Errorf("a second pass finds %d, %v", again, err)
		}
	}
}
