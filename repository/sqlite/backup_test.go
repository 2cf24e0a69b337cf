package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"signet/issuer"
)

func files(t *testing.T, folder string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		names = append(names, f.Name())
	}
	return names
}

// TestBackupWhileWriting: each writer inserts a user and then its session, so a copy of one moment holds no session without its user, and everything that was
// answered before it began.
func TestBackupWhileWriting(t *testing.T) {
	s, folder := openAt(t, fileIn(t)), t.TempDir()
	stop := make(chan struct{})
	var begun, writing sync.WaitGroup
	for writer := range 8 {
		begun.Add(1)
		writing.Go(func() {
			for n := 0; ; n++ {
				id := fmt.Sprintf("%d-%d", writer, n)
				err := s.InsertUser(t.Context(), newUser(id))
				if err == nil {
					err = s.InsertSession(t.Context(), issuer.Session{ID: id, UserID: id})
				}
				if err != nil {
					t.Error(err)
				}
				if n == 20 || err != nil {
					begun.Done()
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	begun.Wait()
	file := filepath.Join(folder, "copy.db")
	err := s.Backup(t.Context(), file)
	close(stop)
	writing.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 || len(files(t, folder)) != 1 {
		t.Errorf("%v, %v beside %q", info, err, files(t, folder))
	}
	c := openAt(t, file)
	for writer := range 8 {
		if !exists(t, c, fmt.Sprintf("%d-20", writer)) {
			t.Errorf("what writer %d wrote before is missing", writer)
		}
	}
	orphans, _, err := readRow[int](t.Context(), c, `SELECT count(*) FROM sessions s WHERE NOT EXISTS (SELECT 1 FROM users WHERE id = s.user_id)`)
	if orphans != 0 || err != nil {
		t.Errorf("%d sessions without a user, %v", orphans, err)
	}
	checkChunks(t, c)
	if sound, _, err := readRow[string](t.Context(), c, `PRAGMA integrity_check`); sound != "ok" || err != nil {
		t.Errorf("%s, %v", sound, err)
	}
	if err := c.InsertUser(t.Context(), newUser("later")); err != nil {
		t.Error(err)
	}
}

func TestBackupRefusesAndCleansUp(t *testing.T) {
	s, folder := openAt(t, fileIn(t)), t.TempDir()
	there := filepath.Join(folder, "there")
	if err := os.WriteFile(there, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Backup(t.Context(), there); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over an existing file: %v", err)
	}
	if kept, err := os.ReadFile(there); string(kept) != "precious" || err != nil {
		t.Errorf("the existing file is now %q, %v", kept, err)
	}
	if err := s.Backup(t.Context(), s.path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over itself: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Backup(ended, filepath.Join(folder, "ended")); err == nil {
		t.Error("a backup for nobody went on")
	}
	if err := s.Backup(t.Context(), filepath.Join(folder, "no such folder", "copy")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("into no folder: %v", err)
	}
	if left := files(t, folder); len(left) != 1 {
		t.Errorf("left: %q", left)
	}
}
