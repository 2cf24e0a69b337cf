package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite"

	"signet/issuer"
)

// Options are the settings of a store. The zero value is what a server wants.
type Options struct {
	Wall        func() time.Time // the host's clock, which is the store's; nil for time.Now
	BusyTimeout time.Duration    // how long a write waits for another process to end its own; 0 for 5 s
	AsIs        bool             // a command beside a server: nothing is made or migrated, and an older schema is ErrOlderSchema
}

// Store keeps everything in one SQLite file. It is safe for concurrent use, and several stores, in one process or
// many, may have the same file open.
type Store struct {
	path    string
	wall    func() time.Time
	writer  *writer
	readers *readers
}

// Open opens the database file at path and brings its schema up to date. A missing file is made, readable by its owner
// alone, and so are missing directories above it. Errors: the file is no database, is damaged, was written by a newer
// version (ErrNewerSchema), or, with AsIs, by an older one (ErrOlderSchema).
func Open(ctx context.Context, path string, o Options) (*Store, error) {
	s, err := open(ctx, path, o, steps)
	if err != nil {
		return nil, fmt.Errorf("sqlite: open %s: %w", path, explain(err))
	}
	return s, nil
}

func open(ctx context.Context, path string, o Options, steps []step) (*Store, error) {
	if o.Wall == nil {
		o.Wall = time.Now
	}
	if o.BusyTimeout <= 0 {
		o.BusyTimeout = 5 * time.Second
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if o.AsIs {
		if _, err := os.Stat(path); err != nil {
			return nil, err
		}
	} else if err := prepareFile(path); err != nil {
		return nil, err
	}
	// With fdatasync a commit doesn't wait for the file's timestamps; where the system has none, fsync stays.
	_, _ = sqlite.Fdatasync(true)

	db, err := sql.Open("sqlite", dsn(path, o.BusyTimeout, writerPragmas...))
	if err != nil {
		return nil, err
	}
	if err := prepareSchema(ctx, db, o, steps); err != nil {
		_ = db.Close()
		return nil, err
	}
	r, err := openReaders(path, o.BusyTimeout)
	if err != nil {
		_ = db.Close()
		return nil, err
	}
	return &Store{path: path, wall: o.Wall, writer: startWriter(db, o.BusyTimeout), readers: r}, nil
}

// Close answers every write that was asked for before it, then lets go of the file. Operations that come later fail with an
// error that wraps issuer.ErrUnknown.
func (s *Store) Close() error {
	err := s.writer.close()
	if e := s.readers.close(); err == nil {
		err = e
	}
	return err
}

// Ping reads from the file.
func (s *Store) Ping(ctx context.Context) error {
	_, _, err := readRow[int64](ctx, s, `SELECT max(version) FROM schema_version`)
	return err
}

// StoreTime is the host's clock: there is one host.
func (s *Store) StoreTime(ctx context.Context) (time.Time, error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, unknown(err)
	}
	return s.wall().UTC(), nil
}

// StaleReads is 0: a read sees every write that was answered before it.
func (s *Store) StaleReads() time.Duration { return 0 }

// EffectDelay is 0, for the same reason.
func (s *Store) EffectDelay() time.Duration { return 0 }

// unknown marks err as one that leaves open whether the operation was applied.
func unknown(err error) error { return fmt.Errorf("sqlite: %w: %w", issuer.ErrUnknown, err) }
