package sqlite

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// A command beside a server makes nothing and migrates nothing.
func TestAsIs(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "signet.db")
	if _, err := Open(t.Context(), path, Options{AsIs: true}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("where there is none: %v", err)
	}
	if left, _ := os.ReadDir(folder); len(left) > 0 {
		t.Errorf("it left %v", left)
	}
	older, err := open(t.Context(), path, Options{}, steps[:len(steps)-1])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), path, Options{AsIs: true}); !errors.Is(err, ErrOlderSchema) {
		t.Errorf("an older one: %v", err)
	}
	if err := older.Close(); err != nil {
		t.Fatal(err)
	}
	for _, o := range []Options{{}, {AsIs: true}} {
		s, err := Open(t.Context(), path, o)
		if err != nil {
			t.Fatalf("%+v: %v", o, err)
		}
		if all, err := s.AllClients(t.Context()); err != nil || len(all) != 1 {
			t.Errorf("%+v: %v, %v", o, all, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
