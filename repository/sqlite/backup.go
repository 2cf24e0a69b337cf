package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Backup writes what the store holds at one moment into a new database file, readable by its owner alone. Writers go on meanwhile. It is on
// the disk when Backup returns nil; after an error there is no such file, unless it was there before: an existing one is refused with
// fs.ErrExist. A process that dies leaves an empty file and a `.partial` one, never a part that passes for the whole.
func (s *Store) Backup(ctx context.Context, file string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("sqlite: back up to %s: %w", file, explain(err))
		}
	}()
	if file, err = filepath.Abs(file); err != nil {
		return err
	}
	if err := newFile(file); err != nil {
		return err
	}
	partial := file + "." + rand.Text()[:8] + ".partial"
	defer func() {
		_, _ = os.Remove(partial), os.Remove(partial+"-journal")
		if err != nil {
			_ = os.Remove(file)
		}
	}()
	if err := newFile(partial); err != nil {
		return err
	}
	if err := copyInto(ctx, s.path, partial); err != nil {
		return err
	}
	if err := syncFile(partial); err != nil {
		return err
	}
	if err := os.Rename(partial, file); err != nil {
		return err
	}
	return syncDir(filepath.Dir(file))
}

func newFile(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// copyInto has SQLite write the database into an empty file, within one read of it.
func copyInto(ctx context.Context, from, to string) (err error) {
	db, err := sql.Open("sqlite", dsn(from, time.Second))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.ExecContext(ctx, `VACUUM INTO ?`, to)
	return err
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
