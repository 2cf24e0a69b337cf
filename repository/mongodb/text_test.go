package mongodb_test

import (
	"errors"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"signet/issuer"
	"signet/repository/mongodb"
	"signet/repository/mongodb/mongotest"
)

// Strings that mean something to a server, or did to one.
var oddText = []string{
	"$set", "$where", "a.b", ".", "$", `{"$gt": ""}`, `{"$ne": null}`, "a\x00b", "\x00", "a\x00c", "' || '1'=='1", "e\u0301", "\u00e9", "replica:", "ring",
	"\ufeffa", "\u202eabc", strings.Repeat("x", 10_000),
}

func TestOddText(t *testing.T) {
	s := open(t, mongotest.URI(t), mongodb.Options{})
	ctx := t.Context()
	for _, id := range oddText {
		if err := s.InsertUser(ctx, issuer.User{ID: id, State: issuer.UserActive, Email: id, PasswordHash: id}); err != nil {
			t.Fatalf("%.20q: %v", id, err)
		}
	}
	for _, id := range oddText {
		if u, ok, err := s.ActOnUser(ctx, id, issuer.Act{Att: id, At: noon, EndAll: issuer.RevokedLogoutAll, Keep: id}); !ok || err != nil || u.ID != id || u.Keep != id || u.Email != id || !u.Did(id) {
			t.Errorf("%.20q: %+v, %v, %v", id, u, ok, err)
		}
		if u, err := s.User(ctx, id); err != nil || u.Ver != 1 { // one act on each: none was on another's document
			t.Errorf("%.20q: ver %d, %v", id, u.Ver, err)
		}
		if ok, err := s.RehashPassword(ctx, id, id+"$", "h"); ok || err != nil {
			t.Errorf("%.20q: a hash that is not there matched: %v, %v", id, ok, err)
		}
		if ok, _, err := s.TakeBudget(ctx, id, id, 1, 1e9, noon); !ok || err != nil {
			t.Errorf("%.20q: %v, %v", id, ok, err)
		}
	}
}

func TestTextThatIsNotUTF8(t *testing.T) {
	uri := mongotest.URI(t)
	s := open(t, uri, mongodb.Options{})
	ctx := t.Context()
	for _, repaired := range []string{"a\uFFFD", "\uFFFD", "a\uFFFDb"} {
		if err := s.InsertUser(ctx, issuer.User{ID: repaired, State: issuer.UserActive}); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"a\xff", "\xc0", "a\xed\xa0\x80b"} {
		if _, err := s.User(ctx, id); !errors.Is(err, issuer.ErrNotFound) {
			t.Errorf("%q: read: %v", id, err)
		}
		if _, ok, err := s.ActOnUser(ctx, id, theAct("a")); ok || err != nil {
			t.Errorf("%q: changed: %v, %v", id, ok, err)
		}
		if ok, err := s.DeleteMail(ctx, id, "w"); ok || err != nil {
			t.Errorf("%q: deleted: %v, %v", id, ok, err)
		}
		if err := s.InsertUser(ctx, issuer.User{ID: id}); err == nil || errors.Is(err, issuer.ErrExists) {
			t.Errorf("%q: inserted: %v", id, err)
		}
		if _, _, err := s.TakeBudget(ctx, id, "a", 1, 1e9, noon); err == nil {
			t.Errorf("%q: a budget of it was taken", id)
		}
		if _, ok, err := s.ActOnUser(ctx, "a\uFFFD", theAct(id)); ok || err == nil {
			t.Errorf("%q: written as a value: %v, %v", id, ok, err)
		}
	}
	if n, err := raw(t, uri).Collection("users").CountDocuments(ctx, bson.M{"ver": 0}); n != 3 || err != nil {
		t.Errorf("%d users as they were, want 3 (%v)", n, err)
	}
	d := theSession
	d.UserAgent = "Mozilla\xff/5.0"
	if err := s.InsertSession(ctx, d); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Session(ctx, d.ID); err != nil || got.UserAgent != "Mozilla\uFFFD/5.0" {
		t.Errorf("got %q, %v", got.UserAgent, err)
	}
}
