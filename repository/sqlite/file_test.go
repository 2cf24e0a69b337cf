package sqlite

import (
	"database/sql"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signet/issuer"
)

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func TestNobodyElseCanReadTheFiles(t *testing.T) {
	path := fileIn(t)
	s := openAt(t, path)
	if err := s.InsertUser(t.Context(), newUser("u")); err != nil {
		t.Fatal(err)
	}
	if m := mode(t, filepath.Dir(path)); m != 0o700 {
		t.Errorf("the directory has mode %o", m)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if m := mode(t, path+suffix); m != 0o600 {
			t.Errorf("the file%s has mode %o", suffix, m)
		}
	}
	if err := os.Chmod(path, 0o664); err != nil {
		t.Fatal(err)
	}
	openAt(t, path)
	if m := mode(t, path); m != 0o600 {
		t.Errorf("a file that was open to others has mode %o", m)
	}
}

// TestStoresOfOneProcess: opening and closing a second store must leave the lock that the first one has on the file.
func TestStoresOfOneProcess(t *testing.T) {
	path := fileIn(t)
	a := openAt(t, path)
	release := hold(t, a) // in a transaction
	b, err := Open(t.Context(), path, Options{BusyTimeout: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	err = b.InsertUser(t.Context(), newUser("b"))
	if !errors.Is(err, issuer.ErrUnknown) || !strings.Contains(err.Error(), "another process") {
		t.Errorf("another store beside the transaction: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	said := func() string {
		t.Helper()
		c, out := child(t, "impatient", path)
		said, err := io.ReadAll(out)
		if err == nil {
			err = c.Wait()
		}
		if err != nil {
			t.Error(err)
		}
		return string(said)
	}
	if got := said(); !strings.Contains(got, "another process") {
		t.Errorf("another process beside the transaction said %q", got)
	}
	release()
	if got := said(); got != "<nil>\n" || !exists(t, a, "impatient") {
		t.Errorf("another process after it said %q", got)
	}
}

// opening tries to open what is at path and returns the complaint.
func opening(t *testing.T, path string) string {
	t.Helper()
	s, err := Open(t.Context(), path, Options{BusyTimeout: 10 * time.Millisecond})
	if err == nil {
		_ = s.Close()
		t.Fatalf("%s was opened", path)
	}
	if !strings.Contains(err.Error(), path) {
		t.Errorf("the complaint doesn't name the file: %v", err)
	}
	return err.Error()
}

func TestWhatIsNoDatabaseIsRefused(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	content := []byte(strings.Repeat("This is no database.\n", 1000))
	if err := os.WriteFile(text, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := opening(t, text); !strings.Contains(got, "not a SQLite database") {
		t.Errorf("text: %s", got)
	}
	if now, err := os.ReadFile(text); err != nil || string(now) != string(content) {
		t.Errorf("the file was changed: %v", err)
	}
	if got := opening(t, dir); !strings.Contains(got, "not a regular file") {
		t.Errorf("a directory: %s", got)
	}
	opening(t, filepath.Join(text, "below a file"))
}

func TestAnotherProgramsDatabaseIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "other.db")
	db, err := sql.Open("sqlite", dsn(path, time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`CREATE TABLE theirs (x)`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := opening(t, path); !strings.Contains(got, "another program") {
		t.Errorf("%s", got)
	}
	if now, err := os.ReadFile(path); err != nil || string(now) != string(before) {
		t.Errorf("their file was changed: %v", err)
	}
}

func TestADamagedFileFailsWithoutPanic(t *testing.T) {
	path := fileIn(t)
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		u := newUser(rotationID())
		u.GivenName = strings.Repeat("x", 500)
		if err := s.InsertUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, from := range []int{100, 4096, 3 * 4096, len(whole) / 2} { // everything from there on is noise
		damaged := append([]byte(nil), whole...)
		for i := from; i < len(damaged); i++ {
			damaged[i] = byte(i*7 + i/251)
		}
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(t.Context(), path, Options{})
		if err != nil {
			continue
		}
		// What is found missing in a damaged file may be answered as missing; what fails is unknown.
		if _, err := s.ListUsers(t.Context(), issuer.UserQuery{}, issuer.Place{}, 100); err != nil && !errors.Is(err, issuer.ErrUnknown) {
			t.Errorf("noise from %d: list: %v", from, err)
		}
		if err := s.InsertUser(t.Context(), newUser("new")); err != nil && !errors.Is(err, issuer.ErrUnknown) {
			t.Errorf("noise from %d: insert: %v", from, err)
		}
		_ = s.Close()
	}
}

func TestADamagedDocumentIsUnknown(t *testing.T) {
	s := openAt(t, fileIn(t))
	if err := s.InsertUser(t.Context(), newUser("u")); err != nil {
		t.Fatal(err)
	}
	if _, err := write(t.Context(), s.writer, func(x *tx) (int64, error) { return x.exec(`UPDATE users SET doc = '{"state": 1'`) }); err != nil {
		t.Fatal(err)
	}
	_, read := s.User(t.Context(), "u")
	_, _, changed := s.RecordSignIn(t.Context(), "u", 0, benchNow)
	_, listed := s.ListUsers(t.Context(), issuer.UserQuery{}, issuer.Place{}, 10)
	for what, err := range map[string]error{"read": read, "changed": changed, "listed": listed} {
		if !errors.Is(err, issuer.ErrUnknown) || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
