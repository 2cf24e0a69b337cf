package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signet/issuer"
)

// A file that is folded in is the whole database by itself; one that somebody has open is left alone.
func TestFoldIn(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "signet.db")
	s, err := Open(ctx, path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.InsertUser(ctx, issuer.User{ID: "u", State: issuer.UserActive}); err != nil {
		t.Fatal(err)
	}
	if err := FoldIn(ctx, path); !errors.Is(err, ErrInUse) {
		t.Errorf("while it is open: %v", err)
	}
	wal, err := os.ReadFile(path + "-wal")
	if err != nil || len(wal) == 0 {
		t.Fatalf("no log to fold in: %v", err)
	}
	crashed := filepath.Join(t.TempDir(), "signet.db")
	for from, to := range map[string]string{path: crashed, path + "-wal": crashed + "-wal"} {
		data, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(to, data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := FoldIn(ctx, crashed); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(crashed + "-wal"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a log is left: %v", err)
	}
	again, err := Open(ctx, crashed, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if _, err := again.User(ctx, "u"); err != nil {
		t.Errorf("what stood in the log is lost: %v", err)
	}
	if err := FoldIn(ctx, filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there was folded in")
	}
}

func TestCheck(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "signet.db")
	s, err := Open(ctx, path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range strings.Fields(strings.Repeat("x ", 3)) {
		_ = s.InsertUser(ctx, issuer.User{ID: id, State: issuer.UserActive})
	}
	if err := errors.Join(s.Close(), FoldIn(ctx, path), Check(ctx, path)); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := 4096
	for i := page * 3; i < page*8; i++ {
		data[i] ^= 0x5a
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Check(ctx, path); err == nil {
		t.Error("a damaged file passes")
	}
	if err := os.WriteFile(path, []byte("no database, but long enough to be taken for one at first sight"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Check(ctx, path); err == nil {
		t.Error("another file passes")
	}
}
