package sqlite

import (
	"path/filepath"
	"testing"

	"signet/repository/conformance"
)

// fileIn is where a test keeps its database: a name that is awkward in a URI, in a directory that is not there yet.
func fileIn(t testing.TB) string {
	return filepath.Join(t.TempDir(), "data dir", "sig?net #1%41 é.db")
}

func openAt(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func TestConformance(t *testing.T) {
	conformance.Run(t, conformance.Harness{
		Open: func(t *testing.T) conformance.Store { return openAt(t, fileIn(t)) },
		Reopen: func(t *testing.T, s conformance.Store) conformance.Store {
			old := s.(*Store)
			if err := old.Close(); err != nil {
				t.Fatal(err)
			}
			return openAt(t, old.path)
		},
	})
}
