package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"
)

// readers is a few connections that only read. A read that begins after a write was answered sees it: that is how a
// write-ahead log works. They are opened when they are needed and closed when they have not been for a while.
type readers struct {
	db       *sql.DB
	mu       sync.RWMutex
	prepared map[string]*sql.Stmt
}

func openReaders(path string, busy time.Duration) (*readers, error) {
	db, err := sql.Open("sqlite", dsn(path, busy, readerPragmas...))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(4)
	db.SetMaxIdleConns(2)
	db.SetConnMaxIdleTime(time.Minute)
	return &readers{db: db, prepared: map[string]*sql.Stmt{}}, nil
}

func (r *readers) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.prepared {
		_ = s.Close()
	}
	return r.db.Close()
}

func (r *readers) prepare(query string) (*sql.Stmt, error) {
	r.mu.RLock()
	s := r.prepared[query]
	r.mu.RUnlock()
	if s != nil {
		return s, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.prepared[query]; s != nil {
		return s, nil
	}
	s, err := r.db.Prepare(query)
	if err == nil {
		r.prepared[query] = s
	}
	return s, err
}

// readRow reads the one column of the first row, or returns false. Once begun, a read is not interrupted: it takes
// microseconds, and watching ctx would cost as much.
func readRow[C any](ctx context.Context, s *Store, query string, args ...any) (c C, found bool, err error) {
	if err := ctx.Err(); err != nil {
		return c, false, unknown(err)
	}
	stmt, err := s.readers.prepare(query)
	if err != nil {
		return c, false, unknown(explain(err))
	}
	err = stmt.QueryRow(args...).Scan(&c)
	if errors.Is(err, sql.ErrNoRows) {
		return c, false, nil
	}
	if err != nil {
		return c, false, unknown(explain(err))
	}
	return c, true, nil
}

// readRows passes the columns of each row to keep, which scans them.
func readRows(ctx context.Context, s *Store, keep func(*sql.Rows) error, query string, args ...any) (err error) {
	defer func() {
		if err != nil {
			err = unknown(explain(err))
		}
	}()
	if err := ctx.Err(); err != nil {
		return err
	}
	stmt, err := s.readers.prepare(query)
	if err != nil {
		return err
	}
	rows, err := stmt.Query(args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := keep(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
