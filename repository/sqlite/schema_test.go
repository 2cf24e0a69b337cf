package sqlite

import (
	"errors"
	"sync"
	"testing"

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
		if err := old.InsertUser(t.Context(), newUser("kept")); err != nil {
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
		if list, err := s.AllClients(t.Context()); err != nil || len(list) != 1 || list[0].ID != issuer.FirstPartyID {
			t.Errorf("from %d: clients %v, %v", n, list, err)
		}
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
