package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signet/issuer"
	"signet/repository/sqlite"
)

// placeWorld is a data folder with a store, whose user is "old", and a restored one that waits to be put in its place, whose user is "new".
func placeWorld(t *testing.T) *Config {
	t.Helper()
	c := &Config{DataDir: t.TempDir()}
	for path, user := range map[string]string{c.embeddedFile(): "old", c.restoredFile(): "new"} {
		s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.InsertUser(t.Context(), issuer.User{ID: user, State: issuer.UserActive}), s.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func userOf(t *testing.T, path string) string {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, sqlite.Options{AsIs: true})
	if err != nil {
		return "none: " + err.Error()
	}
	defer s.Close()
	all, err := s.ListUsers(t.Context(), issuer.UserQuery{}, issuer.Place{}, 10)
	if err != nil || len(all) != 1 {
		t.Fatalf("%s: %v, %v", path, all, err)
	}
	return all[0].ID
}

// A crash between any two moves: nobody opens the store then, and doing it again puts the restored one in place and keeps the one before.
func TestPlacingGoesOnAfterACrash(t *testing.T) {
	for done := 0; ; done++ {
		c := placeWorld(t)
		if err := os.WriteFile(c.embeddedFile()+"-wal", []byte("a log that can't be folded in"), 0o600); err != nil {
			t.Fatal(err)
		}
		steps, aside, err := c.placing()
		if err != nil {
			t.Fatal(err)
		}
		if done > len(steps) {
			return
		}
		for _, step := range steps[:done] {
			if err := step(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := os.Stat(c.restoredFile()); err == nil {
			for _, server := range []bool{true, false} {
				st, err := openStore(t.Context(), c, server)
				if err == nil {
					_ = st.Close(context.Background())
					t.Fatalf("after %d moves the store is opened", done)
				}
				if !errors.Is(err, errUnplaced) {
					t.Errorf("after %d moves: %v", done, err)
				}
			}
			again, err := c.placeRestored(t.Context())
			if err != nil || again != aside {
				t.Fatalf("after %d moves: %q, %v; want %q", done, again, err, aside)
			}
		}
		if got := userOf(t, c.embeddedFile()); got != "new" {
			t.Errorf("after %d moves: the store in place is %s", done, got)
		}
		if got := userOf(t, aside); got != "old" {
			t.Errorf("after %d moves: the store from before is %s", done, got)
		}
		if left, _ := filepath.Glob(c.embeddedFile() + ".rest*"); len(left) > 0 {
			t.Errorf("after %d moves: %v", done, left)
		}
	}
}

// The lock is what a restore and everybody else agree on.
func TestTheStoreIsSharedOrHeld(t *testing.T) {
	c := &Config{DataDir: t.TempDir()}
	one, err := openStore(t.Context(), c, true)
	if err != nil {
		t.Fatal(err)
	}
	two, err := openStore(t.Context(), c, false)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := holdStore(c); !errors.Is(err, errStoreInUse) {
			t.Errorf("held while it is shared: %v", err)
		}
		_ = one.Close(t.Context())
	}
	_ = two.Close(t.Context())
	held, err := holdStore(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, server := range []bool{true, false} {
		if _, err := openStore(t.Context(), c, server); !errors.Is(err, errBeingPlaced) {
			t.Errorf("opened while it is held: %v", err)
		}
	}
	held.release()
	again, err := openStore(t.Context(), c, false)
	if err != nil {
		t.Fatal(err)
	}
	_ = again.Close(t.Context())
}

func TestCopyBackupRefusesAStoreInUse(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "copied.db"), filepath.Join(dir, "work.db")
	for _, name := range []string{from, from + "-wal", to, to + "-wal"} {
		if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := copyBackup(from, to); err == nil || !strings.Contains(err.Error(), "copied.db-wal") {
		t.Errorf("a file with a log: %v", err)
	}
	if err := os.Remove(from + "-wal"); err != nil {
		t.Fatal(err)
	}
	if err := copyBackup(from, to); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(to + "-wal"); !errors.Is(err, os.ErrNotExist) {
		t.Error("the log of an earlier working copy is left")
	}
}
