package sqlite

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"signet/issuer"
)

// openWith opens the file with a history of the schema that is not this version's.
func openWith(t *testing.T, path string, steps []step) error {
	t.Helper()
	s, err := open(t.Context(), path, Options{}, steps)
	if err != nil {
		return err
	}
	return s.Close()
}

func versions(t *testing.T, s *Store) int {
	t.Helper()
	n, _, err := readRow[int](t.Context(), s, `SELECT count(*) FROM schema_version`)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAnOlderSchemaIsBroughtForward(t *testing.T) {
	for n := 1; n < len(steps); n++ {
		path := fileIn(t)
		old, err := open(t.Context(), path, Options{}, steps[:n])
		if err != nil {
			t.Fatal(err)
		}
		_, err = write(t.Context(), old.writer, func(x *tx) (int64, error) {
			return x.exec(`INSERT INTO users (id, created_at, doc) VALUES ('kept', 5, '{"state":"active","email":"Kept@example.com","created_at":5}')`)
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := old.Close(); err != nil {
			t.Fatal(err)
		}
		s := openAt(t, path)
		if got := versions(t, s); got != len(steps) {
			t.Errorf("from %d: %d versions are recorded, want %d", n, got, len(steps))
		}
		if !exists(t, s, "kept") {
			t.Errorf("from %d: what was there is gone", n)
		}
		if n < 4 { // since then the columns were written with the document
			found, err := s.ListUsers(t.Context(), issuer.UserQuery{Prefix: "kept@"}, issuer.Place{}, 5)
			if c, e := s.Counts(t.Context(), benchNow); len(found) != 1 || err != nil || c.Active != 1 || e != nil {
				t.Errorf("from %d: found %v, %v, counted %v, %v", n, found, err, c, e)
			}
		}
		if list, err := s.AllClients(t.Context()); err != nil || len(list) != 1 || list[0].ID != issuer.FirstPartyID {
			t.Errorf("from %d: clients %v, %v", n, list, err)
		}
	}
}

// TestSessionsOfAnOlderSchemaAreListed: what the version before wrote, by its own statements, is found by its time.
func TestSessionsOfAnOlderSchemaAreListed(t *testing.T) {
	path := fileIn(t)
	old, err := open(t.Context(), path, Options{}, steps[:2])
	if err != nil {
		t.Fatal(err)
	}
	const at, days = 1_800_000_123_456, 864_000_000 // on no hour's edge; ten days
	for id, doc := range map[string]string{
		"refreshed": fmt.Sprintf(`{"user_id":"u","client_id":"first-party","secret":"k","at":%d,"created_at":%d,"idle_at":%d,"abs_at":%[3]d}`, at, at-days, at+days),
		"created":   fmt.Sprintf(`{"user_id":"u","created_at":%d}`, at+5),
		"before":    fmt.Sprintf(`{"user_id":"u","at":%d,"created_at":%d}`, at-1, at-days),
		"revoked":   fmt.Sprintf(`{"user_id":"u","at":%d,"revoked":{"at":%[1]d,"why":"logout"}}`, at),
		"undated":   `{"user_id":"u"}`,
	} {
		_, err := write(t.Context(), old.writer, func(x *tx) (int64, error) {
			return x.exec(`INSERT INTO sessions (user_id, notice, ttl_at, doc, id) VALUES ('u', NULL, NULL, ?, ?)`, doc, id)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	s, since := openAt(t, path), time.UnixMilli(at)
	listed := func(since time.Time) (ids []string) {
		t.Helper()
		list, err := s.SessionsActiveSince(t.Context(), since, issuer.SessionCursor{}, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range list {
			ids = append(ids, d.ID)
		}
		return ids
	}
	if got := listed(since); !slices.Equal(got, []string{"created", "refreshed"}) {
		t.Errorf("listed %q", got)
	}
	if got := listed(time.Time{}); !slices.Equal(got, []string{"undated", "before", "created", "refreshed"}) {
		t.Errorf("listed of all time %q", got)
	}
	next := since.Add(3 * time.Hour)
	_, hit, err := s.RotateSession(t.Context(), issuer.Rotation{SID: "refreshed", Secret: "k", ClientIDs: []string{"first-party"}, Now: next, Next: "k", Idle: time.Hour})
	if !hit || err != nil {
		t.Fatal(hit, err)
	}
	if got := listed(next); !slices.Equal(got, []string{"refreshed"}) {
		t.Errorf("listed after a refresh %q", got)
	}
}

func TestANewerSchemaIsRefused(t *testing.T) {
	path := fileIn(t)
	newer := append(append([]step(nil), steps...), step{sql: `CREATE TABLE future (id TEXT PRIMARY KEY) STRICT`})
	if err := openWith(t, path, newer); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), path, Options{}); !errors.Is(err, ErrNewerSchema) {
		t.Errorf("opened a newer schema: %v", err)
	}
	if err := openWith(t, path, newer); err != nil {
		t.Errorf("the newer version itself: %v", err)
	}
}

func TestAFailingStepLeavesTheVersionBefore(t *testing.T) {
	path := fileIn(t)
	if err := openWith(t, path, steps); err != nil {
		t.Fatal(err)
	}
	bad := append(append([]step(nil), steps...),
		step{sql: `CREATE TABLE more (id TEXT PRIMARY KEY) STRICT`},
		step{sql: `DELETE FROM users; CREATE TABLE users (x)`})
	if err := openWith(t, path, bad); err == nil {
		t.Fatal("a step failed and nobody was told")
	}
	s := openAt(t, path)
	n, _, err := readRow[int](t.Context(), s, `SELECT count(*) FROM sqlite_schema WHERE name = 'more'`)
	if n != 0 || err != nil || versions(t, s) != len(steps) {
		t.Errorf("a part of the steps stayed: %d, %v", n, err)
	}
}

func TestManyOpenANewFileAtOnce(t *testing.T) {
	path := fileIn(t)
	var done sync.WaitGroup
	for range 8 {
		done.Go(func() {
			s, err := Open(t.Context(), path, Options{})
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
	if got := versions(t, openAt(t, path)); got != len(steps) {
		t.Errorf("%d versions are recorded, want %d", got, len(steps))
	}
}
