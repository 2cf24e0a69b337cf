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

// TestSessionsOfTheVersionBeforeAreListed: replicas of this version start, several at once, on what the version before wrote, while one of that
// version still refreshes. All sessions get their hour, and what the older one refreshed meanwhile gets the right one.
func TestSessionsOfTheVersionBeforeAreListed(t *testing.T) {
	s, db := opened(t)
	ctx := t.Context()
	since := time.UnixMilli(1_900_000_000_000).UTC()
	const sessions = datePage + 50
	documents := make([]any, sessions)
	for i := range documents {
		d := fromSession(issuer.Session{ID: fmt.Sprintf("s%04d", i), CreatedAt: since.Add(-time.Hour), At: since.Add(time.Duration(i-sessions/2) * time.Minute), AbsAt: since})
		raw, err := bson.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		var fields bson.D
		if err := bson.Unmarshal(raw, &fields); err != nil {
			t.Fatal(err)
		}
		documents[i] = slices.DeleteFunc(fields, func(e bson.E) bool { return e.Key == "active_hour" })
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(db.Collection("sessions").Drop(ctx))
	_, err := db.Collection("sessions").InsertMany(ctx, documents)
	check(err)
	_, err = db.Collection("schema").UpdateOne(ctx, bson.M{"_id": schemaID}, bson.M{"$set": bson.M{"version": 1}})
	check(err)

	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			if err := migrate(ctx, db, migrations); err != nil {
				t.Error(err)
			}
		})
	}
	for i := range 20 { // as the version before does it
		_, err := s.sessions.UpdateOne(ctx, bson.M{"_id": fmt.Sprintf("s%04d", i*27), "active_hour": absent}, bson.M{"$set": bson.M{"at": since.Add(90 * time.Hour)}})
		check(err)
	}
	all.Wait()
	if v := version(t, db); v != len(migrations) {
		t.Errorf("at version %d, want %d", v, len(migrations))
	}
	found, err := listAll[sessionDocument](ctx, s.sessions, "list", bson.M{}, byID)
	check(err)
	due := 0
	for _, d := range found {
		if d.Active != d.session().ActiveHour() {
			t.Fatalf("%s has hour %d, want %d", d.ID, d.Active, d.session().ActiveHour())
		}
		if !d.At.Before(since) {
			due++
		}
	}
	list, err := s.SessionsActiveSince(ctx, since, issuer.SessionCursor{}, sessions)
	check(err)
	if len(found) != sessions || len(list) != due || due < sessions/2 {
		t.Errorf("%d of %d sessions are listed, want %d", len(list), len(found), due)
	}
	if again, err := datePass(ctx, s.sessions); again != 0 || err != nil {
		t.Errorf("a second pass finds %d, %v", again, err)
	}
}

// TestActiveHourFollowsARefresh: the field is there from the start, rises with a refresh, and does not fall with one by a clock behind.
func TestActiveHourFollowsARefresh(t *testing.T) {
	s, _ := opened(t)
	ctx, at := t.Context(), time.UnixMilli(1_900_000_000_000).UTC()
	if err := s.InsertSession(ctx, issuer.Session{ID: "s", CreatedAt: at, At: at, IdleAt: at.Add(1e6 * time.Hour), AbsAt: at.Add(1e6 * time.Hour)}); err != nil {
		t.Fatal(err)
	}
	for gen, c := range []struct{ now, want time.Time }{{at.Add(5 * time.Hour), at.Add(5 * time.Hour)}, {at, at.Add(5 * time.Hour)}, {at.Add(6 * time.Hour), at.Add(6 * time.Hour)}} {
		_, hit, err := s.RotateSession(ctx, issuer.Rotation{SID: "s", Gen: int64(gen), ClientIDs: []string{""}, Now: c.now, Idle: 1e6 * time.Hour, Att: "a"})
		if !hit || err != nil {
			t.Fatal(hit, err)
		}
		d, err := read[sessionDocument](ctx, s.sessions, "read", "s")
		if err != nil || d.Active != issuer.HourOf(c.want) || !d.At.Equal(c.want) {
			t.Errorf("refreshed at %v: hour %d and at %v, want %d, %v; %v", c.now, d.Active, d.At, issuer.HourOf(c.want), c.want, err)
		}
	}
	if ok, err := s.RedateRotation(ctx, "s", 3, "a", at.Add(9*time.Hour)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if d, err := read[sessionDocument](ctx, s.sessions, "read", "s"); err != nil || d.Active != issuer.HourOf(at.Add(9*time.Hour)) {
		t.Errorf("dated again: hour %d, %v", d.Active, err)
	}
}
